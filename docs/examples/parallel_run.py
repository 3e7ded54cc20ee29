"""Replay a range four times as fast: the server splits it, and each part is a session of its own.

All parts share one control connection; each has its own notifications, its own state and its own end. What they find is added up.
"""

from __future__ import annotations

from collections import Counter

import trio

from simclient import (
    TOKEN_PROGRAM,
    BacktestSession,
    Completed,
    ExecutedTransaction,
    ReadyForContinue,
    Transactions,
    open_local_simulator,
    open_parallel_session,
)

START_SLOT, LAST_SLOT = 350_000_000, 350_000_239


async def replay(session: BacktestSession, found: Counter[str]) -> None:
    """Run one part to its end; count its transactions by outcome."""
    async for event in session:
        match event:
            case ReadyForContinue():
                await session.advance(session.end_slot - session.start_slot + 1)
            case ExecutedTransaction():
                found["succeeded" if event.is_success else "failed"] += 1
            case Completed():
                print(f"slots {session.start_slot} to {session.end_slot} are done")
            case _:
                pass


async def main() -> None:
    """Replay the shipped market in parts of 60 slots."""
    found: Counter[str] = Counter()
    async with (
        open_local_simulator(split_slots=60) as simulator,
        open_parallel_session(
            simulator.url,
            start_slot=START_SLOT,
            end_slot=LAST_SLOT,
            subscriptions=[Transactions(mentions=TOKEN_PROGRAM)],
        ) as parallel,
        trio.open_nursery() as nursery,
    ):
        for session in parallel:
            nursery.start_soon(replay, session, found)

    print(f"{found['succeeded']} transactions succeeded, {found['failed']} failed")


if __name__ == "__main__":
    trio.run(main)
