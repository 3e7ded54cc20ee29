"""Drive one backtest from its first slot to its last, and keep what it gives.

Rules:
- Every event goes, in the order received, to the output, the counts and the P&L. A transaction that matches several subscriptions
  is taken once; account diffs are taken as often as they come.
- The output ends with a `summary` line in every case: completed, cancelled or failed. What was received until then stands before it.
  If no session was ever had, there is nothing to write and the output file is not touched.
- The observer hears the result in every case. Beyond that, only a completed run returns: a failure is raised, a cancellation goes on.
"""

from __future__ import annotations

from typing import final

import trio

from ..errors import RemoteError
from ..session.backtest import BacktestSession
from ..session.inbox import Event
from ..session.managed import open_backtest_session
from ..session.tasks import open_tasks
from ..wire.failures import BacktestFailure, describe_failure
from ..wire.notifications import AccountDiff, ExecutedTransaction, TransactionLogs
from ..wire.responses import Completed, ErrorEvent, ReadyForContinue, SlotNotification, Status, UnknownResponse
from .balances import ProfitAndLoss
from .event_file import EventFile, OutputError, check_output
from .ndjson import diff_line, logs_line, transaction_line
from .run_lines import metadata_line, session_started_line, summary_line
from .values import RunConfig, RunCounts, RunObserver, RunResult, RunStatus, SilentObserver, StartedRun

__all__ = ["run_backtest"]

_REPORT_SECONDS = 0.25
"""How often the observer hears, and how long a line may wait in memory."""
_FRUITLESS_ADVANCES = 3
"""Advances in a row that gave an error and no slot, after which more of them are taken to be of no use."""
_CLOSING_SECONDS = 5.0
"""For the last lines: an output that takes nothing for so long is given up."""
_REMEMBERED_TRANSACTIONS = 262_144
"""Signatures kept to know a transaction that comes by a second subscription: some 30 MiB, far more than two sockets differ by."""


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

    run = _Run(config, observer or SilentObserver())
    try:
        await run.drive()
    except BaseException as error:
        await run.finish_after(error)  # noqa: ASYNC102 - what it awaits is shielded, with a deadline of its own
        raise

    return await run.finish(RunStatus.COMPLETED, None)


