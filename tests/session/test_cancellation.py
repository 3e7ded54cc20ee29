"""Every awaiting method of a session is cancelled at its wait, and the session used again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
import trio
import trio.testing

from simclient.errors import SessionClosed
from simclient.session.backtest import BacktestSession
from simclient.session.managed import open_backtest_session
from simclient.testing import ClientGone, ControlPeer, DataPeer, account_diff, open_scripted_server
from simclient.wire.discovery import ProgramExecuted
from simclient.wire.notifications import AccountDiff
from simclient.wire.requests import CloseSession, Continue
from simclient.wire.responses import Completed, ReadyForContinue
from simclient.wire.subscriptions import AccountDiffs

from .sessions import PROGRAM, QUICK


class Run:
    """A server that waits for `go_on` before it completes the run that the client has advanced."""

    def __init__(self) -> None:
        self.go_on = trio.Event()
        self.advanced_slots: int | None = None

    async def control(self, peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue())
        request = await peer.receive_request()
        if isinstance(request, CloseSession):
            return

        assert isinstance(request, Continue)
        self.advanced_slots = request.advance_count
        await self.go_on.wait()
        await peer.send(Completed())
        await peer.accept_close()

    async def data(self, peer: DataPeer) -> None:
        await peer.accept_subscribe()
        await self.go_on.wait()
        with suppress(ClientGone):  # a subscription that was cancelled may have left, or be about to
            await peer.notify(account_diff(100))
            await peer.complete()
        await peer.hold()


@asynccontextmanager
async def ready_session(run: Run, *, data: int = 0) -> AsyncIterator[BacktestSession]:
    """Open a session and take its `ReadyForContinue`."""
    async with open_scripted_server(control=[run.control], data=[run.data] * data) as server:
        async with open_backtest_session(
            server.url,
            start_slot=100,
            end_slot=105,
            limits=QUICK,
            discoveries=[ProgramExecuted(program=PROGRAM)],
        ) as session:
            with trio.fail_after(10):
                assert isinstance(await anext(session), ReadyForContinue)
                yield session


async def cancel_at_its_wait(function: Callable[[], Awaitable[object]]) -> None:
    """Cancel a call once it waits and nothing else moves."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(function)
        await trio.testing.wait_all_tasks_blocked(0.05)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("how", ["anext", "batches", "discoveries"])
async def test_a_cancelled_reader_loses_nothing(how: str) -> None:
    """The next reader gets what the cancelled one waited for."""
    run = Run()
    async with ready_session(run) as session:
        reader: Callable[[], Awaitable[object]] = {
            "anext": lambda: anext(session),
            "batches": lambda: anext(session.batches()),
            "discoveries": lambda: anext(session.discoveries()),
        }[how]
        if how != "discoveries":
            await session.advance()
        await cancel_at_its_wait(reader)
        run.go_on.set()
        assert [event async for event in session] == [Completed()]


async def test_an_advance_that_is_cancelled_before_it_is_queued_was_not() -> None:
    """It can be made again, and only the second one reaches the server."""
    run = Run()
    run.go_on.set()
    async with ready_session(run) as session:
        with trio.CancelScope() as scope:
            scope.cancel()
            await session.advance(3)
        assert scope.cancelled_caught
        await session.advance(4)
        assert [event async for event in session] == [Completed()]
    assert run.advanced_slots == 4


async def test_a_subscribe_that_is_cancelled_leaves_nothing_behind() -> None:
    """Before its block and inside of it; the run completes without it."""
    run = Run()
    async with ready_session(run, data=1) as session:
        with trio.CancelScope() as scope:
            scope.cancel()
            async with session.subscribe(AccountDiffs(program=PROGRAM)):
                raise AssertionError("it was entered")

        async def read() -> None:
            async with session.subscribe(AccountDiffs(program=PROGRAM)) as stream:
                await anext(stream)

        await cancel_at_its_wait(read)
        await session.advance()
        run.go_on.set()
        assert [event async for event in session] == [Completed()]


async def test_a_stream_that_is_cancelled_at_its_wait_goes_on() -> None:
    """The notification that came meanwhile is the next one."""
    run = Run()
    async with ready_session(run, data=1) as session:
        async with session.subscribe(AccountDiffs(program=PROGRAM)) as stream:
            await session.advance()
            await cancel_at_its_wait(lambda: anext(stream))
            run.go_on.set()
            assert [type(event) async for event in stream] == [AccountDiff]
        assert [event async for event in session] == [Completed()]


async def test_a_detach_that_is_cancelled_while_it_leaves_has_detached() -> None:
    """As its docstring says: the session belongs to whoever comes next."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue())
        peer.freeze()  # nobody answers the close frame
        await peer.hold_until_gone()

    async with open_scripted_server(control=[control]) as server:
        async with open_backtest_session(server.url, start_slot=100, end_slot=105, limits=QUICK) as session:
            with trio.fail_after(10):
                assert isinstance(await anext(session), ReadyForContinue)
                await cancel_at_its_wait(session.detach)
                with pytest.raises(SessionClosed):
                    await session.advance()
        assert not any(isinstance(request, CloseSession) for request in server.requests)


async def test_a_detach_that_is_cancelled_before_it_began_has_not_detached() -> None:
    """The session goes on."""
    run = Run()
    run.go_on.set()
    async with ready_session(run) as session:
        with trio.CancelScope() as scope:
            scope.cancel()
            await session.detach()
        await session.advance()
        assert [event async for event in session] == [Completed()]
