"""How the sessions of a block are run: what is the same for all of them."""

from __future__ import annotations

import enum
import ssl
from contextlib import AbstractAsyncContextManager

import attrs

from ..transport.feed import Feed, open_feed
from ..transport.http import HttpClient, open_http
from ..transport.limits import TransportLimits
from ..transport.streams import StreamOpener
from .connections import ConnectionObserver, nobody_observes
from .limits import Limits

__all__ = ["Delivery", "SessionOptions"]


class Delivery(enum.Enum):
    """What a reconnect may do to the notifications of the slot at which the connection broke."""

    EXACTLY_ONCE = "exactly once"
    """Each is delivered once."""
    AT_LEAST_ONCE = "at least once"
    """They are delivered again."""


@attrs.frozen(kw_only=True)
class SessionOptions:
    """Delivery, bounds, and how connections are opened."""

    delivery: Delivery = Delivery.EXACTLY_ONCE
    compress: bool = True
    limits: Limits = attrs.field(factory=Limits)
    ssl_context: ssl.SSLContext | None = None
    open_stream: StreamOpener | None = None
    observe: ConnectionObserver = nobody_observes

    @property
    def transport_limits(self) -> TransportLimits:
        """The part of the limits that sockets need; their closing is within ours."""
        return TransportLimits(
            connect_seconds=self.limits.connect_seconds,
            close_seconds=self.limits.closing_seconds / 5,
            response_seconds=self.limits.response_seconds,
            max_message_bytes=self.limits.max_message_bytes,
        )

    def open_feed(self, url: str) -> AbstractAsyncContextManager[Feed]:
        """Open a data socket."""
        return open_feed(url, limits=self.transport_limits, ssl_context=self.ssl_context, open_stream=self.open_stream)

    def open_http(self) -> AbstractAsyncContextManager[HttpClient]:
        """Open what asks over HTTP."""
        return open_http(limits=self.transport_limits, ssl_context=self.ssl_context, open_stream=self.open_stream)
