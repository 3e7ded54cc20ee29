"""What the server says on the control socket: one class per message, adjacently tagged on the wire.

The classes that a user meets in `async for event in session` are these very classes.
"""

from __future__ import annotations

import attrs

from .accounts import EncodedBinary
from .discovery import DiscoveryFilter
from .failures import BacktestFailure
from .summary import AgentStats, SessionSummary

__all__ = [
    "Completed",
    "ControlResponse",
    "DiscoveryBatch",
    "ErrorEvent",
    "ParallelSessionAttached",
    "Paused",
    "ReadyForContinue",
    "SequencedResponse",
    "SessionAttached",
    "SessionCreated",
    "SessionEvent",
    "SessionsCreated",
    "SessionsCreatedV2",
    "SlotNotification",
    "Status",
    "SubSessionEvent",
    "Success",
    "UnknownResponse",
]


@attrs.frozen(kw_only=True)
class SessionCreated:
    """`sessionCreated`: the session exists; its data plane is at `rpc_endpoint`."""

    session_id: str
    rpc_endpoint: str
    """An absolute `http(s)://` URL, or a path to join onto the control host."""
    task_id: str | None = None
    session_name: str | None = None
    """Only in 0.28."""


@attrs.frozen(kw_only=True)
class SessionAttached:
    """`sessionAttached`: the session was taken up; missed events are replayed after it."""

    session_id: str
    rpc_endpoint: str
    task_id: str | None = None
    session_name: str | None = None
    """Only in 0.28."""


@attrs.frozen(kw_only=True)
class SessionsCreated:
    """`sessionsCreated` (0.9): the sub-sessions of a parallel session; empty: they were streamed one by one."""

    session_ids: tuple[str, ...]


@attrs.frozen(kw_only=True)
class SessionsCreatedV2:
    """`sessionsCreatedV2`: a parallel session and its sub-sessions, index by index."""

    control_session_id: str
    session_ids: tuple[str, ...]
    task_ids: tuple[str | None, ...] = ()
    start_slots: tuple[int, ...] = ()
    end_slots: tuple[int, ...] = ()
    control_session_name: str | None = None
    """Only in 0.28."""


@attrs.frozen(kw_only=True)
class ParallelSessionAttached:
    """`parallelSessionAttachedV2`: the parallel session was taken up."""

    control_session_id: str
    session_ids: tuple[str, ...]
    task_ids: tuple[str | None, ...] = ()


@attrs.frozen(kw_only=True)
class ReadyForContinue:
    """`readyForContinue`: the session waits; `advance` may be called."""


@attrs.frozen(kw_only=True)
class Success:
    """`success`: the request (close, resume) was carried out."""


@attrs.frozen(kw_only=True)
class SlotNotification:
    """`slotNotification`: this slot was executed."""

    slot: int


@attrs.frozen(kw_only=True)
class Paused:
    """`paused`: execution stopped before `batch_index` of `slot`, or at the block boundary where it is None."""

    slot: int
    batch_index: int | None = None


@attrs.frozen(kw_only=True)
class DiscoveryBatch:
    """`discoveryBatch`: a batch that matches a discovery filter lies ahead."""

    slot: int
    batch_index: int
    matched: tuple[DiscoveryFilter, ...] = ()
    transactions: tuple[EncodedBinary, ...] = ()
    transaction_indices: tuple[int, ...] = ()
    """Only in 0.28."""


@attrs.frozen(kw_only=True)
class Status:
    """`status`: what the server is busy with; a name such as `executedBlockTransactions`, also one unknown to us."""

    status: str


@attrs.frozen(kw_only=True)
class Completed:
    """`completed`: the end of the range was reached."""

    summary: SessionSummary | None = None
    agent_stats: tuple[AgentStats, ...] | None = None
    """Only in 0.9."""


@attrs.frozen(kw_only=True)
class ErrorEvent:
    """`error`: a typed error from the server; see `failure.is_terminal`."""

    failure: BacktestFailure


@attrs.frozen(kw_only=True)
class UnknownResponse:
    """A message whose method this version does not know, kept as it came."""

    method: str
    raw: str
    """The whole message as JSON text, without its sequence number."""


SessionEvent = (
    ReadyForContinue
    | SlotNotification
    | Paused
    | DiscoveryBatch
    | ErrorEvent
    | Success
    | Completed
    | Status
    | UnknownResponse
)
"""What may happen in one session."""


@attrs.frozen(kw_only=True)
class SubSessionEvent:
    """`sessionEventV1` (`seq_id` is None) and `sessionEventV2`: an event of one sub-session of a parallel session."""

    session_id: str
    event: SessionEvent
    seq_id: int | None = None


ControlResponse = (
    SessionCreated
    | SessionAttached
    | SessionsCreated
    | SessionsCreatedV2
    | ParallelSessionAttached
    | SubSessionEvent
    | SessionEvent
)


@attrs.frozen(kw_only=True)
class SequencedResponse:
    """One frame of the control socket: a response, and its sequence number where it carries one."""

    response: ControlResponse
    seq_id: int | None = None
