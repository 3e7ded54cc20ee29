"""What an observer is told of a session's connections."""

from __future__ import annotations

import enum
from collections.abc import Callable

import attrs

from ..errors import SimClientError

__all__ = ["ConnectionChange", "ConnectionObserver", "ConnectionState"]


class ConnectionState(enum.Enum):
    """Where a connection is."""

    CONNECTING = "connecting"
    """A socket is being opened, the first or another one."""
    UP = "up"
    """The server has answered: control was created or resumed, or every key of a subscription is acknowledged."""
    DOWN = "down"
    """The socket is gone."""


@attrs.frozen(kw_only=True)
class ConnectionChange:
    """One connection of a session has come up or gone down."""

    connection: str
    """`control`, or what the subscription watches."""
    state: ConnectionState
    reason: SimClientError | None = None
    """Why it went down."""
    at: float
    """On the clock of `trio.current_time()`."""


ConnectionObserver = Callable[[ConnectionChange], None]
"""Called in the middle of the work: it must return at once. What it raises ends the session."""


def nobody_observes(change: ConnectionChange) -> None:
    """Be told, and do nothing."""
