"""What can go wrong, as the server says it: one class per error, externally tagged on the wire.

Terminal errors end the session: noMoreBlocks, advanceSlotFailed, finalizeSlotFailed, internal; 0.28 also bundleNotFound and
noProducedBlocksInRange. Source: `BacktestError` and `is_terminal`, simulator-api 0.9.0 and 0.28.0.
"""

from __future__ import annotations

from typing import ClassVar

import attrs

from .generation import Generation
from .schema import U64, SnakeValue

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
    "SessionNameTaken",
    "SessionNotFound",
    "SessionOwnerMismatch",
    "SessionOwnershipBusy",
    "SimulationError",
    "UnknownFailure",
    "describe_failure",
]


@attrs.frozen(kw_only=True)
class InvalidTransactionEncoding(SnakeValue):
    """`invalidTransactionEncoding`: `transactions[index]` is not base64.

    What to do: Give transactions as bytes or objects; the client encodes them.
    """

    wire_name: ClassVar[str] = "invalidTransactionEncoding"
    is_terminal: ClassVar[bool] = False
    index: U64
    error: str


@attrs.frozen(kw_only=True)
class InvalidTransactionFormat(SnakeValue):
    """`invalidTransactionFormat`: `transactions[index]` is not a transaction.

    What to do: Serialize the whole transaction with its signatures; `index` says which one.
    """

    wire_name: ClassVar[str] = "invalidTransactionFormat"
    is_terminal: ClassVar[bool] = False
    index: U64
    error: str


@attrs.frozen(kw_only=True)
class InvalidAccountEncoding(SnakeValue):
    """`invalidAccountEncoding`: an account's data does not decode.

    What to do: Build accounts with `AccountData.build`, which encodes the data.
    """

    wire_name: ClassVar[str] = "invalidAccountEncoding"
    is_terminal: ClassVar[bool] = False
    address: str
    encoding: str
    error: str


@attrs.frozen(kw_only=True)
class InvalidAccountOwner(SnakeValue):
    """`invalidAccountOwner`: an account's owner is not an address.

    What to do: Give the owner as a base58 address of 32 bytes.
    """

    wire_name: ClassVar[str] = "invalidAccountOwner"
    is_terminal: ClassVar[bool] = False
    address: str
    error: str


@attrs.frozen(kw_only=True)
class InvalidAccountPubkey(SnakeValue):
    """`invalidAccountPubkey`: a key of the modifications is not an address.

    What to do: Give accounts under base58 addresses of 32 bytes.
    """

    wire_name: ClassVar[str] = "invalidAccountPubkey"
    is_terminal: ClassVar[bool] = False
    address: str
    error: str


@attrs.frozen(kw_only=True)
class NoMoreBlocks(SnakeValue):
    """`noMoreBlocks`: the range is at its end.

    What to do: Stop advancing at `Completed`, or ask for a longer range.
    """

    wire_name: ClassVar[str] = "noMoreBlocks"
    is_terminal: ClassVar[bool] = True


@attrs.frozen(kw_only=True)
class BundleNotFound(SnakeValue):
    """`bundleNotFound`: no bundle covers the range; only in 0.28.

    What to do: Choose a range within what `simclient ranges` lists, or have one built (`build_bundle`).
    """

    wire_name: ClassVar[str] = "bundleNotFound"
    wire_only: ClassVar[Generation | None] = Generation.V0_28
    is_terminal: ClassVar[bool] = True
    start_slot: U64
    end_slot: U64


@attrs.frozen(kw_only=True)
class AdvanceSlotFailed(SnakeValue):
    """`advanceSlotFailed`: executing a slot failed.

    What to do: Begin after that slot, or report it to the service with the session's id.
    """

    wire_name: ClassVar[str] = "advanceSlotFailed"
    is_terminal: ClassVar[bool] = True
    slot: U64
    error: str


@attrs.frozen(kw_only=True)
class FinalizeSlotFailed(SnakeValue):
    """`finalizeSlotFailed`: finishing a slot failed.

    What to do: Begin after that slot, or report it to the service with the session's id.
    """

    wire_name: ClassVar[str] = "finalizeSlotFailed"
    is_terminal: ClassVar[bool] = True
    slot: U64
    error: str


@attrs.frozen(kw_only=True)
class InvalidRequest(SnakeValue):
    """`invalidRequest`: the server could not read a request.

    What to do: The server may be older than what was asked of it: leave out what the text names.
    """

    wire_name: ClassVar[str] = "invalidRequest"
    is_terminal: ClassVar[bool] = False
    error: str


@attrs.frozen(kw_only=True)
class Internal(SnakeValue):
    """`internal`: the server failed.

    What to do: Run again; if it comes again at the same slot, report it to the service with the session's id.
    """

    wire_name: ClassVar[str] = "internal"
    is_terminal: ClassVar[bool] = True
    error: str


@attrs.frozen(kw_only=True)
class InvalidBlockhashFormat(SnakeValue):
    """`invalidBlockhashFormat`: a recorded blockhash does not parse.

    What to do: Report it to the service: its recorded data is damaged at that slot.
    """

    wire_name: ClassVar[str] = "invalidBlockhashFormat"
    is_terminal: ClassVar[bool] = False
    slot: U64
    error: str


@attrs.frozen(kw_only=True)
class InitializingSysvarsFailed(SnakeValue):
    """`initializingSysvarsFailed`: the sysvars of a slot could not be set.

    What to do: Report it to the service: its recorded data is damaged at that slot.
    """

    wire_name: ClassVar[str] = "initializingSysvarsFailed"
    is_terminal: ClassVar[bool] = False
    slot: U64
    error: str


