"""The bounds of one connection."""

from __future__ import annotations

from typing import Final

import attrs

__all__ = ["DEFAULT_LIMITS", "TransportLimits"]


@attrs.frozen(kw_only=True)
class TransportLimits:
    """How long a connection waits for its peer, and how much it keeps in memory."""

    connect_seconds: float = 30.0
    """Name lookup, TCP, TLS and the WebSocket handshake together."""
    close_seconds: float = 2.0
    """The goodbye: frames already queued, the close frame and the peer's answer. Then the socket is closed by force."""
    response_seconds: float = 120.0
    """An HTTP answer: each wait for the peer to send or to take bytes."""
    max_message_bytes: int = 256 * 2**20
    """The longest WebSocket message or HTTP answer read; a 10 MiB account in base64 is well below."""
    unread_messages: int = 1024
    """Messages of a control socket that nobody has taken; beyond it the socket is not read, and its pings wait."""


DEFAULT_LIMITS: Final = TransportLimits()
