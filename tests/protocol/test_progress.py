"""How far a session has come: what becomes of a request whose fate is unknown, and what is kept of announcements."""

from __future__ import annotations

import pytest

from simclient.errors import ConnectionLost, LocalProtocolError
from simclient.protocol.commands import AskSlot, Complete, Deliver, Fail, Send, Withdraw
from simclient.protocol.progress import SessionProgress
from simclient.wire.codec import write_request
from simclient.wire.detached import DetachedSession
from simclient.wire.failures import InvalidRequest
from simclient.wire.requests import Continue, ContinueTo
from simclient.wire.responses import (
    Completed,
    DiscoveryBatch,
    ErrorEvent,
    Paused,
    ReadyForContinue,
    SessionEvent,
    SlotNotification,
    Status,
    UnknownResponse,
)

STEP = Continue(advance_count=3)
REST = Continue(advance_count=2**64 - 1)
STOP = ContinueTo(slot=9, batch_index=1)
WITH_EFFECTS = Continue(transactions=("AAAA",))


def ready() -> SessionProgress:
    """Linked, with all subscriptions up, and waiting for a request."""
    progress = SessionProgress(grace_seconds=10)
    progress.link_up(0.0)
    progress.data_up(True)
    progress.receive(ReadyForContinue(), 1)
    return progress


def left(
    *, last_sequence: int | None = None, is_ready: bool = False, unconfirmed: tuple[str, ...] = ()
) -> DetachedSession:
    return DetachedSession(
        session_id="s",
        start_slot=0,
        end_slot=9,
        last_sequence=last_sequence,
        is_ready=is_ready,
        unconfirmed=unconfirmed,
    )


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
    assert (progress.unconfirmed, progress.deadline, progress.continues_resent) == ((), None, 0)


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
    assert progress.unconfirmed == ()
    assert progress.link_up(100.0) == []


@pytest.mark.parametrize("event", [DiscoveryBatch(slot=1, batch_index=0), UnknownResponse(method="x", raw="{}")])
def test_what_comes_on_its_own_shows_nothing(event: SessionEvent) -> None:
    """A discovery would have been announced without the request."""
    progress = relinked()
    progress.receive(event, 2)
    assert progress.unconfirmed == (STEP,)


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
    progress = SessionProgress(grace_seconds=10, left=left(last_sequence=5, is_ready=True))
    progress.link_up(0.0)
    progress.data_up(True)
    assert progress.receive(ReadyForContinue(), 5) == []
    assert progress.advance(STEP) == [Send(STEP)]


def test_a_request_that_was_left_unconfirmed_is_resolved() -> None:
    """By the block that takes the session up."""
    progress = SessionProgress(grace_seconds=10, left=left(unconfirmed=(write_request(STEP),)))
    assert progress.data_up(True) == []
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


def redirected() -> SessionProgress:
    """Sent on, then told to stop before a batch that was announced."""
    progress = ready()
    progress.advance(REST)
    progress.receive(DiscoveryBatch(slot=9, batch_index=1), 2)
    assert progress.advance(STOP) == [Send(STOP)]
    return progress


def test_a_ready_that_crosses_a_redirect_is_not_handed_on() -> None:
    """The session is waiting no more: the server has the stop, or will get it."""
    progress = redirected()
    assert progress.receive(ReadyForContinue(), 3) == []
    assert (progress.is_ready, progress.unconfirmed) == (False, (REST, STOP))


@pytest.mark.parametrize("event", [SlotNotification(slot=5), Status(status="x")])
def test_events_of_the_run_do_not_show_that_a_redirect_was_taken(event: SessionEvent) -> None:
    """They show that the first request was; the stop is resolved after a cut."""
    progress = redirected()
    progress.receive(event, 3)
    assert progress.unconfirmed == (STOP,)
    progress.link_down()
    assert progress.link_up(100.0) == [AskSlot()]
    progress.wake(110.0)
    assert progress.slot_is(None) == [Send(STOP)]


@pytest.mark.parametrize(
    "event",
    [
        Paused(slot=9, batch_index=1),
        SlotNotification(slot=9),
        Completed(),
        ErrorEvent(failure=InvalidRequest(error="no")),
    ],
)
def test_a_stop_shows_that_a_redirect_was_taken(event: SessionEvent) -> None:
    """Or that it cannot be any more."""
    progress = redirected()
    progress.receive(event, 3)
    assert progress.unconfirmed == ()


def test_a_redirect_does_not_make_a_request_with_effects_forgotten() -> None:
    """Both are of unknown fate after a cut."""
    progress = ready()
    progress.advance(WITH_EFFECTS)
    progress.receive(DiscoveryBatch(slot=9, batch_index=1), 2)
    progress.advance(STOP)
    progress.link_down()
    progress.link_up(100.0)
    progress.wake(110.0)
    [command] = progress.slot_is(None)
    assert isinstance(command, Fail)


def test_nothing_is_written_behind_a_request_of_unknown_fate() -> None:
    """It goes out when that is settled, by whatever."""
    progress = relinked()
    progress.receive(DiscoveryBatch(slot=9, batch_index=1), 2)
    assert progress.advance(STOP) == []
    assert progress.receive(SlotNotification(slot=5), 3)[-1:] == [Send(STOP)]


def test_a_request_is_sent_again_only_while_all_subscriptions_are_up() -> None:
    """What it causes could be missed."""
    progress = relinked()
    progress.data_up(False)
    progress.wake(110.0)
    assert progress.slot_is(None) == []
    assert progress.data_up(True) == [Send(STEP)]


def test_what_was_not_written_is_sent_first_on_the_next_socket() -> None:
    """Its fate is known: the server cannot have read it, effects or not."""
    progress = ready()
    progress.advance(WITH_EFFECTS)
    progress.link_down()
    progress.not_written(WITH_EFFECTS)
    assert progress.unconfirmed == ()
    assert progress.link_up(100.0) == [Send(WITH_EFFECTS)]


def test_a_ready_that_repeats_a_pause_is_taken_back_when_the_pause_was_answered() -> None:
    """Whoever answers both would ask for two steps."""
    progress = ready()
    progress.receive(Paused(slot=5), 2)
    repeated = ReadyForContinue()
    assert progress.receive(repeated, 3) == [Deliver(repeated)]
    [withdraw, send] = progress.advance(STEP)
    assert isinstance(withdraw, Withdraw)
    assert withdraw.event is repeated
    assert send == Send(STEP)


def test_a_ready_that_repeats_an_answered_pause_is_not_handed_on() -> None:
    """It neither confirms the answer nor makes ready; the one after the step does."""
    progress = ready()
    progress.receive(Paused(slot=5), 2)
    progress.advance(STEP)
    assert progress.receive(ReadyForContinue(), 3) == []
    assert (progress.is_ready, progress.unconfirmed) == (False, (STEP,))
    progress.receive(SlotNotification(slot=6), 4)
    assert progress.receive(ReadyForContinue(), 5) == [Deliver(ReadyForContinue())]
    assert progress.is_ready


def test_a_rejected_request_leaves_the_session_where_it_was_paused() -> None:
    """Nothing was carried out."""
    progress = ready()
    progress.receive(Paused(slot=5, batch_index=2), 2)
    progress.advance(STEP)
    progress.receive(ErrorEvent(failure=InvalidRequest(error="no")), 3)
    assert progress.is_ready
    assert progress.paused_at == Paused(slot=5, batch_index=2)
