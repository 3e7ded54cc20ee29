"""Stopping before every matching batch, end to end over real WebSockets."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

import pytest
import trio

from simclient.errors import InputError, RemoteError
from simclient.session.backtest import BacktestSession
from simclient.session.discoveries import DiscoveryPause
from simclient.session.inbox import Event
from simclient.session.managed import open_backtest_session
from simclient.testing import (
    ControlPeer,
    DataPeer,
    HttpAnswer,
    HttpRequest,
    ScriptedServer,
    account_diff,
    open_scripted_server,
)
from simclient.wire.discovery import ProgramExecuted
from simclient.wire.failures import InvalidRequest
from simclient.wire.notifications import AccountDiff
from simclient.wire.requests import Continue, ContinueTo
from simclient.wire.responses import Completed, DiscoveryBatch, ErrorEvent, Paused, ReadyForContinue, SlotNotification
from simclient.wire.subscriptions import AccountDiffs

from .sessions import PROGRAM, QUICK

FILTERS = (ProgramExecuted(program=PROGRAM),)


def found(slot: int, batch_index: int) -> DiscoveryBatch:
    return DiscoveryBatch(slot=slot, batch_index=batch_index, matched=FILTERS)


def open_session(
    server: ScriptedServer, *, subscriptions: tuple[AccountDiffs, ...] = ()
) -> AbstractAsyncContextManager[BacktestSession]:
    return open_backtest_session(
        server.url,
        start_slot=100,
        end_slot=105,
        discoveries=FILTERS,
        subscriptions=subscriptions,
        limits=QUICK,
    )


async def stop_at(peer: ControlPeer, slot: int, batch_index: int) -> None:
    """Expect to be asked to stop there, and do."""
    asked = await peer.expect(ContinueTo)
    assert (asked.slot, asked.batch_index) == (slot, batch_index)
    await peer.send(Paused(slot=slot, batch_index=batch_index))


async def run_to_the_end(peer: ControlPeer) -> None:
    """Expect to be sent to the end of the range."""
    assert (await peer.expect(Continue)).advance_count == 2**64 - 1
    await peer.send(SlotNotification(slot=105), Completed())
    await peer.accept_close()


async def places(session: BacktestSession, *, offset: int = 0) -> list[tuple[int, int]]:
    with trio.fail_after(10):
        return [(pause.slot, pause.batch_index) async for pause in session.discoveries(offset=offset)]


async def test_it_stops_before_each_announced_batch() -> None:
    """The announcements come before the first ready, while it runs and while it waits; none is lost, and the range's end is the end."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(found(101, 2), ReadyForContinue())
        asked = await peer.expect(ContinueTo)
        await peer.send(found(103, 0), found(102, 5), SlotNotification(slot=100))
        await peer.send(Paused(slot=asked.slot, batch_index=2))
        await stop_at(peer, 102, 5)
        await stop_at(peer, 103, 0)
        await peer.send(ReadyForContinue())
        await run_to_the_end(peer)

    async with open_scripted_server(control=[control]) as server, open_session(server) as session:
        assert await places(session) == [(101, 2), (102, 5), (103, 0)]


async def test_state_is_read_while_it_waits() -> None:
    """The server is asked to go on only when the next pause is."""
    answers: list[int] = []

    def http(request: HttpRequest) -> HttpAnswer:
        return HttpAnswer(body=b'{"jsonrpc":"2.0","id":1,"result":101}')

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(found(101, 2), ReadyForContinue())
        await stop_at(peer, 101, 2)
        await has_read.wait()
        await peer.send(ReadyForContinue())
        await run_to_the_end(peer)

    has_read = trio.Event()
    async with open_scripted_server(control=[control], http=http) as server, open_session(server) as session:
        with trio.fail_after(10):
            async for pause in session.discoveries():
                assert pause.paused == Paused(slot=101, batch_index=2)
                answers.append(await session.rpc.get_slot())
                has_read.set()

    assert answers == [101]


async def test_an_announcement_while_it_runs_redirects_it() -> None:
    """Nothing was announced, so it was sent on; then something is, and the session is stopped there."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue())
        assert (await peer.expect(Continue)).advance_count == 2**64 - 1
        await peer.send(SlotNotification(slot=100), found(104, 1))
        await stop_at(peer, 104, 1)
        await peer.send(ReadyForContinue())
        await run_to_the_end(peer)

    async with open_scripted_server(control=[control]) as server, open_session(server) as session:
        assert await places(session) == [(104, 1)]


async def test_two_announcements_of_one_batch_are_two_pauses_at_one_place() -> None:
    """It is sent there once."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(found(101, 2), found(101, 2), ReadyForContinue())
        await stop_at(peer, 101, 2)
        await peer.send(ReadyForContinue())
        await run_to_the_end(peer)

    async with open_scripted_server(control=[control]) as server, open_session(server) as session:
        assert await places(session) == [(101, 2), (101, 2)]


