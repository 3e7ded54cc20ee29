"""What the server and an engine process say to each other over pipes: length-prefixed msgpack, one answer per request.

A message is four bytes of length (little-endian) and a msgpack map. Every request has a number, and its answer carries the same. How far
a turn came (`Reached`) goes ahead of what was executed in it.
"""

from __future__ import annotations

from struct import Struct
from typing import Literal

import msgspec

from ...errors import BundleError, InputError
from ..bundle import BlockhashError
from .values import Note, SysvarsRefused, TransactionRefused

__all__ = [
    "BUNDLE",
    "BURY",
    "FORK",
    "LENGTH_BYTES",
    "LONGEST_MESSAGE_BYTES",
    "RECORDING",
    "TEMPLATE_ANSWER",
    "TEMPLATE_REQUEST",
    "Action",
    "Answer",
    "Answered",
    "BatchFilter",
    "Execute",
    "Executed",
    "ExecutedSlot",
    "Failed",
    "FoundBatch",
    "Load",
    "Loaded",
    "ModifiedAccount",
    "Prepared",
    "Probe",
    "Reached",
    "Request",
    "Rpc",
    "Scout",
    "Scouted",
    "failed",
    "frame",
    "frame_into",
]

_ENCODER = msgspec.msgpack.Encoder()

BUNDLE, RECORDING = "bundle", "recording"
"""What a template process has loaded: its first argument; the second is the file."""
FORK, BURY = b"F", b"B"
TEMPLATE_REQUEST, TEMPLATE_ANSWER = Struct("<ci"), Struct("<i")
"""What is asked of a template process; see `template.py`."""
LENGTH_BYTES = 4
LONGEST_MESSAGE_BYTES = 2**31
"""Both ends are ours; this only catches a stream that is out of step."""


class ModifiedAccount(msgspec.Struct, frozen=True):
    """An account to set before a slot."""

    address: str
    lamports: int
    owner: str
    data: bytes
    executable: bool


class BatchFilter(msgspec.Struct, frozen=True):
    """What a transaction has to do for its batch to be announced, or for an action to be carried out at it."""

    programs: frozenset[str]
    """It invokes one of these."""
    accounts: frozenset[str] = frozenset()
    """It may write one of these; empty: any."""
    without_tokens: bool = False
    """It moves no tokens."""


class Action(msgspec.Struct, frozen=True):
    """What is done by itself at an anchor: before or after certain slots, every so many, or matching batches."""

    is_before: bool
    is_committed: bool
    """Whether its effects stay."""
    transactions: list[bytes]
    label: str | None
    slots: list[int] | None = None
    """The n-th transaction is for the n-th of these slots."""
    every_slots: int | None = None
    """At the slots that are multiples of this."""
    match: BatchFilter | None = None
    """At the batches that match."""
    overrides: list[ModifiedAccount] = []
    """Accounts as the first transaction is to find them; where there is none, as whoever looks from outside is to find them."""
    feeds_overrides: bool = False
    """Whether the accounts that it ends with are what whoever looks from outside finds."""
    return_accounts: list[str] = []


class Probe(msgspec.Struct, frozen=True):
    """What a router is asked after certain slots."""

    slots: frozenset[int] | None
    every_slots: int | None
    """Where there are no slots: at the multiples of this."""
    markets: list[str]
    usd_values: list[int]
    label: str | None


class Load(msgspec.Struct, frozen=True, tag="load", kw_only=True):
    """Begin a session: execute everything before `start_slot`."""

    id: int
    start_slot: int
    end_slot: int
    extra_compute_units: int = 0
    signers: frozenset[str] = frozenset()
    """Only recorded transactions that one of these has signed are executed; empty: all."""
    filters: list[BatchFilter] = []
    """What `Scout` looks for."""
    actions: list[Action] = []
    probes: list[Probe] = []
    speed: float | None = None
    """Of a recording, as a multiple of the recorded one; None: without waiting."""


class Scout(msgspec.Struct, frozen=True, tag="scout"):
    """Look further ahead in the bundle for batches that match a filter."""

    id: int
    most_slots: int


