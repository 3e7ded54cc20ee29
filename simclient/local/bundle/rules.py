"""What must be true of a bundle's records in their order; the reader and the writer both hold to it.

The order is: header, accounts, slots, end. Slots ascend within the header's range, and each one's parent is before it
and not before the slot that precedes it in the file. The counts agree. An address that occurs twice is not looked for,
as that would take all of them in memory: the later account counts.
"""

from __future__ import annotations

from .format import BundleEnd, Record
from .values import BundleAccount, BundleHeader, BundleSlot

__all__ = ["BadBlockhash", "BundleRules"]

_HASH_BYTES = 32


class BadBlockhash(ValueError):
    """The blockhash of a slot is none."""


class BundleRules:
    """Sees every record once, in the order of the file."""

    def __init__(self) -> None:
        self._header: BundleHeader | None = None
        self._last_slot: int | None = None
        self._account_count = 0
        self._slot_count = 0
        self._transaction_count = 0

    def check(self, record: Record) -> None:
        """Check the next record.

        Raises:
            ValueError: It must not come here, or does not agree with those before it.
        """
        if isinstance(record, BundleHeader):
            self._check_header(record)
            return

        if self._header is None:
            raise ValueError("the first record is not the header")
        match record:
            case BundleAccount():
                self._check_account(self._header)
            case BundleSlot():
                self._check_slot(record, self._header)
            case BundleEnd():
                self._check_end(record, self._header)

    def end(self) -> BundleEnd:
        """Return the end record that fits what was seen."""
        return BundleEnd(
            account_count=self._account_count,
            slot_count=self._slot_count,
            transaction_count=self._transaction_count,
        )

    def _check_header(self, header: BundleHeader) -> None:
        if self._header is not None:
            raise ValueError("there is a second header")
        if header.end_slot < header.start_slot:
            raise ValueError(f"the last slot {header.end_slot} is before the first, {header.start_slot}")

        self._header = header

    def _check_account(self, header: BundleHeader) -> None:
        if self._last_slot is not None:
            raise ValueError("there is an account after the first slot")
        if self._account_count == header.account_count:
            raise ValueError(f"there are more accounts than the {header.account_count} that the header promises")

        self._account_count += 1

    def _check_slot(self, slot: BundleSlot, header: BundleHeader) -> None:
        self._check_all_accounts(header)
        if not header.start_slot <= slot.slot <= header.end_slot:
            raise ValueError(
                f"slot {slot.slot} is outside of the header's range {header.start_slot} to {header.end_slot}"
            )
        if len(slot.blockhash) != _HASH_BYTES:
            raise BadBlockhash(f"the blockhash of slot {slot.slot} has {len(slot.blockhash)} bytes, not {_HASH_BYTES}")
        if slot.parent_slot >= slot.slot:
            raise ValueError(f"slot {slot.slot} has the parent {slot.parent_slot}, which is not before it")
        if self._last_slot is not None and slot.slot <= self._last_slot:
            raise ValueError(f"slot {slot.slot} comes after slot {self._last_slot}")
        if self._last_slot is not None and slot.parent_slot < self._last_slot:
            raise ValueError(f"slot {slot.slot} has the parent {slot.parent_slot}, but follows slot {self._last_slot}")

        self._last_slot = slot.slot
        self._slot_count += 1
        self._transaction_count += len(slot.transactions)

    def _check_end(self, end: BundleEnd, header: BundleHeader) -> None:
        self._check_all_accounts(header)
        if end != self.end():
            raise ValueError(f"the end record's counts disagree with what was read: {end}, not {self.end()}")

    def _check_all_accounts(self, header: BundleHeader) -> None:
        if self._account_count != header.account_count:
            raise ValueError(f"there are {self._account_count} accounts, not the {header.account_count} of the header")
