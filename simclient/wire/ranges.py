"""Which slots a service can replay, and how a request is split over what it has.

Source: `AvailableRange` and `split_range`, simulator-api 0.9.0 and 0.28.0; `filter_ranges`, simulator-client 0.9.0.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Annotated, Literal, cast

import attrs

from ..errors import InputError
from .codec import read_value, write_value
from .generation import NEWEST, Generation
from .instants import Instant, read_instant
from .schema import ONLY_0_28, U64, SnakeValue

__all__ = [
    "AvailableRange",
    "BundleKind",
    "RangeScope",
    "filter_ranges",
    "read_bound",
    "read_ranges",
    "split_range",
    "write_ranges",
]

BundleKind = Literal["blocks", "account_state"]
RangeScope = Literal["global", "user"]

_NOUNS: dict[BundleKind, tuple[str, str]] = {
    "blocks": ("bundle range", "bundle ranges"),
    "account_state": ("account-state bundle", "account-state bundles"),
}
_SLOT = re.compile(r"\+?0*(\d{1,20})", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d?-\d\d?", re.ASCII)


@attrs.frozen(kw_only=True)
class AvailableRange(SnakeValue):
    """One bundle of recorded slots, or several that begin at the same slot."""

    bundle_start_slot: U64
    bundle_start_slot_utc: str | None = None
    """RFC 3339, as the server wrote it."""
    max_bundle_end_slot: U64 | None = None
    """The last slot of the longest, inclusive; None: it is still growing."""
    max_bundle_end_slot_utc: str | None = None
    max_bundle_size: U64 | None = None
    """In slots."""
    kind: Annotated[BundleKind | None, ONLY_0_28] = None
    """What was recorded; None: blocks."""
    scope: Annotated[RangeScope | None, ONLY_0_28] = None
    """Whose it is."""


def read_ranges(text: str | bytes, *, generation: Generation | None = None) -> tuple[AvailableRange, ...]:
    """Read the body of `/available-ranges`.

    Raises:
        RemoteProtocolError: It is not a list of ranges.
    """
    value = read_value(tuple[AvailableRange, ...], text, generation=generation)
    return cast("tuple[AvailableRange, ...]", value)


def write_ranges(ranges: Iterable[AvailableRange], *, generation: Generation = NEWEST) -> str:
    """Write the body of `/available-ranges`."""
    return write_value(tuple(ranges), kind=tuple[AvailableRange, ...], generation=generation)


def split_range(
    ranges: Iterable[AvailableRange],
    start_slot: int,
    end_slot: int,
    *,
    kind: BundleKind = "blocks",
    fewest: bool = False,
    generation: Generation = NEWEST,
) -> tuple[tuple[int, int], ...]:
    """Split a request into pieces that each begin on a bundle's start and lie within that bundle, without a gap.

    The first piece begins at the latest bundle start, at or before `start_slot`, whose bundle covers it; the last is cut at `end_slot`.

    Args:
        ranges: What the service has.
        start_slot: The first slot wanted, inclusive.
        end_slot: The last slot wanted, inclusive.
        kind: Which bundles count; 0.9 has only one kind.
        fewest: The fewest pieces, not the most; among equals, a shorter first piece wins.
        generation: Whose rules: 0.9 does not count bundles of one slot.

    Raises:
        InputError: The request is inverted, its start or a slot in it is not covered, or no split aligns.
    """
    if end_slot < start_slot:
        raise InputError(f"invalid range: start_slot {start_slot} > end_slot {end_slot}")

    ends_of = _ends_by_start(ranges, kind, generation)
    singular, plural = _NOUNS[kind]
    covering = [start for start, ends in ends_of.items() if start <= start_slot <= ends[-1]]
    if not covering:
        raise InputError(f"start_slot {start_slot} is not covered by any available {singular}")

    anchor = max(covering)
    starts = [start for start in sorted(ends_of) if anchor <= start <= end_slot]
    first_end = _best_ends(starts, ends_of, end_slot, fewest=fewest)
    if anchor not in first_end:
        gap = _first_uncovered(starts, ends_of)
        if gap <= end_slot:
            raise InputError(f"gap in coverage at slot {gap}")
        raise InputError(f"no gap-free split of [{start_slot}, {end_slot}] aligns with the available {plural}")

    return _walk(anchor, first_end, end_slot)


def read_bound(text: str) -> int | Instant:
    """Read what bounds a listing: a slot, an RFC 3339 time, or a date, which means its midnight in UTC.

    Raises:
        InputError: It is none of these.
    """
    slot = _SLOT.fullmatch(text)
    if slot is not None and int(slot.group(1)) < 2**64:
        return int(slot.group(1))

    try:
        return read_instant(f"{date(*map(int, text.split('-')))}T00:00:00Z" if _DATE.fullmatch(text) else text)
    except ValueError as error:
        raise InputError(f"not a slot, an RFC 3339 time or a date (YYYY-MM-DD): {text[:60]!r}") from error


def filter_ranges(
    ranges: Iterable[AvailableRange], *, after: int | Instant | None = None, before: int | Instant | None = None
) -> tuple[AvailableRange, ...]:
    """Return the ranges that begin at or after one bound and end at or before the other; what is unknown of a range keeps it."""
    return tuple(
        one
        for one in ranges
        if (after is None or _is_in_order(after, _begin_of(one, after)))
        and (before is None or _is_in_order(_end_of(one, before), before))
    )


def _ends_by_start(ranges: Iterable[AvailableRange], kind: BundleKind, generation: Generation) -> dict[int, list[int]]:
    """Return the last slots of the bundles that count, ascending, by first slot."""
    shortest_slots = 1 if generation is Generation.V0_9 else 0
    ends_of: dict[int, set[int]] = {}
    for one in ranges:
        is_wanted = generation is Generation.V0_9 or (one.kind or "blocks") == kind
        end = one.max_bundle_end_slot
        if is_wanted and end is not None and end - one.bundle_start_slot >= shortest_slots:
            ends_of.setdefault(one.bundle_start_slot, set()).add(end)
    return {start: sorted(ends) for start, ends in ends_of.items()}


def _best_ends(starts: Sequence[int], ends_of: dict[int, list[int]], end_slot: int, *, fewest: bool) -> dict[int, int]:
    """Return where the piece that begins at each start should end, for the starts from which `end_slot` can be reached."""
    pieces = {end_slot + 1: 0}
    first_end: dict[int, int] = {}
    for start in reversed(starts):
        ends = ends_of[start]
        reachable = [min(end, end_slot) for end in ends[: bisect.bisect_left(ends, end_slot) + 1]]
        reachable = [end for end in reachable if end + 1 in pieces]
        if reachable:
            best = min if fewest else max
            first_end[start] = best(reachable, key=lambda end: pieces[end + 1])
            pieces[start] = 1 + pieces[first_end[start] + 1]
    return first_end


def _first_uncovered(starts: Sequence[int], ends_of: dict[int, list[int]]) -> int:
    covered_to = starts[0] - 1
    for start in starts:
        if start > covered_to + 1:
            break
        covered_to = max(covered_to, ends_of[start][-1])
    return covered_to + 1


def _walk(start: int, first_end: dict[int, int], end_slot: int) -> tuple[tuple[int, int], ...]:
    pieces: list[tuple[int, int]] = []
    while start <= end_slot:
        pieces.append((start, first_end[start]))
        start = first_end[start] + 1
    return tuple(pieces)


def _begin_of(one: AvailableRange, bound: int | Instant) -> int | Instant | None:
    return one.bundle_start_slot if isinstance(bound, int) else _instant(one.bundle_start_slot_utc)


def _end_of(one: AvailableRange, bound: int | Instant) -> int | Instant | None:
    return one.max_bundle_end_slot if isinstance(bound, int) else _instant(one.max_bundle_end_slot_utc)


def _instant(text: str | None) -> Instant | None:
    """Return the instant, None where there is none that can be read."""
    try:
        return None if text is None else read_instant(text)
    except ValueError:
        return None


def _is_in_order(first: int | Instant | None, second: int | Instant | None) -> bool:
    match first, second:
        case int(), int():
            return first <= second
        case Instant(), Instant():
            return first <= second
        case _:
            return True
