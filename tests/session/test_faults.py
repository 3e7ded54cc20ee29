"""What a managed session does when connections break and blocks are left, end to end over real WebSockets."""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import pytest
import trio
import trio.testing

from simclient.errors import (
    ConnectError,
    ConnectionLost,
    LocalProtocolError,
    RemoteError,
    SessionClosed,
    SimClientError,
)
from simclient.protocol.budget import BudgetLimits
from simclient.session.backtest import BacktestSession
from simclient.session.client.client import open_client
from simclient.session.inbox import Event
from simclient.session.limits import Limits
from simclient.session.managed import open_backtest_session
from simclient.testing import (
    ConnectionFaults,
    ControlPeer,
    Cut,
    DataPeer,
    ScriptedServer,
    Verdict,
    faults_in_order,
    numbered_diffs,
    open_fault_proxy,
    open_scripted_server,
)
from simclient.wire.failures import InvalidRequest
from simclient.wire.notifications import AccountDiff
from simclient.wire.requests import AttachSession, CloseSession, Continue, ResumeAttachedSession
from simclient.wire.responses import (
    Completed,
    ControlResponse,
    ErrorEvent,
    ReadyForContinue,
    SessionAttached,
    SlotNotification,
    Success,
)
from simclient.wire.subscriptions import AccountDiffs

PROGRAM = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
QUICK = Limits(reconnect=BudgetLimits(first_delay_seconds=0.01), closing_seconds=1.0)
"""Reconnects at once, and leaves soon: the tests are about what happens between."""
LONGEST_LEAVING_SECONDS = 5.0
TRUTH = numbered_diffs(40, slots=range(100, 106))

Ending = Callable[[ControlPeer], Awaitable[None]]


async def cut(peer: ControlPeer) -> None:
    """End with FIN."""
    peer.cut()


async def reset(peer: ControlPeer) -> None:
    """End with RST."""
    peer.reset()


async def hand_off(peer: ControlPeer) -> None:
    """End as the service does when it moves a session."""
    await peer.close(1012, "management handoff")


endings = pytest.mark.parametrize("end", [cut, reset, hand_off], ids=lambda end: end.__name__)


def open_session(
    server: ScriptedServer, *, with_data: bool = False, api_key: str | None = None
) -> AbstractAsyncContextManager[BacktestSession]:
    """Open a session over slots 100 to 105."""
    subscriptions = [AccountDiffs(program=PROGRAM)] if with_data else []
    return open_backtest_session(
        server.url, start_slot=100, end_slot=105, subscriptions=subscriptions, api_key=api_key, limits=QUICK
    )


async def run_to_the_end(session: BacktestSession) -> list[Event]:
    """Advance whenever the session is ready; return all events."""
    events: list[Event] = []
    with trio.fail_after(10):
        async for event in session:
            events.append(event)
            if isinstance(event, ReadyForContinue):
                await session.advance(2)
    return events


async def ready(peer: ControlPeer) -> None:
    """Create a session that waits, and answer its goodbye."""
    await peer.accept_create()
    await peer.send(ReadyForContinue())
    await peer.accept_close()


# Connections that break


