"""Our client against the embedded simulator: the scenarios that the official Rust client runs against it too.

`docs/explanation/local-simulator.md` says how the Rust clients were run and what differed; these tests do the same with our own in CI.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
import trio

from simclient import (
    AccountDiff,
    AccountDiffs,
    BacktestSession,
    Completed,
    ReadyForContinue,
    open_backtest_session,
    open_parallel_session,
)
from simclient.local import open_local_simulator
from simclient.local.bundle import open_bundle, shipped_bundle
from simclient.protocol.budget import BudgetLimits
from simclient.session.limits import Limits
from simclient.testing import Close, ConnectionFaults, Cut, Fault, FaultPlan, Reset, faults_in_order
from simclient.wire.discovery import ProgramExecuted

TOKEN_PROGRAM = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
WATCHED = [AccountDiffs(program=TOKEN_PROGRAM)]
SPLIT_SLOTS = 60


def market() -> tuple[int, int]:
    """Return the first and the last slot of the market that comes with the package."""
    with open_bundle(shipped_bundle()) as reader:
        return reader.header.start_slot, reader.header.end_slot


async def run(session: BacktestSession, slots: int = 25) -> tuple[list[AccountDiff], Completed]:
    """Advance a session to its end; return what was seen."""
    diffs: list[AccountDiff] = []
    with trio.fail_after(120):
        async for event in session:
            match event:
                case ReadyForContinue():
                    await session.advance(slots)
                case AccountDiff():
                    diffs.append(event)
                case Completed():
                    return diffs, event
                case _:
                    pass
    raise AssertionError("the session ended without `completed`")


def counted(diffs: Sequence[AccountDiff]) -> Counter[bytes]:
    return Counter(bytes(diff.raw) for diff in diffs)


async def undisturbed() -> Counter[bytes]:
    start, end = market()
    async with (
        open_local_simulator() as simulator,
        open_backtest_session(simulator.url, start_slot=start, end_slot=end, subscriptions=WATCHED) as session,
    ):
        diffs, _ = await run(session)
    return counted(diffs)


async def test_create_subscribe_advance_complete() -> None:
    """A session runs to its end, and the summary says that everything came out as recorded."""
    start, end = market()
    async with (
        open_local_simulator() as simulator,
        open_backtest_session(
            simulator.url, start_slot=start, end_slot=end, subscriptions=WATCHED, send_summary=True
        ) as session,
    ):
        diffs, completed = await run(session)

    assert len(diffs) > 2_000
    assert completed.summary is not None
    assert (completed.summary.correct_simulation, completed.summary.incorrect_simulation) == (745, 0)


HANDED_OVER = [Close(at_message=place) for place in (40, 700, 25, 300)]
"""The server says goodbye with 1012, first on the control socket; the session lives on."""
LATE = [Cut(at_message=10_000), Cut(at_message=2_200), Reset(at_message=20)]
"""The data socket is lost when the run is nearly over, and lost again."""
BEFORE_THE_FIRST = [Close(at_message=10_000), *[Close(at_message=1)] * 4]
"""Each data socket ends with its acknowledgement."""
QUICK = Limits(reconnect=BudgetLimits(first_delay_seconds=0.05))


def rude(seed: int) -> list[Fault]:
    """Return cuts and resets in the middle of frames."""
    return [
        Cut(at_byte=9_000 + 7_001 * seed),
        Reset(at_byte=50_000 + 3_007 * seed),
        Cut(at_byte=30_011),
        Reset(at_byte=4_099 * (seed + 1)),
    ]


DROPS = [rude(0), rude(1), rude(2), HANDED_OVER, LATE, BEFORE_THE_FIRST]


def plan(faults: Sequence[Fault]) -> FaultPlan:
    return faults_in_order(*(ConnectionFaults(downstream=(fault,)) for fault in faults))


@pytest.mark.parametrize("faults", DROPS)
async def test_drop_and_re_attach(faults: Sequence[Fault]) -> None:
    """Control and data sockets end again and again: every diff comes exactly once, and the run completes."""
    start, end = market()
    async with (
        open_local_simulator(faults=plan(faults)) as simulator,
        open_backtest_session(
            simulator.url, start_slot=start, end_slot=end, subscriptions=WATCHED, limits=QUICK
        ) as session,
    ):
        diffs, _ = await run(session)

    assert counted(diffs) == await undisturbed()


@pytest.mark.parametrize("faults", [[], rude(0), HANDED_OVER, BEFORE_THE_FIRST])
async def test_parallel(faults: Sequence[Fault]) -> None:
    """The sub-sessions of a parallel session together give every slot once; each begins with the state of its own first slot."""
    start, end = market()
    async with (
        open_local_simulator(split_slots=SPLIT_SLOTS, faults=plan(faults)) as simulator,
        open_parallel_session(
            simulator.url, start_slot=start, end_slot=end, subscriptions=WATCHED, limits=QUICK
        ) as parallel,
    ):
        seen: list[AccountDiff] = []

        async def work(session: BacktestSession) -> None:
            diffs, _ = await run(session)
            seen.extend(diffs)

        async with trio.open_nursery() as nursery:
            for session in parallel:
                nursery.start_soon(work, session)

    assert counted(seen) == await undisturbed()


async def test_stepping_over_discoveries() -> None:
    """Every announced batch is stopped at, in order, and the stepping ends with the range."""
    start, _ = market()
    async with (
        open_local_simulator() as simulator,
        open_backtest_session(
            simulator.url, start_slot=start, end_slot=start + 20, discoveries=[ProgramExecuted(program=TOKEN_PROGRAM)]
        ) as session,
    ):
        with trio.fail_after(60):
            stops = [(pause.slot, pause.batch_index) async for pause in session.discoveries()]

    assert len(stops) > 10
    assert stops == sorted(set(stops))
