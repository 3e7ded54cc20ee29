"""`simclient record`: a session that is kept as it came, so that what was paid for once is iterated on offline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import attrs

from .options import PATH
from .run_options import RunOptions, SessionOptions

__all__ = ["record"]


async def record(
    url: str | None = None, /, *, output: Annotated[Path, PATH], options: SessionOptions | None = None
) -> int:
    """Run a session and keep it as it came, to be served again by `simclient local --replay`.

    $ simclient record HOST --start-slot 300000000 --slots 1000 --transactions PROGRAM --output paid.recording
    $ simclient record --local --output market.recording
    $ simclient local --replay paid.recording

    Only what was watched is in the recording; of a parallel run it is a folder, with a file for each part. `simclient run --record` keeps
    one beside the events of a run.

    Args:
        url: The server, a host or a ws:// or wss:// URL; by default what SIMULATOR_URL holds.
        output: The recording to write; with --parallel the folder.
        options: All else, as for `simclient run`.

    Raises:
        InputError: An option cannot be used; nothing was started.
        SimClientError: The session failed; what came before it was kept.
    """
    from ..errors import InputError
    from ..research.event_file import STANDARD_OUTPUT
    from .running import run_with
    from .terminal import clean, error_console

    if output == STANDARD_OUTPUT:
        raise InputError("--output -: a recording needs a file; name one")

    asked = attrs.asdict(options or SessionOptions(), recurse=False)
    code = await run_with(url, RunOptions(**asked, record=output))
    if output.exists():
        file = clean(str(output))
        error_console().print(f"serve it again with: simclient local --replay {file}", soft_wrap=True)
    return code
