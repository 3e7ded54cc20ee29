"""`simclient sessions …`: sessions that run without us."""

from __future__ import annotations

import attrs
from cyclopts import App

from .run import RunOptions

__all__ = ["sessions"]

sessions = App(name="sessions", help="Take up sessions that run on a server.")


@sessions.command
async def attach(session_id: str, url: str | None = None, /, *, options: RunOptions | None = None) -> int:
    """Take up a session of which the connection was lost or left, and run it to its end.

    $ simclient sessions attach SESSION_ID HOST --start-slot 300000000 --end-slot 300000999 --transactions PROGRAM
    $ simclient sessions attach SESSION_ID HOST --start-slot 300000000 --slots 1000 --output run.ndjson

    The range is the one that the session was created with; the server keeps a session for some minutes after its connection was lost.

    Args:
        session_id: The session's id; it stands in the `session_started` line of a run's file.
        url: The server, a host or a ws:// or wss:// URL; by default what SIMULATOR_URL holds.
        options: All else, as for `simclient run`.

    Raises:
        InputError: An option cannot be used; nothing was started.
        SimClientError: There is no such session any more, or it failed.
    """
    from ..errors import InputError
    from .running import run_with

    options = options or RunOptions()
    if options.local or options.parallel or options.plan or options.resume or options.retry_failed:
        raise InputError(
            "a session is taken up on its server, as it is: --local, --parallel, --plan and --resume cannot be used"
        )
    fixed = (options.program_so, options.account_overrides, options.extra_compute_units, options.discover, options.name)
    if any(fixed):
        raise InputError(
            "what a session was created with cannot be changed: only what is watched and where it is written"
        )

    return await run_with(url, options, adapt=lambda config: attrs.evolve(config, attach=session_id))
