"""A block in execution: how far it is, and executing it further.

In a block come first the transactions that users added, then the actions before the slot, then the recorded transactions batch by batch,
then the actions after the slot. The recorded ones keep their places in the block as their index; the others are counted on after the last
of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import final

import attrs
import msgspec
from solders.transaction import VersionedTransaction

from ..bundle import RecordedOutcome
from .actions import DueAction, ScheduledActions, note_of, outcomes_of
from .blocks import ReadBlock
from .ledger import Ledger
from .messages import ExecutedSlot
from .notes import executed_note
from .probes import answers_of
from .svm import Execution, Machine
from .tally import Tally
from .values import Note

__all__ = ["OpenBlock", "execute_block"]


@attrs.define(eq=False)
class OpenBlock:
    """A block, and how far it was executed."""

    block: ReadBlock
    next_place: int = 0
    """In the block, of the next recorded transaction."""
    next_batch: int = 0
    """Only right while the block was executed batch by batch."""
    added: int = 0
    """How many transactions that are not the block's own were executed in it."""
    has_begun: bool = False
    """Whether the actions before the slot were carried out."""

    @property
    def is_over(self) -> bool:
        """Whether every recorded transaction was executed."""
        return self.next_place == len(self.block.transactions)


def execute_block(
    block: OpenBlock,
    machine: Machine,
    ledger: Ledger,
    actions: ScheduledActions,
    added: Sequence[VersionedTransaction],
    stop_before: int | None,
) -> ExecutedSlot:
    """Execute what users added, and then the block itself up to a batch; None: the whole of it."""
    run = _Run(block, machine, ledger, actions)
    slot = block.block.block.slot
    for transaction in added:
        execution = run.execute_added(transaction)
        if not execution.was_executed:
            run.errors.append(_not_executed(execution))
    if not block.has_begun:
        block.has_begun = True
        actions.overrides.move_to(slot)
        run.carry_out(actions.at_slot(slot, is_before=True))
    run.execute_recorded(stop_before)
    if block.is_over:
        run.carry_out(actions.at_slot(slot, is_before=False))
        run.notes += answers_of(actions.probes, slot)
    left = None if block.is_over else block.next_batch
    return ExecutedSlot(slot, run.notes, run.tally.counts(), left, run.errors)


@final
class _Run:
    """Executes transactions of one block, and collects what is said of them."""

    def __init__(self, block: OpenBlock, machine: Machine, ledger: Ledger, actions: ScheduledActions) -> None:
        self._open = block
        self._machine = machine
        self._ledger = ledger
        self._actions = actions
        self.notes: list[Note] = []
        self.tally = Tally()
        self.errors: list[str] = []

    def execute_recorded(self, stop_before: int | None) -> None:
        """Execute the block's own transactions up to a batch; None: all."""
        block = self._open.block
        if stop_before is None and not self._actions.need_batches:
            self._execute_places(len(block.transactions))
            return

        end = len(block.batches) if stop_before is None else min(stop_before, len(block.batches))
        for number in range(self._open.next_batch, end):
            self.carry_out(self._actions.at_batch(block, number, is_before=True))
            self._execute_places(block.batches[number].end)
            self._open.next_batch = number + 1
            self.carry_out(self._actions.at_batch(block, number, is_before=False))

    def execute_added(self, transaction: VersionedTransaction) -> Execution:
        """Execute a transaction that is not the block's own."""
        place = len(self._open.block.transactions) + self._open.added
        self._open.added += 1
        return self._execute(transaction, None, place)

    def carry_out(self, due_actions: Iterable[DueAction]) -> None:
        """Simulate or send what is due."""
        for due in due_actions:
            if due.action.is_committed:
                sent = outcomes_of(self._send(due.transactions))
                self.notes.append(note_of(self._machine, due, sent))
            else:
                self.notes.append(self._actions.simulate(self._machine, due))

    def _send(self, transactions: Sequence[VersionedTransaction]) -> list[Execution]:
        executed: list[Execution] = []
        for transaction in transactions:
            executed.append(self.execute_added(transaction))
            if executed[-1].error is not None:
                break
        return executed

    def _execute_places(self, end: int) -> None:
        for place in range(self._open.next_place, end):
            transaction, recorded = self._open.block.transactions[place]
            self._execute(transaction, recorded, place)
        self._open.next_place = end

    def _execute(self, transaction: VersionedTransaction, recorded: RecordedOutcome | None, place: int) -> Execution:
        execution = self._machine.execute(transaction)
        self.tally.add(execution, recorded)
        wire = bytes(execution.transaction)
        note = executed_note(self._machine, execution, place, wire)
        self.notes.append(note)
        self._ledger.add(wire, execution.transaction.signatures[0], note.mentioned, execution.error, bytes(note.facts))
        return execution


def _not_executed(execution: Execution) -> str:
    error = msgspec.json.encode(execution.error).decode()
    return f"the transaction {execution.transaction.signatures[0]} was not executed: {error}"
