"""What is kept of an executed transaction, in packed form: enough for everything that anybody may ask of it later.

Most of it is never asked for, so the engine packs it (msgpack) and nobody reads it until somebody wants to: `render.py` makes
notifications of it, and the RPC answers. A packed value begins with what is read most, and a reader may take a shorter type than
what was packed: the rest is passed over.
"""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["AccountState", "Holding", "PackedInstruction", "TransactionFacts", "TransactionLogs", "TransactionPlace"]

Holding = tuple[str, str, int]
"""What a token account holds: mint, owner, amount."""
PackedInstruction = tuple[int, bytes, bytes, int | None]
"""The index of its program, the indexes of its accounts, its data, its stack height."""


class AccountState(msgspec.Struct, frozen=True, gc=False, rename={"rent_epoch": "rentEpoch"}):
    """An account at one moment; as JSON it is what Solana's RPC writes in base64."""

    lamports: int
    data: tuple[bytes, Literal["base64"]]
    owner: str
    executable: bool
    rent_epoch: int
    space: int


class TransactionPlace(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Which transaction it was, and where."""

    slot: int
    block_time: int
    tx_index: int
    signature: str


class TransactionLogs(TransactionPlace, frozen=True, array_like=True, gc=False):
    """How it ended, and what its programs said."""

    error: object
    """Solana's JSON form of the error; None for a success."""
    logs: tuple[str, ...]


class TransactionFacts(TransactionLogs, frozen=True, array_like=True, gc=False):
    """Everything that is known of it."""

    wire: bytes
    fee: int
    compute_units: int
    before: tuple[tuple[int, Holding | None], ...]
    """The lamports of each of its accounts before it, and what it held if it is a token account."""
    after: tuple[tuple[int, Holding | None], ...]
    decimals: dict[str, int]
    """Of each mint of these token accounts."""
    inner: list[tuple[int, list[PackedInstruction]]]
    """The index of an instruction, and those that it called."""
    loaded_writable: tuple[str, ...]
    """Addresses from lookup tables."""
    loaded_readonly: tuple[str, ...]
    returned: tuple[str, bytes] | None
    """The program that returned data, and the data."""
