"""What the control machine asks its task to do: plain values, carried out in order."""

from __future__ import annotations

import attrs

from ..errors import SimClientError
from ..wire.requests import ControlRequest
from ..wire.responses import Completed, SessionAttached, SessionCreated, SessionEvent, SessionsCreatedV2

__all__ = [
    "AskSlot",
    "Closed",
    "Command",
    "Complete",
    "Deliver",
    "Fail",
    "ForSubSession",
    "Moved",
    "Opened",
    "OpenedParallel",
    "Reconnect",
    "Send",
    "Withdraw",
]


@attrs.frozen
class Send:
    """Write this request on the control socket."""

    request: ControlRequest


@attrs.frozen
class Opened:
    """The session exists (for the first time): its data plane may be used."""

    session: SessionCreated | SessionAttached


@attrs.frozen
class Deliver:
    """Hand this event to the user."""

    event: SessionEvent


@attrs.frozen
class Withdraw:
    """Take this event back if the user has not taken it: it has no meaning any more."""

    event: SessionEvent


@attrs.frozen
class Complete:
    """The range has ended: drain the subscriptions, then hand this to the user as the last event."""

    event: Completed


@attrs.frozen
class Reconnect:
    """Drop the socket and try again, within the budget."""

    reason: str


@attrs.frozen
class Fail:
    """End the run with this error."""

    error: SimClientError


@attrs.frozen
class AskSlot:
    """Ask the session's RPC for its slot, and say what it answered with `slot_is`."""


@attrs.frozen
class Moved:
    """The session is served elsewhere now; new data sockets and RPC go there."""

    session: SessionAttached


@attrs.frozen
class Closed:
    """The server has confirmed the end of the session, or there is nothing to confirm."""


@attrs.frozen
class OpenedParallel:
    """The parallel session exists, with all its sub-sessions."""

    session: SessionsCreatedV2


@attrs.frozen
class ForSubSession:
    """Do this for one sub-session; what comes before `OpenedParallel` is kept for it."""

    session_id: str
    command: Deliver | Withdraw | Complete | AskSlot | Fail


Command = (
    Send
    | Opened
    | OpenedParallel
    | Moved
    | ForSubSession
    | Deliver
    | Withdraw
    | Complete
    | AskSlot
    | Reconnect
    | Fail
    | Closed
)
