"""What a client says on the control socket: one class per request, adjacently tagged on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

import attrs

from .accounts import AccountData
from .params import SessionParams
from .schema import LOCAL, ONLY_0_28, U32, U64, AddressText, SnakeValue, WireValue

__all__ = [
    "AttachParallelSession",
    "AttachSession",
    "CloseSession",
    "CloseSubSession",
    "Continue",
    "ContinueSubSession",
    "ContinueSubSessionTo",
    "ContinueTo",
    "ControlRequest",
    "CreateSession",
    "ResumeAttachedSession",
]


@attrs.frozen(kw_only=True)
class CreateSession(WireValue):
    """`createBacktestSession`: open a session over a slot range.

    The plain form (the parameters themselves) is written unless `parallel`, `name` or `create_token` is set.
    """

    wire_name: ClassVar[str] = "createBacktestSession"

    params: SessionParams
    """Its members and those below stand in one object."""
    parallel: bool = False
    name: Annotated[str | None, ONLY_0_28] = None
    """1 to 100 of `a-z 0-9 . _ -`, beginning and ending with a letter or digit; never to be used again."""
    create_token: Annotated[str | None, ONLY_0_28] = None
    """32 random hex digits, the same in every attempt, so that a retry finds the session that an earlier one made."""
    is_extended: Annotated[bool, LOCAL] = False
    """The request was read with a `parallel` that says nothing new, and is written so again; leave it alone when creating."""


@attrs.frozen(kw_only=True)
class Continue(WireValue):
    """`continue`: execute the next slots, after applying the modifications and the transactions."""

    wire_name: ClassVar[str] = "continue"

    advance_count: U64 = 1
    transactions: tuple[str, ...] = ()
    """Signed transactions, base64."""
    modify_account_states: Mapping[AddressText, AccountData] = attrs.field(factory=dict[str, AccountData])
    """By address (base58)."""


@attrs.frozen(kw_only=True)
class ContinueTo(WireValue):
    """`continueTo`: execute up to a slot, or to just before one of its batches."""

    wire_name: ClassVar[str] = "continueTo"

    slot: U64
    batch_index: U32 | None = None
    """None: the block boundary; n: stop just before batch n."""


@attrs.frozen(kw_only=True)
class ContinueSubSession(WireValue):
    """`continueSessionV1`: `continue` for one sub-session of a parallel session."""

    wire_name: ClassVar[str] = "continueSessionV1"

    session_id: str
    request: Continue


@attrs.frozen(kw_only=True)
class ContinueSubSessionTo(WireValue):
    """`continueToSessionV1`: `continueTo` for one sub-session of a parallel session."""

    wire_name: ClassVar[str] = "continueToSessionV1"

    session_id: str
    request: ContinueTo


@attrs.frozen(kw_only=True)
class CloseSession(WireValue):
    """`closeBacktestSession`: end the session (a parallel one as a whole)."""

    wire_name: ClassVar[str] = "closeBacktestSession"


@attrs.frozen(kw_only=True)
class CloseSubSession(WireValue):
    """`closeSessionV1`: end one sub-session of a parallel session."""

    wire_name: ClassVar[str] = "closeSessionV1"

    session_id: str


@attrs.frozen(kw_only=True)
class AttachSession(SnakeValue):
    """`attachBacktestSession`: take up a session on a new socket."""

    wire_name: ClassVar[str] = "attachBacktestSession"

    session_id: str
    last_sequence: U64 | None = None
    """The last sequence number seen; None asks for everything again."""


@attrs.frozen(kw_only=True)
class ResumeAttachedSession(WireValue):
    """`resumeAttachedSession`: let an attached session run again."""

    wire_name: ClassVar[str] = "resumeAttachedSession"


@attrs.frozen(kw_only=True)
class AttachParallelSession(SnakeValue):
    """`attachParallelControlSessionV2`: take up a parallel session, with one cursor per sub-session."""

    wire_name: ClassVar[str] = "attachParallelControlSessionV2"

    control_session_id: str
    last_sequences: Mapping[str, U64] = attrs.field(factory=dict[str, int])


ControlRequest = (
    CreateSession
    | Continue
    | ContinueTo
    | ContinueSubSession
    | ContinueSubSessionTo
    | CloseSession
    | CloseSubSession
    | AttachSession
    | ResumeAttachedSession
    | AttachParallelSession
)
