"""Compare two runs: join them, and look at what is not the same."""

from __future__ import annotations

from pathlib import Path

from ..records import RunFileError
from ..run_file import RunFile, read_run
from .collect import Collector
from .files import is_cut, last_summary, uncompressed
from .joined import Joined, Places
from .pair_work import PairWork, compare_pairs
from .pairs import add_one_sided, decode_line
from .parts import compare_in_parts
from .reading import LineReader
from .scan import join_by_hash
from .values import Comparison, Filters, Kind, RunSide

__all__ = ["compare_runs"]


def compare_runs(
    baseline: RunFile | Path | str,
    experiment: RunFile | Path | str,
    *,
    filters: Filters | None = None,
    limit: int | None = None,
) -> Comparison:
    """Compare two runs, transaction by transaction, by signature. Nothing is asked of any server.

    Where a file has a signature several times, the one of the highest slot counts, the later line where slots are the same.

    Args:
        baseline: What the other one is compared with: the file of a run, ours or of today's tool.
        experiment: The other one.
        filters: What to compare; by default everything.
        limit: How many differences of each kind to keep, the foremost first; by default all of them. All are counted.

    Raises:
        RunFileError: A file cannot be read, is not the file of a run, or is damaged.
        SimClientError: A process of several that compare large files cannot be started, or ended without an answer.
        InputError: Polars is not installed (the extra `compare`), which very large files need, and such as have another shape, or
            their transactions in another order altogether.
    """
    filters = filters or Filters()
    paths = [Path(run.path if isinstance(run, RunFile) else run) for run in (baseline, experiment)]
    with uncompressed(paths[0]) as first, uncompressed(paths[1]) as second:
        runs = read_run(first), read_run(second)
        try:
            joined, collector = _compared(first, second, filters, limit)
            return Comparison(
                baseline=_side(paths[0], runs[0], joined.common + len(joined.missing)),
                experiment=_side(paths[1], runs[1], joined.common + len(joined.extra)),
                common=joined.common,
                identical=joined.identical + collector.identical,
                counts=collector.counts(),
                kept=collector.kept(),
            )
        except OSError as error:
            raise RunFileError(f"cannot read {paths[0]} and {paths[1]}: {error.strerror or error}") from error


def _compared(baseline: Path, experiment: Path, filters: Filters, limit: int | None) -> tuple[Joined, Collector]:
    """Join two files, and compare all that is in both and not the same.

    Raises:
        RunFileError: A line is damaged.
        OSError: A file cannot be read.
    """
    joined, collector = compare_in_parts(baseline, experiment, filters, limit) or _by_hash(
        baseline, experiment, filters, limit
    )
    pairs = joined.baseline, joined.experiment
    collector.merge(
        compare_pairs(PairWork(baseline=baseline, experiment=experiment, filters=filters, limit=limit, places=pairs))
    )
    _add_one_sided(collector, Kind.MISSING, baseline, joined.missing)
    _add_one_sided(collector, Kind.EXTRA, experiment, joined.extra)
    return joined, collector


def _by_hash(baseline: Path, experiment: Path, filters: Filters, limit: int | None) -> tuple[Joined, Collector]:
    """Join files of any shape, and compare nothing yet."""
    return join_by_hash(baseline, experiment, filters), Collector(limit)


def _add_one_sided(collector: Collector, kind: Kind, path: Path, places: Places) -> None:
    """Add the transactions that only one file has."""
    with LineReader(path) as reader:
        for offset, length in places:
            add_one_sided(collector, kind, decode_line(reader.read(offset, length), path, offset))


def _side(path: Path, run: RunFile, transactions: int) -> RunSide:
    summary = last_summary(run.path)
    return RunSide(
        path=str(path),
        metadata=run.metadata,
        transactions=transactions,
        status=None if summary is None else summary.status,
        is_cut=is_cut(run.path),
    )
