"""The control connection drops at every moment of a session's life; the user sees each control event once.

Each way to lose a socket is tried in each phase: cut, reset, a handoff, and silence past the keepalive deadline.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import pytest
import trio

from simclient.errors import ConnectionLost
from simclient.protocol.budget import BudgetLimits
from simclient.session.backtest import BacktestSession
from simclient.session.connections import ConnectionChange, ConnectionState
from simclient.session.inbox import Event
from simclient.session.limits import Limits
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
from simclient.wire.accounts import AccountData
from simclient.wire.notifications import AccountDiff
from simclient.wire.requests import AttachSession, CloseSession, Continue, ResumeAttachedSession
from simclient.wire.responses import (
    Completed,
    Paused,
    ReadyForContinue,
    SessionAttached,
    SlotNotification,
    Success,
)
from simclient.wire.subscriptions import AccountDiffs

PROGRAM = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
SYSTEM_PROGRAM = "1" * 32
QUICK = Limits(
    reconnect=BudgetLimits(first_delay_seconds=0.01),
    keepalive_interval_seconds=0.05,
    keepalive_deadline_seconds=0.2,
    continue_grace_seconds=0.2,
)
"""Reconnects at once and notices silence soon: the tests are about what follows."""

Ending = Callable[[ControlPeer], Awaitable[None]]


async def cut(peer: ControlPeer) -> None:
    peer.cut()


async def reset(peer: ControlPeer) -> None:
    peer.reset()


async def hand_off(peer: ControlPeer) -> None:
    await peer.close(1012, "management handoff")


async def fall_silent(peer: ControlPeer) -> None:
    peer.stop_answering_pings()
    await peer.hold_until_gone()


endings = pytest.mark.parametrize("end", [cut, reset, hand_off, fall_silent], ids=lambda end: end.__name__)


def open_session(server: ScriptedServer, *, limits: Limits = QUICK) -> AbstractAsyncContextManager[BacktestSession]:
    return open_backtest_session(server.url, start_slot=100, end_slot=105, limits=limits)


async def run_to_the_end(session: BacktestSession) -> list[Event]:
    """Advance whenever the session is ready; return all events."""
    events: list[Event] = []
    with trio.fail_after(20):
        async for event in session:
            events.append(event)
            if isinstance(event, ReadyForContinue):
                await session.advance(2)
    return events


async def start(peer: ControlPeer) -> None:
    """Create a session and say that it is ready, as event 1."""
    await peer.accept_create()
    await peer.send(ReadyForContinue(), seq_id=1)
    await peer.expect(Continue)
    await peer.send(SlotNotification(slot=100), seq_id=2)


async def finish(peer: ControlPeer) -> None:
    """Take the client up again after event 2, replaying it too, and complete."""
    attach = await peer.accept_attach(SlotNotification(slot=100), SlotNotification(slot=101), seq_id=2)
    assert attach.last_sequence == 2
    await peer.send(Completed(), seq_id=4)
    await peer.accept_close()


EVENTS = [ReadyForContinue(), SlotNotification(slot=100), SlotNotification(slot=101), Completed()]


@endings
async def test_it_comes_back_after_a_loss_in_mid_run(end: Ending) -> None:
    """The last event seen is asked for, what is replayed twice is given once."""

    async def first(peer: ControlPeer) -> None:
        await start(peer)
        await end(peer)

    async with open_scripted_server(control=[first, finish]) as server, open_session(server) as session:
        assert await run_to_the_end(session) == EVENTS
        assert session.statistics().control_reconnects == 1


@endings
async def test_it_comes_back_after_a_loss_during_attach(end: Ending) -> None:
    """The attach that nobody answered is asked again on the next socket."""

    async def first(peer: ControlPeer) -> None:
        await start(peer)
        peer.cut()

    async def second(peer: ControlPeer) -> None:
        await peer.expect(AttachSession)
        await end(peer)

    async with open_scripted_server(control=[first, second, finish]) as server, open_session(server) as session:
        assert await run_to_the_end(session) == EVENTS
        assert session.statistics().control_reconnects == 2


@endings
async def test_it_comes_back_after_a_loss_during_resume(end: Ending) -> None:
    """Events replayed before the resume was answered count as seen: the next attach says so."""

    async def first(peer: ControlPeer) -> None:
        await start(peer)
        peer.cut()

    async def second(peer: ControlPeer) -> None:
        await peer.expect(AttachSession)
        await peer.send(SessionAttached(session_id="s1", rpc_endpoint=peer.rpc_endpoint("s1")))
        await peer.send(SlotNotification(slot=101), seq_id=3)
        await peer.expect(ResumeAttachedSession)
        await end(peer)

    async def third(peer: ControlPeer) -> None:
        attach = await peer.accept_attach(Completed(), seq_id=4)
        assert attach.last_sequence == 3
        await peer.accept_close()

    async with open_scripted_server(control=[first, second, third]) as server, open_session(server) as session:
        assert await run_to_the_end(session) == EVENTS


@endings
async def test_it_comes_back_after_a_loss_during_the_create(end: Ending) -> None:
    """Nobody answered the create: it is asked again, and the orphan that there may be is counted."""

    async def first(peer: ControlPeer) -> None:
        await peer.receive_request()
        await end(peer)

    async def second(peer: ControlPeer) -> None:
        await start(peer)
        await peer.send(SlotNotification(slot=101), Completed(), seq_id=3)
        await peer.accept_close()

    async with open_scripted_server(control=[first, second]) as server, open_session(server) as session:
        assert await run_to_the_end(session) == EVENTS
        assert session.statistics().possible_orphans == 1


@endings
async def test_it_comes_back_to_close_after_a_loss_during_the_close(end: Ending) -> None:
    """The close may not have been read: the session is attached to once more to close it."""

    async def first(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue(), seq_id=1)
        await peer.expect(CloseSession)
        await end(peer)

    async def second(peer: ControlPeer) -> None:
        await peer.expect(AttachSession)
        await peer.send(SessionAttached(session_id="s1", rpc_endpoint=peer.rpc_endpoint("s1")))
        await peer.accept_close()

    async with open_scripted_server(control=[first, second]) as server:
        with trio.fail_after(10):
            async with open_session(server):
                pass


@endings
async def test_a_loss_during_the_drain_loses_nothing(end: Ending) -> None:
    """After `completed` the control plane is not needed: the data is drained, and the session closed on a new socket."""
    drained = trio.Event()

    async def first(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue(), Completed(), seq_id=1)
        await end(peer)
        drained.set()

    async def second(peer: ControlPeer) -> None:
        await peer.expect(AttachSession)
        await peer.send(SessionAttached(session_id="s1", rpc_endpoint=peer.rpc_endpoint("s1")))
        await peer.accept_close()

    async def data(peer: DataPeer) -> None:
        await peer.accept_subscribe()
        await peer.notify(account_diff(100))
        await drained.wait()
        await peer.notify(account_diff(101))
        await peer.complete()
        await peer.hold()

    async with open_scripted_server(control=[first, second], data=[data]) as server:
        async with open_backtest_session(
            server.url, start_slot=100, end_slot=105, subscriptions=[AccountDiffs(program=PROGRAM)], limits=QUICK
        ) as session:
            with trio.fail_after(20):
                events = [event async for event in session]

    assert [event.slot for event in events if isinstance(event, AccountDiff)] == [100, 101]
    assert events[-1] == Completed()


# A `continue` written just before the cut


class Slots:
    """Answers getSlot with one number after another, the last one for ever."""

    def __init__(self, *slots: int) -> None:
        self._left = list(slots)

    def __call__(self, request: HttpRequest) -> HttpAnswer:
        asked = json.loads(request.body)
        slot = self._left[0] if len(self._left) == 1 else self._left.pop(0)
        return HttpAnswer(body=json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": slot}).encode())


async def lose_a_continue(peer: ControlPeer) -> None:
    await peer.accept_create()
    await peer.send(ReadyForContinue(), seq_id=1)
    await peer.expect(Continue)
    peer.cut()


@pytest.mark.parametrize("http", [None, Slots(99)], ids=["without RPC", "with an RPC whose slot stands still"])
async def test_a_plain_continue_of_which_nothing_shows_is_sent_once_more(http: Slots | None) -> None:
    """Neither an event nor the slot moves within the grace: the server has not read it."""

    async def second(peer: ControlPeer) -> None:
        await peer.accept_attach()
        assert (await peer.expect(Continue)).advance_count == 2
        await peer.send(Completed(), seq_id=2)
        await peer.accept_close()

    answer = http or (lambda request: HttpAnswer(status=503))
    async with open_scripted_server(control=[lose_a_continue, second], http=answer) as server:
        async with open_session(server) as session:
            await run_to_the_end(session)
            assert session.statistics().continues_resent == 1


async def test_a_continue_is_not_sent_again_while_the_slot_moves() -> None:
    """The session's RPC shows that the server is at it."""

    async def second(peer: ControlPeer) -> None:
        await peer.accept_attach()
        await moved.wait()
        with trio.move_on_after(2 * QUICK.continue_grace_seconds):
            await peer.expect(Continue)
            raise AssertionError("it was sent again")
        await peer.send(SlotNotification(slot=100), Completed(), seq_id=2)
        await peer.accept_close()

    moved = trio.Event()
    slots = Slots(99, 100)
    asked = 0

    def http(request: HttpRequest) -> HttpAnswer:
        nonlocal asked
        asked += 1
        if asked == 2:
            moved.set()
        return slots(request)

    async with open_scripted_server(control=[lose_a_continue, second], http=http) as server:
        async with open_session(server) as session:
            await run_to_the_end(session)
            assert session.statistics().continues_resent == 0
        assert [type(request) for request in server.requests].count(Continue) == 1


