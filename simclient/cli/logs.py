"""`simclient logs`: what programs log, as it comes or from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import attrs
from cyclopts import Parameter

from .options import FLAG, REPEATABLE, Place

__all__ = ["logs"]


async def logs(
    source: str | None = None,
    /,
    *,
    program: Annotated[tuple[str, ...], REPEATABLE] = (),
    idl: Annotated[tuple[Path, ...], REPEATABLE] = (),
    failed: Annotated[bool, FLAG] = False,
    json: Annotated[bool, FLAG, Parameter(name="--json")] = False,
    place: Place | None = None,
) -> int:
    """Show what programs log in a range of slots, or in the file of a run.

    $ simclient logs --local --slots 20 --program TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA
    $ simclient logs HOST --start-slot 300000000 --slots 10 --program PROGRAM --idl program.json
    $ simclient logs run.ndjson --failed --json | jq .signature

    With --idl, instructions and events of Anchor programs are decoded, and errors get the program's own words. The file of a run has the
    instructions if it was run with --instructions.

    Args:
        source: A server (by default what SIMULATOR_URL holds), or the file of a run.
        program: A program: the logs of transactions that mention it. Repeatable.
        idl: An IDL file, of the old or the new format. Repeatable.
        failed: Only of transactions that failed.
        json: Print JSON, one object per line.
        place: All else.

    Raises:
        InputError: An option or a file cannot be used.
        SimClientError: The run failed; what came before it was shown.
    """
    from ..errors import InputError
    from ..research.run_file import read_run
    from .log_output import LogPrinter
    from .run_config import addresses_of
    from .run_options import RunOptions
    from .watching import existing_file, load_idls, note_missing_instructions, watch

    printer = LogPrinter(load_idls(idl), is_json=json, only_failed=failed)
    file = existing_file(source)
    if file is not None:
        run = read_run(file)
        if idl:
            note_missing_instructions(run)
        for event in run.events():
            printer.show_record(event)
        return 0
    if not program:
        raise InputError("whose logs? give --program ADDRESS, or the file of a run")

    watched = addresses_of("--program", program)
    options = RunOptions(
        **attrs.asdict(place or Place()),
        logs=() if idl else watched,
        transactions=watched if idl else (),  # these have the logs too, and the instructions
    )
    return await watch(source, options, printer.show)
