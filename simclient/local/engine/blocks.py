"""A block of a bundle, read for execution: its transactions, its batches, and what a filter may ask."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from functools import cached_property
from typing import final

from solders.account import Account
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from ...errors import BundleError, InputError
from ..bundle import BundleSlot, BundleTransaction, RecordedOutcome
from .batches import Batch, batches_of
from .filters import Facts
from .messages import BatchFilter
from .transactions import read_transaction

__all__ = ["ReadBlock", "Tables"]

Tables = Callable[[Pubkey], Account | None]
"""Gives an address lookup table as the bundle has it."""


@final
class ReadBlock:
    """A block.

    Args:
        block: As it stands in the bundle.
        tables: Where lookup tables are found.
        signers: Only transactions that one of these has signed belong to it; empty: all.

    Raises:
        BundleError: A transaction in it cannot be executed.
    """

    def __init__(self, block: BundleSlot, tables: Tables, signers: AbstractSet[str] = frozenset()) -> None:
        self.block = block
        self._tables = tables
        executed = [(_read(transaction, block.slot), transaction.recorded) for transaction in block.transactions]
        if signers:
            executed = [(one, recorded) for one, recorded in executed if _is_signed_by(one, signers)]
        self.transactions: list[tuple[VersionedTransaction, RecordedOutcome | None]] = executed

    @cached_property
    def batches(self) -> tuple[Batch, ...]:
        """Its batches, in order."""
        return tuple(batches_of([transaction for transaction, _ in self.transactions], self._tables))

    @cached_property
    def facts(self) -> tuple[Facts, ...]:
        """What a filter may ask, transaction by transaction."""
        return tuple(Facts(transaction, recorded, self._tables) for transaction, recorded in self.transactions)

    def matching(self, batch: Batch, wanted: BatchFilter) -> list[int]:
        """Return the places of the transactions of a batch that match a filter."""
        return [place for place in range(batch.first, batch.end) if self.facts[place].match(wanted)]


def _read(transaction: BundleTransaction, slot: int) -> VersionedTransaction:
    try:
        return read_transaction(transaction.wire)
    except InputError as error:
        raise BundleError(f"a recorded transaction of slot {slot} cannot be executed: {error}") from error


def _is_signed_by(transaction: VersionedTransaction, signers: AbstractSet[str]) -> bool:
    message = transaction.message
    return any(str(key) in signers for key in message.account_keys[: message.header.num_required_signatures])