@endings
async def test_a_control_socket_lost_in_mid_run_is_taken_up_where_it_was(end: Ending) -> None:
    """The client attaches with the last sequence and resumes; the user sees each event once, though the last is replayed too."""
    slots = [SlotNotification(slot=slot) for slot in (100, 101, 102)]
    log: list[ControlResponse] = [ReadyForContinue(), *slots, ReadyForContinue()]

    async def first(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(log[0], seq_id=1)
        assert (await peer.expect(Continue)).advance_count == 2
        await peer.send(log[1], log[2], seq_id=2)
        await end(peer)

    async def second(peer: ControlPeer) -> None:
        attach = await peer.expect(AttachSession)
        last = attach.last_sequence
        assert last in (1, 2, 3)
        await peer.send(SessionAttached(session_id="s1", rpc_endpoint=peer.rpc_endpoint("s1")))
        await peer.send(*log[last - 1 :], seq_id=last)
        await peer.expect(ResumeAttachedSession)
        await peer.send(Success())
        await peer.expect(Continue)
        await peer.send(Completed(), seq_id=6)
        await peer.accept_close()

    async with open_scripted_server(control=[first, second]) as server, open_session(server) as session:
        events = await run_to_the_end(session)
        statistics = session.statistics()

    assert events == [*log, Completed()]
    assert statistics.control_reconnects == 1


async def test_data_keeps_flowing_while_control_reconnects() -> None:
    """Notifications arrive between the loss of the control socket and its return, each once and in order."""
    control_is_lost, all_arrived = trio.Event(), trio.Event()

    async def first(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue(), seq_id=1)
        await peer.expect(Continue)
        await peer.send(SlotNotification(slot=100), seq_id=2)
        peer.cut()
        control_is_lost.set()

    async def second(peer: ControlPeer) -> None:
        await all_arrived.wait()
        await peer.accept_attach(Completed(), seq_id=3)
        await peer.accept_close()

    async def data(peer: DataPeer) -> None:
        await peer.accept_subscribe()
        await control_is_lost.wait()
        await peer.notify(*TRUTH.results)
        await peer.complete()
        await peer.hold()

    received: list[Event] = []
    async with open_scripted_server(control=[first, second], data=[data]) as server:
        async with open_session(server, with_data=True) as session:
            with trio.fail_after(10):
                async for event in session:
                    received.append(event)
                    if isinstance(event, ReadyForContinue):
                        await session.advance(6)
                    if session.statistics().notifications == len(TRUTH.diffs):
                        all_arrived.set()

    assert TRUTH.compare(event for event in received if isinstance(event, AccountDiff)) == Verdict()
    assert received[-1] == Completed()


@endings
@pytest.mark.parametrize("is_read", [False, True], ids=["before the server read it", "after the server read it"])
async def test_a_create_that_is_cut_is_asked_for_again(end: Ending, is_read: bool) -> None:
    """The second connection creates; the one that may have left a session behind is counted."""

    async def first(peer: ControlPeer) -> None:
        await peer.accept()
        if is_read:
            await peer.receive_request()
        await end(peer)

    async with open_scripted_server(control=[first, ready]) as server, open_session(server) as session:
        assert session.session_id == "s1"
        assert session.statistics().possible_orphans <= 1


@pytest.mark.parametrize("seq_id", [1, None], ids=["numbered", "unnumbered"])
async def test_one_damaged_message_is_made_good_by_a_reconnect(seq_id: int | None) -> None:
    """It may have been damaged on its way; only one that cannot be read again ends the run."""

    async def first(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue(), SlotNotification(slot=100), seq_id=seq_id)
        await peer.send_message('{"seqId":')
        await peer.hold()

    async def second(peer: ControlPeer) -> None:
        await peer.accept_attach(Completed(), seq_id=seq_id and 3)
        await peer.accept_close()

    async with open_scripted_server(control=[first, second]) as server, open_session(server) as session:
        events = await run_to_the_end_without_advancing(session)

    assert events[-1] == Completed()


async def test_a_data_socket_lost_during_the_drain_is_waited_for() -> None:
    """`completed` has come, the stream is cut, and still nothing is lost or doubled."""
    is_draining = trio.Event()

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue(), Completed())
        is_draining.set()
        await peer.accept_close()

    async def first(peer: DataPeer) -> None:
        await peer.accept_subscribe()
        await is_draining.wait()
        await peer.notify(*TRUTH.results[:20])
        peer.cut()

    async def second(peer: DataPeer) -> None:
        request = await peer.accept_subscribe(2)
        await peer.notify(*TRUTH.results_from(request.replay_from_slot), subscription_id=2)
        await peer.complete(2)
        await peer.hold()

    async with open_scripted_server(control=[control], data=[first, second]) as server:
        async with open_session(server, with_data=True) as session:
            events = await run_to_the_end_without_advancing(session)

    assert TRUTH.compare(event for event in events if isinstance(event, AccountDiff)) == Verdict()
    assert isinstance(events[-1], Completed)


async def run_to_the_end_without_advancing(session: BacktestSession) -> list[Event]:
    """Return all events."""
    with trio.fail_after(10):
        return [event async for event in session]


async def test_an_address_where_nobody_listens_is_a_connect_error() -> None:
    """After a few attempts, not after the whole budget."""
    async with open_scripted_server() as server:
        url = server.url

    with pytest.raises(ConnectError), trio.fail_after(10):
        async with open_backtest_session(url, start_slot=1, slot_count=1, limits=QUICK):
            pass


async def test_a_refused_key_is_not_tried_again() -> None:
    """401 is final."""
    async with open_scripted_server(api_key="right") as server:
        with pytest.raises(ConnectError) as caught, trio.fail_after(5):
            async with open_backtest_session(server.url, start_slot=1, slot_count=1, api_key="wrong", limits=QUICK):
                pass

    assert not caught.value.retryable


async def test_a_refused_create_keeps_its_payload() -> None:
    """The server's reason comes out typed."""
    refusal = InvalidRequest(error="no such range")

    async def control(peer: ControlPeer) -> None:
        await peer.receive_request()
        await peer.send(ErrorEvent(failure=refusal))
        await peer.hold()

    async with open_scripted_server(control=[control]) as server:
        with pytest.raises(RemoteError) as caught:
            async with open_session(server):
                pass

    assert caught.value.payload == refusal


# Ways to leave the block


