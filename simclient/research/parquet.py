"""Parquet files of tables and of whole runs, written by Polars as a stream: a file larger than memory can be written."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from .event_file import OutputError
from .run_file import read_run
from .tables import Table, import_extra, polars_schema
from .whole_file import whole_file

if TYPE_CHECKING:
    import polars as pl

__all__ = ["check_parquet", "write_run", "write_table"]

_ENCODER = msgspec.json.Encoder()
_BATCH_ROWS = 20_000
"""Rows that are in memory at a time."""


def check_parquet() -> None:
    """Check that Parquet can be written here.

    Raises:
        InputError: Polars is not installed (the extra `parquet`).
    """
    import_extra("polars", "parquet", "a Parquet file")


def write_table(table: Table, path: Path, *, metadata: dict[str, str] | None = None) -> None:
    """Write a table as one Parquet file; what is there is replaced when the new file is whole.

    Args:
        table: Its rows are read once.
        path: The file.
        metadata: Key-value pairs of the file.

    Raises:
        InputError: `path` cannot be written, or Polars is not installed.
        OutputError: Writing failed.
    """
    library = import_extra("polars", "parquet", "a Parquet file")
    from polars.io.plugins import register_io_source

    schema = polars_schema(table)

    def batches(
        with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        rows = table.rows()
        while batch := list(islice(rows, _BATCH_ROWS)):
            yield library.DataFrame(batch, schema=schema, orient="row")

    with whole_file(path) as file:
        try:
            _sink(register_io_source(batches, schema=schema), file, metadata)
        except library.exceptions.PolarsError as error:
            raise OutputError(f"cannot write {path}: {error}") from error


def write_run(events: Path, path: Path) -> None:
    """Write the events of a run's file as one Parquet file, with its metadata and summary as JSON among the file's own key-value pairs.

    Raises:
        InputError: `path` cannot be written, the events cannot be read, or Polars is not installed.
        OutputError: Writing failed.
    """
    run = read_run(events)
    metadata = {"simclient.metadata": _ENCODER.encode(run.metadata).decode()}
    summary = run.summary()
    if summary is not None:
        metadata["simclient.summary"] = _ENCODER.encode(summary).decode()
    write_table(run.event_table, path, metadata=metadata)


def _sink(frame: Any, path: Path, metadata: dict[str, str] | None) -> None:
    frame.sink_parquet(path, metadata=metadata, engine="streaming")
