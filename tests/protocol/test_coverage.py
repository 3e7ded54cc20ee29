"""Slots seen, as runs, against a set."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simclient.protocol.coverage import SlotCoverage

SLOTS = st.lists(st.integers(0, 60), max_size=80)


@given(slots=SLOTS, start=st.integers(0, 60), length=st.integers(0, 60))
def test_a_report_says_what_a_set_would(slots: list[int], start: int, length: int) -> None:
    """Seen, missing, repeated and outside add up, whatever the order."""
    end = start + length
    coverage = SlotCoverage()
    for slot in slots:
        coverage.note(slot)
    report = coverage.report(start, end, is_complete=True)

    wanted, seen = set(range(start, end + 1)), set(slots)
    assert report.seen == len(wanted & seen)
    assert spread(report.missing) == sorted(wanted - seen)
    assert spread(report.outside) == sorted(seen - wanted)
    assert report.repeated == len(slots) - len(seen)
    assert report.is_whole == (wanted == seen and len(slots) == len(seen))
    assert coverage.last_slot == max(slots, default=None)


def test_neighbours_become_one_run() -> None:
    """A million slots in a row cost one place, also when the last one closes a gap."""
    coverage = SlotCoverage()
    for slot in (*range(0, 1000, 2), *range(1, 1000, 2)):
        coverage.note(slot)

    report = coverage.report(500, 499 + 1000, is_complete=True)
    assert report.missing == ((1000, 1499),)
    assert report.outside == ((0, 499),)


def test_a_run_that_did_not_complete_is_not_whole() -> None:
    """Every slot alone is not enough."""
    coverage = SlotCoverage()
    coverage.note(5)
    assert not coverage.report(5, 5, is_complete=False).is_whole
    assert coverage.report(5, 5, is_complete=True).is_whole


def spread(runs: tuple[tuple[int, int], ...]) -> list[int]:
    return [slot for first, last in runs for slot in range(first, last + 1)]
