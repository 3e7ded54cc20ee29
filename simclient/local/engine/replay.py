"""One session's replay: the blocks of a bundle in order, what was executed, and how it compares with what was recorded.

A block is executed batch by batch, and may be left within: `stop_at` names a batch, and what comes next goes on with it. In a block come
first the user's transactions, then the actions before the slot, then the recorded transactions, then the actions after the slot. The
recorded ones keep their places in the block as their index; the user's are counted on after the last of them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final, final

from solders.transaction import VersionedTransaction

from ...errors import BundleError, InputError
from ..bundle import BundleSlot
from .actions import ScheduledActions
from .blocks import ReadBlock
from .ledger import Ledger
from .loaded import LoadedBundle
from .messages import Execute, Executed, ExecutedSlot, Load, Scouted
from .open_block import OpenBlock, execute_block
from .scout import BatchScout
from .transactions import read_transaction
from .values import TransactionRefused

__all__ = ["Replay"]

_MOST_WAITING: Final = 10_000
"""Transactions sent over RPC that wait for the next block: several times what a block holds."""
_TURN_SECONDS: Final = 0.02
"""After so long an answer is given, so that an RPC request does not wait longer behind a long run."""
_TURN_BYTES: Final = 2**20
"""And after so many bytes of notifications."""


@final
class Replay:
    """The bundle, the machine, and where the two are."""

    def __init__(self, bundle: LoadedBundle, load: Load) -> None:
        """Execute, in silence, everything before the first slot; the bundle is this replay's from now on.

        Raises:
            BundleError: The bundle cannot be read.
            InputError: An action is none.
        """
        self._bundle = bundle
        self._actions = ScheduledActions(load.actions, load.probes)
        self._end_slot = load.end_slot
        self._signers = load.signers
        self._tables = bundle.tables
        self.machine = bundle.machine
        self.machine.raise_compute_limits(load.extra_compute_units)
        self._scout = BatchScout(
            bundle.path,
            start_slot=load.start_slot,
            end_slot=load.end_slot,
            filters=load.filters,
            tables=self._tables.get,
            signers=load.signers,
        )
        self._blocks: Iterator[BundleSlot] = iter(bundle.reader.slots())
        self._next: BundleSlot | None = next(self._blocks, None)
        self._damage: BundleError | None = None
        """Why the bundle cannot be read beyond the blocks that were executed."""
        self._open: OpenBlock | None = None
        self._waiting: list[VersionedTransaction] = []
        self.ledger = Ledger()
        self.overrides = self._actions.overrides
        self._skip_to(load.start_slot)

    @property
    def next_slot(self) -> int | None:
        """The next slot of the range that exists, or that was left within; None where there is none."""
        return None if self._next is None or self._next.slot > self._end_slot else self._next.slot

    def close(self) -> None:
        """Close the bundle."""
        self._bundle.close()
        self._scout.close()

    def send(self, transaction: VersionedTransaction) -> None:
        """Let a transaction go into the next block, or into what is left of this one, before the recorded ones.

        Raises:
            InputError: Too many wait for it already.
        """
        if len(self._waiting) >= _MOST_WAITING:
            raise InputError(f"{_MOST_WAITING} transactions wait for the next block already; advance the session first")

        self._waiting.append(transaction)

    def look_ahead(self, request_id: int, most_slots: int) -> Scouted:
        """Look for batches that match the filters in so many further blocks.

        Raises:
            BundleError: The bundle cannot be read further.
        """
        return self._scout.look(request_id, most_slots)

    def execute(self, request: Execute) -> Executed:
        """Execute what is asked for, after the modifications and the user's transactions, but no more than a turn's worth.

        Raises:
            InputError: There is no further block, or an account cannot be set; nothing has changed.
            TransactionRefused: A user's transaction is not one; nothing has changed.
            BundleError: The bundle cannot be read further.
        """
        mine = [_parse(wire, index) for index, wire in enumerate(request.transactions)]
        block = self._opened()
        self.machine.modify(request.modifications)
        self._waiting += mine
        executed: list[ExecutedSlot] = []
        deadline, size = time.monotonic() + _TURN_SECONDS, 0
        while True:
            executed.append(self._execute_block(block, _batch_to_stop_at(request, block)))
            size += sum([note.size for note in executed[-1].notes])
            is_over = executed[-1].next_batch is not None or len(executed) == request.most_slots
            if is_over or size > _TURN_BYTES or time.monotonic() > deadline or not self._may_go_on(request):
                return Executed(request.id, executed, self.next_slot)
            block = self._opened()

    def _may_go_on(self, request: Execute) -> bool:
        following = None if self._damage is not None else self.next_slot
        if following is None:
            return False

        return request.last_slot is None or following <= request.last_slot

    def _opened(self) -> OpenBlock:
        """Return the block that is being executed, or begin the next one."""
        if self._damage is not None:
            raise self._damage
        if self._open is not None:
            return self._open
        if self._next is None or self._next.slot > self._end_slot:
            raise InputError("the range has no further slot")

        return OpenBlock(ReadBlock(self._next, self._tables.get, self._signers))

    def _execute_block(self, block: OpenBlock, stop_before: int | None) -> ExecutedSlot:
        """Execute a block up to a batch; None: the whole of it."""
        if self._open is None:
            self._begin(block)
        waiting, self._waiting = self._waiting, []
        executed = execute_block(block, self.machine, self.ledger, self._actions, waiting, stop_before)
        if executed.next_batch is None:
            self._open = None
            self._read_next()
        return executed

    def _begin(self, block: OpenBlock) -> None:
        self._open = block
        self.machine.begin(block.block.block)
        self.ledger.begin(block.block.block)

    def _read_next(self) -> None:
        try:
            self._next = next(self._blocks, None)
        except BundleError as error:
            self._damage = error

    def _skip_to(self, start_slot: int) -> None:
        while self._next is not None and self._next.slot < start_slot:
            block = ReadBlock(self._next, self._tables.get, self._signers)
            self.machine.begin(self._next)
            self.ledger.pass_over(self._next)
            for transaction, _ in block.transactions:
                self.machine.execute(transaction)
            self._next = next(self._blocks, None)


def _batch_to_stop_at(request: Execute, block: OpenBlock) -> int | None:
    if request.stop_at is None or request.stop_at[0] != block.block.block.slot:
        return None

    return request.stop_at[1]


def _parse(wire: bytes, index: int) -> VersionedTransaction:
    try:
        return read_transaction(wire)
    except InputError as error:
        raise TransactionRefused(str(error), index=index) from error
