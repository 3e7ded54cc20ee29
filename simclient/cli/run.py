"""`simclient run`. What it does is in `running`, which is only imported when something is to be run."""

from __future__ import annotations

from .run_options import RunOptions

__all__ = ["run"]


async def run(url: str | None = None, /, *, options: RunOptions | None = None) -> int:
    """Run a backtest and say what it came to.

    $ simclient run --local
    $ simclient run --local --slots 50 --output run.ndjson
    $ simclient run HOST --start-slot 300000000 --slots 1000 --transactions PROGRAM --output run.ndjson
    $ simclient run HOST --start-slot 300000000 --slots 1000 --transactions PROGRAM --program-so PROGRAM=new.so
    $ simclient run HOST --start-slot 300000000 --slots 1000 --transactions PROGRAM --record paid.recording
    $ simclient run --resume run.ndjson

    A server's key is read from the environment variable SIMULATOR_API_KEY; the embedded simulator needs none.
    Ctrl-C closes the session and still writes the summary (exit code 130); a second one leaves at once.

    Args:
        url: The server, a host or a ws:// or wss:// URL; by default what SIMULATOR_URL holds.
        options: All else.

    Raises:
        InputError: An option cannot be used; nothing was started.
        SimClientError: The run failed; its output and summary were written.
    """
    from .running import run_with

    return await run_with(url, options or RunOptions())
