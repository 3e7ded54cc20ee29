"""Drive one backtest from its first slot to its last, and keep what it gives.

Rules:
- The output ends with a `summary` line in every case: completed, cancelled or failed. What was received until then stands before it.
  If no session was ever had, there is nothing to write and the output file is not touched.
- The observer hears the result in every case. Beyond that, only a completed run returns: a failure is raised, a cancellation goes on.
- What happens to the events stands in `recorder`, how a session is moved forward in `driver`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from typing import final

import attrs
import trio

from ..errors import InputError, LocalProtocolError, SimClientError
from ..session.backtest import BacktestSession
from ..session.managed import open_backtest_session
from ..session.parallel import open_parallel_session
from ..session.tasks import open_tasks
from ..wire.summary import SessionSummary
from .driver import drive
from .event_file import EventFile, OutputError, check_output
from .overview import RunOverview, summarize
from .parquet import check_parquet, write_run
from .recorder import Recorder, SessionProgress
from .recording import SessionRecording, check_recordings_folder, open_recording, recording_in
from .resuming import started_before, state_before
from .run_lines import metadata_line, session_started_line, summary_line
from .values import RunConfig, RunObserver, RunResult, RunStatus, SilentObserver, StartedRun

__all__ = ["RunFailed", "run_backtest"]

_REPORT_SECONDS = 0.25
"""How often the observer hears, and how long a line may wait in memory."""
_LEAVING_SECONDS = 2.0
"""For a request that is being written when a session is left."""
_LEAVING_STEP_SECONDS = 0.02
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
        (check_recordings_folder if config.is_parallel else check_output)(config.record)
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


class RunFailed(SimClientError):
    """Sessions of a run that were run at the same time have failed; the message has all reasons.

    What to do: Run the parts that failed again: `simclient run --retry-failed FILE`.
    """


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
            first_slot=config.start_slot,
            write_logs=config.write_logs,
            write_instructions=config.write_instructions,
            written=None if resume is None else resume.written,
        )
        self._sessions: list[SessionProgress] = []
        self._only_summary = resume is not None and resume.lacks_only_summary

    async def run(self) -> None:
        """Open the sessions, advance them to their ends, and take every event.

        Raises:
            SimClientError: A session failed; of several at once, the others went on to their ends.
        """
        config = self._config
        if self._only_summary:
            return
        async with open_tasks() as tasks:
            tasks.start_soon(self._report_regularly, name="run: progress and output")
            if config.ranges:
                await self._each(
                    [partial(self._run_session, start_slot=first, end_slot=last) for first, last in config.ranges]
                )
            elif config.is_parallel:
                await self._run_parallel()
            else:
                await self._run_session(start_slot=config.start_slot, end_slot=config.end_slot)

    async def _run_session(self, *, start_slot: int, end_slot: int) -> None:
        """Run one session."""
        config = self._config
        is_new = config.attach is None
        async with open_backtest_session(
            config.url,
            start_slot=start_slot,
            end_slot=end_slot,
            attach=config.attach,
            subscriptions=config.subscriptions,
            api_key=config.api_key,
            name=config.name if is_new else None,
            send_summary=is_new and config.send_summary,
            extra_compute_units=config.extra_compute_units if is_new else None,
            discoveries=config.discoveries if is_new else (),
            limits=config.limits,
            user_agent=config.user_agent,
        ) as session:
            progress = self._begin(session)
            try:
                await self._drive(session, progress)
            except (trio.Cancelled, KeyboardInterrupt):
                if not is_new:
                    await _leave(session)  # noqa: ASYNC102 - shielded, with a deadline of its own
                raise

    async def _run_parallel(self) -> None:
        """Run the sessions that the server makes of the range."""
        config = self._config
        async with open_parallel_session(
            config.url,
            start_slot=config.start_slot,
            end_slot=config.end_slot,
            subscriptions=config.subscriptions,
            api_key=config.api_key,
            name=config.name,
            send_summary=config.send_summary,
            extra_compute_units=config.extra_compute_units,
            discoveries=config.discoveries,
            keep_going=True,
            limits=config.limits,
            user_agent=config.user_agent,
        ) as parallel:
            await self._each([partial(self._drive, session, self._begin(session)) for session in parallel])

    async def _each(self, works: Sequence[Callable[[], Awaitable[None]]]) -> None:
        """Do works at the same time, to the end of each.

        Raises:
            SimClientError: Some failed.
        """
        failures: list[SimClientError] = []
        running, have_ended = len(works), trio.Event()

        async def one(work: Callable[[], Awaitable[None]]) -> None:
            nonlocal running
            try:
                await work()
            except SimClientError as error:
                failures.append(error)
            running -= 1
            if not running:
                have_ended.set()

        async with open_tasks() as tasks:
            for work in works:
                tasks.start_soon(one, work, name="run: session")
            await have_ended.wait()
        if failures:
            raise failures[0] if len(works) == 1 else _together(failures, len(works))

    async def _drive(self, session: BacktestSession, progress: SessionProgress) -> None:
        """Advance a session to its end; why it failed, if it does, stands in its state."""
        try:
            async with _events_of(session, self._config) as events:
                await drive(session, self._config, self._recorder, progress, events=events, flush=self._flush_if_full)
        except SimClientError as error:
            progress.failure = str(error)
            raise

        if len(self._sessions) > 1 and progress.completed is not None:
            self._recorder.write(session_started_line(progress.started, completed_slots=progress.slots))

    async def finish(self, status: RunStatus, reason: str | None) -> RunResult:
        """Write the summary and tell the observer, also while being cancelled.

        Raises:
            OutputError: The last lines cannot be written.
        """
        self._recorder.sample()
        result = RunResult(
            status=status,
            reason=reason,
            started=self._sessions[0].started if self._sessions else None,
            counts=self._recorder.counts(),
            progress=self._recorder.progress,
            wallets=self._recorder.wallets(),
            compared=_sum(self._sessions),
        )
        try:
            if self._file is not None and (self._sessions or self._only_summary):
                if self._config.ranges or self._only_summary:
                    result = await self._with_the_other_parts(result)
                await _flush_and_close(self._file, summary_line(result))
        finally:
            self._observer.finished(result)
        return result

    async def _with_the_other_parts(self, result: RunResult) -> RunResult:
        """Return what a run came to of which only parts were run again, or none: the file has the others.

        Raises:
            OutputError: The last lines cannot be written.
        """
        assert self._file is not None
        assert self._config.resume is not None
        whole: RunOverview | None = None
        with trio.CancelScope(shield=True):  # reading a file ends
            await self._file.flush()
            whole = await trio.to_thread.run_sync(summarize, self._config.resume.path)
        assert whole is not None
        done = self._config.resume.finished_sessions
        sessions = (*(state_before(one) for one in done), *result.counts.sessions)
        counts = attrs.evolve(
            result.counts,
            slots=sum(one.slots for one in sessions),
            last_slot=max((one.end_slot for one in done), default=result.counts.last_slot),
            transactions=whole.transactions,
            successes=whole.successes,
            failures=whole.failures,
            diffs=whole.diffs,
            logs=max(whole.logs, result.counts.logs),  # the file has none where they were not asked for
            sessions=sessions,
        )
        started = result.started or started_before(done[0])
        return attrs.evolve(result, started=started, counts=counts, wallets=whole.pnl.wallets)

    async def finish_after(self, error: BaseException) -> None:
        """Write the summary of a run that `error` ended; a second failure becomes a note of the first."""
        is_cancelled = isinstance(error, (trio.Cancelled, KeyboardInterrupt))
        status = RunStatus.CANCELLED if is_cancelled else RunStatus.FAILED
        try:
            await self.finish(status, "cancelled" if is_cancelled else str(error) or type(error).__name__)
        except OutputError as second:
            error.add_note(f"also failed: {second}")

    def _begin(self, session: BacktestSession) -> SessionProgress:
        """Note a session that was opened, and write the first lines."""
        started = StartedRun(
            session_id=session.session_id,
            task_id=session.task_id,
            session_name=session.session_name,
            start_slot=session.start_slot,
            end_slot=session.end_slot,
        )
        if not self._sessions and self._config.resume is None:
            self._recorder.write(metadata_line(self._config))
        if self._config.attach is None or self._config.resume is None:  # else the file names it already
            self._recorder.write(session_started_line(started))
        progress = self._recorder.open_session(started)
        self._sessions.append(progress)
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

    path = recording_in(config.record, session) if config.is_parallel else config.record
    return open_recording(path, session, subscriptions=config.subscriptions, url=config.url, origin=config.origin)


async def _leave(session: BacktestSession) -> None:
    """Leave a session to its server, as it was found; what was received and not taken will be said again to who attaches next."""
    with trio.move_on_after(_LEAVING_SECONDS, shield=True):
        while True:
            try:
                await session.detach()
            except LocalProtocolError:  # a request is about to be written, or the run has completed
                await trio.sleep(_LEAVING_STEP_SECONDS)
            else:
                return


def _sum(sessions: Sequence[SessionProgress]) -> SessionSummary | None:
    """Return the server's comparisons of all sessions, summed; None: not all of them have one."""
    found = [None if one.completed is None else one.completed.summary for one in sessions]
    summaries = [one for one in found if one is not None]
    if not summaries or len(summaries) != len(found):
        return None

    return SessionSummary(
        correct_simulation=sum(one.correct_simulation for one in summaries),
        incorrect_simulation=sum(one.incorrect_simulation for one in summaries),
        execution_errors=sum(one.execution_errors for one in summaries),
        balance_diff=sum(one.balance_diff for one in summaries),
        log_diff=sum(one.log_diff for one in summaries),
    )


