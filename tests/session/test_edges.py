"""Moments at which two things happen at once, end to end over real WebSockets; each was a fault that a review found."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

import attrs
import pytest
import trio
import trio.testing

from simclient.errors import InputError, RemoteError
from simclient.protocol.budget import BudgetLimits
from simclient.session.backtest import BacktestSession
from simclient.session.inbox import Event
from simclient.session.limits import Limits
from simclient.session.managed import open_backtest_session
from simclient.session.parallel import open_parallel_session
from simclient.testing import ControlPeer, DataPeer, ScriptedServer, account_diff, open_scripted_server
from simclient.wire.detached import DetachedSession
from simclient.wire.failures import AdvanceSlotFailed, SessionNotFound, SimulationError
from simclient.wire.notifications import AccountDiff
from simclient.wire.requests import (
    AttachParallelSession,
    AttachSession,
    CloseSession,
    Continue,
    ContinueSubSession,
    CreateSession,
    ResumeAttachedSession,
)
from simclient.wire.responses import (
    Completed,
    ErrorEvent,
    ReadyForContinue,
    SessionAttached,
    SessionCreated,
    Status,
    Success,
)
from simclient.wire.subscriptions import AccountDiffs

PROGRAM = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
QUICK = Limits(reconnect=BudgetLimits(first_delay_seconds=0.01), continue_grace_seconds=0.2)
SMALL = attrs.evolve(QUICK, control_backlog=4)
FATAL = ErrorEvent(failure=AdvanceSlotFailed(slot=101, error="no"))


def open_session(
    server: ScriptedServer, *, limits: Limits = QUICK, watch: tuple[AccountDiffs, ...] = ()
) -> AbstractAsyncContextManager[BacktestSession]:
    return open_backtest_session(server.url, start_slot=100, end_slot=105, limits=limits, subscriptions=watch)


# Leaving


async def test_a_session_whose_user_does_not_read_is_left_at_once() -> None:
    """The close's answer is read though there is no room for more events."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(*[Status(status="x")] * 10, seq_id=1)
        await peer.ping()
        full.set()
        await peer.accept_close()

    full = trio.Event()
    async with open_scripted_server(control=[control]) as server:
        with trio.fail_after(10):
            async with open_session(server, limits=SMALL) as session:
                await anext(session)
                await trio.testing.wait_all_tasks_blocked(0.05)
                full.set()
        assert [type(request) for request in server.requests] == [CreateSession, CloseSession]


