"""The control machine: what it writes, hands on and decides, as tables of events and commands."""

from __future__ import annotations

import pytest

from simclient.errors import ConnectionLost, LocalProtocolError, RemoteError
from simclient.protocol.commands import AskSlot, Closed, Command, Complete, Deliver, Fail, Opened, Reconnect, Send
from simclient.protocol.control import ControlMachine
from simclient.protocol.plane import Phase
from simclient.protocol.progress import SessionProgress
from simclient.wire.failures import (
    Internal,
    InvalidTransactionEncoding,
    NoMoreBlocks,
    SessionNotFound,
    SessionOwnershipBusy,
    SimulationError,
)
from simclient.wire.params import SessionParams
from simclient.wire.requests import AttachSession, CloseSession, Continue, CreateSession, ResumeAttachedSession
from simclient.wire.responses import (
    Completed,
    DiscoveryBatch,
    ErrorEvent,
    Paused,
    ReadyForContinue,
    SessionAttached,
    SessionCreated,
    SlotNotification,
    Status,
    Success,
    UnknownResponse,
)

from .messages import error, said

CREATE = CreateSession(params=SessionParams(start_slot=100, end_slot=110))
CREATED = SessionCreated(session_id="s", rpc_endpoint="/backtest/s")
ATTACHED = SessionAttached(session_id="s", rpc_endpoint="/backtest/s")


def new_machine() -> ControlMachine:
    return ControlMachine(CREATE, response_seconds=120, progress=SessionProgress(grace_seconds=10))


def running(*, ready_seq: int | None = 1) -> ControlMachine:
    """A machine whose session was created and is ready, with all subscriptions up."""
    machine = new_machine()
    machine.connected(0)
    machine.receive(said(CREATED), 0)
    machine.progress.data_up(True)
    machine.receive(said(ReadyForContinue(), ready_seq), 0)
    return machine


def reattached(machine: ControlMachine, *, now: float = 100.0) -> list[Command]:
    """Break the socket and come back; return what the resume led to."""
    machine.disconnected()
    machine.connected(now)
    machine.receive(said(ATTACHED), now)
    return machine.receive(said(Success()), now)


def failure_of(commands: list[Command]) -> Exception:
    [fail] = [command for command in commands if isinstance(command, Fail)]
    return fail.error


def test_a_new_socket_creates_the_session() -> None:
    """The first thing written is the create, and its answer opens the session."""
    machine = new_machine()
    assert machine.connected(0) == [Send(CREATE)]
    assert machine.receive(said(CREATED), 1) == [Opened(CREATED)]
    assert machine.phase is Phase.RUNNING


def test_what_comes_before_the_answer_is_kept() -> None:
    """Statuses, discoveries and unknown messages during the create reach the user."""
    machine = new_machine()
    machine.connected(0)
    for event in (
        Status(status="startingRuntime"),
        DiscoveryBatch(slot=1, batch_index=0),
        UnknownResponse(method="x", raw="{}"),
    ):
        assert machine.receive(said(event), 0) == [Deliver(event)]


def test_an_unanswered_create_is_given_up() -> None:
    """After 120 seconds without an answer the socket is dropped."""
    machine = new_machine()
    machine.connected(5)
    assert machine.deadline == 125
    assert machine.wake(124) == []
    [reconnect] = machine.wake(125)
    assert isinstance(reconnect, Reconnect)


def test_a_create_that_was_cut_is_sent_again_and_counted() -> None:
    """Without a token the server may hold an orphan, and the machine says so."""
    machine = new_machine()
    machine.connected(0)
    machine.disconnected()
    assert machine.possible_orphans == 1
    assert machine.connected(1) == [Send(CREATE)]


def test_a_create_with_a_token_leaves_no_orphan() -> None:
    """The same token finds the same session again."""
    create = CreateSession(params=CREATE.params, name="run", create_token="0" * 32)
    machine = ControlMachine(create, response_seconds=120, progress=SessionProgress(grace_seconds=10))
    machine.connected(0)
    machine.disconnected()
    assert machine.possible_orphans == 0
    assert machine.connected(1) == [Send(create)]


def test_a_refused_create_fails_with_its_payload() -> None:
    """The typed error of the server comes out, and nothing is left to close."""
    machine = new_machine()
    machine.connected(0)
    commands = machine.receive(error(Internal(error="no capacity")), 0)
    failure = failure_of(commands)
    assert isinstance(failure, RemoteError)
    assert failure.payload == Internal(error="no capacity")
    assert commands[-1] == Closed()


def test_a_new_socket_attaches_and_resumes_a_session() -> None:
    """After a drop: attach with the last sequence, then resume, then go on."""
    machine = running(ready_seq=7)
    machine.disconnected()
    assert machine.connected(0) == [Send(AttachSession(session_id="s", last_sequence=7))]
    assert machine.receive(said(ATTACHED), 0) == [Send(ResumeAttachedSession())]
    assert machine.receive(said(Success()), 0) == []
    assert machine.phase is Phase.RUNNING


