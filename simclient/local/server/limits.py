"""How much a client may ask of the simulator."""

from __future__ import annotations

from typing import Final

import attrs

from .replay_log import LogLimits

__all__ = ["DEFAULT_LIMITS", "SimulatorLimits"]


_NOTIFICATIONS: Final = LogLimits(memory_bytes=16 * 2**20, disk_bytes=2**29)
_EVENTS: Final = LogLimits(memory_bytes=2**20, disk_bytes=2**26)


@attrs.frozen(kw_only=True)
class SimulatorLimits:
    """The bounds of one simulator; a client that reaches one is told which."""

    max_sessions: int = 64
    """Each session is a process with the accounts of a bundle in it."""
    max_engine_bytes: int = 4 * 2**30
    """Memory of a session's process beyond that of its bundle; one that needs more fails. Only on Linux."""
    max_subscriptions: int = 1024
    """Of one socket."""
    max_header_bytes: int = 64 * 2**10
    """The request line and the headers of one HTTP request together."""
    max_body_bytes: int = 32 * 2**20
    """The body of one HTTP request; an account of 10 MiB is 14 MiB of base64."""
    max_message_bytes: int = 32 * 2**20
    """One WebSocket message of a client."""
    max_message_values: int = 2_000_000
    """Values of JSON in one message, about: each takes memory, and an account that is set has eight."""
    max_blob_bytes: int = 128 * 2**20
    """What the compressed parts of one message decompress to, all together; a schedule of actions for 10,000 slots has 28 MiB."""
    max_unfinished_bytes: int = 512 * 2**20
    """What of all clients together is held: messages and bodies until they are answered, and answers until they are sent."""
    max_connections: int = 2048
    """Open sockets; more are closed at once. A session in use has two or three."""
    idle_seconds: float = 75.0
    """How long an HTTP connection may take to send its next request, whole."""
    close_seconds: float = 2.0
    """The goodbye of a WebSocket: frames already queued and the client's close frame."""
    notifications: LogLimits = _NOTIFICATIONS
    """What a session keeps of its notifications for replay; the oldest go first, and a reader that is behind by more holds it up."""
    events: LogLimits = _EVENTS
    """What a session keeps of its control events: on disk more than ten million slot notifications."""
    parallel_disconnect_seconds: int = 300
    """How long a parallel session is kept without a client that does not say: the official client leaves it to the server."""
    closed_seconds: float = 300.0
    """How long a completed session that was closed still gives its notifications: the reconnect budget of the official client."""
    max_disconnect_seconds: int = 900
    """The longest time a session is kept without a client. Source: the service's cap on `disconnectTimeoutSecs`."""


DEFAULT_LIMITS: Final = SimulatorLimits()
