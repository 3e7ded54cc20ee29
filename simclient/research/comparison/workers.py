"""Comparing pairs of lines in several processes: a process of Python uses one core, and reading lines is what takes the time.

The processes are started as programs of their own, which neither forks the threads of Polars nor imports the caller's `__main__`.
`worker` is that program.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs
import msgspec

from ...errors import SimClientError
from ..records import RunFileError
from .collect import Collector
from .joined import Places
from .pairs import Line, PairComparison, decode_line
from .reading import LineReader
from .values import Filters

__all__ = ["Work", "compare_here", "compare_pairs"]

_WORTH_A_PROCESS = 20_000
"""Pairs: below this, starting one takes longer than it saves."""


@attrs.frozen(kw_only=True)
class Work:
    """Pairs of lines to compare: offsets and lengths in two files."""

    baseline: Path
    experiment: Path
    filters: Filters
    limit: int | None
    places: tuple[Places, Places]
    """In the baseline, and in the experiment."""

    def part(self, begin: int, end: int) -> Work:
        """Return the work on a run of the pairs."""
        baseline, experiment = self.places
        return attrs.evolve(self, places=(baseline.part(begin, end), experiment.part(begin, end)))


def compare_pairs(work: Work) -> Collector:
    """Compare all pairs, in as many processes as are worth it.

    Raises:
        RunFileError: A line is damaged.
        SimClientError: A process ended without an answer.
    """
    count = len(work.places[0])
    processes = min(os.cpu_count() or 1, count // _WORTH_A_PROCESS)
    if processes <= 1:
        return compare_here(work)

    step = -(-count // processes)
    parts = [work.part(begin, begin + step) for begin in range(0, count, step)]
    with ThreadPoolExecutor(len(parts)) as threads:
        return _merged(list(threads.map(_in_process, parts)), work.limit)


def _merged(answers: Sequence[Collector | SimClientError], limit: int | None) -> Collector:
    collector = Collector(limit)
    for answer in answers:
        if isinstance(answer, SimClientError):
            raise answer
        collector.merge(answer)
    return collector


def _in_process(work: Work) -> Collector | SimClientError:
    """Have a process do the work; both sides are this program, so what comes back can be trusted."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", f"{__package__}.worker"],
        input=pickle.dumps(work),
        capture_output=True,  # Ctrl-C ends it too, and what it would say then helps nobody
        env=environment,
        check=False,
    )
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2] or "it said nothing"
        return SimClientError(f"a process that compared lines ended with exit code {done.returncode}: {said}")

    answer: Collector | SimClientError = pickle.loads(done.stdout)  # noqa: S301
    return answer


def compare_here(work: Work) -> Collector:
    """Compare all pairs in this process.

    Raises:
        RunFileError: A line is damaged.
    """
    collector = Collector(work.limit)
    comparison = PairComparison(collector, work.filters)
    with LineReader(work.baseline) as baseline, LineReader(work.experiment) as experiment:
        a, b = work.places
        for offset, length, other_offset, other_length in zip(a.offsets, a.lengths, b.offsets, b.lengths, strict=True):
            comparison.compare(_line(baseline, offset, length), _line(experiment, other_offset, other_length))
    return collector


def _line(reader: LineReader, offset: int, length: int) -> Line:
    line = reader.read(offset, length)
    try:
        return decode_line(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RunFileError(f"{reader.path} is damaged: byte {offset}: {error}") from error