@final
class _Run:
    """The state of one run."""

    def __init__(self, config: RunConfig, observer: RunObserver) -> None:
        self._config = config
        self._observer = observer
        self._file = None if config.output is None else EventFile(config.output)
        self._begin_time = trio.current_time()
        self._session: BacktestSession | None = None
        self._started: StartedRun | None = None
        self._completed: Completed | None = None
        self._failure_since_slot: BacktestFailure | None = None
        self._fruitless_advances = 0
        self._pnl = ProfitAndLoss()
        self._tally = _Tally()
        self._transactions = _Remembered(_REMEMBERED_TRANSACTIONS)

    async def drive(self) -> None:
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
                send_summary=config.send_summary,
                extra_compute_units=config.extra_compute_units,
                limits=config.limits,
                user_agent=config.user_agent,
            ) as session,
        ):
            self._begin(session)
            tasks.start_soon(self._report_regularly, name="run: progress and output")
            async for event in session:
                if isinstance(event, ReadyForContinue):
                    self._check_progress()
                    await session.advance(self._next_slots())
                else:
                    self._take(event)
                if self._file is not None and self._file.is_full:
                    await self._file.flush()

    async def finish(self, status: RunStatus, reason: str | None) -> RunResult:
        """Write the summary and tell the observer, also while being cancelled.

        Raises:
            OutputError: The last lines cannot be written.
        """
        result = RunResult(
            status=status,
            reason=reason,
            started=self._started,
            counts=self._counts(),
            wallets=self._pnl.wallets(),
            completed=self._completed,
        )
        try:
            if self._file is not None and self._started is not None:
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

    def _begin(self, session: BacktestSession) -> None:
        """Note the session that was opened, and write the first lines."""
        self._session = session
        self._started = StartedRun(
            session_id=session.session_id,
            task_id=session.task_id,
            session_name=session.session_name,
            start_slot=session.start_slot,
            end_slot=session.end_slot,
        )
        self._write(metadata_line(self._config))
        self._write(session_started_line(self._started))
        self._observer.started(self._started)

    async def _report_regularly(self) -> None:
        """Tell the observer and write what waits, until cancelled."""
        while True:
            await trio.sleep(_REPORT_SECONDS)
            self._observer.progressed(self._counts())
            if self._file is not None:
                await self._file.flush()

    def _check_progress(self) -> None:
        """Refuse to advance for ever on a server that only answers with errors.

        Raises:
            RemoteError: Nothing but errors came of the last advances.
        """
        failure, self._failure_since_slot = self._failure_since_slot, None
        self._fruitless_advances = 0 if failure is None else self._fruitless_advances + 1
        if failure is not None and self._fruitless_advances >= _FRUITLESS_ADVANCES:
            raise RemoteError(
                f"the server reports an error and executes no slot, {_FRUITLESS_ADVANCES} times in a row:"
                f" {describe_failure(failure)}",
                payload=failure,
            )

    def _next_slots(self) -> int:
        """Return how many slots to ask for: as configured, but not past the range."""
        last = self._tally.last_slot
        remaining = self._config.end_slot - (self._config.start_slot - 1 if last is None else last)
        return max(1, min(self._config.advance_slots, remaining))

    def _take(self, event: Event) -> None:
        """Count one event, and hand it to the output, the P&L and the observer."""
        match event:
            case AccountDiff():
                self._tally.diffs += 1
                self._pnl.add_diff(event)
                self._write(diff_line(event, session_id=self._session_id))
            case ExecutedTransaction():
                self._take_transaction(event)
            case TransactionLogs():
                self._tally.logs += 1
                if self._config.write_logs:
                    self._write(logs_line(event, session_id=self._session_id))
            case SlotNotification(slot=slot):
                self._tally.slots += 1
                self._tally.last_slot = slot
                self._failure_since_slot = None
            case Completed():
                self._completed = event
            case Status() | ErrorEvent() | UnknownResponse():
                if isinstance(event, ErrorEvent):
                    self._tally.errors += 1
                    self._failure_since_slot = event.failure
                self._observer.noticed(event)
            case _:
                self._tally.others += 1

    def _take_transaction(self, transaction: ExecutedTransaction) -> None:
        """Take a transaction, unless it came before by another subscription."""
        if transaction.signature is not None and not self._transactions.add((transaction.slot, transaction.signature)):
            self._tally.repeated_transactions += 1
            return

        self._tally.transactions += 1
        self._tally.successes += transaction.is_success
        self._pnl.add_transaction(transaction)
        self._write(transaction_line(transaction, session_id=self._session_id))

    @property
    def _session_id(self) -> str:
        return "" if self._started is None else self._started.session_id

    def _write(self, line: bytes) -> None:
        if self._file is not None:
            self._file.add(line)

    def _counts(self) -> RunCounts:
        """Return the counts so far; what the connections know comes from the session."""
        tally, statistics = self._tally, None if self._session is None else self._session.statistics()
        return RunCounts(
            slots=tally.slots,
            last_slot=tally.last_slot,
            transactions=tally.transactions,
            successes=tally.successes,
            failures=tally.transactions - tally.successes,
            diffs=tally.diffs,
            logs=tally.logs,
            others=tally.others,
            errors=tally.errors,
            bytes_received=0 if statistics is None else statistics.bytes_received,
            reconnects=0 if statistics is None else statistics.control_reconnects + statistics.data_reconnects,
            duplicates_dropped=tally.repeated_transactions
            + (0 if statistics is None else statistics.duplicates_dropped),
            elapsed_seconds=trio.current_time() - self._begin_time,
        )


@final
class _Tally:
    """What the run itself counts."""

    __slots__ = (
        "diffs",
        "errors",
        "last_slot",
        "logs",
        "others",
        "repeated_transactions",
        "slots",
        "successes",
        "transactions",
    )

    def __init__(self) -> None:
        self.slots = self.transactions = self.successes = self.diffs = self.logs = 0
        self.others = self.errors = self.repeated_transactions = 0
        self.last_slot: int | None = None


@final
class _Remembered:
    """The newest items of a stream, to know one that comes again."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._items: dict[tuple[int, str], None] = {}  # a dict keeps the order of insertion

    def add(self, item: tuple[int, str]) -> bool:
        """Return whether `item` is new, and remember it."""
        if item in self._items:
            return False

        self._items[item] = None
        if len(self._items) > self._bound:
            del self._items[next(iter(self._items))]
        return True


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
