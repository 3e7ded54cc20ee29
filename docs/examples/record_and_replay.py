"""Pay once, iterate offline: record a session, then ask another question of it without the server that gave it.

The first run asks only for diffs of the Token program. The second is served from the file: it could be another day, on a machine without
a key, as often as the question changes.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import trio

from simclient import (
    TOKEN_PROGRAM,
    AccountDiff,
    AccountDiffs,
    ReadyForContinue,
    open_backtest_session,
    open_local_simulator,
    open_recording,
)

START_SLOT, LAST_SLOT = 350_000_000, 350_000_049
SUBSCRIPTIONS = (AccountDiffs(program=TOKEN_PROGRAM),)
RECORDING = Path("paid.recording")


async def record() -> int:
    """Run the session that is paid for, and return how many diffs it gave."""
    count = 0
    async with (
        open_local_simulator() as simulator,  # a server of its own would be paid here
        open_backtest_session(
            simulator.url, start_slot=START_SLOT, end_slot=LAST_SLOT, subscriptions=SUBSCRIPTIONS
        ) as session,
        open_recording(RECORDING, session, subscriptions=SUBSCRIPTIONS) as events,
    ):
        async for event in events:
            match event:
                case ReadyForContinue():
                    await session.advance(10)
                case AccountDiff():
                    count += 1
                case _:
                    pass
    return count


async def busiest_accounts() -> list[tuple[str | None, int]]:
    """Ask the recording which accounts were written most."""
    writes: Counter[str | None] = Counter()
    async with (
        open_local_simulator(recordings=[RECORDING]) as simulator,
        open_backtest_session(
            simulator.url, start_slot=START_SLOT, end_slot=LAST_SLOT, subscriptions=SUBSCRIPTIONS
        ) as session,
    ):
        async for event in session:
            match event:
                case ReadyForContinue():
                    await session.advance(50)
                case AccountDiff():
                    writes[event.account] += 1
                case _:
                    pass
    return writes.most_common(3)


async def main() -> None:
    """Record, and ask."""
    print(f"recorded {await record()} diffs in {RECORDING}")
    for account, count in await busiest_accounts():
        print(f"{account} was written {count} times")


if __name__ == "__main__":
    trio.run(main)