@pytest.mark.parametrize("with_what", ["transactions", "modifications"])
async def test_a_continue_with_effects_of_which_nothing_shows_ends_the_run(with_what: str) -> None:
    """Sending it twice could do it twice: the error says what is unknown."""

    async def second(peer: ControlPeer) -> None:
        await peer.accept_attach()
        await peer.accept_close()

    async with open_scripted_server(control=[lose_a_continue, second]) as server:
        with pytest.raises(ConnectionLost, match=r"nothing shows whether the server took it"):
            async with open_session(server) as session:
                async for event in session:
                    if isinstance(event, ReadyForContinue) and with_what == "transactions":
                        await session.advance(transactions=[b"signed"])
                    elif isinstance(event, ReadyForContinue):
                        account = AccountData.build(lamports=1, owner=SYSTEM_PROGRAM)
                        await session.advance(modify_accounts={PROGRAM: account})
        assert [type(request) for request in server.requests].count(Continue) == 1


async def test_a_paused_session_says_so_once() -> None:
    """`Paused` is an event like the others: replayed, it is dropped, and the session may be advanced after it."""

    async def first(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue(), Paused(slot=101), seq_id=1)
        peer.cut()

    async def second(peer: ControlPeer) -> None:
        await peer.accept_attach(Paused(slot=101), seq_id=2)
        await peer.send(Completed(), seq_id=3)
        await peer.accept_close()

    async with open_scripted_server(control=[first, second]) as server, open_session(server) as session:
        with trio.fail_after(10):
            events = [event async for event in session]

    assert events == [ReadyForContinue(), Paused(slot=101), Completed()]


