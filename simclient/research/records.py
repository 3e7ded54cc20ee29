"""The events of a run, as they are read back from its file: one class per type of line.

The file may be ours or one of today's tool: keys that only we write are None where they are missing, and unknown keys are ignored.
Amounts are in the smallest unit (lamports, raw token units).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

import msgspec

from ..errors import InputError
from ..wire.instructions import Instruction

__all__ = [
    "AccountDiffRecord",
    "Event",
    "LogsRecord",
    "ProgressSample",
    "RunFileError",
    "RunMetadata",
    "RunSummary",
    "SessionOutcome",
    "SessionStarted",
    "SolChange",
    "TokenAccount",
    "TokenChange",
    "TransactionRecord",
    "decode_event",
    "type_of",
]


class RunFileError(InputError):
    """A file is not a run's, or is damaged; the message names it and the line.

    What to do: Run again, or take the file up with `simclient run --resume FILE`, which cuts what is damaged at its end.
    """


class RunMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """The first line of a file: what was asked for."""

    start_slot: int
    end_slot: int
    program_ids: tuple[str, ...] = ()
    program_so: tuple[str, ...] = ()
    ran_at_unix_secs: int = 0
    tool: str | None = None
    versions: Mapping[str, str] = {}
    url: str | None = None
    parameters: Mapping[str, object] = {}
    origin: Mapping[str, str] = {}


class SessionStarted(msgspec.Struct, frozen=True, kw_only=True):
    """A session was there, for these slots; a run that was resumed or is parallel has several.

    Of several, each that completes is said once more, with its status: so much is known also of a run that was killed then.
    """

    session_id: str
    start_slot: int
    end_slot: int
    session_name: str | None = None
    task_id: str | None = None
    status: str | None = None
    """`completed`, or None: it has begun."""
    slots: int | None = None
    """Executed."""


class SolChange(msgspec.Struct, frozen=True):
    """What a transaction did to the lamports of one account."""

    pubkey: str
    pre_lamports: int
    post_lamports: int


class TokenChange(msgspec.Struct, frozen=True):
    """What a transaction did to one token account."""

    pubkey: str
    mint: str
    owner: str
    """The wallet; empty where the server did not say."""
    pre_amount: int
    post_amount: int
    decimals: int


class TokenAccount(msgspec.Struct, frozen=True):
    """What a token account held."""

    mint: str
    owner: str
    amount: int


class TransactionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One executed transaction."""

    slot: int
    signature: str
    success: bool
    timestamp: int | None = None
    """Block time, Unix seconds."""
    error: str | None = None
    """In the words of Solana's tools."""
    logs: tuple[str, ...] = ()
    sol_changes: tuple[SolChange, ...] = ()
    token_changes: tuple[TokenChange, ...] = ()
    tx_index: int | None = None
    fee: int | None = None
    """In lamports."""
    compute_units: int | None = None
    err: msgspec.Raw = msgspec.Raw()
    """The server's JSON of the error; empty where there is none."""
    fee_payer: str | None = None
    instructions: tuple[Instruction, ...] | None = None
    """None: they were not kept (`simclient run --instructions` keeps them)."""
    session_id: str | None = None


class AccountDiffRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One write to an account: the state before and after."""

    slot: int
    account: str
    tx_hash: str = ""
    """The transaction's signature; zero bytes for a write outside of transactions."""
    signature: str | None = None
    """The same, None for a write outside of transactions; only in our files."""
    tx_index: int | None = None
    block_time: int | None = None
    pre_lamports: int | None = None
    post_lamports: int | None = None
    pre_state: msgspec.Raw = msgspec.Raw()
    """The server's JSON of the account, as it came; empty where there is none."""
    post_state: msgspec.Raw = msgspec.Raw()
    pre_token_account: TokenAccount | None = None
    post_token_account: TokenAccount | None = None
    session_id: str | None = None


class LogsRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The logs of one transaction, where logs were asked for."""

    slot: int
    signature: str | None
    success: bool
    error: str | None = None
    logs: tuple[str, ...] = ()
    session_id: str | None = None


class ProgressSample(msgspec.Struct, frozen=True, kw_only=True):
    """How far a run was at one moment."""

    seconds: float
    """Since the session was asked for."""
    slots: int
    transactions: int
    diffs: int
    logs: int


class SessionOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """How one session of a run ended."""

    session_id: str
    start_slot: int
    end_slot: int
    status: str
    """`completed`, `failed`, or `running` when the run was ended."""
    reason: str | None = None
    slots: int = 0
    """Executed."""


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The last line of a file: how the run ended. Of today's tool it has the counts of transactions only."""

    total_transactions: int = 0
    successes: int = 0
    failures: int = 0
    session_ids: tuple[str, ...] = ()
    status: str | None = None
    """`completed`, `cancelled` or `failed`."""
    reason: str | None = None
    slots: int | None = None
    last_slot: int | None = None
    diffs: int | None = None
    logs: int | None = None
    errors: int | None = None
    bytes_received: int | None = None
    elapsed_seconds: float | None = None
    compared: Mapping[str, int] | None = None
    """The server's comparison of the replay with what was recorded."""
    sessions: tuple[SessionOutcome, ...] = ()
    progress: tuple[ProgressSample, ...] = ()
    """How the run went, at most 256 moments of it."""


Event = RunMetadata | SessionStarted | TransactionRecord | AccountDiffRecord | LogsRecord | RunSummary


_Data = TypeVar("_Data", bound=Event)


class _Line(msgspec.Struct, Generic[_Data]):
    """One line of a known type."""

    data: _Data


def _decoder(record: type[_Data]) -> msgspec.json.Decoder[_Line[Event]]:
    return msgspec.json.Decoder(_Line[record])  # type: ignore[valid-type]


_DECODERS: Mapping[str, msgspec.json.Decoder[_Line[Event]]] = {
    "tx": _decoder(TransactionRecord),
    "diff": _decoder(AccountDiffRecord),
    "logs": _decoder(LogsRecord),
    "metadata": _decoder(RunMetadata),
    "session_started": _decoder(SessionStarted),
    "summary": _decoder(RunSummary),
}


class _Type(msgspec.Struct):
    type: str


_TYPE = msgspec.json.Decoder(_Type)


def type_of(line: bytes) -> str | None:
    """Return the type of a line, None if it is unknown.

    Raises:
        msgspec.DecodeError: The line is not JSON, or no event.
    """
    kind = _TYPE.decode(line).type
    return kind if kind in _DECODERS else None


def decode_event(line: bytes) -> Event | None:
    """Return the event of one line, None if its type is unknown.

    Raises:
        msgspec.DecodeError: The line is not JSON, or not such an event.
    """
    decoder = _DECODERS.get(_TYPE.decode(line).type)
    return None if decoder is None else decoder.decode(line).data
