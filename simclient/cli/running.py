"""`simclient run`: one backtest, on a server or on the embedded simulator."""

from __future__ import annotations

from pathlib import Path

import attrs

from ..errors import SimClientError
from ..research.run import run_backtest
from ..research.values import RunConfig
from .interrupt import CANCELLED_EXIT_CODE, Interrupt, watch_interrupts
from .progress import LiveProgress, PlainProgress
from .run import RunOptions
from .run_config import BlockRange, check_options, run_config, server_url
from .summary import print_summary
from .terminal import clean, error_console, result_console

__all__ = ["run_with"]

_NOT_STARTED_YET = "ws://127.0.0.1/backtest"
"""The URL of the embedded simulator until its port is known."""


async def run_with(url: str | None, options: RunOptions) -> int:
    """Run a backtest, show how it goes and what it came to, and return the exit code.

    Raises:
        InputError: An option cannot be used; nothing was started.
        SimClientError: The run failed; its output and summary were written.
    """
    check_options(options, url)
    if options.local:
        return await _run_on_embedded_simulator(options)

    config = run_config(options, url=server_url(url), available=None)
    async with watch_interrupts() as interrupt:
        return await _run(config, options, interrupt)


async def _run_on_embedded_simulator(options: RunOptions) -> int:
    """Start the simulator in this process, and run against it as against any other."""
    from ..local import open_local_simulator  # an extra: a run on a server does without
    from ..local.bundle import shipped_bundle

    bundle = options.bundle or shipped_bundle()
    available = _range_of(bundle)
    config = run_config(options, url=_NOT_STARTED_YET, available=available)
    error_console().print(f"bundle {clean(available.name)}: {clean(available.origin)}", soft_wrap=True)
    code = CANCELLED_EXIT_CODE  # if it is interrupted before there is a simulator
    async with watch_interrupts() as interrupt:
        with interrupt.cancelling():
            async with open_local_simulator([bundle]) as simulator:
                code = await _run(attrs.evolve(config, url=simulator.url), options, interrupt)
    return code


async def _run(config: RunConfig, options: RunOptions, interrupt: Interrupt) -> int:
    """Run, and print the summary also when the run fails or is cancelled."""
    progress = _progress(options)
    failure: SimClientError | None = None
    with progress:
        try:
            with interrupt.cancelling():
                await run_backtest(config, observer=progress)
        except SimClientError as error:
            failure = error

    if progress.result is not None and progress.result.started is not None:
        console = result_console() if options.has_free_standard_output else error_console()
        print_summary(console, progress.result)
    if failure is not None:
        raise failure
    return CANCELLED_EXIT_CODE if interrupt.was_raised else 0


def _progress(options: RunOptions) -> LiveProgress | PlainProgress:
    """Choose the display: a live one needs a terminal that the events are not written to."""
    console = error_console()
    is_live = console.is_terminal and (options.has_free_standard_output or not result_console().is_terminal)
    return LiveProgress(console) if is_live else PlainProgress(console)


def _range_of(bundle: Path) -> BlockRange:
    """Read what a bundle holds.

    Raises:
        BundleError: There is no such file, or it is no bundle.
    """
    from ..local.bundle import open_bundle

    with open_bundle(bundle) as reader:
        header = reader.header
    return BlockRange(start_slot=header.start_slot, end_slot=header.end_slot, name=header.name, origin=header.origin)
