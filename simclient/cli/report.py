"""`simclient report`: a run or a comparison as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from .options import REPEATABLE, check_replaces_none

__all__ = ["report"]

_KEPT = 1_000
"""Of each kind of difference."""


def report(
    file: Path,
    /,
    *,
    output: Path | None = None,
    baseline: Path | None = None,
    png: Path | None = None,
    idl: Annotated[tuple[Path, ...], REPEATABLE] = (),
) -> int:
    """Write one HTML file about a run or a comparison, or its charts as PNG.

    $ simclient report run.ndjson --output run.html
    $ simclient report experiment.ndjson --baseline baseline.ndjson --output comparison.html
    $ simclient report run.ndjson --png charts

    The file needs nothing else: it can be sent, kept and opened anywhere.

    Args:
        file: The file of a run.
        output: The HTML file to write.
        baseline: The file of another run: the report then says how the first differs from it.
        png: A folder for the charts as PNG files.
        idl: An IDL file: instructions and events of the program are counted, its accounts read, and its errors get its own words.
            Repeatable. The instructions are there if the run was one with --instructions.

    Raises:
        InputError: A file is no file of a run, or the report cannot be written.
    """
    from ..errors import InputError
    from ..research import compare_runs, write_charts, write_report
    from .terminal import clean, result_console
    from .watching import load_idls

    if output is None and png is None:
        raise InputError("where to? give --output FILE.html, --png FOLDER, or both")
    if output is not None:
        check_replaces_none("--output", output, (file, *idl) if baseline is None else (file, baseline, *idl))

    idls = load_idls(idl)
    source = file if baseline is None else compare_runs(baseline, file, limit=_KEPT)
    console = result_console()
    if output is not None:
        write_report(source, output, idls=idls)
        console.print(f"wrote {clean(str(output))}", soft_wrap=True)
    if png is not None:
        for path in write_charts(source, png, idls=idls):
            console.print(f"wrote {clean(str(path))}", soft_wrap=True)
    return 0
