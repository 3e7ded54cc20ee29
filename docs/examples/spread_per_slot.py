"""What is the spread of a pool, slot by slot? Sell a little, buy back what that gave, and see what is missing.

Both swaps are simulated on the same state, so the pool does not move and the second does not see the first. Prints CSV with the spread of
the round trip in basis points of the size: twice the pool's fee, and what the size itself moves the price.
"""

from __future__ import annotations

import csv
import sys

import trio
from solders.transaction import VersionedTransaction
from swaps import BUNDLE, FIRST_SLOT, LAST_SLOT, WHIRLPOOL, Swap, output_of, swaps_in

from simclient import (
    DiscoveryBatch,
    ProgramExecuted,
    ReadyForContinue,
    SessionRpc,
    SlotNotification,
    open_backtest_session,
    open_local_simulator,
)

SIZE = 1_000_000
BASIS_POINTS = 10_000


async def spread_of(rpc: SessionRpc, swap: Swap) -> float | None:
    """Return the spread of a round trip in basis points; None: a leg would fail."""
    out = await output_of(rpc, swap.of(SIZE))
    back = None if not out else await output_of(rpc, swap.reversed(out))
    return None if back is None else (SIZE - back) / SIZE * BASIS_POINTS


async def main() -> None:
    """Step through the slots; pools are known from the swaps that are announced."""
    rows = csv.writer(sys.stdout)
    rows.writerow(("slot", "pool", "size", "spread_bps"))
    pools: dict[str, Swap] = {}
    async with (
        open_local_simulator([BUNDLE]) as simulator,
        open_backtest_session(
            simulator.url,
            start_slot=FIRST_SLOT,
            end_slot=LAST_SLOT,
            discoveries=[ProgramExecuted(program=WHIRLPOOL)],
        ) as session,
    ):
        slot = FIRST_SLOT - 1
        async for event in session:
            match event:
                case DiscoveryBatch(transactions=transactions):
                    for encoded in transactions:
                        found = swaps_in(VersionedTransaction.from_bytes(encoded.decode()))
                        pools |= {swap.pool: swap for swap in found if swap.pool not in pools}
                case SlotNotification(slot=slot):
                    pass
                case ReadyForContinue():
                    for pool, swap in pools.items() if slot >= FIRST_SLOT else ():
                        spread = await spread_of(session.rpc, swap)
                        rows.writerow((slot, pool, SIZE, "" if spread is None else f"{spread:.1f}"))
                    await session.advance(1)
                case _:
                    pass


if __name__ == "__main__":
    trio.run(main)
