"""Drive one backtest from its first slot to its last, and keep what it gives.

Rules:
- The output ends with a `summary` line in every case: completed, cancelled or failed. What was received until then stands before it.
  If no session was ever had, there is nothing to write and the output file is not touched.
- The observer hears the result in every case. Beyond that, only a completed run returns: a failure is raised, a cancellation goes on.
- What happens to the events stands in `recorder`, how a session is moved forward in `driver`.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, nullcontext
from typing import final

import trio

from ..errors import InputError
from ..session.backtest import BacktestSession
from ..session.managed import open_backtest_session
from ..session.tasks import open_tasks
from .driver import drive
from .event_file import EventFile, OutputError, check_output
from .parquet import check_parquet, write_run
from .recorder import Recorder, SessionProgress
from .recording import SessionRecording, open_recording
from .run_lines import metadata_line, session_started_line, summary_line
from .values import RunConfig, RunObserver, RunResult, RunStatus, SilentObserver, StartedRun

__all__ = ["run_backtest"]

_REPORT_SECONDS = 0.25
"""How often the observer hears, and how long a line may wait in memory."""
_CLOSING_SECONDS = 5.0
"""For the last lines: an output that takes nothing for so long is given up."""


async def run_backtest(config: RunConfig, *, observer: RunObserver | None = None) -> RunResult:
    """Run a backtest to its end and return what came out.

    Args:
        config: What to run.
        observer: Hears how it goes, and the result also when the run fails or is cancelled.

    Raises:
        InputError: The output cannot be written, or the server needs a key and there is none; nothing was sent.
        RemoteError: The server only answers with errors, and executes nothing.
        OutputError: Writing failed on the way; the session was closed.
        SimClientError: The run failed; everything received before is in the output.
    Cancellation: the session is closed and the output ends with a summary, within 10 s.
    """
    if config.output is not None:
        check_output(config.output)
    if config.record is not None:
        check_output(config.record)
    if config.writes_parquet:
        check_parquet()
    if config.resume is not None and config.resume.path != config.events_file:
        raise InputError(f"a run is resumed into its own file {config.resume.path}, not into {config.output}")

    run = _Run(config, observer or SilentObserver())
    try:
        await run.run()
    except BaseException as error:
        await run.finish_after(error)  # noqa: ASYNC102 - what it awaits is shielded, with a deadline of its own
        raise

    result = await run.finish(RunStatus.COMPLETED, None)
    if config.writes_parquet:
        await _convert(config)
    return result


@final
class _Run:
    """One run: its sessions, its output and its end."""

    def __init__(self, config: RunConfig, observer: RunObserver) -> None:
        resume = config.resume
        self._config = config
        self._observer = observer
        self._file = (
            None
            if config.events_file is None
            else EventFile(config.events_file, keep_bytes=None if resume is None else resume.keep_bytes)
        )
        self._recorder = Recorder(
            self._file,
            observer,
            write_logs=config.write_logs,
            written=None if resume is None else resume.written,
        )
        self._sessions: list[tuple[StartedRun, SessionProgress]] = []

    async def run(self) -> None:
        """Open the session, advance it to its end, and take every event."""
        config = self._config
        async with (
            open_tasks() as tasks,
            open_backtest_session(
                config.url,
                start_slot=config.start_slot,
                end_slot=config.end_slot,
                subscriptions=config.subscriptions,
                api_key=config.api_key,
                name=config.name,
                send_summary=config.send_summary,
                extra_compute_units=config.extra_compute_units,
                discoveries=config.discoveries,
                limits=config.limits,
                user_agent=config.user_agent,
            ) as session,
        ):
            started = StartedRun(
                session_id=session.session_id,
                task_id=session.task_id,
                session_name=session.session_name,
                start_slot=session.start_slot,
                end_slot=session.end_slot,
            )
            progress = self._begin(started)
            tasks.start_soon(self._report_regularly, name="run: progress and output")
            async with _events_of(session, config) as events:
                await drive(session, config, self._recorder, progress, events=events, flush=self._flush_if_full)

    async def finish(self, status: RunStatus, reason: str | None) -> RunResult:
        """Write the summary and tell the observer, also while being cancelled.

        Raises:
            OutputError: The last lines cannot be written.
        """
        self._recorder.sample()
        result = RunResult(
            status=status,
            reason=reason,
            started=self._sessions[0][0] if self._sessions else None,
            counts=self._recorder.counts(),
            progress=self._recorder.progress,
            wallets=self._recorder.wallets(),
            completed=self._sessions[0][1].completed if self._sessions else None,
        )
        try:
            if self._file is not None and self._sessions:
                self._file.add(summary_line(result))
                await _flush_and_close(self._file)
        finally:
            self._observer.finished(result)
        return result

    async def finish_after(self, error: BaseException) -> None:
        """Write the summary of a run that `error` ended; a second failure becomes a note of the first."""
        is_cancelled = isinstance(error, (trio.Cancelled, KeyboardInterrupt))
        status = RunStatus.CANCELLED if is_cancelled else RunStatus.FAILED
        try:
            await self.finish(status, "cancelled" if is_cancelled else str(error) or type(error).__name__)
        except OutputError as second:
            error.add_note(f"also failed: {second}")

    def _begin(self, started: StartedRun) -> SessionProgress:
        """Note a session that was opened, and write the first lines."""
        if not self._sessions and self._config.resume is None:
            self._recorder.write(metadata_line(self._config))
        self._recorder.write(session_started_line(started))
        progress = self._recorder.open_session(started.session_id)
        self._sessions.append((started, progress))
        self._observer.started(started)
        return progress

    async def _report_regularly(self) -> None:
        """Tell the observer and write what waits, until cancelled."""
        while True:
            await trio.sleep(_REPORT_SECONDS)
            self._recorder.sample()
            self._observer.progressed(self._recorder.counts())
            if self._file is not None:
                await self._file.flush()

    async def _flush_if_full(self) -> None:
        """Hold the session back while too much waits to be written."""
        if self._file is not None and self._file.is_full:
            await self._file.flush()


def _events_of(
    session: BacktestSession, config: RunConfig
) -> AbstractAsyncContextManager[BacktestSession | SessionRecording]:
    """Return where the events of a session come from: the session, or what records them on the way."""
    if config.record is None:
        return nullcontext(session)

    return open_recording(
        config.record, session, subscriptions=config.subscriptions, url=config.url, origin=config.origin
    )


async def _convert(config: RunConfig) -> None:
    """Make the Parquet file of the events, which are then not needed any more.

    Raises:
        InputError: It cannot be written; the events are kept.
    """
    assert config.output is not None
    assert config.events_file is not None
    await trio.to_thread.run_sync(write_run, config.events_file, config.output)
    config.events_file.unlink()


async def _flush_and_close(file: EventFile) -> None:
    """Write the last lines within a bounded time, also while being cancelled.

    Raises:
        OutputError: They cannot be written, or the output takes nothing.
    """
    with trio.move_on_after(_CLOSING_SECONDS, shield=True) as scope:
        await file.flush(abandon_on_cancel=True)
        file.close()

    if scope.cancelled_caught:
        raise OutputError(f"the output took nothing for {_CLOSING_SECONDS:.0f} s: its last lines are missing")
