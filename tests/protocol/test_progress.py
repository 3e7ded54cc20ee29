"""How far a session has come: what becomes of a request whose fate is unknown, and what is kept of announcements."""

from __future__ import annotations

import pytest

from simclient.errors import ConnectionLost, LocalProtocolError
from simclient.protocol.commands import AskSlot, Complete, Deliver, Fail, Send
from simclient.protocol.progress import SessionProgress
from simclient.wire.requests import Continue, ContinueTo
from simclient.wire.responses import (
    Completed,
    DiscoveryBatch,
    Paused,
    ReadyForContinue,
    SessionEvent,
    SlotNotification,
    Status,
    UnknownResponse,
)

STEP = Continue(advance_count=3)
WITH_EFFECTS = Continue(transactions=("AAAA",))


def ready() -> SessionProgress:
    """Linked, with all subscriptions up, and waiting for a request."""
    progress = SessionProgress(grace_seconds=10)
    progress.link_up(0.0)
    progress.data_up(True)
    progress.receive(ReadyForContinue(), 1)
    return progress


def relinked(request: Continue | ContinueTo = STEP, *, now: float = 100.0) -> SessionProgress:
    """A request was written, the link broke, and is up again."""
    progress = ready()
    assert progress.advance(request) == [Send(request)]
    progress.link_down()
    assert progress.link_up(now) == [AskSlot()]
    return progress


def test_nothing_is_asked_when_no_request_is_on_its_way() -> None:
    """A link that comes up again has nothing to find out."""
    progress = ready()
    progress.link_down()
    assert progress.link_up(100.0) == []
    assert progress.deadline is None


@pytest.mark.parametrize("slots", [(None, None), (7, 7), (7, None), (None, 7), (7, 6)])
def test_a_slot_that_does_not_move_lets_a_plain_request_be_sent_once_more(slots: tuple[int | None, int | None]) -> None:
    """No answer of the RPC counts as not moved."""
    progress = relinked()
    assert progress.slot_is(slots[0]) == []
    assert progress.deadline == 110.0
    assert progress.wake(109.9) == []
    assert progress.wake(110.0) == [AskSlot()]
    assert progress.slot_is(slots[1]) == [Send(STEP)]
    assert progress.continues_resent == 1
    assert progress.wake(500.0) == []


def test_a_slot_that_moves_shows_that_the_request_was_taken() -> None:
    """Nothing is sent, however long it takes."""
    progress = relinked()
    progress.slot_is(7)
    progress.wake(110.0)
    assert progress.slot_is(8) == []
    assert (progress.unconfirmed, progress.deadline, progress.continues_resent) == (None, None, 0)


@pytest.mark.parametrize("event", [SlotNotification(slot=8), Status(status="x"), ReadyForContinue(), Completed()])
@pytest.mark.parametrize("is_linked", [False, True], ids=["before the resume is answered", "after"])
def test_an_event_shows_that_the_request_was_taken(event: SessionEvent, is_linked: bool) -> None:
    """Whether it is replayed before or after the link counts as up."""
    progress = ready()
    progress.advance(STEP)
    progress.link_down()
    if is_linked:
        progress.link_up(100.0)
    progress.receive(event, 2)
    assert progress.unconfirmed is None
    assert progress.link_up(100.0) == []


@pytest.mark.parametrize("event", [DiscoveryBatch(slot=1, batch_index=0), UnknownResponse(method="x", raw="{}")])
def test_what_comes_on_its_own_shows_nothing(event: SessionEvent) -> None:
    """A discovery would have been announced without the request."""
    progress = relinked()
    progress.receive(event, 2)
    assert progress.unconfirmed == STEP


def test_an_answer_that_comes_after_an_event_changes_nothing() -> None:
    """The event has settled it."""
    progress = relinked()
    progress.wake(110.0)
    progress.receive(SlotNotification(slot=8), 2)
    assert progress.slot_is(7) == []
    assert progress.continues_resent == 0


def test_an_answer_that_comes_when_the_link_is_down_changes_nothing() -> None:
    """The next link finds out anew."""
    progress = relinked()
    progress.wake(110.0)
    progress.link_down()
    assert progress.slot_is(7) == []
    assert progress.link_up(200.0) == [AskSlot()]
    assert progress.deadline == 210.0


def test_a_request_with_effects_is_never_sent_twice() -> None:
    """The session fails with an error that says what is unknown."""
    progress = relinked(WITH_EFFECTS)
    progress.wake(110.0)
    [command] = progress.slot_is(None)
    assert isinstance(command, Fail)
    assert isinstance(command.error, ConnectionLost)
    assert progress.has_failed


def test_a_session_that_was_left_ready_can_be_advanced() -> None:
    """Its `ReadyForContinue` was handed on elsewhere."""
    progress = SessionProgress(grace_seconds=10, last_sequence=5, is_ready=True)
    progress.link_up(0.0)
    progress.data_up(True)
    assert progress.receive(ReadyForContinue(), 5) == []
    assert progress.advance(STEP) == [Send(STEP)]


def test_a_request_that_was_left_unconfirmed_is_resolved() -> None:
    """By the block that takes the session up."""
    progress = SessionProgress(grace_seconds=10, request=STEP)
    assert progress.link_up(0.0) == [AskSlot()]
    progress.wake(10.0)
    assert progress.slot_is(None) == [Send(STEP)]


def test_an_announcement_may_redirect_a_session_that_runs() -> None:
    """Once: the next stop needs the next announcement, or a pause."""
    progress = ready()
    progress.advance(Continue(advance_count=2**64 - 1))
    there = ContinueTo(slot=9, batch_index=1)
    with pytest.raises(LocalProtocolError):
        progress.advance(there)
    progress.receive(DiscoveryBatch(slot=9, batch_index=1), 2)
    assert progress.advance(there) == [Send(there)]
    with pytest.raises(LocalProtocolError):
        progress.advance(there)


def test_announcements_are_kept_until_execution_has_passed_them() -> None:
    """In the order of execution; a slot that was executed passes those before it, a stop those up to its batch."""
    progress = ready()
    found = [DiscoveryBatch(slot=slot, batch_index=batch) for slot, batch in ((7, 0), (8, 2), (8, 5), (9, 0))]
    for number, discovery in enumerate(reversed(found), start=2):
        progress.receive(discovery, number)
    assert progress.ahead == found
    progress.receive(SlotNotification(slot=8), 6)
    assert progress.ahead == found[1:]
    progress.advance(ContinueTo(slot=8, batch_index=2))
    assert progress.ahead == found[2:]


def test_completed_is_handed_over_once() -> None:
    """A repetition is a replay."""
    progress = ready()
    assert progress.receive(Completed(), 2) == [Complete(Completed())]
    assert progress.receive(Completed(), None) == []
    assert progress.receive(Paused(slot=1), 3) == [Deliver(Paused(slot=1))]
    with pytest.raises(LocalProtocolError, match="has completed"):
        progress.advance(STEP)