@attrs.frozen(kw_only=True)
class ClerkError(SnakeValue):
    """`clerkError`: the server's store of blocks failed.

    What to do: Run again later; the server cannot reach its own blocks.
    """

    wire_name: ClassVar[str] = "clerkError"
    is_terminal: ClassVar[bool] = False
    error: str


@attrs.frozen(kw_only=True)
class SimulationError(SnakeValue):
    """`simulationError`: one transaction's simulation failed; never fatal.

    What to do: Look at the transaction that you sent; the session goes on.
    """

    wire_name: ClassVar[str] = "simulationError"
    is_terminal: ClassVar[bool] = False
    error: str


@attrs.frozen(kw_only=True)
class SessionNotFound(SnakeValue):
    """`sessionNotFound`: no session has this id.

    What to do: It has ended, or the server kept it no longer than its disconnect timeout: open another.
    """

    wire_name: ClassVar[str] = "sessionNotFound"
    is_terminal: ClassVar[bool] = False
    session_id: str


@attrs.frozen(kw_only=True)
class SessionOwnerMismatch(SnakeValue):
    """`sessionOwnerMismatch`: the session belongs to another key.

    What to do: Use the API key that opened the session.
    """

    wire_name: ClassVar[str] = "sessionOwnerMismatch"
    is_terminal: ClassVar[bool] = False


@attrs.frozen(kw_only=True)
class SessionOwnershipBusy(SnakeValue):
    """`sessionOwnershipBusy`: another manager still holds the session; transient.

    What to do: Wait a few seconds and attach again; the managed session does so by itself.
    """

    wire_name: ClassVar[str] = "sessionOwnershipBusy"
    is_terminal: ClassVar[bool] = False
    reason: str


@attrs.frozen(kw_only=True)
class NoProducedBlocksInRange(SnakeValue):
    """`noProducedBlocksInRange`: the range holds no block; only in 0.28.

    What to do: Choose a range with blocks in it; a leader may have missed all of its turns.
    """

    wire_name: ClassVar[str] = "noProducedBlocksInRange"
    wire_only: ClassVar[Generation | None] = Generation.V0_28
    is_terminal: ClassVar[bool] = True
    start_slot: U64
    end_slot: U64


@attrs.frozen(kw_only=True)
class SessionNameTaken(SnakeValue):
    """`sessionNameTaken`: a session of this name exists or existed; names cannot be used again; only in 0.28.

    What to do: Choose another name.
    """

    wire_name: ClassVar[str] = "sessionNameTaken"
    wire_only: ClassVar[Generation | None] = Generation.V0_28
    is_terminal: ClassVar[bool] = False
    session_name: str


@attrs.frozen(kw_only=True)
class UnknownFailure:
    """An error that this version does not know, as the server wrote it; taken as not terminal.

    What to do: Read `raw`; a newer simclient may know it.
    """

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
    | SessionNameTaken
    | UnknownFailure
)


def describe_failure(failure: BacktestFailure) -> str:
    """Say in one English line what went wrong; a text of the server's in it stands as the server gave it."""
    match failure:
        case InvalidTransactionEncoding(index=index, error=error):
            return f"transaction {index} is not valid base64: {error}"
        case InvalidTransactionFormat(index=index, error=error):
            return f"transaction {index} is not a valid transaction: {error}"
        case InvalidAccountEncoding(address=address, encoding=encoding, error=error):
            return f"the data of account {address} is not valid {encoding}: {error}"
        case InvalidAccountOwner(address=address, error=error):
            return f"the owner of account {address} is not an address: {error}"
        case InvalidAccountPubkey(address=address, error=error):
            return f"{address} is not the address of an account: {error}"
        case NoMoreBlocks():
            return "there are no more blocks"
        case BundleNotFound(start_slot=start, end_slot=end):
            return f"no bundle covers slots {start} to {end}"
        case AdvanceSlotFailed(slot=slot, error=error):
            return f"slot {slot} could not be executed: {error}"
        case FinalizeSlotFailed(slot=slot, error=error):
            return f"slot {slot} could not be finished: {error}"
        case NoProducedBlocksInRange(start_slot=start, end_slot=end):
            return f"no block was produced in slots {start} to {end}"
        case _:
            return _describe_session_failure(failure)


def _describe_session_failure(failure: BacktestFailure) -> str:
    match failure:
        case InvalidRequest(error=error):
            return f"the server could not read a request: {error}"
        case Internal(error=error):
            return f"the server failed: {error}"
        case InvalidBlockhashFormat(slot=slot, error=error):
            return f"the blockhash recorded for slot {slot} cannot be read: {error}"
        case InitializingSysvarsFailed(slot=slot, error=error):
            return f"the sysvars of slot {slot} could not be set: {error}"
        case ClerkError(error=error):
            return f"the server's store of blocks failed: {error}"
        case SimulationError(error=error):
            return f"a transaction could not be simulated: {error}"
        case SessionNotFound(session_id=session_id):
            return f"there is no session {session_id}"
        case SessionOwnerMismatch():
            return "the session belongs to another API key"
        case SessionOwnershipBusy(reason=reason):
            return f"the session is still held by another manager: {reason}"
        case SessionNameTaken(session_name=name):
            return f"the session name {name} was used before; choose another"
        case _:
            return f"an error that this version does not know: {failure}"
