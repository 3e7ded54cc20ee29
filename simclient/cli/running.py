"""What `simclient run` does: one backtest, on a server or on the embedded simulator."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import attrs

from ..errors import InputError, SimClientError
from ..research.resuming import resumed_config
from ..research.run import run_backtest
from ..research.values import RunConfig, RunResult, RunStatus
from .interrupt import CANCELLED_EXIT_CODE, Interrupt, watch_interrupts
from .plan import print_plan
from .progress import LiveProgress, PlainProgress
from .run_config import BlockRange, check_only_resumes, check_options, run_config
from .run_options import RunOptions
from .server import server_url
from .summary import print_summary
from .terminal import clean, error_console, result_console

__all__ = ["NOT_STARTED_YET", "bundle_of", "range_of", "run_on_server", "run_with"]

_DIFFERENCES_EXIT_CODE = 3
_PART_SLOTS = "part_slots"
NOT_STARTED_YET = "ws://127.0.0.1/backtest"
"""The URL of the embedded simulator until its port is known."""


async def run_with(
    url: str | None,
    options: RunOptions,
    *,
    adapt: Callable[[RunConfig], RunConfig] = lambda config: config,
) -> int:
    """Run a backtest, show how it goes and what it came to, and return the exit code.

    Args:
        url: The server, if one was named.
        options: What was asked for.
        adapt: Changes what is run on a server.

    Raises:
        InputError: An option cannot be used; nothing was started.
        SimClientError: The run failed; its output and summary were written.
    """
    if options.resume is not None or options.retry_failed is not None:
        return await _resume(url, options)

    check_options(options, url)
    if options.local:
        bundle = bundle_of(options.bundle)
        available = range_of(bundle)
        config = _with_parts(run_config(options, url=NOT_STARTED_YET, available=available))
        if options.plan:
            return await print_plan(config, is_local=True)
        error_console().print(f"bundle {clean(available.name)}: {clean(available.origin)}", soft_wrap=True)
        return await _run_on_embedded_simulator(config, bundle, options)

    config = adapt(run_config(options, url=server_url(url), available=None))
    if options.plan:
        return await print_plan(config, is_local=False)
    return await run_on_server(config, options)


async def run_on_server(config: RunConfig, options: RunOptions) -> int:
    """Run on a server that is there, show how it goes and what it came to, and return the exit code.

    Raises:
        SimClientError: The run failed; its output and summary were written.
    """
    async with watch_interrupts() as interrupt:
        return await _run(config, options, interrupt)


async def _resume(url: str | None, options: RunOptions) -> int:
    """Take a run up from its file.

    Raises:
        InputError: Another option was given, or the file cannot be resumed.
        SimClientError: The run failed again.
    """
    path = check_only_resumes(options)
    config = resumed_config(path, url=url)
    assert config.resume is not None
    if config.resume.is_complete:
        result_console().print(f"{clean(str(path))} is complete: there is nothing left to run", soft_wrap=True)
        return 0
    if options.retry_failed is not None and (config.resume.summary is None or config.resume.summary.status != "failed"):
        raise InputError(f"{path} did not fail, it was interrupted: use --resume")

    error_console().print(
        f"{clean(str(path))} has {len(config.resume.written):,} events; they are not written again", soft_wrap=True
    )
    bundle = config.origin.get("path")
    if url is None and bundle is not None:
        return await _run_on_embedded_simulator(config, bundle_of(Path(bundle) if bundle else None), options)

    return await run_on_server(attrs.evolve(config, url=server_url(config.url)), options)


async def _run_on_embedded_simulator(config: RunConfig, bundle: Path, options: RunOptions) -> int:
    """Start the simulator in this process, and run against it as against any other."""
    from ..local import open_local_simulator  # an extra: a run on a server does without

    code = CANCELLED_EXIT_CODE  # if it is interrupted before there is a simulator
    async with watch_interrupts() as interrupt:
        with interrupt.cancelling():
            async with open_local_simulator([bundle], split_slots=_part_slots(config)) as simulator:
                code = await _run(attrs.evolve(config, url=simulator.url), options, interrupt)
    return code


def _with_parts(config: RunConfig) -> RunConfig:
    """Return a parallel run with the size of its parts: one for each core, since an engine is a process of its own.

    It goes into the metadata, for parts that are run again must begin where they began.
    """
    if not config.is_parallel:
        return config

    slots = config.end_slot - config.start_slot + 1
    return attrs.evolve(config, origin={**config.origin, _PART_SLOTS: str(-(-slots // (os.cpu_count() or 1)))})


def _part_slots(config: RunConfig) -> int | None:
    """Return the size of the parts of a run that is parallel, or was."""
    text = config.origin.get(_PART_SLOTS, "")
    return int(text) if text.isdigit() and text != "0" else None


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
        _print_way_on(config, progress.result)
    if failure is not None:
        raise failure
    if interrupt.was_raised:
        return CANCELLED_EXIT_CODE

    return _DIFFERENCES_EXIT_CODE if options.fail_on_diff and _has_differences(progress.result) else 0


def _has_differences(result: RunResult | None) -> bool:
    """Tell whether the server found that the replay differs from what was recorded.

    Raises:
        SimClientError: It did not compare.
    """
    found = None if result is None else result.compared
    if found is None:
        raise SimClientError("the server did not compare the replay with what was recorded: --fail-on-diff cannot tell")

    return any((found.incorrect_simulation, found.execution_errors, found.balance_diff, found.log_diff))


def _print_way_on(config: RunConfig, result: RunResult) -> None:
    """Say how a run that did not complete is taken up."""
    if result.status is RunStatus.COMPLETED:
        return

    file = None if config.events_file is None or str(config.events_file) == "-" else clean(str(config.events_file))
    is_left = config.attach is not None and result.status is RunStatus.CANCELLED
    if is_left:
        again = file or f"{clean(config.attach or '')} {clean(config.url)} --start-slot … --end-slot …"
        way = f"the session is left to its server for some minutes; take it up with: simclient sessions attach {again}"
        error_console().print(way, soft_wrap=True)
    elif file is not None:
        error_console().print(f"take it up with: simclient run --resume {file}", soft_wrap=True)


def _progress(options: RunOptions) -> LiveProgress | PlainProgress:
    """Choose the display: a live one needs a terminal that the events are not written to."""
    console = error_console()
    is_live = console.is_terminal and (options.has_free_standard_output or not result_console().is_terminal)
    return LiveProgress(console) if is_live else PlainProgress(console)


def bundle_of(path: Path | None) -> Path:
    """Return the bundle to replay: the one that was named, else the one that comes with the package."""
    from ..local.bundle import shipped_bundle

    return path or shipped_bundle()


def range_of(bundle: Path) -> BlockRange:
    """Read what a bundle holds.

    Raises:
        BundleError: There is no such file, or it is no bundle.
    """
    from ..local.bundle import open_bundle, shipped_bundle

    with open_bundle(bundle) as reader:
        header = reader.header
    return BlockRange(
        start_slot=header.start_slot,
        end_slot=header.end_slot,
        name=header.name,
        origin=header.origin,
        path="" if bundle == shipped_bundle() else str(bundle.resolve()),
    )
