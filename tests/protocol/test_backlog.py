"""The backlog of control events."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simclient.protocol.backlog import ControlBacklog
from simclient.wire.responses import ReadyForContinue, SessionEvent, SlotNotification, Status

EVENTS = st.one_of(
    st.integers(0, 30).map(lambda slot: SlotNotification(slot=slot)),
    st.just(ReadyForContinue()),
    st.just(Status(status="executedBlockTransactions")),
)


@given(st.lists(EVENTS))
def test_what_goes_in_comes_out_in_order(events: list[SessionEvent]) -> None:
    """Runs of slots are an economy that nobody sees."""
    backlog = ControlBacklog(1000)
    for event in events:
        backlog.push(event)
    taken = []
    while backlog:
        taken.append(backlog.pop())
    assert taken == events


def test_consecutive_slots_take_one_place() -> None:
    """A hundred thousand slots do not fill a backlog of two places; two other events do."""
    backlog = ControlBacklog(2)
    for slot in range(100_000):
        backlog.push(SlotNotification(slot=slot))
    assert not backlog.is_full
    backlog.push(ReadyForContinue())
    assert backlog.is_full


def test_an_empty_backlog_has_nothing_to_pop() -> None:
    """Popping from nothing is an error of the caller."""
    with pytest.raises(IndexError):
        ControlBacklog(1).pop()
