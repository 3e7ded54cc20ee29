"""The raw machine and its waits: nothing is given twice, nothing is thrown away, and the cursor never runs ahead."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simclient.errors import LocalProtocolError, RemoteError, RemoteProtocolError
from simclient.protocol.raw import RawMachine
from simclient.protocol.waits import (
    AttachWait,
    CloseWait,
    CreatedSession,
    CreateWait,
    ProgressWait,
    ResumeWait,
    StatusWait,
    Wait,
)
from simclient.wire.failures import Internal, InvalidRequest, NoMoreBlocks, SimulationError
from simclient.wire.requests import Continue, ContinueTo
from simclient.wire.responses import (
    Completed,
    ControlResponse,
    DiscoveryBatch,
    ErrorEvent,
    Paused,
    ReadyForContinue,
    SessionAttached,
    SessionCreated,
    SessionsCreated,
    SessionsCreatedV2,
    SlotNotification,
    Status,
    SubSessionEvent,
    Success,
    UnknownResponse,
)

from .messages import said

EVENTS: list[ControlResponse] = [
    ReadyForContinue(),
    SlotNotification(slot=7),
    Status(status="a"),
    Status(status="b"),
    Paused(slot=7),
    DiscoveryBatch(slot=7, batch_index=0),
    ErrorEvent(failure=SimulationError(error="odd")),
    UnknownResponse(method="news", raw="{}"),
]
ATTACHED = SessionAttached(session_id="s", rpc_endpoint="/r")


def machine_of(*responses: ControlResponse) -> RawMachine:
    """A machine that has received these, and handed none of them out."""
    machine = RawMachine(bound=100)
    for response in responses:
        machine.receive(said(response))
        machine.keep(said(response))
    return machine


@given(data=st.data())
def test_every_message_is_given_once_and_in_order(data: st.DataObject) -> None:
    """Whatever is taken by waits, read in between, or replayed: the rest comes in the order of the wire, and the cursor is safe."""
    machine = RawMachine(bound=1000)
    sequence = 0
    expected: list[ControlResponse] = []
    unread: list[tuple[ControlResponse, int]] = []
    given_out: list[ControlResponse] = []
    for response in data.draw(st.lists(st.sampled_from(EVENTS), max_size=30)):
        sequence += data.draw(st.integers(1, 3))
        message = said(response, sequence)
        assert machine.receive(message)
        if data.draw(st.booleans(), label="is taken"):
            given_out.append(response)
        else:
            machine.keep(message)
            expected.append(response)
            unread.append((response, sequence))
        if data.draw(st.booleans(), label="is replayed"):
            assert not machine.receive(said(response, data.draw(st.integers(0, sequence))))
        if data.draw(st.booleans(), label="is read"):
            taken = machine.take()
            assert (taken is None) == (not unread)
            if taken is not None:
                assert taken == unread.pop(0)[0]
        if unread:
            assert machine.last_sequence is None or machine.last_sequence < unread[0][1]
        else:
            assert machine.last_sequence == sequence
    assert machine.take_all() == [response for response, _ in unread]
    assert machine.take_all() == []


def test_the_cursor_of_an_attach_drops_what_was_known() -> None:
    """Up to and including it."""
    machine = RawMachine(bound=10, last_sequence=7, is_ready=True)
    assert not machine.receive(said(ReadyForContinue(), 7))
    assert machine.receive(said(ReadyForContinue(), 8))
    assert (machine.replays_dropped, machine.last_sequence, machine.is_ready) == (1, 8, True)


@pytest.mark.parametrize("request_", [Continue(), ContinueTo(slot=9)])
def test_a_request_begins_anew(request_: Continue | ContinueTo) -> None:
    """The session is no longer ready, and the progress is that of the request."""
    machine = machine_of(SlotNotification(slot=5), ReadyForContinue())
    assert (machine.is_ready, machine.progress.slots) == (True, 1)
    machine.requested(request_)
    assert (machine.is_ready, machine.progress.slots, machine.progress.is_over) == (False, 0, False)


@pytest.mark.parametrize(
    ("response", "is_ready"),
    [
        (ReadyForContinue(), True),
        (Paused(slot=1, batch_index=2), True),
        (ErrorEvent(failure=InvalidRequest(error="no")), True),
        (ErrorEvent(failure=SimulationError(error="odd")), False),
        (Completed(), False),
        (Status(status="x"), False),
    ],
)
def test_what_makes_a_session_ready(response: ControlResponse, is_ready: bool) -> None:
    """A pause and a rejected request do, as does the word itself."""
    assert machine_of(response).is_ready == is_ready


def test_a_run_is_over_when_everything_was_given() -> None:
    """Not with the `completed` alone."""
    machine = machine_of(Status(status="a"), Completed())
    assert not machine.is_over
    machine.take_all()
    assert machine.is_over


def test_a_parallel_run_has_completed_with_its_last_sub_session() -> None:
    """One is not enough, and none is not all."""
    machine = machine_of(SubSessionEvent(session_id="a", event=Completed()))
    assert not machine.has_completed(["a", "b"])
    machine.receive(said(SubSessionEvent(session_id="b", event=Completed())))
    assert machine.has_completed(["a", "b"])
    assert not RawMachine(bound=1).has_completed([])


def test_the_bound_stops_the_reading() -> None:
    """And a message taken makes room."""
    machine = RawMachine(bound=1)
    machine.check_room()
    machine.receive(said(Status(status="a")))
    machine.keep(said(Status(status="a")))
    with pytest.raises(LocalProtocolError, match="1 messages wait unread"):
        machine.check_room()
    machine.take()
    machine.check_room()


class TestWaits:
    @pytest.mark.parametrize(
        ("make", "its_own"),
        [
            (lambda: CreateWait(is_parallel=False), SessionCreated(session_id="s", rpc_endpoint="/r")),
            (lambda: CreateWait(is_parallel=True), SessionsCreated(session_ids=("a",))),
            (AttachWait, ATTACHED),
            (ResumeWait, Success()),
            (CloseWait, Success()),
            (lambda: StatusWait(RawMachine(bound=1), "c"), Status(status="c")),
        ],
        ids=["create", "parallel create", "attach", "resume", "close", "status"],
    )
    def test_a_wait_takes_its_own_and_leaves_the_rest(self, make: type[Wait], its_own: ControlResponse) -> None:
        """It is over with its own, and an unnumbered error ends it."""
        wait = make()
        assert not any(wait.takes(said(event)) for event in EVENTS)
        assert (wait.is_over, wait.takes(said(its_own)), wait.is_over) == (False, True, True)
        with pytest.raises(RemoteError) as caught:
            make().takes(said(ErrorEvent(failure=NoMoreBlocks())))
        assert caught.value.payload == NoMoreBlocks()

    @pytest.mark.parametrize("wait", [CreateWait(is_parallel=False), AttachWait(), ResumeWait(), CloseWait()])
    def test_a_numbered_error_is_an_event(self, wait: Wait) -> None:
        """It was said to another socket, and is replayed."""
        assert not wait.takes(said(ErrorEvent(failure=Internal(error="then")), 4))

    def test_the_end_of_the_range_answers_a_close_and_is_kept(self) -> None:
        """The user still gets it."""
        wait = CloseWait()
        assert not wait.takes(said(Completed()))
        assert wait.is_over

    def test_a_status_will_not_come_after_the_end(self) -> None:
        """The wait is over without it."""
        machine = RawMachine(bound=10)
        wait = StatusWait(machine, "a")
        machine.receive(said(Completed()))
        assert (wait.takes(said(Completed())), wait.is_over, wait.has_come) == (False, True, False)

    @pytest.mark.parametrize("takes_progress", [True, False])
    def test_the_way_there_is_taken_on_request(self, takes_progress: bool) -> None:
        """Slots and statuses are; what is news is not; readiness always is."""
        wait = ProgressWait(RawMachine(bound=10), slots=0, takes_progress=takes_progress)
        taken = [event for event in EVENTS if wait.takes(said(event))]
        way = [SlotNotification(slot=7), Status(status="a"), Status(status="b")] if takes_progress else []
        assert taken == [ReadyForContinue(), *way, Paused(slot=7)]

    def test_the_list_counts_and_the_stream_lends_its_endpoints(self) -> None:
        """Each session is reported once, in the order in which it was heard of."""
        reported: list[str] = []
        wait = CreateWait(is_parallel=True, on_created=lambda one: reported.append(one.session_id))
        for name in ("b", "gone"):
            wait.takes(said(SessionCreated(session_id=name, rpc_endpoint=f"/{name}", task_id=f"t{name}")))
        wait.takes(
            said(
                SessionsCreatedV2(control_session_id="p", session_ids=("a", "b"), start_slots=(1, 5), end_slots=(4, 9))
            )
        )
        assert wait.created == [
            CreatedSession(session_id="a", start_slot=1, end_slot=4),
            CreatedSession(session_id="b", rpc_endpoint="/b", task_id="tb", start_slot=5, end_slot=9),
        ]
        assert reported == ["b", "gone", "a"]

    @pytest.mark.parametrize(
        "listed", [SessionsCreated(session_ids=()), SessionsCreatedV2(control_session_id="p", session_ids=("a",))]
    )
    def test_a_list_is_no_answer_to_a_plain_create(self, listed: ControlResponse) -> None:
        """One session was asked for."""
        with pytest.raises(RemoteProtocolError):
            CreateWait(is_parallel=False).takes(said(listed))
