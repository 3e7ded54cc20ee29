"""What is needed to come back to a session that was left running: a value that travels between processes as JSON.

It holds no key. Whoever has it can take the session up, so keep it as private as the session itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, cast, final

import attrs

from ..errors import RemoteProtocolError
from .codec import read_request, read_value, write_value
from .requests import Continue, ContinueTo
from .responses import DiscoveryBatch, Paused
from .schema import OMIT_DEFAULT, U64, WireValue
from .subscriptions import SubscriptionKey

__all__ = ["DetachedSession", "Position"]


@attrs.frozen(kw_only=True)
class Position(WireValue):
    """How far the stream of one subscribed key was handed on."""

    method: str
    """The wire method, for instance `accountDiffSubscribe`."""
    address: str
    is_program: bool = False
    slot: U64
    """The newest slot of which something was handed on; a replay begins there (inclusive)."""
    seen: Mapping[str, U64] = attrs.field(factory=dict[str, int])
    """How often each result of that slot was handed on, by its digest in hex; empty where nothing is to be dropped."""

    @property
    def key(self) -> SubscriptionKey:
        """The key whose stream it is."""
        return SubscriptionKey(self.method, self.address, self.is_program)


@final
@attrs.frozen(kw_only=True)
class DetachedSession(WireValue):
    """A session that was left running, and how far its events were handed on.

    Args:
        session_id: The server's name for the session.
        start_slot: Of its range.
        end_slot: Of its range, inclusive.
        last_sequence: The last control event that was handed on; None: none, so all are asked for again.
        is_ready: Whether the session was waiting for `advance`.
        paused_at: Where it was waiting, if it did so since a `paused`.
        unconfirmed: Requests, as JSON, that were written and of which nothing showed yet that the server took them.
        ahead: Announced batches that were not acted upon.
        positions: Of the subscriptions.
    """

    session_id: str = attrs.field(repr=False)
    start_slot: U64
    end_slot: U64
    last_sequence: U64 | None = None
    is_ready: bool = False
    paused_at: Annotated[Paused | None, OMIT_DEFAULT] = None
    unconfirmed: tuple[str, ...] = ()
    ahead: tuple[DiscoveryBatch, ...] = ()
    positions: tuple[Position, ...] = ()

    @property
    def requests(self) -> tuple[Continue | ContinueTo, ...]:
        """The unconfirmed requests.

        Raises:
            RemoteProtocolError: One of them is something else.
        """
        return tuple(_read_progress(text) for text in self.unconfirmed)

    def to_json(self) -> str:
        """Return it as JSON, for a file or another process."""
        return write_value(self)

    @classmethod
    def from_json(cls, text: str | bytes) -> DetachedSession:
        """Read what `to_json` wrote.

        Raises:
            RemoteProtocolError: It is something else.
        """
        return cast("DetachedSession", read_value(DetachedSession, text))


def _read_progress(text: str) -> Continue | ContinueTo:
    request = read_request(text)
    if not isinstance(request, Continue | ContinueTo):
        raise RemoteProtocolError("a detached session holds a request that does not advance it", path="$.unconfirmed")

    return request
