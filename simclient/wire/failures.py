"""What can go wrong, as the server says it: one class per error, externally tagged on the wire.

Terminal errors end the session: noMoreBlocks, advanceSlotFailed, finalizeSlotFailed, internal; 0.28 also bundleNotFound and
noProducedBlocksInRange. Source: `BacktestError` and `is_terminal`, simulator-api 0.9.0 and 0.28.0.
"""

from __future__ import annotations

from typing import ClassVar

import attrs

__all__ = [
    "AdvanceSlotFailed",
    "BacktestFailure",
    "BundleNotFound",
    "ClerkError",
    "FinalizeSlotFailed",
    "InitializingSysvarsFailed",
    "Internal",
    "InvalidAccountEncoding",
    "InvalidAccountOwner",
    "InvalidAccountPubkey",
    "InvalidBlockhashFormat",
    "InvalidRequest",
    "InvalidTransactionEncoding",
    "InvalidTransactionFormat",
    "NoMoreBlocks",
    "NoProducedBlocksInRange",
    "SessionNotFound",
    "SessionOwnerMismatch",
    "SessionOwnershipBusy",
    "SimulationError",
    "UnknownFailure",
]


@attrs.frozen(kw_only=True)
class InvalidTransactionEncoding:
    """`invalidTransactionEncoding`: `transactions[index]` is not base64."""

    is_terminal: ClassVar[bool] = False
    index: int
    error: str


@attrs.frozen(kw_only=True)
class InvalidTransactionFormat:
    """`invalidTransactionFormat`: `transactions[index]` is not a transaction."""

    is_terminal: ClassVar[bool] = False
    index: int
    error: str


@attrs.frozen(kw_only=True)
class InvalidAccountEncoding:
    """`invalidAccountEncoding`: an account's data does not decode."""

    is_terminal: ClassVar[bool] = False
    address: str
    encoding: str
    error: str


@attrs.frozen(kw_only=True)
class InvalidAccountOwner:
    """`invalidAccountOwner`: an account's owner is not an address."""

    is_terminal: ClassVar[bool] = False
    address: str
    error: str


@attrs.frozen(kw_only=True)
class InvalidAccountPubkey:
    """`invalidAccountPubkey`: a key of the modifications is not an address."""

    is_terminal: ClassVar[bool] = False
    address: str
    error: str


@attrs.frozen(kw_only=True)
class NoMoreBlocks:
    """`noMoreBlocks`: the range is at its end."""

    is_terminal: ClassVar[bool] = True


@attrs.frozen(kw_only=True)
class BundleNotFound:
    """`bundleNotFound`: no bundle covers the range; only in 0.28."""

    is_terminal: ClassVar[bool] = True
    start_slot: int
    end_slot: int


@attrs.frozen(kw_only=True)
class AdvanceSlotFailed:
    """`advanceSlotFailed`: executing a slot failed."""

    is_terminal: ClassVar[bool] = True
    slot: int
    error: str


@attrs.frozen(kw_only=True)
class FinalizeSlotFailed:
    """`finalizeSlotFailed`: finishing a slot failed."""

    is_terminal: ClassVar[bool] = True
    slot: int
    error: str


@attrs.frozen(kw_only=True)
class InvalidRequest:
    """`invalidRequest`: the server could not read a request."""

    is_terminal: ClassVar[bool] = False
    error: str


@attrs.frozen(kw_only=True)
class Internal:
    """`internal`: the server failed."""

    is_terminal: ClassVar[bool] = True
    error: str


@attrs.frozen(kw_only=True)
class InvalidBlockhashFormat:
    """`invalidBlockhashFormat`: a recorded blockhash does not parse."""

    is_terminal: ClassVar[bool] = False
    slot: int
    error: str


@attrs.frozen(kw_only=True)
class InitializingSysvarsFailed:
    """`initializingSysvarsFailed`: the sysvars of a slot could not be set."""

    is_terminal: ClassVar[bool] = False
    slot: int
    error: str


@attrs.frozen(kw_only=True)
class ClerkError:
    """`clerkError`: the server's store of blocks failed."""

    is_terminal: ClassVar[bool] = False
    error: str


@attrs.frozen(kw_only=True)
class SimulationError:
    """`simulationError`: one transaction's simulation failed; never fatal."""

    is_terminal: ClassVar[bool] = False
    error: str


@attrs.frozen(kw_only=True)
class SessionNotFound:
    """`sessionNotFound`: no session has this id."""

    is_terminal: ClassVar[bool] = False
    session_id: str


@attrs.frozen(kw_only=True)
class SessionOwnerMismatch:
    """`sessionOwnerMismatch`: the session belongs to another key."""

    is_terminal: ClassVar[bool] = False


@attrs.frozen(kw_only=True)
class SessionOwnershipBusy:
    """`sessionOwnershipBusy`: another manager still holds the session; transient."""

    is_terminal: ClassVar[bool] = False
    reason: str


@attrs.frozen(kw_only=True)
class NoProducedBlocksInRange:
    """`noProducedBlocksInRange`: the range holds no block; only in 0.28."""

    is_terminal: ClassVar[bool] = True
    start_slot: int
    end_slot: int


@attrs.frozen(kw_only=True)
class UnknownFailure:
    """An error that this version does not know, as the server wrote it; taken as not terminal."""

    is_terminal: ClassVar[bool] = False
    kind: str
    raw: str
    """The whole error as JSON text."""


BacktestFailure = (
    InvalidTransactionEncoding
    | InvalidTransactionFormat
    | InvalidAccountEncoding
    | InvalidAccountOwner
    | InvalidAccountPubkey
    | NoMoreBlocks
    | BundleNotFound
    | AdvanceSlotFailed
    | FinalizeSlotFailed
    | InvalidRequest
    | Internal
    | InvalidBlockhashFormat
    | InitializingSysvarsFailed
    | ClerkError
    | SimulationError
    | SessionNotFound
    | SessionOwnerMismatch
    | SessionOwnershipBusy
    | NoProducedBlocksInRange
    | UnknownFailure
)
