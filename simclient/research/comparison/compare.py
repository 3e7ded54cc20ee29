"""Compare two runs: scan both, join, and look at what is not the same."""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import TYPE_CHECKING

from ..run_file import RunFile
from .collect import Collector
from .pairs import add_one_sided, decode_line
from .reading import LineReader
from .scan import ScannedFile, scan_file, uncompressed
from .values import Comparison, Filters, Kind, RunSide
from .workers import Work, compare_pairs

if TYPE_CHECKING:
    import polars as pl

__all__ = ["compare_runs"]

_ROWS_AT_A_TIME = 100_000
"""As numbers of Python they take four times the room."""


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
        InputError: Polars is not installed (the extra `compare`).
    """
    filters = filters or Filters()
    paths = [Path(run.path if isinstance(run, RunFile) else run) for run in (baseline, experiment)]
    with uncompressed(paths[0]) as first, uncompressed(paths[1]) as second:
        a, b = scan_file(first, filters), scan_file(second, filters)
        both = a.transactions.join(b.transactions, on="key", how="inner", suffix="_b")
        differing = both.filter(both["content"] != both["content_b"]).sort("offset")
        collector = compare_pairs(
            Work(
                baseline=first,
                experiment=second,
                filters=filters,
                limit=limit,
                places=_places(differing, "offset", "length", "offset_b", "length_b"),
            )
        )
        collector.identical += both.height - differing.height
        _add_one_sided(collector, Kind.MISSING, first, a.transactions.join(b.transactions, on="key", how="anti"))
        _add_one_sided(collector, Kind.EXTRA, second, b.transactions.join(a.transactions, on="key", how="anti"))

    return Comparison(
        baseline=_side(paths[0], a),
        experiment=_side(paths[1], b),
        common=both.height,
        identical=collector.identical,
        counts=collector.counts(),
        kept=collector.kept(),
    )


def _places(frame: pl.DataFrame, *columns: str) -> tuple[array[int], array[int], array[int], array[int]]:
    """Return four columns of numbers as arrays, which are small and can be sent to another process."""
    a, b, c, d = array("Q"), array("Q"), array("Q"), array("Q")
    for some in frame.select(columns).iter_slices(_ROWS_AT_A_TIME):
        for place, column in zip((a, b, c, d), columns, strict=True):
            place.extend(some[column].to_list())
    return a, b, c, d


def _add_one_sided(collector: Collector, kind: Kind, path: Path, frame: pl.DataFrame) -> None:
    """Add the transactions that only one file has."""
    with LineReader(path) as reader:
        for offset, length in frame.select("offset", "length").iter_rows():
            add_one_sided(collector, kind, decode_line(reader.read(offset, length)))


def _side(path: Path, scanned: ScannedFile) -> RunSide:
    return RunSide(
        path=str(path),
        metadata=scanned.metadata,
        transactions=scanned.transactions.height,
        status=None if scanned.summary is None else scanned.summary.status,
        is_cut=scanned.is_cut,
    )