async def test_the_server_is_told_when_the_block_ends() -> None:
    """closeBacktestSession reaches it, and its answer is waited for."""
    async with open_scripted_server(control=[ready]) as server:
        with trio.fail_after(LONGEST_LEAVING_SECONDS):
            async with open_session(server):
                pass

    assert server.requests[-1] == CloseSession()


async def test_the_server_is_told_when_the_body_raises() -> None:
    """And the body's exception comes out bare."""
    async with open_scripted_server(control=[ready]) as server:
        with trio.fail_after(LONGEST_LEAVING_SECONDS), pytest.raises(ZeroDivisionError):
            async with open_session(server):
                raise ZeroDivisionError

    assert server.requests[-1] == CloseSession()


async def test_the_server_is_told_when_the_block_is_cancelled() -> None:
    """The goodbye is shielded, and bounded."""
    async with open_scripted_server(control=[ready]) as server:
        with trio.fail_after(LONGEST_LEAVING_SECONDS), trio.CancelScope() as scope:
            async with open_session(server) as session:
                scope.cancel()
                await anext(session)
                await anext(session)

    assert scope.cancelled_caught
    assert server.requests[-1] == CloseSession()


async def test_the_body_s_exception_wins_over_a_failure_of_the_session() -> None:
    """A failure that nobody saw does not take its place."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ErrorEvent(failure=InvalidRequest(error="mad")))
        peer.cut()

    async def again(peer: ControlPeer) -> None:
        await peer.refuse(401)

    async with open_scripted_server(control=[control, again]) as server:
        with pytest.raises(ZeroDivisionError):
            async with open_session(server):
                try:
                    with trio.fail_after(10):
                        await trio.sleep_forever()
                finally:
                    raise ZeroDivisionError


async def test_a_dead_peer_does_not_hold_up_the_leaving() -> None:
    """Neither answers nor reads: the block is left within the closing limit all the same."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue())
        peer.freeze()
        await trio.sleep_forever()

    async with open_scripted_server(control=[control]) as server:
        with trio.fail_after(LONGEST_LEAVING_SECONDS):
            async with open_session(server):
                pass


async def test_a_dead_data_peer_does_not_hold_up_the_leaving() -> None:
    """The same for the data plane."""

    is_dead = trio.Event()

    async def data(peer: DataPeer) -> None:
        await peer.accept_subscribe()
        peer.freeze()
        is_dead.set()
        await trio.sleep_forever()

    async with open_scripted_server(control=[ready], data=[data]) as server:
        with trio.fail_after(LONGEST_LEAVING_SECONDS):
            async with open_session(server, with_data=True):
                await is_dead.wait()

    assert CloseSession() in server.requests


# Cancellation of what is awaited, and misuse


async def test_a_cancelled_iteration_loses_no_event() -> None:
    """Iterating again goes on where it was."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await was_cancelled.wait()
        await peer.send(ReadyForContinue())
        await peer.accept_close()

    was_cancelled = trio.Event()
    async with open_scripted_server(control=[control]) as server, open_session(server) as session:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_cancel_when_all_wait, scope)
                await anext(session)
        was_cancelled.set()
        assert scope.cancelled_caught
        with trio.fail_after(5):
            assert await anext(session) == ReadyForContinue()


async def test_a_cancelled_advance_was_not_sent() -> None:
    """It may be asked for again, and reaches the server once."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue())
        assert (await peer.expect(Continue)).advance_count == 4
        await peer.send(Completed())
        await peer.accept_close()

    async with open_scripted_server(control=[control]) as server, open_session(server) as session:
        assert await anext(session) == ReadyForContinue()
        with trio.CancelScope() as scope:
            scope.cancel()
            await session.advance(3)
        assert scope.cancelled_caught
        await session.advance(4)
        with trio.fail_after(5):
            assert await anext(session) == Completed()


async def test_an_open_that_is_cancelled_leaves_nothing_behind() -> None:
    """While the server has not answered the create."""

    async def control(peer: ControlPeer) -> None:
        await peer.receive_request()
        was_asked.set()
        await peer.hold_until_gone()

    was_asked = trio.Event()
    async with open_scripted_server(control=[control]) as server:
        with trio.fail_after(LONGEST_LEAVING_SECONDS), trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_cancel_after, scope, was_asked)
                async with open_session(server):
                    pytest.fail("there is no session")

    assert scope.cancelled_caught


