"""What the engine gives to the server for each executed slot."""

from __future__ import annotations

from typing import Literal

import attrs

from ...wire.summary import SessionSummary

__all__ = ["Kind", "Published", "SlotResult"]

Kind = Literal["accountDiff", "transaction", "logs"]


@attrs.frozen(kw_only=True)
class Published:
    """One notification for whoever subscribed to it."""

    kind: Kind
    keys: tuple[str, ...]
    """Addresses that a subscription may name: the account of a diff, everything that a transaction mentions."""
    programs: tuple[str, ...] = ()
    """Only for diffs: the owner before and after."""
    result: bytes
    """The JSON of `params.result`, ready to be sent."""


@attrs.frozen(kw_only=True)
class SlotResult:
    """One executed slot."""

    slot: int
    published: tuple[Published, ...]
    """In the order of execution."""
    summary: SessionSummary
    """How its transactions compare with what was recorded."""
    is_last: bool
    """Whether the range has no further slot."""
