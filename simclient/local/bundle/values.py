"""What a bundle holds: a header, the accounts before the first slot, and the slots.

These classes are the file format's records: msgspec writes each as a map from the field's name to its value, and the
bounds in the annotations are checked whenever one is read or written. So a new field that has a default may be added
at any time, and anything else is a new format version.
"""

from __future__ import annotations

import enum
from typing import Annotated

import attrs
from msgspec import Meta

__all__ = [
    "BundleAccount",
    "BundleHeader",
    "BundleSlot",
    "BundleTransaction",
    "RecordedOutcome",
    "RecordedTokenBalance",
    "Signatures",
]

Address = Annotated[bytes, Meta(min_length=32, max_length=32)]
Count = Annotated[int, Meta(ge=0)]
"""An unsigned 64-bit integer: msgpack has no larger one."""

AccountBytes = Annotated[bytes, Meta(max_length=10 * 2**20)]
"""The chain's own limit for an account's data."""

TransactionBytes = Annotated[bytes, Meta(min_length=1, max_length=4096)]
"""The largest transaction there is: 4,096 bytes since SIMD-0385, 1,232 before."""


class Signatures(enum.Enum):
    """Whether the signatures in the transactions are real ones."""

    VERIFIED = "verified"
    """They sign the messages: execute with signature verification on."""
    ABSENT = "absent"
    """They name the transactions but do not sign these bytes: execute with signature verification off."""


@attrs.frozen(kw_only=True)
class BundleHeader:
    """What the bundle is, and what it needs to be executed."""

    name: str
    """A short name for people, such as `market`."""
    start_slot: Count
    end_slot: Count
    """Inclusive, like `start_slot`; every slot of the file lies between the two, and either may be a skipped one."""
    created_by: str
    """The program that wrote the file, and the runtime that gave the recorded outcomes."""
    origin: str
    """Shown to users: where the data is from, what was made up, what it cannot tell, its licence."""
    account_count: Count
    """How many accounts come before the first slot."""
    signatures: Signatures = Signatures.VERIFIED
    builtins: tuple[Address, ...] = ()
    """Programs that the transactions call, that are not among the accounts: the runtime must bring them."""


@attrs.frozen(kw_only=True)
class BundleAccount:
    """An account as it was before the first slot.

    A program of the upgradeable loader is two of them: its program data, which comes first, and the program itself.
    """

    address: Address
    lamports: Count
    owner: Address
    data: AccountBytes
    executable: bool


@attrs.frozen(kw_only=True)
class RecordedTokenBalance:
    """What one token account held around one transaction, in the token's smallest unit."""

    address: Address
    pre_amount: Count
    post_amount: Count


@attrs.frozen(kw_only=True)
class RecordedOutcome:
    """What is known of how a transaction ended when it was first executed; None is for what is not known."""

    is_success: bool
    error: str | None = None
    """The JSON text of the error in the form of Solana's RPC (`meta.err`), None for a success."""
    fee: Count | None = None
    """In lamports."""
    compute_units: Count | None = None
    logs: tuple[str, ...] | None = None
    post_balances: tuple[Count, ...] | None = None
    """In lamports, in the order of the message's account keys."""
    token_balances: tuple[RecordedTokenBalance, ...] | None = None
    """Of those token accounts that were recorded, which need not be all; in ascending order of address."""


@attrs.frozen(kw_only=True)
class BundleTransaction:
    """A transaction as it stands in its block."""

    wire: TransactionBytes
    """The serialized transaction, legacy or versioned, signatures first."""
    recorded: RecordedOutcome | None = None


@attrs.frozen(kw_only=True)
class BundleSlot:
    """A slot that had a block; a skipped slot is not in the file."""

    slot: Count
    parent_slot: Count
    """The slot of the block before, which may be one that is not in the file."""
    blockhash: bytes
    """Of 32 bytes."""
    block_height: Count
    """The number of blocks before this one since genesis."""
    block_time: int
    """In seconds since 1970-01-01T00:00:00Z."""
    transactions: tuple[BundleTransaction, ...] = ()
    """In the order of the block; empty for a block in which nothing of interest happened."""
