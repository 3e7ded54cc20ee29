"""What the server and an engine process say to each other over pipes: length-prefixed msgpack, one answer per request.

A message is four bytes of length (little-endian) and a msgpack map. Every request has a number, and its answer carries the same.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from .values import Kind

__all__ = [
    "LENGTH_BYTES",
    "LONGEST_MESSAGE_BYTES",
    "Answer",
    "Answered",
    "Execute",
    "Executed",
    "Failed",
    "Load",
    "Loaded",
    "ModifiedAccount",
    "Note",
    "Request",
    "Rpc",
    "frame",
]

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


class Load(msgspec.Struct, frozen=True, tag="load"):
    """Load a bundle and execute everything before `start_slot`."""

    id: int
    bundle: str
    start_slot: int
    end_slot: int
    extra_compute_units: int


class Execute(msgspec.Struct, frozen=True, tag="execute"):
    """Execute the next slot of the range."""

    id: int
    transactions: list[bytes]
    modifications: list[ModifiedAccount]


class Rpc(msgspec.Struct, frozen=True, tag="rpc"):
    """Answer a JSON-RPC body."""

    id: int
    body: bytes


class Loaded(msgspec.Struct, frozen=True, tag="loaded"):
    """The state at the start slot is there."""

    id: int
    next_slot: int | None
    """None where the range has no slot."""


class Note(msgspec.Struct, frozen=True, array_like=True):
    """A `Published` on its way."""

    kind: Kind
    keys: tuple[str, ...]
    programs: tuple[str, ...]
    result: bytes


class Executed(msgspec.Struct, frozen=True, tag="executed"):
    """A slot was executed."""

    id: int
    slot: int
    published: list[Note]
    summary: tuple[int, int, int, int, int]
    """Correct, incorrect, not executed, other balances, other logs."""
    next_slot: int | None
    """None where the range has no further slot."""


class Answered(msgspec.Struct, frozen=True, tag="answered"):
    """The answer to a JSON-RPC body."""

    id: int
    body: bytes


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The request cannot be carried out; nothing has changed, except where the bundle cannot be read further."""

    id: int
    reason: Literal["input", "transaction", "bundle"]
    message: str
    index: int = 0
    """Of the transaction that is none."""


Request = Load | Execute | Rpc
Answer = Loaded | Executed | Answered | Failed


def frame(message: Request | Answer) -> bytes:
    """Return the bytes of a message."""
    body = msgspec.msgpack.encode(message)
    return len(body).to_bytes(LENGTH_BYTES, "little") + body
