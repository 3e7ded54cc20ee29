"""What the engine gives to the server for each executed slot."""

from __future__ import annotations

from typing import Literal

import attrs
import msgspec

from ...errors import BundleError, InputError
from ...wire.summary import SessionSummary

__all__ = [
    "AccountChange",
    "ExecutedNote",
    "Kind",
    "Note",
    "Published",
    "SlotResult",
    "SysvarsRefused",
    "TransactionRefused",
]

Kind = Literal["accountDiff", "transaction", "logs", "action", "diagnostic"]


class Published(msgspec.Struct, frozen=True, array_like=True, tag="published", gc=False):
    """One notification for whoever subscribed to it, ready to be sent."""

    kind: Kind
    keys: tuple[str, ...]
    """Addresses that a subscription may name: the account of a diff, everything that a transaction mentions; an empty one for what
    concerns the session as a whole."""
    programs: tuple[str, ...]
    """Only for diffs: the owner before and after."""
    result: bytes
    """The JSON of `params.result`."""

    @property
    def size(self) -> int:
        """In bytes, of what it says."""
        return len(self.result)

    @property
    def addresses(self) -> int:
        """How many it names."""
        return len(self.keys) + len(self.programs)


class AccountChange(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An account that a transaction changed."""

    account: str
    owners: tuple[str, ...]
    """Before and after, where it existed; one where they are the same."""
    pre: msgspec.Raw
    """A packed `AccountState`, or None where it did not exist."""
    post: msgspec.Raw


class ExecutedNote(msgspec.Struct, frozen=True, array_like=True, tag="executed", gc=False):
    """An executed transaction, of which `render.py` makes the notifications that somebody wants."""

    mentioned: tuple[str, ...]
    """Every address of the transaction, once."""
    changes: tuple[AccountChange, ...]
    facts: msgspec.Raw
    """The packed `TransactionFacts`."""
    size: int
    """In bytes, of facts and states."""

    @property
    def addresses(self) -> int:
        """How many it names."""
        return len(self.mentioned) + 2 * len(self.changes)


Note = Published | ExecutedNote
"""One item of what a session says on its data plane."""


@attrs.frozen(kw_only=True)
class SlotResult:
    """One executed slot, or a part of one."""

    slot: int
    notes: tuple[Note, ...]
    """In the order of execution."""
    summary: SessionSummary
    """How its transactions compare with what was recorded."""
    errors: tuple[str, ...] = ()
    """What is to be said of transactions that users added, and that did not get as far as being executed."""
    next_batch: int | None = None
    """The first batch that was not executed; None: the whole slot was."""
    delay_seconds: float = 0.0
    """How long to wait before it is said, where a recording is given at a speed."""
    next_slot: int | None
    """The next slot of the range that exists, or this one if it was left within; None where there is none."""

    @property
    def is_last(self) -> bool:
        """Whether the range has no further slot."""
        return self.next_slot is None


class SysvarsRefused(BundleError):
    """A sysvar among the accounts of a bundle cannot be read by the runtime."""


class TransactionRefused(InputError):
    """A transaction given for the next slot is not one; nothing was executed.

    Attributes:
        index: Its place among those given.
    """

    def __init__(self, message: str, *, index: int) -> None:
        super().__init__(message)
        self.index = index
