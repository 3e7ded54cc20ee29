"""What becomes of the events of a run: they go, in the order received, to the output, the counts and the P&L.

A transaction that matches several subscriptions is taken once; account diffs are taken as often as they come. A run that is resumed
executes its slots again from the beginning: what the file already has is counted and summed up, and not written again.
"""

from __future__ import annotations

from typing import final

import trio

from ..session.inbox import Event
from ..session.statistics import SessionStatistics
from ..wire.notifications import AccountDiff, ExecutedTransaction, TransactionLogs
from ..wire.responses import Completed, DiscoveryBatch, ErrorEvent, SlotNotification, Status, UnknownResponse
from .balances import ProfitAndLoss, WalletResult
from .event_file import EventFile
from .ndjson import diff_line, logs_line, transaction_line
from .resume import WrittenLines
from .values import RunCounts, RunObserver, SessionState, StartedRun

__all__ = ["Recorder", "SessionProgress"]

_REMEMBERED_TRANSACTIONS = 262_144
"""Signatures kept to know a transaction that comes by a second subscription: some 30 MiB, far more than two sockets differ by."""
_SAMPLES = 256
"""Moments of the run that are kept for its report."""


@final
class SessionProgress:
    """How far one session has come."""

    def __init__(self, started: StartedRun) -> None:
        self.started = started
        self.session_id = started.session_id
        self.slots = 0
        self.last_slot: int | None = None
        self.completed: Completed | None = None
        self.failure: str | None = None
        self.statistics: SessionStatistics | None = None

    def state(self) -> SessionState:
        """Return it as a value."""
        status = "failed" if self.failure is not None else "running" if self.completed is None else "completed"
        return SessionState(
            session_id=self.session_id,
            start_slot=self.started.start_slot,
            end_slot=self.started.end_slot,
            slots=self.slots,
            last_slot=self.last_slot,
            status=status,
            reason=self.failure,
        )


@final
class Recorder:
    """Takes the events of all sessions of one run."""

    def __init__(
        self,
        file: EventFile | None,
        observer: RunObserver,
        *,
        first_slot: int,
        write_logs: bool,
        write_instructions: bool = False,
        written: WrittenLines | None,
    ) -> None:
        """Begin to count, and to measure the time.

        Args:
            file: Where the events are written; None: nowhere.
            observer: Hears every event.
            first_slot: What happened before it is not taken.
            write_logs: Whether `logs` lines are written.
            write_instructions: Whether `tx` lines have the transaction's instructions.
            written: What the file already has, of a run that is resumed.
        """
        self._file = file
        self._observer = observer
        self._first_slot = first_slot
        self._write_logs = write_logs
        self._write_instructions = write_instructions
        self._written = written
        self._begin_time = trio.current_time()
        self._sessions: list[SessionProgress] = []
        self._pnl = ProfitAndLoss()
        self._tally = _Tally()
        self._transactions = _Remembered(_REMEMBERED_TRANSACTIONS)
        self._samples = _Samples(_SAMPLES)

    def open_session(self, started: StartedRun) -> SessionProgress:
        """Begin to follow a session."""
        progress = SessionProgress(started)
        self._sessions.append(progress)
        return progress

    def write(self, line: bytes) -> None:
        """Write one line, unless the file of a resumed run has it."""
        if self._file is not None and not (self._written is not None and self._written.has(line)):
            self._file.add(line)

    def take(self, event: Event, session: SessionProgress) -> None:
        """Take one event of a session; one before the first slot is not asked for: a bundle may begin earlier than the run."""
        if getattr(event, "slot", self._first_slot) < self._first_slot:
            if isinstance(event, SlotNotification):
                session.last_slot = event.slot
            return

        match event:
            case AccountDiff():
                self._tally.diffs += 1
                self._pnl.add_diff(event)
                self.write(diff_line(event, session_id=session.session_id))
            case ExecutedTransaction():
                if not self._take_transaction(event, session):
                    return
            case TransactionLogs():
                self._tally.logs += 1
                if self._write_logs:
                    self.write(logs_line(event, session_id=session.session_id))
            case SlotNotification(slot=slot):
                session.slots += 1
                session.last_slot = slot
            case Completed():
                session.completed = event
            case Status() | ErrorEvent() | UnknownResponse():
                self._tally.errors += isinstance(event, ErrorEvent)
                self._observer.noticed(event)
            case DiscoveryBatch():
                self._tally.discoveries += 1
            case _:
                self._tally.others += 1
        self._observer.received(event)

    def sample(self) -> None:
        """Note how far the run is; called regularly."""
        self._samples.add(self.counts())

    @property
    def progress(self) -> tuple[RunCounts, ...]:
        """How far the run was, at moments of about the same distance."""
        return self._samples.kept

    def wallets(self) -> tuple[WalletResult, ...]:
        """Return what every wallet gained so far."""
        return self._pnl.wallets()

    def counts(self) -> RunCounts:
        """Return the counts so far; what the connections know comes from the sessions."""
        tally = self._tally
        statistics = [session.statistics for session in self._sessions if session.statistics is not None]
        slots = [session.last_slot for session in self._sessions if session.last_slot is not None]
        return RunCounts(
            slots=sum(session.slots for session in self._sessions),
            last_slot=max(slots, default=None),
            transactions=tally.transactions,
            successes=tally.successes,
            failures=tally.transactions - tally.successes,
            diffs=tally.diffs,
            logs=tally.logs,
            discoveries=tally.discoveries,
            others=tally.others,
            errors=tally.errors,
            bytes_received=sum(one.bytes_received for one in statistics),
            reconnects=sum(one.control_reconnects + one.data_reconnects for one in statistics),
            duplicates_dropped=tally.repeated_transactions + sum(one.duplicates_dropped for one in statistics),
            elapsed_seconds=trio.current_time() - self._begin_time,
            sessions=tuple(session.state() for session in self._sessions),
        )

    def _take_transaction(self, transaction: ExecutedTransaction, session: SessionProgress) -> bool:
        """Take a transaction, unless it came before by another subscription; return whether it was taken."""
        if transaction.signature is not None and not self._transactions.add((transaction.slot, transaction.signature)):
            self._tally.repeated_transactions += 1
            return False

        self._tally.transactions += 1
        self._tally.successes += transaction.is_success
        self._pnl.add_transaction(transaction)
        self.write(
            transaction_line(transaction, session_id=session.session_id, with_instructions=self._write_instructions)
        )
        return True


@final
class _Tally:
    """What the run itself counts."""

    __slots__ = (
        "diffs",
        "discoveries",
        "errors",
        "logs",
        "others",
        "repeated_transactions",
        "successes",
        "transactions",
    )

    def __init__(self) -> None:
        self.transactions = self.successes = self.diffs = self.logs = self.discoveries = 0
        self.others = self.errors = self.repeated_transactions = 0


@final
class _Samples:
    """A bounded number of moments: when there are too many, every second one is dropped, and from then on taken."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._step = 1
        self._count = 0
        self._kept: list[RunCounts] = []

    def add(self, counts: RunCounts) -> None:
        """Take a moment."""
        if self._count % self._step == 0:
            self._kept.append(counts)
        self._count += 1
        if len(self._kept) >= self._bound:
            del self._kept[1::2]
            self._step *= 2

    @property
    def kept(self) -> tuple[RunCounts, ...]:
        """What is kept, in order."""
        return tuple(self._kept)


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
