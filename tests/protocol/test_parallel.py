"""The machine of a parallel session: what it writes, for whom things are, and what is left aside."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simclient.errors import LocalProtocolError, RemoteError, RemoteProtocolError
from simclient.protocol.commands import (
    AskSlot,
    Closed,
    Command,
    Complete,
    Deliver,
    Fail,
    ForSubSession,
    OpenedParallel,
    Reconnect,
    Send,
)
from simclient.protocol.parallel import ParallelMachine
from simclient.protocol.plane import Phase
from simclient.wire.failures import NoMoreBlocks, SessionOwnershipBusy
from simclient.wire.params import SessionParams
from simclient.wire.requests import (
    AttachParallelSession,
    CloseSession,
    Continue,
    ContinueSubSession,
    ContinueSubSessionTo,
    ContinueTo,
    CreateSession,
)
from simclient.wire.responses import (
    Completed,
    ErrorEvent,
    ParallelSessionAttached,
    ReadyForContinue,
    SequencedResponse,
    SessionCreated,
    SessionEvent,
    SessionsCreatedV2,
    Status,
    SubSessionEvent,
    Success,
)

from .messages import error, said

CREATE = CreateSession(params=SessionParams(start_slot=100, end_slot=199), parallel=True, create_token="0" * 32)
CREATED = SessionsCreatedV2(
    control_session_id="p", session_ids=("a", "b"), start_slots=(100, 150), end_slots=(149, 199)
)


def announced(session_id: str) -> SequencedResponse:
    return said(SessionCreated(session_id=session_id, rpc_endpoint=f"/{session_id}"))


def event_of(session_id: str, event: SessionEvent, seq_id: int) -> SequencedResponse:
    return said(SubSessionEvent(session_id=session_id, event=event, seq_id=seq_id))


def new_machine() -> ParallelMachine:
    return ParallelMachine(CREATE, response_seconds=120, create_seconds=900, grace_seconds=10)


def running() -> ParallelMachine:
    """Two sub-sessions that are ready, with all subscriptions up."""
    machine = new_machine()
    machine.connected(0.0)
    for session_id in ("a", "b"):
        machine.receive(announced(session_id), 0.0)
    machine.receive(said(CREATED), 0.0)
    for session_id in ("a", "b"):
        machine.data_up(session_id, True)
        machine.receive(event_of(session_id, ReadyForContinue(), 1), 0.0)
    return machine


def reattach(machine: ParallelMachine, now: float) -> list[Command]:
    machine.disconnected()
    [attach] = machine.connected(now)
    assert isinstance(attach, Send)
    assert isinstance(attach.request, AttachParallelSession)
    return machine.receive(said(ParallelSessionAttached(control_session_id="p", session_ids=("a", "b"))), now)


def test_each_part_of_the_answer_to_a_create_has_its_own_time() -> None:
    """The server may wait for a place before each of them."""
    machine = new_machine()
    assert machine.connected(0.0) == [Send(CREATE)]
    assert machine.deadline == 900.0
    assert machine.receive(announced("a"), 800.0) == []
    assert machine.deadline == 1700.0
    assert machine.wake(1699.0) == []
    [reconnect] = machine.wake(1700.0)
    assert isinstance(reconnect, Reconnect)
    assert "900 s" in reconnect.reason


def test_an_attach_has_less() -> None:
    """120 s, as for a single session."""
    machine = running()
    machine.disconnected()
    machine.connected(1000.0)
    assert machine.deadline == 1120.0


def test_it_is_open_when_the_ranges_are_known() -> None:
    """The sub-sessions keep the order of the answer."""
    machine = new_machine()
    machine.connected(0.0)
    for session_id in ("b", "a"):
        machine.receive(announced(session_id), 0.0)
    assert machine.receive(said(CREATED), 0.0) == [OpenedParallel(CREATED)]
    assert [(s.session_id, s.start_slot, s.end_slot) for s in machine.sub_sessions.values()] == [
        ("a", 100, 149),
        ("b", 150, 199),
    ]


def test_events_before_the_answer_are_kept_for_their_sub_session() -> None:
    """Also of one that was not announced yet."""
    machine = new_machine()
    machine.connected(0.0)
    status = Status(status="startingRuntime")
    assert machine.receive(event_of("a", status, 1), 0.0) == [ForSubSession("a", Deliver(status))]
    machine.receive(announced("a"), 0.0)
    assert machine.receive(event_of("a", status, 1), 0.0) == []


def test_a_create_that_drops_is_sent_again_and_forgets_what_was_announced() -> None:
    """What is not announced again has no place in the session."""
    machine = new_machine()
    machine.connected(0.0)
    machine.receive(announced("lost"), 0.0)
    machine.receive(announced("a"), 0.0)
    machine.disconnected()
    assert machine.possible_orphans == 0
    assert machine.connected(5.0) == [Send(CREATE)]
    machine.receive(announced("b"), 5.0)
    [failure, closed] = machine.receive(said(CREATED), 5.0)
    assert isinstance(failure, Fail)
    assert isinstance(failure.error, RemoteProtocolError)
    assert closed == Closed()


def test_requests_name_their_sub_session() -> None:
    """Both kinds."""
    machine = running()
    assert machine.advance("a", Continue(advance_count=5)) == [
        Send(ContinueSubSession(session_id="a", request=Continue(advance_count=5)))
    ]
    stop = ContinueTo(slot=160, batch_index=2)
    assert machine.advance("b", stop) == [Send(ContinueSubSessionTo(session_id="b", request=stop))]
    with pytest.raises(LocalProtocolError):
        machine.advance("a", Continue())


def test_each_sub_session_finds_out_about_its_own_request() -> None:
    """The other one has nothing on its way."""
    machine = running()
    machine.advance("a", Continue(advance_count=5))
    assert reattach(machine, 100.0) == [ForSubSession("a", AskSlot())]
    assert machine.deadline == 110.0
    assert machine.wake(110.0) == [ForSubSession("a", AskSlot())]
    assert machine.slot_is("a", None) == [Send(ContinueSubSession(session_id="a", request=Continue(advance_count=5)))]


def test_an_attach_needs_no_resume() -> None:
    """It runs at once."""
    machine = running()
    assert reattach(machine, 100.0) == []
    assert machine.phase is Phase.RUNNING


def test_busy_ownership_is_tried_again_and_other_refusals_are_final() -> None:
    """As for a single session."""
    machine = running()
    machine.disconnected()
    machine.connected(100.0)
    assert isinstance(machine.receive(error(SessionOwnershipBusy(reason="handoff")), 100.0)[0], Reconnect)
    [fail, closed] = machine.receive(error(NoMoreBlocks()), 100.0)
    assert isinstance(fail, Fail)
    assert isinstance(fail.error, RemoteError)
    assert closed == Closed()


def test_one_failure_leaves_the_others_running() -> None:
    """What the failed one says afterwards is not handed on."""
    machine = running()
    [command] = machine.receive(event_of("a", ErrorEvent(failure=NoMoreBlocks()), 2), 0.0)
    assert isinstance(command, ForSubSession)
    assert isinstance(command.command, Fail)
    assert machine.receive(event_of("a", Status(status="x"), 3), 0.0) == []
    assert machine.receive(event_of("b", Completed(), 2), 0.0) == [ForSubSession("b", Complete(Completed()))]
    assert machine.is_complete


def test_it_is_closed_as_a_whole() -> None:
    """One request, answered by `success`."""
    machine = running()
    assert machine.close() == [Send(CloseSession())]
    assert machine.receive(said(Success()), 0.0) == [Closed()]
    assert machine.is_over


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["say", "full", "room", "cut"])), max_size=60),
    st.integers(0, 3),
)
def test_whatever_is_left_aside_or_cut_comes_once_and_in_order(steps: list[tuple[str, str]], overlap: int) -> None:
    """A server that replays from the cursors, and a user who reads one or the other now and then."""
    machine = running()
    produced: dict[str, list[Status]] = defaultdict(list)
    got: dict[str, list[SessionEvent]] = defaultdict(list)

    def take(commands: list[Command]) -> None:
        for command in commands:
            assert isinstance(command, ForSubSession)
            assert isinstance(command.command, Deliver)
            got[command.session_id].append(command.command.event)

    def say(session_id: str, number: int) -> None:
        take(machine.receive(event_of(session_id, produced[session_id][number], number + 2), 0.0))

    def come_back() -> None:
        machine.disconnected()
        [attach] = machine.connected(0.0)
        assert isinstance(attach, Send)
        assert isinstance(attach.request, AttachParallelSession)
        machine.receive(said(ParallelSessionAttached(control_session_id="p", session_ids=("a", "b"))), 0.0)
        for session_id, last in attach.request.last_sequences.items():
            for number in range(max(0, last - 1 - overlap), len(produced[session_id])):
                say(session_id, number)

    for session_id, what in [*steps, ("a", "room"), ("b", "room"), ("a", "cut")]:
        match what:
            case "say":
                produced[session_id].append(Status(status=f"{session_id}{len(produced[session_id])}"))
                say(session_id, len(produced[session_id]) - 1)
            case "full":
                machine.set_room(session_id, False)
            case "room" if machine.set_room(session_id, True):
                come_back()
            case "cut":
                come_back()
            case _:
                pass

    assert {name: events for name, events in got.items() if events} == {n: e for n, e in produced.items() if e}
