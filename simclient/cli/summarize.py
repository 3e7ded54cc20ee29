"""`simclient summarize`: what a run came to, from its file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from .options import FLAG, REPEATABLE

__all__ = ["summarize"]


def summarize(
    file: Path,
    /,
    *,
    wallet: Annotated[tuple[str, ...], REPEATABLE] = (),
    accounts: str = "",
    json: Annotated[bool, FLAG] = False,
) -> int:
    """Say what a run came to, and what every wallet gained or lost, from its file.

    $ simclient summarize run.ndjson
    $ simclient summarize run.ndjson --wallet ADDRESS --json

    Reads files of `simclient run` and of `sim run`, plain or .zst. A wallet's balance of a mint is the sum over all its token accounts;
    SOL is that of its own address, with the fees that it paid said apart.

    Args:
        file: The file of a run.
        wallet: Say it of this wallet only. Repeatable.
        accounts: The same as a list: A,B,C, as `sim summarize` takes it.
        json: Print JSON; amounts in the smallest unit.

    Raises:
        InputError: The file is no file of a run, or damaged; or an address is none.
    """
    from ..research.overview import summarize as summarize_run
    from . import summarize_output

    listed = [text.strip() for text in accounts.split(",") if text.strip()]
    overview = summarize_run(file, wallets=[*wallet, *listed])
    if json:
        summarize_output.print_json(overview)
    else:
        summarize_output.print_text(overview)
    return 0
