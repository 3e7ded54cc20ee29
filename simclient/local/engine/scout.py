"""Looking ahead: the batches that match a discovery filter, found before they are executed.

The scout reads the bundle on its own, without executing anything, and goes as far as it is asked to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import final

from ..bundle import open_bundle
from .blocks import ReadBlock, Tables
from .messages import BatchFilter, FoundBatch, Scouted

__all__ = ["BatchScout"]


@final
class BatchScout:
    """Reads a range of a bundle for batches that match."""

    def __init__(
        self,
        bundle: Path,
        *,
        start_slot: int,
        end_slot: int,
        filters: Sequence[BatchFilter],
        tables: Tables,
        signers: AbstractSet[str],
    ) -> None:
        self._filters = filters
        self._tables = tables
        self._signers = signers
        self._reader = open_bundle(bundle)
        self._blocks = (block for block in self._reader.slots() if block.slot >= start_slot)
        self._end_slot = end_slot
        self._known_to: int | None = start_slot - 1

    def close(self) -> None:
        """Close the bundle's file."""
        self._reader.close()

    def look(self, request_id: int, most_slots: int) -> Scouted:
        """Look through so many further blocks.

        Raises:
            BundleError: The bundle cannot be read further.
        """
        found: list[FoundBatch] = []
        for _ in range(most_slots):
            block = next(self._blocks, None)
            if block is None or block.slot > self._end_slot:
                self._known_to = None
                break
            found += self._found_in(ReadBlock(block, self._tables, self._signers))
            self._known_to = block.slot
        return Scouted(request_id, found, self._known_to)

    def _found_in(self, block: ReadBlock) -> Iterator[FoundBatch]:
        for index, batch in enumerate(block.batches):
            places_of = {which: block.matching(batch, wanted) for which, wanted in enumerate(self._filters)}
            filters = tuple(which for which, places in places_of.items() if places)
            places = sorted({place for found in places_of.values() for place in found})
            if places:
                wires = tuple(bytes(block.transactions[place][0]) for place in places)
                yield FoundBatch(block.block.slot, index, filters, wires, tuple(places))
