"""Two clients on one session, and a program that blocks the event loop: what is said of either."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

from simclient import AccountDiff, AccountDiffs, open_backtest_session
from simclient.errors import ConnectionLost, SimClientError
from simclient.session.limits import Limits
from simclient.testing import MemoryNetwork, Verdict, numbered_diffs, open_model_server
from simclient.wire.responses import ReadyForContinue

from .sessions import PROGRAM

TRUTH = numbered_diffs(60, slots=range(100, 106))
PATIENT = Limits(local_attempts=1000)


async def test_two_clients_of_one_session_do_not_take_it_from_each_other_for_ever(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The server gives it to whoever came last; the first to spend its budget ends with one typed error, and the other has the session."""
    random.seed(1)
    network = MemoryNetwork()
    errors: list[SimClientError] = []
    has_failed = trio.Event()

    async def hold(session_id: str | None, is_open: trio.Event) -> None:
        try:
            async with open_backtest_session(
                model.url,
                start_slot=100,
                end_slot=105,
                attach=session_id,
                limits=PATIENT,
                open_stream=network.open_stream,
            ) as session:
                is_open.set()
                async for _ in session:
                    pass
        except SimClientError as error:
            errors.append(error)
            has_failed.set()

    async with open_model_server({PROGRAM: TRUTH}, network=network) as model, trio.open_nursery() as nursery:
        with trio.fail_after(3600):
            first, second = trio.Event(), trio.Event()
            nursery.start_soon(hold, None, first)
            await first.wait()
            nursery.start_soon(hold, next(iter(model.sessions)), second)
            await second.wait()
            await has_failed.wait()
        nursery.cancel_scope.cancel()

    assert isinstance(errors[0], ConnectionLost)
    assert "failures in a row" in str(errors[0])


async def sleep(clock: trio.testing.MockClock) -> None:
    await trio.sleep(900)


async def block(clock: trio.testing.MockClock) -> None:
    await trio.sleep(0.01)
    clock.jump(100)  # as `time.sleep(100)` would


@pytest.mark.parametrize("pause", [sleep, block], ids=["sleeps", "blocks the event loop"])
async def test_a_program_that_pauses_for_long_is_not_taken_for_a_dead_connection(
    autojump_clock: trio.testing.MockClock, pause: Callable[[trio.testing.MockClock], Awaitable[None]]
) -> None:
    """Liveness counts only while we read and can hear: what came meanwhile is all there, and nothing was connected anew."""
    network = MemoryNetwork()
    received: list[AccountDiff] = []
    async with open_model_server({PROGRAM: TRUTH}, network=network) as model:
        async with open_backtest_session(
            model.url,
            start_slot=100,
            end_slot=105,
            subscriptions=[AccountDiffs(program=PROGRAM)],
            limits=PATIENT,
            open_stream=network.open_stream,
        ) as session:
            async for event in session:
                if isinstance(event, AccountDiff):
                    received.append(event)
                elif isinstance(event, ReadyForContinue):
                    await session.advance(3)
                    await pause(autojump_clock)
            statistics = session.statistics()

    assert TRUTH.compare(received) == Verdict()
    assert (statistics.control_reconnects, statistics.data_reconnects) == (0, 0)