async def test_a_batch_that_was_passed_is_told_without_a_pause() -> None:
    """An announcement that comes too late is not lost, and the session is not sent back."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(SlotNotification(slot=102), found(101, 2), ReadyForContinue())
        await run_to_the_end(peer)

    async with open_scripted_server(control=[control]) as server, open_session(server) as session:
        with trio.fail_after(10):
            pauses: list[DiscoveryPause] = [pause async for pause in session.discoveries()]

    assert [(pause.slot, pause.paused) for pause in pauses] == [(101, None)]


async def test_an_offset_stops_behind_the_batch() -> None:
    """1 is just after it, as in 0.28."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(found(101, 2), ReadyForContinue())
        await stop_at(peer, 101, 3)
        await peer.send(ReadyForContinue())
        await run_to_the_end(peer)

    async with open_scripted_server(control=[control]) as server, open_session(server) as session:
        assert await places(session, offset=1) == [(101, 2)]


async def test_what_was_announced_before_is_not_lost() -> None:
    """The user has read the announcement as an event, and asks for pauses only then."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(found(101, 2), ReadyForContinue())
        await stop_at(peer, 101, 2)
        await peer.send(ReadyForContinue())
        await run_to_the_end(peer)

    async with open_scripted_server(control=[control]) as server, open_session(server) as session:
        assert await anext(session) == found(101, 2)
        assert await anext(session) == ReadyForContinue()
        assert await places(session) == [(101, 2)]


async def test_stepping_may_be_left_and_begun_again() -> None:
    """The second iteration goes on where the first was left."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(found(101, 0), found(102, 0), ReadyForContinue())
        await stop_at(peer, 101, 0)
        await stop_at(peer, 102, 0)
        await peer.send(ReadyForContinue())
        await run_to_the_end(peer)

    async with open_scripted_server(control=[control]) as server, open_session(server) as session:
        async for pause in session.discoveries():
            assert pause.slot == 101
            break
        assert await places(session) == [(102, 0)]


async def test_it_survives_the_loss_of_the_control_socket() -> None:
    """A pause that was replayed after a reconnect is the pause."""

    async def first(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(found(101, 2), ReadyForContinue(), seq_id=1)
        await peer.expect(ContinueTo)
        peer.cut()

    async def second(peer: ControlPeer) -> None:
        await peer.accept_attach(Paused(slot=101, batch_index=2), seq_id=3)
        await peer.send(ReadyForContinue(), seq_id=4)
        await run_to_the_end(peer)

    async with open_scripted_server(control=[first, second]) as server, open_session(server) as session:
        assert await places(session) == [(101, 2)]


async def test_other_events_go_to_whoever_is_named() -> None:
    """Notifications too, up to `Completed`."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue())
        await run_to_the_end(peer)

    async def data(peer: DataPeer) -> None:
        await peer.accept_subscribe()
        await peer.notify(account_diff(100))
        await peer.complete()
        await peer.hold()

    events: list[Event] = []
    watch = (AccountDiffs(program=PROGRAM),)
    async with open_scripted_server(control=[control], data=[data]) as server:
        async with open_session(server, subscriptions=watch) as session:
            with pytest.raises(InputError, match="on_event"):
                session.discoveries()
            with trio.fail_after(10):
                assert [pause async for pause in session.discoveries(on_event=events.append)] == []

    assert {type(event) for event in events} == {ReadyForContinue, SlotNotification, AccountDiff, Completed}
    assert events[-1] == Completed()


async def test_a_batch_that_the_run_did_not_stop_at_is_told_without_a_pause() -> None:
    """The range ends: with an offset there may be nothing behind the last batch."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(found(105, 2), ReadyForContinue())
        assert (await peer.expect(ContinueTo)).batch_index == 3
        await peer.send(SlotNotification(slot=105), Completed())
        await peer.accept_close()

    async with open_scripted_server(control=[control]) as server, open_session(server) as session:
        with trio.fail_after(10):
            pauses = [pause async for pause in session.discoveries(offset=1)]

    assert [(pause.slot, pause.paused) for pause in pauses] == [(105, None)]


async def test_a_stop_that_the_server_refuses_is_an_error() -> None:
    """Its payload is kept, and iterating again goes on."""
    failure = InvalidRequest(error="no")

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(found(101, 2), ReadyForContinue())
        await peer.expect(ContinueTo)
        await peer.send(ErrorEvent(failure=failure), ReadyForContinue())
        await run_to_the_end(peer)

    async with open_scripted_server(control=[control]) as server, open_session(server) as session:
        with trio.fail_after(10):
            with pytest.raises(RemoteError, match="batch 2 of slot 101") as caught:
                await anext(session.discoveries())
        assert caught.value.payload == failure
        assert await places(session) == []


async def test_there_must_be_something_to_stop_at() -> None:
    """Without filters nothing is announced."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.accept_close()

    async with open_scripted_server(control=[control]) as server:
        async with open_backtest_session(server.url, start_slot=100, end_slot=105) as session:
            with pytest.raises(InputError, match="without discoveries"):
                session.discoveries()
            with pytest.raises(InputError, match="offset"):
                session.discoveries(offset=-1)
