"""One session's replay: the blocks of a bundle in order, what was executed, and how it compares with what was recorded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import final

from solders.transaction import VersionedTransaction

from ...errors import BundleError, InputError
from ..bundle import BundleReader, BundleSlot, BundleTransaction, open_bundle
from ..bundle import RecordedOutcome as Outcome
from .ledger import Ledger
from .messages import Executed, ModifiedAccount, Note
from .render import notes_of
from .svm import Execution, Machine
from .transactions import read_transaction
from .values import TransactionRefused

__all__ = ["Replay"]

_MOST_WAITING = 10_000
"""Transactions sent over RPC that wait for the next block: several times what a block holds."""


@final
class Replay:
    """The bundle, the machine, and where the two are."""

    def __init__(self, bundle: Path, *, start_slot: int, end_slot: int, extra_compute_units: int) -> None:
        """Load the accounts and execute, in silence, everything before `start_slot`.

        Raises:
            BundleError: The bundle cannot be read.
        """
        self._reader: BundleReader = open_bundle(bundle)
        self._end_slot = end_slot
        self.machine = Machine(self._reader.header.signatures, extra_compute_units=extra_compute_units)
        for account in self._reader.accounts():
            self.machine.load(account)
        self._blocks: Iterator[BundleSlot] = iter(self._reader.slots())
        self._next: BundleSlot | None = next(self._blocks, None)
        self._waiting: list[VersionedTransaction] = []
        self.ledger = Ledger()
        self._skip_to(start_slot)

    @property
    def next_slot(self) -> int | None:
        """The next slot of the range that exists; None where there is none."""
        return None if self._next is None or self._next.slot > self._end_slot else self._next.slot

    @property
    def has_slots(self) -> bool:
        """Whether the range has a further slot."""
        return self.next_slot is not None

    def close(self) -> None:
        """Close the bundle's file."""
        self._reader.close()

    def send(self, transaction: VersionedTransaction) -> None:
        """Let a transaction go into the next block, before the recorded ones.

        Raises:
            InputError: Too many wait for it already.
        """
        if len(self._waiting) >= _MOST_WAITING:
            raise InputError(f"{_MOST_WAITING} transactions wait for the next block already; advance the session first")

        self._waiting.append(transaction)

    def execute_next(
        self, request_id: int, transactions: Sequence[bytes], modifications: Sequence[ModifiedAccount]
    ) -> Executed:
        """Execute the next block of the range, after the modifications and the user's transactions.

        Raises:
            InputError: There is no further block, or an account cannot be set; nothing has changed.
            TransactionRefused: A user's transaction is not one; nothing has changed.
            BundleError: The bundle cannot be read further.
        """
        block = self._next
        if block is None or block.slot > self._end_slot:
            raise InputError("the range has no further slot")

        mine = [_parse(wire, index) for index, wire in enumerate(transactions)]
        theirs = _recorded(block)
        self.machine.modify(modifications)
        executed: list[tuple[VersionedTransaction, Outcome | None]] = [(t, None) for t in (*self._waiting, *mine)]
        executed += theirs
        self._waiting = []
        self._begin(block)
        self.ledger.begin(block)
        tally = _Tally()
        notes: list[Note] = []
        for index, (transaction, outcome) in enumerate(executed):
            execution = self.machine.execute(transaction)
            tally.add(execution, outcome)
            for note, is_transaction in notes_of(self.machine, execution, index):
                notes.append(note)
                if is_transaction:
                    self._remember(execution, note)
        self._next = next(self._blocks, None)
        return Executed(
            id=request_id, slot=block.slot, published=notes, summary=tally.counts(), next_slot=self.next_slot
        )

    def _skip_to(self, start_slot: int) -> None:
        while self._next is not None and self._next.slot < start_slot:
            self._begin(self._next)
            self.ledger.pass_over(self._next)
            for transaction, _ in _recorded(self._next):
                self.machine.execute(transaction)
            self._next = next(self._blocks, None)

    def _begin(self, block: BundleSlot) -> None:
        self.machine.begin(block)
        self.machine.prepare()

    def _remember(self, execution: Execution, note: Note) -> None:
        """Keep an executed transaction for the RPC; `note` is the one of the transaction itself."""
        transaction = execution.transaction
        self.ledger.add(bytes(transaction), transaction.signatures[0], note.keys, execution.error, note.result)


def _parse(wire: bytes, index: int) -> VersionedTransaction:
    try:
        return read_transaction(wire)
    except InputError as error:
        raise TransactionRefused(str(error), index=index) from error


def _recorded(block: BundleSlot) -> list[tuple[VersionedTransaction, Outcome | None]]:
    return [(_read(transaction, block.slot), transaction.recorded) for transaction in block.transactions]


def _read(transaction: BundleTransaction, slot: int) -> VersionedTransaction:
    try:
        return read_transaction(transaction.wire)
    except InputError as error:
        raise BundleError(f"a recorded transaction of slot {slot} cannot be executed: {error}") from error


class _Tally:
    """Compares outcomes with the recorded ones; a transaction of which nothing is recorded counts as correct when it was executed."""

    def __init__(self) -> None:
        self._correct = self._incorrect = self._not_executed = self._balances = self._logs = 0

    def add(self, execution: Execution, recorded: Outcome | None) -> None:
        """Count one transaction."""
        if not execution.was_executed:
            self._not_executed += 1
            return

        if recorded is None or recorded.is_success == (execution.error is None):
            self._correct += 1
        else:
            self._incorrect += 1
        if recorded is None:
            return

        if recorded.post_balances is not None and recorded.post_balances != execution.post_balances:
            self._balances += 1
        if recorded.logs is not None and recorded.logs != tuple(execution.meta.logs()):
            self._logs += 1

    def counts(self) -> tuple[int, int, int, int, int]:
        """Correct, incorrect, not executed, other balances, other logs."""
        return self._correct, self._incorrect, self._not_executed, self._balances, self._logs
