"""What a run came to, read from its file in one pass: counts, failures by program, and the profit and loss of its wallets.

Nothing is asked of any server, so no answer that fails can read as a balance of zero.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import final

import attrs

from ..wire.addresses import address_of
from .balances import ProfitAndLoss, WalletResult
from .records import AccountDiffRecord, LogsRecord, RunMetadata, RunSummary, SessionStarted, TransactionRecord
from .run_file import RunFile, read_run
from .tables import Column, Table

__all__ = ["FailureCount", "PnlResult", "RunOverview", "failing_program", "pnl", "summarize"]

_FAILED = re.compile(r"^Program ([1-9A-HJ-NP-Za-km-z]{32,44}) failed: ")


@attrs.frozen(kw_only=True)
class FailureCount:
    """How often transactions failed in the same way."""

    program: str | None
    """The program that failed, from the logs; None: before any program ran, or the logs do not say."""
    error: str
    count: int


@final
@attrs.frozen(kw_only=True)
class PnlResult:
    """What each wallet gained, see `simclient.research.balances` for the rule."""

    wallets: tuple[WalletResult, ...]
    """By address."""

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        from .report.cells import pnl_cell

        return pnl_cell(self)

    @property
    def table(self) -> Table:
        """A row for each wallet and asset; amounts in the smallest unit, SOL without a mint."""
        return Table("pnl", _PNL_COLUMNS, self._rows)

    def _rows(self) -> Iterator[tuple[object, ...]]:
        for wallet in self.wallets:
            for change in wallet.changes:
                fees_lamports = wallet.fees_lamports if change.mint is None else None
                yield (
                    *(wallet.wallet, change.mint, change.decimals),
                    *(change.opening, change.closing, change.delta, fees_lamports),
                )


_PNL_COLUMNS: Mapping[str, Column] = {
    "wallet": "text",
    "mint": "text",
    "decimals": "u64",
    "opening": "u64",
    "closing": "u64",
    "delta": "i64",
    "fees_lamports": "u64",
}


@final
@attrs.frozen(kw_only=True)
class RunOverview:
    """What a run came to."""

    path: str
    metadata: RunMetadata
    sessions: tuple[SessionStarted, ...]
    summary: RunSummary | None
    """Its own last word; None: it was ended before it could write one."""
    is_cut: bool
    """Whether the last line is not whole; that one is left out."""
    transactions: int
    successes: int
    failures: int
    diffs: int
    logs: int
    first_slot: int | None
    """Of the transactions, diffs and logs in the file."""
    last_slot: int | None
    fees_lamports: int
    compute_units: int
    failed_by: tuple[FailureCount, ...]
    """The most frequent first."""
    pnl: PnlResult

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        from .report.cells import overview_cell

        return overview_cell(self)

    @property
    def status(self) -> str:
        """`completed`, `cancelled` or `failed`; `interrupted` where the file ends without a summary; `unknown` in files of other tools."""
        if self.summary is None:
            return "interrupted"

        return self.summary.status or "unknown"


def pnl(run: RunFile | Path | str, *, wallets: Sequence[object] = ()) -> PnlResult:
    """Return the profit and loss of the wallets of a run.

    Args:
        run: The run, or its file.
        wallets: Whose; by default all that occur.

    Raises:
        RunFileError: The file cannot be read, or is damaged.
        InputError: Something is not an address.
    """
    return summarize(run, wallets=wallets).pnl


def summarize(run: RunFile | Path | str, *, wallets: Sequence[object] = ()) -> RunOverview:
    """Return what a run came to; the file is read once.

    Args:
        run: The run, or its file.
        wallets: Whose profit and loss; by default of all that occur. One that does not occur has no changes.

    Raises:
        RunFileError: The file cannot be read, or is damaged.
        InputError: Something is not an address.
    """
    asked = [address_of(wallet) for wallet in wallets]
    file = run if isinstance(run, RunFile) else read_run(run)
    reading = _Reading(file)
    for event in file.events():
        reading.take(event)
    return reading.overview(asked)


def failing_program(logs: Sequence[str]) -> str | None:
    """Return the program that a failed transaction failed in: the innermost, which says so first."""
    for line in logs:
        match = _FAILED.match(line)
        if match is not None:
            return match[1]

    return None


class _Reading:
    """The state of one pass."""

    def __init__(self, file: RunFile) -> None:
        self._file = file
        self._sessions: dict[str, SessionStarted] = {}
        self._summary: RunSummary | None = None
        self._counts: Counter[str] = Counter()
        self._failed_by: Counter[tuple[str | None, str]] = Counter()
        self._slots: tuple[int, int] | None = None
        self._pnl = ProfitAndLoss()

    def take(self, event: object) -> None:
        """Take one event."""
        match event:
            case TransactionRecord():
                self._take_transaction(event)
            case AccountDiffRecord(slot=slot):
                self._counts["diffs"] += 1
                self._see(slot)
                self._pnl.add_record(event)
            case LogsRecord(slot=slot):
                self._counts["logs"] += 1
                self._see(slot)
            case SessionStarted():
                self._sessions[event.session_id] = event
            case RunSummary():
                self._summary = event
            case _:
                pass

    def overview(self, wallets: Sequence[str]) -> RunOverview:
        """Return what was read."""
        counts = self._counts
        first, last = self._slots or (None, None)
        return RunOverview(
            path=str(self._file.path),
            metadata=self._file.metadata,
            sessions=tuple(self._sessions.values()),
            summary=self._summary,
            is_cut=self._file.is_cut,
            transactions=counts["transactions"],
            successes=counts["successes"],
            failures=counts["transactions"] - counts["successes"],
            diffs=counts["diffs"],
            logs=counts["logs"],
            first_slot=first,
            last_slot=last,
            fees_lamports=counts["fees"],
            compute_units=counts["compute_units"],
            failed_by=tuple(
                FailureCount(program=program, error=error, count=count)
                for (program, error), count in self._failed_by.most_common()
            ),
            pnl=PnlResult(wallets=_chosen(self._pnl.wallets(wallets), wallets)),
        )

    def _take_transaction(self, transaction: TransactionRecord) -> None:
        counts = self._counts
        counts["transactions"] += 1
        counts["successes"] += transaction.success
        counts["fees"] += transaction.fee or 0
        counts["compute_units"] += transaction.compute_units or 0
        self._see(transaction.slot)
        self._pnl.add_record(transaction)
        if not transaction.success:
            self._failed_by[failing_program(transaction.logs), transaction.error or "unknown error"] += 1

    def _see(self, slot: int) -> None:
        first, last = self._slots or (slot, slot)
        self._slots = min(first, slot), max(last, slot)


def _chosen(found: tuple[WalletResult, ...], asked: Sequence[str]) -> tuple[WalletResult, ...]:
    """Return the wallets that were asked for, in that order; all where none was."""
    if not asked:
        return found

    by_address = {wallet.wallet: wallet for wallet in found}
    return tuple(
        by_address.get(address) or WalletResult(wallet=address, fees_lamports=0, changes=()) for address in asked
    )