class Execute(msgspec.Struct, frozen=True, tag="execute", kw_only=True):
    """Execute the next slots of the range, or what is left of a slot that was left within, and stop after a while."""

    id: int
    transactions: list[bytes]
    modifications: list[ModifiedAccount]
    most_slots: int = 1
    last_slot: int | None = None
    """Not beyond this one; None: the range's."""
    stop_at: tuple[int, int] | None = None
    """Stop in this slot, just before this batch of it."""


class Prepared(msgspec.Struct, frozen=True, tag="prepared"):
    """A template process has the bundle's accounts: its only message, unless that is `Failed`."""

    id: int = 0


class Rpc(msgspec.Struct, frozen=True, tag="rpc"):
    """Answer a JSON-RPC body."""

    id: int
    body: bytes


class Loaded(msgspec.Struct, frozen=True, tag="loaded"):
    """The state at the start slot is there."""

    id: int
    next_slot: int | None
    """None where the range has no slot."""


class FoundBatch(msgspec.Struct, frozen=True, array_like=True):
    """A batch that matches, ahead of its execution."""

    slot: int
    batch: int
    filters: tuple[int, ...]
    """Which of them."""
    transactions: tuple[bytes, ...]
    """Those that match."""
    places: tuple[int, ...]
    """Of these transactions in their block."""


class Scouted(msgspec.Struct, frozen=True, tag="scouted"):
    """How far was looked, and what was found there."""

    id: int
    found: list[FoundBatch]
    known_to: int | None
    """Everything up to this slot is known; None: the whole range."""


class ExecutedSlot(msgspec.Struct, frozen=True, array_like=True):
    """A slot that was executed, or a part of one."""

    slot: int
    notes: list[Note]
    summary: tuple[int, int, int, int, int]
    """Correct, incorrect, not executed, other balances, other logs."""
    next_batch: int | None
    """The first batch that was not executed; None: the whole slot was."""
    errors: list[str]
    """What is to be said of transactions that users added, and that did not get as far as being executed."""
    delay_seconds: float = 0.0
    """How long to wait before it is said."""


class Reached(msgspec.Struct, frozen=True, tag="reached"):
    """How far a turn came; it goes ahead of what was executed, so that the next turn is asked for before all that is read."""

    id: int
    slots: int
    """How many of them; a part of one counts too."""
    slot: int
    """The last one."""
    next_batch: int | None
    """The first batch of it that was not executed; None: the whole slot was."""
    next_slot: int | None
    """The next slot to execute, or to go on with; None where the range has none."""


class Executed(msgspec.Struct, frozen=True, tag="executed"):
    """Slots were executed; none where the stop was reached already."""

    id: int
    slots: list[ExecutedSlot]
    next_slot: int | None
    """The next slot to execute, or to go on with; None where the range has none."""


class Answered(msgspec.Struct, frozen=True, tag="answered"):
    """The answer to a JSON-RPC body."""

    id: int
    body: bytes


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The request cannot be carried out; nothing has changed, except where the bundle cannot be read further."""

    id: int
    reason: Literal["input", "transaction", "bundle", "blockhash", "sysvars"]
    message: str
    index: int = 0
    """Of the transaction that is none."""


def failed(request_id: int, error: InputError) -> Failed:
    """Return the answer to a request that was refused."""
    match error:
        case TransactionRefused():
            return Failed(request_id, "transaction", str(error), error.index)
        case BlockhashError():
            return Failed(request_id, "blockhash", str(error))
        case SysvarsRefused():
            return Failed(request_id, "sysvars", str(error))
        case BundleError():
            return Failed(request_id, "bundle", str(error))
        case _:
            return Failed(request_id, "input", str(error))


Request = Load | Scout | Execute | Rpc
Answer = Prepared | Loaded | Scouted | Reached | Executed | Answered | Failed


def frame(message: Request | Answer) -> bytes:
    """Return the bytes of a message."""
    body = _ENCODER.encode(message)
    return len(body).to_bytes(LENGTH_BYTES, "little") + body


def frame_into(buffer: bytearray, message: Answer) -> None:
    """Put the bytes of a message in the place of what a buffer holds; so what is large is not allocated anew each time."""
    _ENCODER.encode_into(message, buffer, LENGTH_BYTES)
    buffer[:LENGTH_BYTES] = (len(buffer) - LENGTH_BYTES).to_bytes(LENGTH_BYTES, "little")
