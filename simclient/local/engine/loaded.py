"""A bundle with its accounts in a machine: the state that every session over it begins with."""

from __future__ import annotations

from pathlib import Path
from typing import Final, final

from solders.account import Account
from solders.pubkey import Pubkey

from ..bundle import BundleReader, open_bundle
from .svm import Machine

__all__ = ["LoadedBundle"]

_LOOKUP_TABLES: Final = Pubkey.from_string("AddressLookupTab1e1111111111111111111111111")


@final
class LoadedBundle:
    """A bundle, read as far as its first slot.

    Raises:
        BundleError: It cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.reader: BundleReader = open_bundle(path)
        self.machine = Machine(self.reader.header.signatures)
        self.tables: dict[Pubkey, Account] = {}
        """The address lookup tables among the accounts."""
        for account in self.reader.accounts():
            self.machine.load(account)
            if account.owner == bytes(_LOOKUP_TABLES):
                address = Pubkey.from_bytes(account.address)
                self.tables[address] = Account(account.lamports, account.data, _LOOKUP_TABLES, False)

    def close(self) -> None:
        """Close the file."""
        self.reader.close()
