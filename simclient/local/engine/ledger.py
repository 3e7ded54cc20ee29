"""What a session has executed: its newest blocks with their transactions, as the RPC gives them, in bounded memory.

Whole blocks are forgotten, the oldest first, so that a block is either known with all its transactions or not at all; the newest is
always kept. A block counts from its first transaction on, also while it is being executed.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import final

import attrs
import msgspec
from solders.hash import Hash
from solders.signature import Signature

from ..bundle import BundleSlot
from .transaction_json import transaction_result

__all__ = ["BLOCKHASH_LIFE_BLOCKS", "Block", "Entry", "Ledger"]

BLOCKHASH_LIFE_BLOCKS = 150
"""A transaction may name the blockhash of so many blocks back (`MAX_PROCESSING_AGE`, solana-clock)."""
_MOST_BYTES = 128 * 2**20
"""Kept of executed blocks; beyond it the oldest go."""
_BLOCK_BYTES, _ENTRY_BYTES, _KEY_BYTES = 600, 600, 16
"""Roughly what a block, a transaction in it, and a key that a transaction mentions cost beside the bytes they hold."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One executed transaction."""

    signature: Signature
    slot: int
    block_time: int
    wire: bytes
    mentions: tuple[str, ...]
    """Every address of the transaction."""
    error: object
    """Solana's JSON form of the error; None for a success."""
    facts: bytes
    """The packed `TransactionFacts`."""

    @property
    def result(self) -> bytes:
        """What `getTransaction` gives in the `json` encoding."""
        return transaction_result(self.facts)

    @property
    def size(self) -> int:
        """Roughly the bytes that it takes."""
        return len(self.facts) + len(self.wire) + _KEY_BYTES * len(self.mentions) + _ENTRY_BYTES


@attrs.frozen(kw_only=True)
class Block:
    """One executed block."""

    slot: int
    parent_slot: int
    blockhash: Hash
    previous_blockhash: Hash
    block_height: int
    block_time: int
    entries: list[Entry] = attrs.field(factory=list[Entry])
    """In the order of execution."""


@final
class Ledger:
    """The newest executed blocks."""

    def __init__(self, *, most_bytes: int = _MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._blocks: OrderedDict[int, Block] = OrderedDict()  # a plain dict is slow to lose its first items
        self._entries: dict[Signature, Entry] = {}
        self._newest: Block | None = None
        self._last_blockhash = Hash.default()
        self._valid: deque[Hash] = deque(maxlen=BLOCKHASH_LIFE_BLOCKS + 1)
        self.transaction_count = 0
        """Executed since the start, forgotten ones too."""

    def pass_over(self, block: BundleSlot) -> None:
        """Note a block that was executed in silence: all that is kept of it is its blockhash."""
        self._last_blockhash = Hash.from_bytes(block.blockhash)
        self._valid.append(self._last_blockhash)

    def begin(self, block: BundleSlot) -> None:
        """Begin a block."""
        previous = self._last_blockhash
        self.pass_over(block)
        self._newest = self._blocks[block.slot] = Block(
            slot=block.slot,
            parent_slot=block.parent_slot,
            blockhash=self._last_blockhash,
            previous_blockhash=previous,
            block_height=block.block_height,
            block_time=block.block_time,
        )
        self._bytes += _BLOCK_BYTES
        self._forget()

    def add(self, wire: bytes, signature: Signature, mentions: tuple[str, ...], error: object, facts: bytes) -> None:
        """Add a transaction to the newest block."""
        block = self._newest
        assert block is not None, "a transaction before the first block"
        entry = Entry(
            signature=signature,
            slot=block.slot,
            block_time=block.block_time,
            wire=wire,
            mentions=mentions,
            error=error,
            facts=facts,
        )
        block.entries.append(entry)
        self._entries[signature] = entry
        self._bytes += entry.size
        self.transaction_count += 1
        self._forget()

    @property
    def first_slot(self) -> int | None:
        """The oldest block that is kept; None before the first."""
        return next(iter(self._blocks), None)

    def block(self, slot: int) -> Block | None:
        """Find a block."""
        return self._blocks.get(slot)

    def slots(self) -> Iterator[int]:
        """Give the slots of the blocks that are kept, ascending."""
        return iter(self._blocks)

    def entry(self, signature: Signature) -> Entry | None:
        """Find a transaction; of several executions of the same one, the last."""
        return self._entries.get(signature)

    def newest_first(self) -> Iterator[Entry]:
        """Give the transactions, newest first."""
        for block in reversed(self._blocks.values()):
            yield from reversed(block.entries)

    def is_recent(self, blockhash: Hash) -> bool:
        """Whether a transaction may name this blockhash."""
        return blockhash in self._valid

    def _forget(self) -> None:
        while self._bytes > self._most_bytes and len(self._blocks) > 1:
            _, block = self._blocks.popitem(last=False)
            self._bytes -= _BLOCK_BYTES + sum(entry.size for entry in block.entries)
            for entry in block.entries:
                if self._entries.get(entry.signature) is entry:
                    del self._entries[entry.signature]