# A session that is served elsewhere after a handoff


async def test_data_and_rpc_follow_a_session_to_its_new_place() -> None:
    """The endpoint that the attach gives is the one that new data sockets and RPC use."""
    paths: list[str] = []

    def http(request: HttpRequest) -> HttpAnswer:
        paths.append(request.path)
        return HttpAnswer(body=b'{"jsonrpc":"2.0","id":1,"result":100}')

    async def first(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue(), seq_id=1)
        await has_data.wait()
        peer.cut()

    async def second(peer: ControlPeer) -> None:
        await peer.expect(AttachSession)
        await peer.send(SessionAttached(session_id="s1", rpc_endpoint=peer.rpc_endpoint("elsewhere")))
        await peer.expect(ResumeAttachedSession)
        await peer.send(Success(), Completed())
        has_moved.set()
        await peer.accept_close()

    async def here(peer: DataPeer) -> None:
        await peer.accept_subscribe()
        has_data.set()
        await has_moved.wait()
        peer.cut()

    async def there(peer: DataPeer) -> None:
        assert peer.path.endswith("/elsewhere")
        await peer.accept_subscribe()
        await peer.complete()
        await peer.hold()

    has_data, has_moved = trio.Event(), trio.Event()
    async with open_scripted_server(control=[first, second], data=[here, there], http=http) as server:
        async with open_backtest_session(
            server.url, start_slot=100, end_slot=105, subscriptions=[AccountDiffs(program=PROGRAM)], limits=QUICK
        ) as session:
            with trio.fail_after(10):
                events = [event async for event in session]
            assert await session.rpc.get_slot() == 100

    assert events[-1] == Completed()
    assert paths[-1].endswith("/elsewhere")


