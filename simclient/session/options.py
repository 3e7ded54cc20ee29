"""How the sessions of a block are run: what is the same for all of them."""

from __future__ import annotations

import enum
import ssl
from contextlib import AbstractAsyncContextManager

import attrs

from ..transport.feed import Feed, open_feed
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

    def open_feed(self, url: str) -> AbstractAsyncContextManager[Feed]:
        """Open a data socket."""
        return open_feed(url, limits=self.limits.transport, ssl_context=self.ssl_context, open_stream=self.open_stream)
