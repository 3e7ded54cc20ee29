"""`simclient sessions …`: sessions that run without us."""

from __future__ import annotations

from pathlib import Path

import attrs
from cyclopts import App

from .run_options import RunOptions

__all__ = ["sessions"]

sessions = App(name="sessions", help="Take up sessions that run on a server.")


@sessions.command
async def attach(session: str, url: str | None = None, /, *, options: RunOptions | None = None) -> int:
    """Take up a session of which the connection was lost or left, and run it to its end.

    $ simclient sessions attach run.ndjson
    $ simclient sessions attach SESSION_ID HOST --start-slot 300000000 --end-slot 300000999 --transactions PROGRAM
    $ simclient sessions attach SESSION_ID HOST --start-slot 300000000 --slots 1000 --output run.ndjson

    The file of a run that was killed says all that is needed, and is completed; the session says again what it did, and nothing is
    executed twice. The server keeps a session for some minutes after its connection was lost: later, `simclient run --resume` executes the
    slots again. Ctrl-C leaves the session to its server, to be taken up again.

    Args:
        session: The file of a run, or a session's id, which stands in the `session_started` line of such a file; then its range
            is needed too, the one that it was created with.
        url: The server, a host or a ws:// or wss:// URL; by default the one of the file, or what SIMULATOR_URL holds.
        options: All else, as for `simclient run`.

    Raises:
        InputError: An option cannot be used; nothing was started.
        SimClientError: There is no such session any more, or it failed.
    """
    from .running import run_with
    from .watching import existing_file

    options = options or RunOptions()
    file = existing_file(session)
    if file is not None:
        return await _attach_to_session_of(file, url, options)

    _check_can_attach(session, options)
    return await run_with(url, options, adapt=lambda config: attrs.evolve(config, attach=session))


async def _attach_to_session_of(file: Path, url: str | None, options: RunOptions) -> int:
    """Complete the file of a run by its session.

    Raises:
        InputError: The file cannot be completed, or other options were given.
        SimClientError: There is no such session any more, or it failed.
    """
    from ..research.resuming import attached_config
    from .run_config import check_only_resumes
    from .running import run_on_server
    from .server import server_url
    from .terminal import clean, result_console

    check_only_resumes(attrs.evolve(options, resume=file))
    config = attached_config(file, url=url)
    assert config.resume is not None
    if config.resume.is_complete:
        result_console().print(f"{clean(str(file))} is complete: there is nothing left to run", soft_wrap=True)
        return 0

    return await run_on_server(attrs.evolve(config, url=server_url(config.url)), options)


def _check_can_attach(session_id: str, options: RunOptions) -> None:
    """Check that nothing is asked of a session that only a new one can be given.

    Raises:
        InputError: Something is; or the output would take the place of what the session gave before.
    """
    from ..errors import InputError

    if options.local or options.parallel or options.plan or options.resume or options.retry_failed:
        raise InputError(
            "a session is taken up on its server, as it is: --local, --parallel, --plan and --resume cannot be used"
        )
    fixed = (options.program_so, options.account_overrides, options.extra_compute_units, options.discover, options.name)
    if any(fixed):
        raise InputError(
            "what a session was created with cannot be changed: only what is watched and where it is written"
        )
    output = options.output
    if output is not None and output.is_file() and _is_of(session_id, output):
        raise InputError(
            f"{output} has events of this session, which would be lost; complete it: simclient sessions attach {output}"
        )


def _is_of(session_id: str, file: Path) -> bool:
    """Tell whether a file is of a run with this session."""
    from ..research.records import RunFileError
    from ..research.run_file import read_run

    try:
        return any(session.session_id == session_id for session in read_run(file).sessions())
    except RunFileError:
        return False