def test_replayed_events_are_handed_on_once() -> None:
    """What has a sequence number seen before is dropped, wherever it comes."""
    machine = running(ready_seq=1)
    assert machine.receive(said(SlotNotification(slot=100), 2), 0) == [Deliver(SlotNotification(slot=100))]
    machine.disconnected()
    machine.connected(0)
    assert machine.receive(said(SlotNotification(slot=100), 2), 0) == []
    assert machine.receive(said(SlotNotification(slot=101), 3), 0) == [Deliver(SlotNotification(slot=101))]
    machine.receive(said(ATTACHED), 0)
    assert machine.receive(said(SlotNotification(slot=101), 3), 0) == []
    assert machine.progress.replays_dropped == 2


def test_busy_ownership_is_tried_again() -> None:
    """Another manager that is just shutting down is no reason to fail."""
    machine = running()
    machine.disconnected()
    machine.connected(0)
    [reconnect] = machine.receive(error(SessionOwnershipBusy(reason="handoff")), 0)
    assert isinstance(reconnect, Reconnect)


@pytest.mark.parametrize("resuming", [False, True])
def test_any_other_refusal_of_a_reattach_is_fatal(resuming: bool) -> None:
    """A session that is gone cannot be had by asking again."""
    machine = running()
    machine.disconnected()
    machine.connected(0)
    if resuming:
        machine.receive(said(ATTACHED), 0)
    failure = failure_of(machine.receive(error(SessionNotFound(session_id="s")), 0))
    assert isinstance(failure, RemoteError)


def test_a_replayed_error_during_attach_is_an_ordinary_event() -> None:
    """A sequenced error does not answer the attach: the handshake goes on."""
    machine = running(ready_seq=1)
    machine.disconnected()
    machine.connected(0)
    event = ErrorEvent(failure=SimulationError(error="x"))
    assert machine.receive(said(event, 2), 0) == [Deliver(event)]
    assert machine.receive(said(ATTACHED), 0) == [Send(ResumeAttachedSession())]


def test_advance_is_written_when_ready() -> None:
    """The request goes out at once when everything is up."""
    machine = running()
    assert machine.progress.advance(Continue(advance_count=5)) == [Send(Continue(advance_count=5))]


def test_advance_waits_for_the_subscriptions() -> None:
    """Nothing is executed before those who must see it listen."""
    machine = running()
    machine.progress.data_up(False)
    assert machine.progress.advance(Continue()) == []
    assert machine.progress.data_up(True) == [Send(Continue())]


def test_advance_waits_for_the_control_socket() -> None:
    """A request made while the socket is down is written after the resume."""
    machine = running()
    machine.disconnected()
    assert machine.progress.advance(Continue()) == []
    machine.connected(0)
    machine.receive(said(ATTACHED), 0)
    assert machine.receive(said(Success()), 0) == [Send(Continue())]


def test_advance_before_ready_is_illegal_and_changes_nothing() -> None:
    """The error says what to wait for, and the session goes on."""
    machine = new_machine()
    machine.connected(0)
    machine.receive(said(CREATED), 0)
    machine.progress.data_up(True)
    with pytest.raises(LocalProtocolError, match="wait for ReadyForContinue"):
        machine.progress.advance(Continue())
    machine.receive(said(ReadyForContinue()), 0)
    assert machine.progress.advance(Continue()) == [Send(Continue())]


def test_advance_twice_is_illegal() -> None:
    """One request answers one ready."""
    machine = running()
    machine.progress.advance(Continue())
    with pytest.raises(LocalProtocolError):
        machine.progress.advance(Continue())


def test_paused_makes_ready_too() -> None:
    """A session that stopped before a batch takes the next request."""
    machine = running()
    machine.progress.advance(Continue())
    machine.receive(said(Paused(slot=100, batch_index=1), 2), 0)
    assert machine.progress.advance(Continue()) == [Send(Continue())]


def test_a_rejected_request_makes_ready_again() -> None:
    """The server did not carry it out, so the user may send a better one."""
    machine = running()
    machine.progress.advance(Continue(transactions=("!",)))
    event = ErrorEvent(failure=InvalidTransactionEncoding(index=0, error="not base64"))
    assert machine.receive(said(event, 2), 0) == [Deliver(event)]
    assert machine.progress.advance(Continue()) == [Send(Continue())]


def test_a_continue_that_a_replay_explains_is_not_sent_again() -> None:
    """An executed slot after the resume shows that the server took it."""
    machine = running(ready_seq=1)
    machine.progress.advance(Continue())
    reattached(machine, now=100)
    machine.receive(said(SlotNotification(slot=100), 2), 101)
    assert machine.deadline is None
    assert machine.wake(111) == []


@pytest.mark.parametrize("event", [DiscoveryBatch(slot=1, batch_index=0), UnknownResponse(method="x", raw="{}")])
def test_an_event_that_comes_on_its_own_explains_nothing(event: DiscoveryBatch | UnknownResponse) -> None:
    """A discovery would have been announced without the continue."""
    machine = running(ready_seq=1)
    machine.progress.advance(Continue())
    reattached(machine, now=100)
    machine.receive(said(event, 2), 101)
    assert machine.deadline == 110