def _together(failures: Sequence[SimClientError], count: int) -> SimClientError:
    """Return what is said of several failures: the reasons, each once with how often it is there."""
    reasons = Counter(str(error) for error in failures)
    text = "; ".join(reason if times == 1 else f"{reason} ({times} times)" for reason, times in reasons.most_common())
    return RunFailed(f"{len(failures)} of {count} sessions failed: {text}")


async def _convert(config: RunConfig) -> None:
    """Make the Parquet file of the events, which are then not needed any more.

    Raises:
        InputError: It cannot be written; the events are kept.
    """
    assert config.output is not None
    assert config.events_file is not None
    await trio.to_thread.run_sync(write_run, config.events_file, config.output)
    config.events_file.unlink()


async def _flush_and_close(file: EventFile, summary: bytes) -> None:
    """Write what waits, and the summary after it, within a bounded time, also while being cancelled.

    The summary is a write of its own: a compressed file that is taken up is cut back to before it.

    Raises:
        OutputError: They cannot be written, or the output takes nothing.
    """
    with trio.move_on_after(_CLOSING_SECONDS, shield=True) as scope:
        await file.flush(abandon_on_cancel=True)
        file.add(summary)
        await file.flush(abandon_on_cancel=True)
        file.close()

    if scope.cancelled_caught:
        raise OutputError(f"the output took nothing for {_CLOSING_SECONDS:.0f} s: its last lines are missing")
