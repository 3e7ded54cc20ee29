"""Writing a report: what is on the page, in which order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...errors import InputError
from ..comparison import Comparison
from ..idl import Idl
from ..overview import RunOverview, summarize
from ..run_file import RunFile, read_run
from ..whole_file import whole_file
from .comparison_page import comparison_drawings, comparison_page
from .page import Drawing, Page
from .png import write_png
from .run_page import run_drawings, run_page

__all__ = ["write_charts", "write_report"]


def write_report(source: RunFile | Comparison | Path | str, path: Path | str, *, idls: Sequence[Idl] = ()) -> None:
    """Write one HTML file about a run or a comparison; it needs nothing from outside.

    Args:
        source: The file of a run, or a comparison.
        path: The file to write; one that is there is replaced.
        idls: Of the run's programs: their instructions and events are counted, their accounts read, and their errors get the
            program's own words.

    Raises:
        RunFileError: The file of the run cannot be read, or is damaged.
        InputError: There is no way to write at `path`.
        OutputError: Writing failed.
    """
    path = Path(path)
    with whole_file(path) as file:
        file.write_text(_page(source, idls).html(), encoding="utf-8")


def write_charts(
    source: RunFile | Comparison | Path | str, folder: Path | str, *, idls: Sequence[Idl] = ()
) -> list[Path]:
    """Write the charts of a report as PNG files, twice as large as on the page; return their paths.

    Args:
        source: The file of a run, or a comparison.
        folder: Where to; it is made if it is not there.
        idls: As for `write_report`.

    Raises:
        RunFileError: The file of the run cannot be read, or is damaged.
        InputError: There is no way to write there, or what draws them is not installed (the extra `report`).
        OutputError: Writing failed.
    """
    folder = Path(folder)
    drawings = _drawings(source, idls)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {folder}: {error.strerror or error}") from error

    return [write_png(one.wide, folder / f"{one.name}.png") for one in drawings]


def _page(source: RunFile | Comparison | Path | str, idls: Sequence[Idl]) -> Page:
    if isinstance(source, Comparison):
        return comparison_page(source, idls)

    run, overview = _read(source)
    return run_page(run, overview, idls)


def _drawings(source: RunFile | Comparison | Path | str, idls: Sequence[Idl]) -> list[Drawing]:
    if isinstance(source, Comparison):
        return comparison_drawings(source)

    run, overview = _read(source)
    return run_drawings(run, overview, idls)


def _read(source: RunFile | Path | str) -> tuple[RunFile, RunOverview]:
    run = source if isinstance(source, RunFile) else read_run(source)
    return run, summarize(run)
