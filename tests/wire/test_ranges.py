"""Splitting a request over bundles, against an exhaustive reference on small inputs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simclient.errors import InputError
from simclient.wire.generation import Generation
from simclient.wire.ranges import AvailableRange, read_bound, read_ranges, split_range, write_ranges

Pieces = tuple[tuple[int, int], ...]

_bundles = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 6)), max_size=7)


def _tilings(bundles: set[tuple[int, int]], start: int, end_slot: int) -> Iterator[Pieces]:
    """Yield every gap-free way from `start` to `end_slot`."""
    for first, last in bundles:
        if first == start and last >= end_slot:
            yield ((start, end_slot),)
        elif first == start:
            yield from (((start, last), *rest) for rest in _tilings(bundles, last + 1, end_slot))


@pytest.mark.parametrize("generation", Generation)
@pytest.mark.parametrize("fewest", [False, True])
@settings(max_examples=150, deadline=None)
@given(spans=_bundles, start=st.integers(0, 14), length=st.integers(0, 8))
def test_a_split_is_the_best_of_all(
    generation: Generation, fewest: bool, spans: list[tuple[int, int]], start: int, length: int
) -> None:
    """The split begins at the latest covering bundle, leaves no gap, and has the most or the fewest pieces; else there is none."""
    shortest = 1 if generation is Generation.V0_9 else 0
    bundles = {(first, first + more) for first, more in spans if more >= shortest}
    ranges = [AvailableRange(bundle_start_slot=first, max_bundle_end_slot=first + more) for first, more in spans]
    anchors = [first for first, last in bundles if first <= start <= last]
    every = list(_tilings(bundles, max(anchors), start + length)) if anchors else []
    try:
        pieces = split_range(ranges, start, start + length, fewest=fewest, generation=generation)
    except InputError:
        assert every == []
    else:
        assert pieces in every
        assert len(pieces) == (min if fewest else max)(len(tiling) for tiling in every)


def test_an_inverted_request_is_refused() -> None:
    """The end may not come before the start."""
    with pytest.raises(InputError, match="invalid range"):
        split_range((), 5, 4)


def test_ranges_survive_writing_and_reading() -> None:
    """A listing is read as it was written."""
    ranges = (
        AvailableRange(bundle_start_slot=1, max_bundle_end_slot=2, kind="account_state", scope="user"),
        AvailableRange(bundle_start_slot=3, bundle_start_slot_utc="not a time"),
    )
    assert read_ranges(write_ranges(ranges)) == ranges


@pytest.mark.parametrize(
    "text", ["", "9" * 5_000, "2026-13-01", "2026-01-01T00:00:00", "0000-01-01", "0001-01-01T00:00:00+23:59"]
)
def test_a_bound_that_is_none_is_refused(text: str) -> None:
    """What is neither slot nor time is an input error, whatever it is."""
    with pytest.raises(InputError):
        read_bound(text)
