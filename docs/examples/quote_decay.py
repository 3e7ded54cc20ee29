"""How fast does a quote decay? Take the swaps of the first slots, and ask on every later slot what they would have given then.

Two sessions in one nursery: one finds the swaps, the other steps through the slots and simulates them on each state. What was found goes
from one to the other over a memory channel, so nothing is waited for that is there already. Prints CSV, a line for each swap and slot.
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
    SlotNotification,
    open_backtest_session,
    open_local_simulator,
)

CAPTURED_SLOTS = 5
CAPTURED_SWAPS = 3

Captured = tuple[int, Swap]
"""The slot that a swap was made in, and the swap."""


async def capture(url: str, swaps: trio.MemorySendChannel[Captured]) -> None:
    """Find the first swaps; they are announced ahead of their execution."""
    found = 0
    with swaps:
        async with open_backtest_session(
            url,
            start_slot=FIRST_SLOT,
            end_slot=FIRST_SLOT + CAPTURED_SLOTS - 1,
            discoveries=[ProgramExecuted(program=WHIRLPOOL)],
        ) as session:
            async for event in session:
                if isinstance(event, ReadyForContinue):
                    await session.advance(CAPTURED_SLOTS)
                if isinstance(event, DiscoveryBatch):
                    for encoded in event.transactions:
                        for swap in swaps_in(VersionedTransaction.from_bytes(encoded.decode())):
                            if found < CAPTURED_SWAPS:
                                await swaps.send((event.slot, swap))
                                found += 1


async def reprice(url: str, swaps: trio.MemoryReceiveChannel[Captured]) -> None:
    """Step through the slots, and simulate every swap on each state from its own slot on."""
    rows = csv.writer(sys.stdout)
    rows.writerow(("pool", "amount_in", "captured_slot", "slot", "amount_out"))
    captured: list[Captured] = []
    async with open_backtest_session(url, start_slot=FIRST_SLOT, end_slot=LAST_SLOT) as session:
        slot = FIRST_SLOT - 1
        async for event in session:
            if isinstance(event, SlotNotification):
                slot = event.slot
            if isinstance(event, ReadyForContinue):
                if slot < FIRST_SLOT:
                    captured = [one async for one in swaps]
                for captured_slot, swap in captured:
                    if captured_slot <= slot:
                        rows.writerow((swap.pool, swap.amount, captured_slot, slot, await output_of(session.rpc, swap)))
                await session.advance(1)


async def main() -> None:
    """Run both sessions at the same time."""
    async with open_local_simulator([BUNDLE]) as simulator, trio.open_nursery() as nursery:
        send, receive = trio.open_memory_channel[Captured](CAPTURED_SWAPS)
        nursery.start_soon(capture, simulator.url, send)
        nursery.start_soon(reprice, simulator.url, receive)


if __name__ == "__main__":
    trio.run(main)
