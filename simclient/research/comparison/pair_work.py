"""Comparing pairs of lines by where they stand in their files."""

from __future__ import annotations

from pathlib import Path

import attrs

from .collect import Collector
from .joined import Places
from .pairs import PairComparison, decode_line
from .reading import LineReader
from .values import Filters
from .workers import core_count, do_all

__all__ = ["PairWork", "compare_pairs"]

_WORTH_A_PROCESS = 20_000
"""Pairs: below this, starting one takes longer than it saves."""


@attrs.frozen(kw_only=True)
class PairWork:
    """Pairs of lines to compare: offsets and lengths in two files."""

    baseline: Path
    experiment: Path
    filters: Filters
    limit: int | None
    places: tuple[Places, Places]
    """In the baseline, and in the experiment."""

    def run(self) -> Collector:
        """Compare all pairs in this process.

        Raises:
            RunFileError: A line is damaged.
        """
        collector = Collector(self.limit)
        comparison = PairComparison(collector, self.filters)
        with LineReader(self.baseline) as baseline, LineReader(self.experiment) as experiment:
            for (a, a_bytes), (b, b_bytes) in zip(*self.places, strict=True):
                comparison.compare(
                    decode_line(baseline.read(a, a_bytes), self.baseline, a),
                    decode_line(experiment.read(b, b_bytes), self.experiment, b),
                )
        return collector

    def part(self, begin: int, end: int) -> PairWork:
        """Return the work on a run of the pairs."""
        baseline, experiment = self.places
        return attrs.evolve(self, places=(baseline.part(begin, end), experiment.part(begin, end)))


def compare_pairs(work: PairWork) -> Collector:
    """Compare all pairs, in as many processes as are worth it.

    Raises:
        RunFileError: A line is damaged.
        SimClientError: A process ended without an answer.
    """
    count = len(work.places[0])
    processes = max(1, min(core_count(), count // _WORTH_A_PROCESS))
    step = max(1, -(-count // processes))
    return Collector.merged(do_all([work.part(begin, begin + step).run for begin in range(0, count, step)]), work.limit)
