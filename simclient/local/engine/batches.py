"""The batches of a block: what may be executed together, in the order of the block.

A batch is a run of consecutive transactions of which no two write the same account, and none reads what another writes. Programs, which
every transaction only reads, do not separate. Batches are reckoned before the block is executed, from the lookup tables as the bundle has
them: a transaction that loads addresses from a table which is not there, or not yet so long, is a batch of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import attrs
from solders.account import Account
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from .transactions import Keys, keys_of

__all__ = ["Batch", "batches_of"]


@attrs.frozen
class Batch:
    """A run of a block's transactions."""

    first: int
    """Its first transaction's place in the block."""
    end: int
    """The place after its last one's."""


def batches_of(
    transactions: Sequence[VersionedTransaction], get_table: Callable[[Pubkey], Account | None]
) -> Iterator[Batch]:
    """Group the transactions of a block."""
    first = 0
    read: set[Pubkey] = set()
    written: set[Pubkey] = set()
    is_alone = False
    for place, transaction in enumerate(transactions):
        keys = keys_of(transaction, get_table)
        is_complete = _is_complete(transaction, keys)
        writes = set(keys.writable)
        reads = set(keys.all) - writes
        collides = writes & written or writes & read or reads & written
        if place > first and (is_alone or not is_complete or collides):
            yield Batch(first, place)
            first, read, written = place, set[Pubkey](), set[Pubkey]()
        is_alone = not is_complete
        read |= reads
        written |= writes
    if transactions:
        yield Batch(first, len(transactions))


def _is_complete(transaction: VersionedTransaction, keys: Keys) -> bool:
    message = transaction.message
    if not isinstance(message, MessageV0):
        return True

    tables = message.address_table_lookups
    named = sum(len(table.writable_indexes) + len(table.readonly_indexes) for table in tables)
    return named == len(keys.loaded_writable) + len(keys.loaded_readonly)