def test_a_plain_continue_that_nothing_explains_is_sent_once_more() -> None:
    """After the grace the request goes out again, once."""
    machine = running(ready_seq=1)
    machine.progress.advance(Continue(advance_count=3))
    reattached(machine, now=100)
    assert machine.wake(110) == [AskSlot()]
    assert machine.progress.slot_is(None) == [Send(Continue(advance_count=3))]
    assert machine.progress.continues_resent == 1
    assert machine.wake(500) == []


def test_a_continue_with_effects_is_never_sent_twice() -> None:
    """The run fails with an error that says what is unknown."""
    machine = running(ready_seq=1)
    machine.progress.advance(Continue(transactions=("AAAA",)))
    reattached(machine, now=100)
    machine.wake(110)
    failure = failure_of(machine.progress.slot_is(None))
    assert isinstance(failure, ConnectionLost)
    assert "1 transactions" in str(failure)


def test_completed_is_handed_over_once_for_the_drain() -> None:
    """`completed` is not an ordinary event: the drain decides when the user sees it."""
    machine = running(ready_seq=1)
    assert machine.receive(said(Completed(), 2), 0) == [Complete(Completed())]
    assert machine.is_complete
    assert machine.receive(said(Completed()), 0) == []


def test_a_terminal_error_ends_the_run() -> None:
    """`noMoreBlocks` comes out as a typed failure."""
    machine = running(ready_seq=1)
    failure = failure_of(machine.receive(error(NoMoreBlocks(), 2), 0))
    assert isinstance(failure, RemoteError)
    assert failure.payload == NoMoreBlocks()


def test_a_simulation_error_is_reported_and_the_run_goes_on() -> None:
    """It is an event, never a failure."""
    machine = running(ready_seq=1)
    event = ErrorEvent(failure=SimulationError(error="x"))
    assert machine.receive(said(event, 2), 0) == [Deliver(event)]


def test_closing_asks_the_server_and_waits_for_its_answer() -> None:
    """close → closeBacktestSession → success → ended."""
    machine = running()
    assert machine.close() == [Send(CloseSession())]
    assert machine.receive(said(Success()), 0) == [Closed()]
    assert machine.phase is Phase.ENDED


def test_closing_a_failed_run_still_closes_it_on_the_server() -> None:
    """A terminal error does not keep the goodbye from being said."""
    machine = running(ready_seq=1)
    machine.receive(error(NoMoreBlocks(), 2), 0)
    assert machine.close() == [Send(CloseSession())]
    assert machine.receive(said(Success()), 0) == [Closed()]


def test_completed_answers_a_close_too() -> None:
    """A run that completes while it is being closed needs no success."""
    machine = running(ready_seq=1)
    machine.close()
    assert machine.receive(said(Completed(), 2), 0) == [Complete(Completed()), Closed()]


def test_a_close_whose_answer_is_lost_is_said_once_more() -> None:
    """The server may not have read it; a second end of the socket is answer enough, and never an error."""
    machine = running(ready_seq=3)
    machine.close()
    assert machine.disconnected() == []
    assert machine.connected(0) == [Send(AttachSession(session_id="s", last_sequence=3))]
    assert machine.receive(said(ATTACHED), 0) == [Send(CloseSession())]
    assert machine.disconnected() == [Closed()]


def test_a_session_that_cannot_be_taken_up_to_be_closed_is_closed() -> None:
    """The server has read the first close after all."""
    machine = running()
    machine.close()
    machine.disconnected()
    machine.connected(0)
    assert machine.receive(error(SessionNotFound(session_id="s")), 0) == [Closed()]


def test_closing_while_down_attaches_first() -> None:
    """The next socket takes the session up only to close it."""
    machine = running(ready_seq=3)
    machine.disconnected()
    assert machine.close() == []
    assert machine.connected(0) == [Send(AttachSession(session_id="s", last_sequence=3))]
    assert machine.receive(said(ATTACHED), 0) == [Send(CloseSession())]


def test_the_answer_to_a_resume_is_not_taken_for_that_to_a_close() -> None:
    """Leaving while the resume is unanswered waits for it, then closes."""
    machine = running(ready_seq=3)
    machine.disconnected()
    machine.connected(0)
    machine.receive(said(ATTACHED), 0)
    assert machine.close() == []
    assert machine.receive(said(Success()), 0) == [Send(CloseSession())]
    assert machine.receive(said(Success()), 0) == [Closed()]


def test_closing_before_there_is_a_session_needs_no_server() -> None:
    """There is nothing to close."""
    assert new_machine().close() == [Closed()]


def test_closing_during_the_create_closes_what_it_gives() -> None:
    """The session that comes is closed at once."""
    machine = new_machine()
    machine.connected(0)
    assert machine.close() == []
    assert machine.receive(said(CREATED), 0) == [Send(CloseSession())]


def test_a_response_out_of_place_is_counted() -> None:
    """A second `sessionCreated` changes nothing and is not lost from the statistics."""
    machine = running()
    assert machine.receive(said(CREATED), 0) == []
    assert machine.unexpected_responses == 1