# What an observer is told


async def test_an_observer_is_told_of_every_change() -> None:
    """Control and data come up, go down with a reason, and come up again."""
    changes: list[ConnectionChange] = []

    async def first(peer: ControlPeer) -> None:
        await start(peer)
        await peer.close(1012, "management handoff")

    async with open_scripted_server(control=[first, finish]) as server:
        async with open_backtest_session(
            server.url, start_slot=100, end_slot=105, limits=QUICK, observe=changes.append
        ) as session:
            await run_to_the_end(session)

    states = [change.state for change in changes]
    up, down, connecting = ConnectionState.UP, ConnectionState.DOWN, ConnectionState.CONNECTING
    assert states == [connecting, up, down, connecting, up, down]
    assert "1012" in str(changes[2].reason)
    assert {change.connection for change in changes} == {"control"}


async def test_what_an_observer_raises_ends_the_session() -> None:
    """It is the user's own code: its error comes out as it is."""

    def observe(change: ConnectionChange) -> None:
        if change.state is ConnectionState.UP:
            raise ZeroDivisionError

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.hold_until_gone()

    async with open_scripted_server(control=[control]) as server:
        with pytest.raises(ZeroDivisionError):
            async with open_backtest_session(
                server.url, start_slot=100, end_slot=105, limits=QUICK, observe=observe
            ) as session:
                async for _ in session:
                    pass


async def test_statistics_tell_how_far_the_data_is_behind() -> None:
    """Control has reported slot 105, of the notifications only slot 101 has come."""
    looked = trio.Event()

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(*(SlotNotification(slot=slot) for slot in range(100, 106)))
        await looked.wait()
        await peer.send(Completed())
        await peer.accept_close()

    async def data(peer: DataPeer) -> None:
        await peer.accept_subscribe()
        await peer.notify(account_diff(101))
        await looked.wait()
        await peer.complete()
        await peer.hold()

    async with open_scripted_server(control=[control], data=[data]) as server:
        async with open_backtest_session(
            server.url, start_slot=100, end_slot=105, subscriptions=[AccountDiffs(program=PROGRAM)], limits=QUICK
        ) as session:
            assert session.statistics().lag_slots is None
            with trio.fail_after(10):
                while session.statistics().lag_slots != 4:
                    await anext(session)
            looked.set()
            async for _ in session:
                pass
