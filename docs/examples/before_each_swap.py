"""Would another route have given more? Stop before each swap, and price it in another way on the very same state.

Here the other way is to swap in two halves in a row against the one pool that there is, as a router does with two pools of which the
second is the same: what the first half gives, twice, is what a second pool in the same state would make of it. Prints CSV.
"""

from __future__ import annotations

import csv
import sys

import trio
from solders.transaction import VersionedTransaction
from swaps import BUNDLE, FIRST_SLOT, LAST_SLOT, WHIRLPOOL, output_of, swaps_in

from simclient import ProgramExecuted, open_backtest_session, open_local_simulator


async def main() -> None:
    """Walk from one swap to the next."""
    rows = csv.writer(sys.stdout)
    rows.writerow(("slot", "pool", "amount_in", "out", "out_over_two_pools", "gain_bps"))
    async with (
        open_local_simulator([BUNDLE]) as simulator,
        open_backtest_session(
            simulator.url,
            start_slot=FIRST_SLOT,
            end_slot=LAST_SLOT,
            discoveries=[ProgramExecuted(program=WHIRLPOOL)],
        ) as session,
    ):
        async for pause in session.discoveries():
            for encoded in pause.discovery.transactions:
                for swap in swaps_in(VersionedTransaction.from_bytes(encoded.decode())):
                    out = await output_of(session.rpc, swap)
                    half = await output_of(session.rpc, swap.of(swap.amount // 2))
                    if out and half:
                        gain = f"{(2 * half - out) / out * 10_000:.2f}"
                        rows.writerow((pause.slot, swap.pool, swap.amount, out, 2 * half, gain))


if __name__ == "__main__":
    trio.run(main)
