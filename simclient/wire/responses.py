"""What the server says on the control socket: one class per message, adjacently tagged on the wire.

The classes that a user meets in `async for event in session` are these very classes.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import attrs

from .accounts import EncodedBinary
from .discovery import DiscoveryFilter
from .failures import BacktestFailure
from .generation import Generation
from .schema import (
    NAME,
    OMIT_DEFAULT,
    ONLY_0_9,
    ONLY_0_28,
    REQUIRED,
    U32,
    U64,
    BareValue,
    SnakeValue,
    WireValue,
)
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
class SessionCreated(SnakeValue):
    """`sessionCreated`: the session exists; its data plane is at `rpc_endpoint`."""

    wire_name: ClassVar[str] = "sessionCreated"

    session_id: str
    rpc_endpoint: str
    """An absolute `http(s)://` URL, or a path to join onto the control host."""
    task_id: Annotated[str | None, OMIT_DEFAULT] = None
    session_name: Annotated[str | None, OMIT_DEFAULT, ONLY_0_28] = None


@attrs.frozen(kw_only=True)
class SessionAttached(SnakeValue):
    """`sessionAttached`: the session was taken up; missed events are replayed after it."""

    wire_name: ClassVar[str] = "sessionAttached"

    session_id: str
    rpc_endpoint: str
    task_id: Annotated[str | None, OMIT_DEFAULT] = None
    session_name: Annotated[str | None, OMIT_DEFAULT, ONLY_0_28] = None


@attrs.frozen(kw_only=True)
class SessionsCreated(SnakeValue):
    """`sessionsCreated` (0.9): the sub-sessions of a parallel session; empty: they were streamed one by one."""

    wire_name: ClassVar[str] = "sessionsCreated"
    wire_only: ClassVar[Generation | None] = Generation.V0_9

    session_ids: tuple[str, ...]


@attrs.frozen(kw_only=True)
class SessionsCreatedV2(SnakeValue):
    """`sessionsCreatedV2`: a parallel session and its sub-sessions, index by index."""

    wire_name: ClassVar[str] = "sessionsCreatedV2"

    control_session_id: str
    session_ids: tuple[str, ...]
    task_ids: tuple[str | None, ...] = ()
    start_slots: tuple[U64, ...] = ()
    end_slots: tuple[U64, ...] = ()
    control_session_name: Annotated[str | None, OMIT_DEFAULT, ONLY_0_28] = None


@attrs.frozen(kw_only=True)
class ParallelSessionAttached(SnakeValue):
    """`parallelSessionAttachedV2`: the parallel session was taken up."""

    wire_name: ClassVar[str] = "parallelSessionAttachedV2"

    control_session_id: str
    session_ids: tuple[str, ...]
    task_ids: tuple[str | None, ...] = ()


@attrs.frozen(kw_only=True)
class ReadyForContinue(WireValue):
    """`readyForContinue`: the session waits; `advance` may be called."""

    wire_name: ClassVar[str] = "readyForContinue"


@attrs.frozen(kw_only=True)
class Success(WireValue):
    """`success`: the request (close, resume) was carried out."""

    wire_name: ClassVar[str] = "success"


@attrs.frozen(kw_only=True)
class SlotNotification(BareValue):
    """`slotNotification`: this slot was executed."""

    wire_name: ClassVar[str] = "slotNotification"

    slot: U64


@attrs.frozen(kw_only=True)
class Paused(WireValue):
    """`paused`: execution stopped before `batch_index` of `slot`, or at the block boundary where it is None."""

    wire_name: ClassVar[str] = "paused"

    slot: U64
    batch_index: Annotated[U32 | None, OMIT_DEFAULT] = None


@attrs.frozen(kw_only=True)
class DiscoveryBatch(WireValue):
    """`discoveryBatch`: a batch that matches a discovery filter lies ahead."""

    wire_name: ClassVar[str] = "discoveryBatch"

    slot: U64
    batch_index: U32
    matched: Annotated[tuple[DiscoveryFilter, ...], REQUIRED] = ()
    transactions: Annotated[tuple[EncodedBinary, ...], REQUIRED] = ()
    transaction_indices: Annotated[tuple[U32, ...], ONLY_0_28] = ()
    """The position in the block of each of `transactions`."""


@attrs.frozen(kw_only=True)
class Status(SnakeValue):
    """`status`: what the server is busy with; a name such as `executedBlockTransactions`, also one unknown to us."""

    wire_name: ClassVar[str] = "status"

    status: Annotated[str, NAME]


@attrs.frozen(kw_only=True)
class Completed(SnakeValue):
    """`completed`: the end of the range was reached."""

    wire_name: ClassVar[str] = "completed"

    summary: Annotated[SessionSummary | None, OMIT_DEFAULT] = None
    agent_stats: Annotated[tuple[AgentStats, ...] | None, OMIT_DEFAULT, ONLY_0_9] = None


@attrs.frozen(kw_only=True)
class ErrorEvent(BareValue):
    """`error`: a typed error from the server; see `failure.is_terminal`."""

    wire_name: ClassVar[str] = "error"

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
class SubSessionEvent(SnakeValue):
    """`sessionEventV1` (`seq_id` is None) and `sessionEventV2`: an event of one sub-session of a parallel session."""

    wire_name: ClassVar[str] = "sessionEventV2"

    session_id: str
    event: SessionEvent
    seq_id: Annotated[U64 | None, OMIT_DEFAULT] = None

    @property
    def variant(self) -> str:
        """The name under which this event is written."""
        return "sessionEventV1" if self.seq_id is None else "sessionEventV2"


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
