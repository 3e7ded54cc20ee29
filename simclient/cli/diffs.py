"""`simclient diffs`: what accounts become, as it comes or from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import attrs
from cyclopts import Parameter

from .options import FLAG, REPEATABLE, Place

__all__ = ["diffs"]


async def diffs(
    source: str | None = None,
    /,
    *,
    program: Annotated[tuple[str, ...], REPEATABLE] = (),
    account: Annotated[tuple[str, ...], REPEATABLE] = (),
    idl: Annotated[tuple[Path, ...], REPEATABLE] = (),
    json: Annotated[bool, FLAG, Parameter(name="--json")] = False,
    place: Place | None = None,
) -> int:
    """Show every change of accounts in a range of slots, or in the file of a run.

    $ simclient diffs --local --slots 20 --program TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA
    $ simclient diffs HOST --start-slot 300000000 --slots 10 --account POOL --idl amm.json
    $ simclient diffs run.ndjson --account POOL --json

    Token accounts are read; with --idl, accounts of Anchor programs are too, field by field, and the instructions and events of the
    transactions are shown. The file of a run has the instructions if it was run with --instructions.

    Args:
        source: A server (by default what SIMULATOR_URL holds), or the file of a run.
        program: A program: the accounts that it owns. Repeatable; of a file, only --account chooses.
        account: An account. Repeatable.
        idl: An IDL file, of the old or the new format. Repeatable.
        json: Print JSON, one object per line.
        place: All else.

    Raises:
        InputError: An option or a file cannot be used.
        SimClientError: The run failed; what came before it was shown.
    """
    from ..errors import InputError
    from ..research.run_file import read_run
    from .diff_output import DiffPrinter
    from .run_config import addresses_of
    from .run_options import RunOptions
    from .watching import existing_file, load_idls, note_missing_instructions, watch

    printer = DiffPrinter(load_idls(idl), is_json=json)
    file = existing_file(source)
    if file is not None:
        run = read_run(file)
        if idl:
            note_missing_instructions(run)
        for event in run.events() if idl else run.diffs():
            printer.show_record(event, account)
        return 0
    if not program and not account:
        raise InputError("whose changes? give --program or --account, or the file of a run")

    programs, accounts = addresses_of("--program", program), addresses_of("--account", account)
    options = RunOptions(
        **attrs.asdict(place or Place()),
        account_diffs=programs,
        account=accounts,
        transactions=(*programs, *accounts) if idl else (),
    )
    return await watch(source, options, printer.show)
