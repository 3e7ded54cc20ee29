"""What a client says on the control socket: one class per request, adjacently tagged on the wire."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from .accounts import AccountData
from .params import SessionParams

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
class CreateSession:
    """`createBacktestSession`: open a session over a slot range.

    The plain form (the parameters themselves) is written unless `parallel`, `name` or `create_token` is set.
    """

    params: SessionParams
    parallel: bool = False
    name: str | None = None
    create_token: str | None = None


@attrs.frozen(kw_only=True)
class Continue:
    """`continue`: execute the next slots, after applying the modifications and the transactions."""

    advance_count: int = 1
    transactions: tuple[str, ...] = ()
    """Signed transactions, base64."""
    modify_account_states: Mapping[str, AccountData] = attrs.field(factory=dict)
    """By address (base58)."""


@attrs.frozen(kw_only=True)
class ContinueTo:
    """`continueTo`: execute up to a slot, or to just before one of its batches."""

    slot: int
    batch_index: int | None = None
    """None: the block boundary; n: stop just before batch n."""


@attrs.frozen(kw_only=True)
class ContinueSubSession:
    """`continueSessionV1`: `continue` for one sub-session of a parallel session."""

    session_id: str
    request: Continue


@attrs.frozen(kw_only=True)
class ContinueSubSessionTo:
    """`continueToSessionV1`: `continueTo` for one sub-session of a parallel session."""

    session_id: str
    request: ContinueTo


@attrs.frozen(kw_only=True)
class CloseSession:
    """`closeBacktestSession`: end the session (a parallel one as a whole)."""


@attrs.frozen(kw_only=True)
class CloseSubSession:
    """`closeSessionV1`: end one sub-session of a parallel session."""

    session_id: str


@attrs.frozen(kw_only=True)
class AttachSession:
    """`attachBacktestSession`: take up a session on a new socket."""

    session_id: str
    last_sequence: int | None = None
    """The last sequence number seen; None asks for everything again."""


@attrs.frozen(kw_only=True)
class ResumeAttachedSession:
    """`resumeAttachedSession`: let an attached session run again."""


@attrs.frozen(kw_only=True)
class AttachParallelSession:
    """`attachParallelControlSessionV2`: take up a parallel session, with one cursor per sub-session."""

    control_session_id: str
    last_sequences: Mapping[str, int] = attrs.field(factory=dict)


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