async def test_a_session_whose_user_does_not_read_is_detached_at_once() -> None:
    """What was received is given, what was not is for whoever takes it up."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(*[Status(status=f"{number}") for number in range(10)], seq_id=1)
        await peer.hold()

    async with open_scripted_server(control=[control]) as server:
        with trio.fail_after(10):
            async with open_session(server, limits=SMALL) as session:
                received: list[Event] = [await anext(session)]
                await trio.testing.wait_all_tasks_blocked(0.05)
                detached = await session.detach()
                received += [event async for event in session]

    assert received == [Status(status=f"{number}") for number in range(len(received))]
    assert detached.last_sequence == len(received)


async def test_a_session_is_detached_while_it_reconnects() -> None:
    """The attempt under way is given up; nothing is attached to any more."""

    async def first(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue(), seq_id=1)
        peer.cut()

    async def second(peer: ControlPeer) -> None:
        connecting.set()
        await peer.hold_until_gone()  # the upgrade is not answered

    connecting = trio.Event()
    async with open_scripted_server(control=[first, second]) as server:
        with trio.fail_after(10):
            async with open_session(server) as session:
                assert await anext(session) == ReadyForContinue()
                await connecting.wait()
                detached = await session.detach()

        assert [type(request) for request in server.requests] == [CreateSession]
    assert detached.is_ready


async def test_an_opening_that_is_cancelled_while_it_connects_creates_nothing() -> None:
    """Nobody is left who would want the session."""

    async def control(peer: ControlPeer) -> None:
        scope.cancel()
        await trio.testing.wait_all_tasks_blocked(0.05)
        await peer.accept()
        await peer.hold_until_gone()

    was_opened: list[bool] = []
    with trio.CancelScope() as scope:
        async with open_scripted_server(control=[control]) as server:
            with trio.fail_after(10):
                async with open_session(server):
                    was_opened.append(True)
        assert server.requests == ()
    assert was_opened == []


@pytest.mark.parametrize("when", ["replayed during attach", "before the socket is lost"])
async def test_a_failed_run_is_closed_on_the_server(when: str) -> None:
    """Though its socket is gone, or was not resumed yet."""

    async def first(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue(), seq_id=1)
        if when == "before the socket is lost":
            await peer.send(FATAL, seq_id=2)
        peer.cut()

    async def second(peer: ControlPeer) -> None:
        await peer.expect(AttachSession)
        await peer.send(SessionAttached(session_id="s1", rpc_endpoint=peer.rpc_endpoint("s1")))
        if when == "replayed during attach":
            await peer.send(FATAL, seq_id=2)
            await peer.expect(ResumeAttachedSession)
            await peer.send(Success())
        await peer.accept_close()

    async with open_scripted_server(control=[first, second]) as server:
        with trio.fail_after(10), pytest.raises(RemoteError, match="slot 101"):
            async with open_session(server) as session:
                async for _ in session:
                    pass
        assert isinstance(server.requests[-1], CloseSession)


# What is said in a handshake, and what is damaged


@pytest.mark.parametrize("phase", ["create", "attach", "resume"])
async def test_a_simulation_error_is_no_refusal(phase: str) -> None:
    """One transaction could not be simulated: that is an event, wherever it comes."""
    error = ErrorEvent(failure=SimulationError(error="one transaction"))

    async def first(peer: ControlPeer) -> None:
        await peer.expect(CreateSession)
        await peer.send(*[error] * (phase == "create"))
        await peer.send(SessionCreated(session_id="s1", rpc_endpoint=peer.rpc_endpoint("s1")))
        peer.cut()

    async def second(peer: ControlPeer) -> None:
        await peer.expect(AttachSession)
        await peer.send(*[error] * (phase == "attach"))
        await peer.send(SessionAttached(session_id="s1", rpc_endpoint=peer.rpc_endpoint("s1")))
        await peer.expect(ResumeAttachedSession)
        await peer.send(*[error] * (phase == "resume"))
        await peer.send(Success(), Completed())
        await peer.accept_close()

    async with open_scripted_server(control=[first, second]) as server, open_session(server) as session:
        with trio.fail_after(10):
            assert [event async for event in session] == [error, Completed()]


async def test_the_first_damaged_message_after_a_reconnect_is_made_good() -> None:
    """The answers to attach and resume are no damage."""

    async def first(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue(), seq_id=1)
        peer.cut()

    async def second(peer: ControlPeer) -> None:
        await peer.accept_attach()
        await peer.send_message('{"seqId":')
        await peer.hold()

    async def third(peer: ControlPeer) -> None:
        await peer.accept_attach(Completed(), seq_id=2)
        await peer.accept_close()

    async with open_scripted_server(control=[first, second, third]) as server, open_session(server) as session:
        with trio.fail_after(10):
            assert [event async for event in session] == [ReadyForContinue(), Completed()]


async def complete(peer: ControlPeer) -> None:
    await peer.accept_create()
    await peer.send(ReadyForContinue(), Completed())
    await peer.accept_close()


async def test_what_follows_the_end_marker_does_not_matter() -> None:
    """Garbage in the same read as the marker: the subscription has ended all the same."""

    async def data(peer: DataPeer) -> None:
        await peer.accept_subscribe()
        await peer.notify(account_diff(100))
        await peer.send_bytes(
            b"".join(
                b"\x81" + bytes([len(text)]) + text
                for text in (b'{"method":"subscriptionComplete","params":{"subscription":1}}', b"garbage")
            )
        )
        await peer.hold()

    watch = (AccountDiffs(program=PROGRAM),)
    async with open_scripted_server(control=[complete], data=[data]) as server:
        async with open_session(server, watch=watch) as session:
            with trio.fail_after(10):
                events = [event async for event in session]

    assert [type(event) for event in events if not isinstance(event, ReadyForContinue)] == [AccountDiff, Completed]


async def test_a_subscription_that_is_acknowledged_late_is_waited_for_in_the_drain() -> None:
    """The drain limit is for connected ones."""

    async def data(peer: DataPeer) -> None:
        request = await peer.receive_subscribe()
        await trio.sleep(0.5)  # five times the limit
        await peer.acknowledge(request)
        await peer.notify(account_diff(100))
        await peer.complete()
        await peer.hold()

    limits = attrs.evolve(QUICK, drain_idle_seconds=0.1)
    async with open_scripted_server(control=[complete], data=[data]) as server:
        async with open_session(server, limits=limits, watch=(AccountDiffs(program=PROGRAM),)) as session:
            with trio.fail_after(10):
                events = [event async for event in session]

    assert [type(event) for event in events if not isinstance(event, ReadyForContinue)] == [AccountDiff, Completed]


# Requests at the wrong moment


async def test_what_is_asked_for_while_a_dead_socket_closes_is_sent_on_the_next_one() -> None:
    """Effects or not: it was never written."""

    async def first(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue(), seq_id=1)
        await peer.send_message('{"seqId":')  # the client gives the socket up, and nobody answers its close frame
        await peer.hold_until_gone()

    async def second(peer: ControlPeer) -> None:
        await peer.accept_attach()
        assert (await peer.expect(Continue)).transactions
        await peer.send(Completed(), seq_id=2)
        await peer.accept_close()

    async with open_scripted_server(control=[first, second]) as server, open_session(server) as session:
        with trio.fail_after(10):
            assert await anext(session) == ReadyForContinue()
            await trio.testing.wait_all_tasks_blocked(0.05)
            await session.advance(transactions=[b"signed"])
            assert [event async for event in session] == [Completed()]


@pytest.mark.parametrize(
    "argument", [{"name": "again"}, {"send_summary": True}, {"extra_compute_units": 1}], ids=lambda a: next(iter(a))
)
async def test_what_only_a_new_session_is_told_is_refused_beside_attach(argument: dict[str, object]) -> None:
    """It would be ignored."""
    detached = DetachedSession(session_id="s", start_slot=1, end_slot=2)
    with pytest.raises(InputError, match=next(iter(argument))):
        async with open_backtest_session("ws://127.0.0.1:1/backtest", attach=detached, **argument):  # type: ignore[arg-type]
            pass


# Parallel sessions


async def test_a_sub_session_that_the_server_has_lost_fails() -> None:
    """It is not among those that the attach gives; nobody waits for it for ever."""

    async def first(peer: ControlPeer) -> None:
        await peer.accept_parallel_create((100, 149), (150, 199))
        peer.cut()

    async def second(peer: ControlPeer) -> None:
        await peer.accept_parallel_attach("s1")
        await peer.send_to("s1", Completed(), seq_id=1)
        await peer.accept_close()

    async with open_scripted_server(control=[first, second]) as server:
        with trio.fail_after(10):
            async with open_parallel_session(
                server.url, start_slot=100, end_slot=199, limits=QUICK, keep_going=True
            ) as parallel:
                one, two = parallel
                with pytest.raises(RemoteError) as caught:
                    await anext(two)
                assert [event async for event in one] == [Completed()]

    assert isinstance(caught.value.payload, SessionNotFound)


async def test_a_slow_sub_session_costs_another_one_nothing() -> None:
    """The socket is given up to bring what was left aside; what the other one asks for meanwhile goes out on the next."""
    noise = [Status(status=f"{number}") for number in range(10)]

    async def first(peer: ControlPeer) -> None:
        await peer.accept_parallel_create((100, 149), (150, 199))
        await peer.send_to("s2", ReadyForContinue(), seq_id=1)
        await peer.send_to("s1", *noise, seq_id=1)
        await peer.hold_until_gone()  # as the service: the close frame is not answered

    async def second(peer: ControlPeer) -> None:
        attach = await peer.expect(AttachParallelSession)
        await peer.send_message(
            '{"method":"parallelSessionAttachedV2","params":'
            '{"control_session_id":"p1","session_ids":["s1","s2"],"task_ids":[]}}'
        )
        asked = await peer.expect(ContinueSubSession)
        assert (asked.session_id, bool(asked.request.transactions)) == ("s2", True)
        last = attach.last_sequences["s1"]
        await peer.send_to("s2", Completed(), seq_id=2)
        await peer.send_to("s1", *noise[last:][:3], seq_id=last + 1)
        await peer.hold_until_gone()

    async with open_scripted_server(control=iter([first, second])) as server:
        with trio.fail_after(10):
            async with open_parallel_session(server.url, start_slot=100, end_slot=199, limits=SMALL) as parallel:
                one, two = parallel
                assert await anext(two) == ReadyForContinue()
                await trio.testing.wait_all_tasks_blocked(0.05)
                received = [await anext(one), await anext(one)]  # half empty: the socket is given up
                await trio.testing.wait_all_tasks_blocked(0.05)
                await two.advance(transactions=[b"signed"])
                assert [event async for event in two] == [Completed()]

    assert received == noise[:2]
