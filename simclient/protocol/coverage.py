"""Which slots a session has executed, and whether they are the range that was asked for.

The slots seen are kept as runs without a gap, so that a range of millions costs as many places as it has gaps. A slot without a block is
not executed and not announced, so a gap is not an error by itself: `missing` says where to look.
"""

from __future__ import annotations

import bisect

import attrs

__all__ = ["CoverageReport", "SlotCoverage"]


@attrs.frozen(kw_only=True)
class CoverageReport:
    """What was seen of a range of slots; ranges are inclusive on both ends."""

    start_slot: int
    end_slot: int
    seen: int
    """How many different slots of the range were seen."""
    missing: tuple[tuple[int, int], ...]
    """Runs of slots of the range that were not seen: skipped on the chain, or lost."""
    repeated: int
    """Notifications of a slot that had been seen before."""
    outside: tuple[tuple[int, int], ...]
    """Runs of slots that are not of the range: another session's, or a server that starts a bundle earlier than was asked."""
    is_complete: bool
    """Whether the server said `completed`."""

    @property
    def is_whole(self) -> bool:
        """Whether the run completed with every slot of the range once, and no other."""
        return self.is_complete and not (self.missing or self.repeated or self.outside)


class SlotCoverage:
    """Notes slots in whatever order they come."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        self.repeated = 0

    @property
    def last_slot(self) -> int | None:
        """The highest slot seen; None: there was none."""
        return self._ends[-1] if self._ends else None

    def note(self, slot: int) -> None:
        """Note that `slot` was executed."""
        after = bisect.bisect_right(self._starts, slot)
        if after and slot <= self._ends[after - 1]:
            self.repeated += 1
            return

        joins_left = bool(after) and self._ends[after - 1] == slot - 1
        joins_right = after < len(self._starts) and self._starts[after] == slot + 1
        if joins_left and joins_right:
            self._ends[after - 1] = self._ends.pop(after)
            del self._starts[after]
        elif joins_left:
            self._ends[after - 1] = slot
        elif joins_right:
            self._starts[after] = slot
        else:
            self._starts.insert(after, slot)
            self._ends.insert(after, slot)

    def report(self, start_slot: int, end_slot: int, *, is_complete: bool) -> CoverageReport:
        """Compare what was seen with the range from `start_slot` to `end_slot`, inclusive."""
        runs = list(zip(self._starts, self._ends, strict=True))
        inside = [(max(first, start_slot), min(last, end_slot)) for first, last in runs]
        inside = [(first, last) for first, last in inside if first <= last]
        below = [(first, min(last, start_slot - 1)) for first, last in runs if first < start_slot]
        above = [(max(first, end_slot + 1), last) for first, last in runs if last > end_slot]
        return CoverageReport(
            start_slot=start_slot,
            end_slot=end_slot,
            seen=sum(last - first + 1 for first, last in inside),
            missing=_gaps(inside, start_slot, end_slot),
            repeated=self.repeated,
            outside=(*below, *above),
            is_complete=is_complete,
        )


def _gaps(runs: list[tuple[int, int]], start_slot: int, end_slot: int) -> tuple[tuple[int, int], ...]:
    gaps: list[tuple[int, int]] = []
    expected = start_slot
    for first, last in runs:
        if first > expected:
            gaps.append((expected, first - 1))
        expected = last + 1
    if expected <= end_slot:
        gaps.append((expected, end_slot))
    return tuple(gaps)
