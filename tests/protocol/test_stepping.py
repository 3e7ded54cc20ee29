"""From one discovery to the next: what is asked for, and which pause is reported."""

from __future__ import annotations

from simclient.protocol.progress import SessionProgress
from simclient.protocol.stepping import DiscoverySteps, Refused, Report, Step, Wait
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
)

REST = Continue(advance_count=2**64 - 1)


def found(slot: int, batch_index: int = 0) -> DiscoveryBatch:
    return DiscoveryBatch(slot=slot, batch_index=batch_index)


class Session:
    """A progress, its steps, and a way to play through both."""

    def __init__(self, *, offset: int = 0) -> None:
        self.progress = SessionProgress(grace_seconds=10)
        self.progress.link_up(0.0)
        self.progress.data_up(True)
        self.steps = DiscoverySteps(self.progress, offset=offset)

    def hear(self, *events: SessionEvent) -> Step:
        """Take events; return the step after them, and make the request that it asks for."""
        for event in events:
            self.progress.receive(event, None)
        return self.next()

    def next(self) -> Step:
        step = self.steps.next()
        if isinstance(step, (Continue, ContinueTo)):
            self.progress.advance(step)
        return step


def test_it_waits_until_the_session_is_ready() -> None:
    """Nothing can be asked for before."""
    assert Session().next() == Wait()


def test_it_goes_to_an_announced_batch_and_reports_the_pause() -> None:
    """The request is made once; slots and further announcements on the way change nothing."""
    session = Session()
    assert session.hear(found(5, 2), ReadyForContinue()) == ContinueTo(slot=5, batch_index=2)
    assert session.hear(SlotNotification(slot=4), found(7)) == Wait()
    assert session.hear(Paused(slot=5, batch_index=2)) == Report(found(5, 2), Paused(slot=5, batch_index=2))
    assert session.next() == ContinueTo(slot=7, batch_index=0)


def test_it_goes_on_where_nothing_is_announced() -> None:
    """After a `ready`; after a `paused` the server says first whether there is more."""
    session = Session()
    assert session.hear(ReadyForContinue()) == REST
    session.hear(found(5))
    session.hear(Paused(slot=5, batch_index=0))
    assert session.next() == Wait()
    assert session.hear(ReadyForContinue()) == REST


def test_an_announcement_redirects_a_session_that_was_sent_on() -> None:
    """It runs already; it is told where to stop."""
    session = Session()
    assert session.hear(ReadyForContinue()) == REST
    assert session.hear(SlotNotification(slot=3), found(5)) == ContinueTo(slot=5, batch_index=0)


def test_two_announcements_of_one_place_are_reported_at_one_pause() -> None:
    """It is not sent there twice."""
    session = Session()
    session.hear(found(5), found(5), ReadyForContinue())
    paused = Paused(slot=5, batch_index=0)
    assert session.hear(paused) == Report(found(5), paused)
    assert session.next() == Report(found(5), paused)
    assert session.next() == Wait()


def test_an_announcement_behind_the_pause_is_reported_there() -> None:
    """With an offset the session has passed the batch; what else was announced up to there is not lost."""
    session = Session(offset=2)
    assert session.hear(found(5, 1), ReadyForContinue()) == ContinueTo(slot=5, batch_index=3)
    paused = Paused(slot=5, batch_index=3)
    assert session.hear(found(5, 1), paused) == Report(found(5, 1), paused)
    assert session.next() == Report(found(5, 1), paused)


def test_a_pause_at_the_end_of_a_slot_is_behind_all_of_its_batches() -> None:
    """There is no batch of the slot left to stop before."""
    session = Session()
    session.progress.receive(ReadyForContinue(), None)
    session.progress.advance(ContinueTo(slot=5))
    assert session.hear(Paused(slot=5), found(5, 9)) == Report(found(5, 9), None)


def test_what_execution_has_passed_is_reported_without_a_pause() -> None:
    """The session is not sent back."""
    session = Session()
    assert session.hear(SlotNotification(slot=9), found(5), ReadyForContinue()) == Report(found(5), None)
    assert session.next() == REST


def test_after_the_end_nothing_is_asked_for() -> None:
    """What was announced and never came is reported."""
    session = Session()
    assert session.hear(Completed()) == Wait()
    assert session.hear(found(5)) == Report(found(5), None)


def test_an_earlier_batch_that_is_announced_under_way_comes_first() -> None:
    """The session is redirected, and sent to the later one afterwards."""
    session = Session()
    assert session.hear(found(7), ReadyForContinue()) == ContinueTo(slot=7, batch_index=0)
    assert session.hear(found(5)) == ContinueTo(slot=5, batch_index=0)
    paused = Paused(slot=5, batch_index=0)
    assert session.hear(paused) == Report(found(5), paused)
    assert session.next() == ContinueTo(slot=7, batch_index=0)


def test_stepping_that_is_left_under_way_is_taken_up() -> None:
    """The pause that came meanwhile is reported by the next one."""
    session = Session()
    session.hear(found(5), ReadyForContinue())
    session.progress.receive(Paused(slot=5, batch_index=0), None)
    assert DiscoverySteps(session.progress, offset=0).next() == Report(found(5), Paused(slot=5, batch_index=0))


def test_stepping_that_begins_while_a_request_runs_waits_for_its_end() -> None:
    """Nothing is asked for that would be refused, and no discovery is lost."""
    session = Session()
    session.progress.receive(found(5), None)
    session.progress.receive(ReadyForContinue(), None)
    session.progress.advance(Continue(advance_count=1))
    assert session.next() == Wait()
    assert session.progress.ahead == [found(5)]


def test_a_stop_that_is_refused_is_said() -> None:
    """The next batch is gone to then."""
    session = Session()
    session.hear(found(5), found(7), ReadyForContinue())
    failure = InvalidRequest(error="no")
    assert session.hear(ErrorEvent(failure=failure)) == Refused(found(5), failure)
    assert session.next() == ContinueTo(slot=7, batch_index=0)


def test_a_pause_whose_ready_is_heard_with_it_is_reported() -> None:
    """The server says both at once; the pause counts, and then there is nothing ahead."""
    session = Session()
    assert session.hear(found(5, 2), ReadyForContinue()) == ContinueTo(slot=5, batch_index=2)
    paused = Paused(slot=5, batch_index=2)
    assert session.hear(paused, ReadyForContinue()) == Report(found(5, 2), paused)
    assert session.next() == REST
