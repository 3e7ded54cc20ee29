"""The archive's three files of a day, read into typed values.

What is wrong in them is an `InputError` that names the file and, in the transactions, the line. The transactions are read line by
line and never kept; the state and the program are read whole. Every size is bounded, so a file cannot unpack to more than memory holds.

Source: orca-so/whirlpool-tx-replayer, commit 4eaa5f14 (the format of its local storage).
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta
from solders.pubkey import Pubkey
from solders.signature import Signature

from ...errors import InputError

__all__ = [
    "ArchivedAccount",
    "ArchivedInstruction",
    "ArchivedSlot",
    "ArchivedState",
    "ArchivedTransaction",
    "Swap",
    "VaultBalance",
    "read_program",
    "read_slots",
    "read_state",
    "read_swap",
]

_MOST_LINE_BYTES = 64 * 2**20
"""Of one slot; the largest of 2022-04-06 has 11 kB."""
_MOST_STATE_BYTES = 2**30
"""Of the unpacked state; that of 2022-04-06 has 5 MB."""
_MOST_PROGRAM_BYTES = 10 * 2**20
"""The chain's own limit for an account's data."""
_ELF_MAGIC = b"\x7fELF"
_U64_MAX = 2**64 - 1

_Number = Annotated[int, Meta(ge=0, le=2**63 - 1)]
_Amount = Annotated[int, Meta(ge=0)]
"""A u64, which is more than the bounds of msgspec can say; whoever uses it checks the other end."""
_Time = Annotated[int, Meta(ge=0, le=253_402_300_799)]
"""In unix seconds, up to the year 9999, the last that Python knows."""


class _Record(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A JSON object of the archive; members that are not named here are left unread."""


class VaultBalance(_Record, frozen=True):
    """What a vault held around one transaction, in the token's smallest unit."""

    account: Pubkey
    pre: _Amount
    post: _Amount


class ArchivedInstruction(_Record, frozen=True):
    """A decoded instruction of the Whirlpool program."""

    name: str
    payload: msgspec.Raw


class ArchivedTransaction(_Record, frozen=True):
    """The Whirlpool instructions of a successful transaction, and what is kept of the rest of it."""

    signature: Signature
    payer: Pubkey
    balances: tuple[VaultBalance, ...]
    instructions: tuple[ArchivedInstruction, ...]


class ArchivedSlot(_Record, frozen=True):
    """A slot that had a block."""

    slot: _Number
    block_height: _Number
    block_time: _Time
    transactions: tuple[ArchivedTransaction, ...]


class Swap(_Record, frozen=True):
    """The payload of a `swap` instruction, without its limits."""

    data_amount: _Amount
    data_amount_specified_is_input: bool
    data_a_to_b: bool
    key_token_program: Pubkey
    key_token_authority: Pubkey
    key_whirlpool: Pubkey
    key_token_owner_account_a: Pubkey
    key_vault_a: Pubkey
    key_token_owner_account_b: Pubkey
    key_vault_b: Pubkey
    key_tick_array_0: Pubkey = msgspec.field(name="keyTickArray0")
    key_tick_array_1: Pubkey = msgspec.field(name="keyTickArray1")
    key_tick_array_2: Pubkey = msgspec.field(name="keyTickArray2")
    key_oracle: Pubkey


class ArchivedAccount(_Record, frozen=True):
    """An account of the Whirlpool program."""

    pubkey: Pubkey
    data: bytes


class ArchivedState(_Record, frozen=True):
    """The program's accounts as they were after one slot."""

    slot: _Number
    accounts: tuple[ArchivedAccount, ...]


def _from_text(kind: type, value: object) -> Pubkey | Signature:
    if not isinstance(value, str):
        raise TypeError(f"expected base58 text, got {type(value).__name__}")

    return Pubkey.from_string(value) if kind is Pubkey else Signature.from_string(value)


# Not strict: the archive writes large numbers as text and booleans as 0 and 1.
_SLOTS = msgspec.json.Decoder(ArchivedSlot, strict=False, dec_hook=_from_text)
_SWAPS = msgspec.json.Decoder(Swap, strict=False, dec_hook=_from_text)
_STATES = msgspec.json.Decoder(ArchivedState, dec_hook=_from_text)


def read_state(path: Path) -> ArchivedState:
    """Read the program's accounts.

    Raises:
        InputError: The file cannot be read, or is not a state file.
    """
    text = _read_whole(path, _MOST_STATE_BYTES)
    try:
        return _STATES.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the state {path}: {error}") from error


def read_program(path: Path) -> bytes:
    """Read the program's ELF file.

    Raises:
        InputError: The file cannot be read, or does not hold a program.
    """
    elf = _read_whole(path, _MOST_PROGRAM_BYTES)
    if not elf.startswith(_ELF_MAGIC):
        raise InputError(f"cannot read the program {path}: it is not a gzipped ELF file")

    return elf


def read_slots(path: Path, *, slot_limit: int | None = None) -> Iterator[tuple[int, ArchivedSlot]]:
    """Read the slots, each with the number of its line, 1 for the first.

    Args:
        path: The transactions' file.
        slot_limit: Read only so many slots from the beginning.

    Raises:
        InputError: The file cannot be read, a line is not a slot, or the slots do not ascend.
    """
    last: int | None = None
    with _reading(path), gzip.open(path) as file:
        number = 0
        while (slot_limit is None or number < slot_limit) and (line := file.readline(_MOST_LINE_BYTES + 1)):
            number += 1
            slot = _read_slot(path, number, line)
            if last is not None and slot.slot <= last:
                raise InputError(f"{path}, line {number}: slot {slot.slot} comes after slot {last}")
            last = slot.slot
            yield number, slot


def read_swap(path: Path, number: int, instruction: ArchivedInstruction) -> Swap:
    """Read the payload of a `swap`.

    Args:
        path: The file it is from, for the message of the error.
        number: The line it is from.
        instruction: Its name is `swap`.

    Raises:
        InputError: The payload is not that of a swap.
    """
    try:
        swap = _SWAPS.decode(instruction.payload)
    except msgspec.DecodeError as error:
        raise InputError(f"{path}, line {number}: a swap that cannot be read: {error}") from error

    if swap.data_amount > _U64_MAX:
        raise InputError(f"{path}, line {number}: a swap of {swap.data_amount}, which no u64 holds")

    return swap


def _read_slot(path: Path, number: int, line: bytes) -> ArchivedSlot:
    if len(line) > _MOST_LINE_BYTES:
        raise InputError(f"{path}, line {number}: longer than {_MOST_LINE_BYTES:,} bytes")

    try:
        slot = _SLOTS.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}, line {number}: not a slot of the archive: {error}") from error

    for balance in (balance for transaction in slot.transactions for balance in transaction.balances):
        if max(balance.pre, balance.post) > _U64_MAX:
            raise InputError(f"{path}, line {number}: a balance of {balance.account} that no u64 holds")

    return slot


def _read_whole(path: Path, most_bytes: int) -> bytes:
    with _reading(path), gzip.open(path) as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise InputError(f"cannot read {path}: it unpacks to more than {most_bytes:,} bytes")

    return content


@contextmanager
def _reading(path: Path) -> Generator[None]:
    try:
        yield
    except (OSError, EOFError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise InputError(f"cannot read {path}: {reason}") from error
