"""What was delivered for the newest slot of a key, so that its replay after a reconnect is recognised.

`replayFromSlot` is inclusive: the server sends the newest slot again, in any order, under a new subscription id. Notifications are
compared by the raw JSON of their result, as a multiset: the same bytes that really occurred twice are delivered twice. While nothing
reconnects, a notification costs one append; when a slot is larger than the bound, digests take the place of the raw bytes.
"""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from typing import Protocol

__all__ = ["Boundary", "HasResult"]

_DIGEST_BYTES = 16


class HasResult(Protocol):
    """A notification, as far as the boundary looks at it."""

    @property
    def raw(self) -> bytes:
        """The whole message."""
        ...

    @property
    def result_bytes(self) -> bytes:
        """The raw JSON of `params.result`, which does not depend on the connection."""
        ...


class Boundary:
    """The notifications delivered for one slot."""

    def __init__(self, bound_bytes: int) -> None:
        """Start empty; `bound_bytes` of raw messages are kept before digests are."""
        self._bound_bytes = bound_bytes
        self._raw: list[HasResult] = []
        self._raw_bytes = 0
        self._digests: Counter[bytes] = Counter()

    def add(self, notification: HasResult) -> None:
        """Note that `notification` was delivered."""
        self._raw.append(notification)
        self._raw_bytes += len(notification.raw)
        if self._raw_bytes > self._bound_bytes:
            self._condense()

    def clear(self) -> None:
        """A newer slot has begun."""
        self._raw.clear()
        self._raw_bytes = 0
        if self._digests:
            self._digests.clear()

    def to_replay(self) -> Counter[bytes]:
        """Return how often each result (by digest) may come again."""
        self._condense()
        return self._digests.copy()

    def _condense(self) -> None:
        self._digests.update(digest_of(notification) for notification in self._raw)
        self._raw.clear()
        self._raw_bytes = 0


def digest_of(notification: HasResult) -> bytes:
    """Return what two notifications with the same result have in common."""
    return blake2b(notification.result_bytes, digest_size=_DIGEST_BYTES).digest()
