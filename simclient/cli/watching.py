"""What the commands share that show events as they come: where from, and how each looks."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import final

import attrs

from ..errors import InputError
from ..research.idl import Idl, load_idl
from ..research.run import run_backtest
from ..research.run_file import RunFile
from ..research.values import Notice, RunConfig, SilentObserver
from ..session.inbox import Event
from ..wire.failures import describe_failure
from ..wire.responses import ErrorEvent
from .interrupt import CANCELLED_EXIT_CODE, watch_interrupts
from .run_config import check_options, run_config
from .run_options import RunOptions
from .running import NOT_STARTED_YET, bundle_of, range_of
from .server import server_url
from .terminal import clean, print_error

__all__ = [
    "Printer",
    "existing_file",
    "load_idls",
    "note_missing_instructions",
    "open_target",
    "print_line",
    "watch",
]


@asynccontextmanager
async def open_target(url: str | None, options: RunOptions) -> AsyncIterator[RunConfig]:
    """Lend what to run, on a server or on the embedded simulator, which runs while the block does.

    Raises:
        InputError: An option cannot be used; nothing was started.
    """
    check_options(options, url)
    if not options.local:
        yield run_config(options, url=server_url(url), available=None)
        return

    from ..local import open_local_simulator

    bundle = bundle_of(options.bundle)
    config = run_config(options, url=NOT_STARTED_YET, available=range_of(bundle))
    async with open_local_simulator([bundle]) as simulator:
        yield attrs.evolve(config, url=simulator.url)


async def watch(
    url: str | None,
    options: RunOptions,
    show: Callable[[Event], None],
    *,
    adapt: Callable[[RunConfig], RunConfig] = lambda config: config,
) -> int:
    """Run, show every event, and return the exit code.

    Args:
        url: The server, if one was named.
        options: What to run.
        show: Called with every event; it writes to the standard output.
        adapt: Changes what is run.

    Raises:
        InputError: An option cannot be used; nothing was started.
        SimClientError: The run failed; what came before it was shown.
    """
    async with watch_interrupts() as interrupt:
        with interrupt.cancelling():
            async with open_target(url, options) as config:
                await run_backtest(adapt(config), observer=_Shower(show))
    return CANCELLED_EXIT_CODE if interrupt.was_raised else 0


def load_idls(paths: tuple[Path, ...]) -> tuple[Idl, ...]:
    """Read IDL files.

    Raises:
        IdlError: One cannot be read, or is no IDL.
    """
    return tuple(load_idl(path) for path in paths)


def note_missing_instructions(run: RunFile) -> None:
    """Say on the standard error that the file of a run has no instructions to decode."""
    if not run.metadata.parameters.get("write_instructions"):
        path = clean(str(run.path))
        print_error(f"note: {path} has no instructions to decode: only runs with --instructions keep them")


def print_line(text: str) -> None:
    """Write one line of results, at once: a reader may be waiting for it."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@final
class Printer:
    """Prints results: as JSON, one object per line, or as text."""

    def __init__(self, *, is_json: bool) -> None:
        self.is_json = is_json

    def show(self, as_json: dict[str, object], as_text: list[str]) -> None:
        """Print one result in the form that was asked for; in text, lines after the first are details."""
        if self.is_json:
            print_line(json.dumps(as_json, ensure_ascii=False, separators=(",", ":")))
            return

        first, *details = as_text
        print_line("\n".join([clean(first), *(f"    {clean(detail)}" for detail in details)]))


class _Shower(SilentObserver):
    """Shows every event, and errors of the server on the standard error."""

    def __init__(self, show: Callable[[Event], None]) -> None:
        self._show = show

    def received(self, event: Event) -> None:
        """Show it."""
        self._show(event)

    def noticed(self, notice: Notice) -> None:
        """Show errors."""
        if isinstance(notice, ErrorEvent):
            print_error(f"the server reports: {describe_failure(notice.failure)}")


def existing_file(source: str | None) -> Path | None:
    """Return the file of a run that was named in place of a server; None: it is no file.

    Raises:
        InputError: It looks like one and is not there.
    """
    if source is None or "://" in source:
        return None

    path = Path(source)
    if path.is_file():
        return path
    if path.suffix in (".ndjson", ".zst", ".jsonl") or "/" in source:
        raise InputError(f"cannot read {source}: No such file or directory")
    return None