async def test_an_advance_that_is_not_due_is_refused_locally() -> None:
    """Nothing is sent, and the session goes on."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue())
        await peer.expect(Continue)
        await peer.accept_close()

    async with open_scripted_server(control=[control]) as server, open_session(server) as session:
        assert await anext(session) == ReadyForContinue()
        await session.advance()
        with pytest.raises(LocalProtocolError):
            await session.advance()


async def test_a_session_cannot_be_used_after_its_block() -> None:
    """Neither read nor advanced."""
    async with open_scripted_server(control=[ready]) as server:
        async with open_session(server) as session:
            pass
        with pytest.raises(SessionClosed):
            await anext(session)
        with pytest.raises(SessionClosed):
            await session.advance()


# The key


CANARY = "canary-4f1c9e0b7a52d683"


async def fail_with_the_canary(
    monkeypatch: pytest.MonkeyPatch, *, is_argument: bool = False
) -> tuple[SimClientError, str]:
    """Let a session with a key fail in mid-run; return the error, and what the session said of itself."""
    if not is_argument:
        monkeypatch.setenv("SIMULATOR_API_KEY", CANARY)

    async def control(peer: ControlPeer) -> None:
        assert peer.headers["x-api-key"] == CANARY
        await peer.accept_create()
        await peer.send(ReadyForContinue(), seq_id=1)
        peer.cut()

    async def again(peer: ControlPeer) -> None:
        await peer.refuse(403)

    async with open_scripted_server(control=[control, again]) as server:
        with pytest.raises(SimClientError) as caught:
            async with open_session(server, api_key=CANARY if is_argument else None) as session:
                shown = f"{session!r} {session.statistics()!r} {session.rpc!r}"
                await run_to_the_end_without_advancing(session)

    return caught.value, shown


async def test_the_key_is_in_no_log_error_or_representation(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nor in what is printed."""
    with caplog.at_level(0):
        error, shown = await fail_with_the_canary(monkeypatch)

    everything = [shown, "".join(traceback.format_exception(error)), caplog.text, *capfd.readouterr()]
    assert not any(CANARY in text for text in everything)


@pytest.mark.parametrize("is_argument", [False, True], ids=["from the environment", "as an argument"])
async def test_the_key_is_in_no_local_of_a_traceback(monkeypatch: pytest.MonkeyPatch, is_argument: bool) -> None:
    """Crash reporters and rich tracebacks show locals."""
    error, _ = await fail_with_the_canary(monkeypatch, is_argument=is_argument)

    report = traceback.TracebackException.from_exception(error, capture_locals=True)
    assert [frame for frame in _frames(report) if CANARY in str(frame.locals) and frame.filename != __file__] == []


async def test_the_key_is_in_no_local_of_a_traceback_of_http() -> None:
    """Neither where nobody listens nor where the answer breaks off: the frames of the HTTP library hold all headers."""
    async with open_scripted_server() as server:
        gone = server.url
    plan = faults_in_order(ConnectionFaults(downstream=(Cut(at_byte=5),)))
    async with open_scripted_server() as server, open_fault_proxy(server.url, plan) as proxy:
        for url in (gone, proxy.url):
            with pytest.raises(SimClientError) as caught:
                async with open_client(url, api_key=CANARY) as client:
                    await client.available_ranges()

            report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
            assert [f for f in _frames(report) if CANARY in str(f.locals) and f.filename != __file__] == []


def _frames(report: traceback.TracebackException) -> list[traceback.FrameSummary]:
    """Return the frames of an error and of what led to it."""
    frames = list(report.stack)
    for cause in (report.__cause__, report.__context__):
        frames += [] if cause is None else _frames(cause)
    return frames


async def _cancel_when_all_wait(scope: trio.CancelScope) -> None:
    await trio.testing.wait_all_tasks_blocked(0.01)
    scope.cancel()


async def _cancel_after(scope: trio.CancelScope, event: trio.Event) -> None:
    await event.wait()
    scope.cancel()


@endings
async def test_a_completed_session_whose_socket_is_gone_is_still_closed(end: Ending) -> None:
    """Leaving attaches once more, only to close the session, so that it does not wait on the server for its timeout."""

    async def complete_and_end(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue(), Completed(), seq_id=1)
        await end(peer)

    async def come_back_to_close(peer: ControlPeer) -> None:
        request = await peer.expect(AttachSession)
        assert request.last_sequence == 2
        endpoint = peer.rpc_endpoint(request.session_id)
        await peer.send(SessionAttached(session_id=request.session_id, rpc_endpoint=endpoint))
        await peer.accept_close()

    async with open_scripted_server(control=[complete_and_end, come_back_to_close]) as server:
        async with open_session(server) as session:
            events = [event async for event in session]
    assert events == [ReadyForContinue(), Completed()]


async def test_a_simulator_of_this_machine_that_is_gone_is_given_up_soon() -> None:
    """Four failed connections in a row end the run with one error that says so, long before the budget is spent."""

    async def leave(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue(), seq_id=1)
        peer.cut()

    async def be_gone(peer: ControlPeer) -> None:
        peer.cut()

    async with open_scripted_server(control=[leave, be_gone, be_gone, be_gone, be_gone]) as server:
        with pytest.raises(ConnectionLost, match="the simulator has gone"):
            async with open_session(server) as session:
                await run_to_the_end(session)
