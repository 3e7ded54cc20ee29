"""What was delivered for the newest slot of a key, so that its replay after a reconnect is recognised.

`replayFromSlot` is inclusive: the server sends the newest slot again, in any order, under a new subscription id. Notifications are
compared by the raw JSON of their result, as a multiset: the same bytes that really occurred twice are delivered twice. While nothing
reconnects the raw messages are only kept; when a slot is larger than the bound, digests take the place of the raw bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b

from ..wire.notification_parts import result_of

__all__ = ["Boundary", "digest_of"]

_DIGEST_BYTES = 16


class Boundary:
    """The notifications delivered for one slot, each as its raw message."""

    def __init__(self, bound_bytes: int) -> None:
        """Start empty; `bound_bytes` of raw messages are kept before digests are."""
        self._bound_bytes = bound_bytes
        self._raw: list[bytes] = []
        self._raw_bytes = 0
        self._digests: Counter[bytes] = Counter()

    def add(self, messages: Sequence[bytes]) -> None:
        """Note that these were delivered."""
        self._raw.extend(messages)
        self._raw_bytes += sum(map(len, messages))
        if self._raw_bytes > self._bound_bytes:
            self._condense()

    def clear(self) -> None:
        """A newer slot has begun."""
        self._raw.clear()
        self._raw_bytes = 0
        if self._digests:
            self._digests.clear()

    def restore(self, digests: Counter[bytes]) -> None:
        """Note what another process has delivered."""
        self._digests.update(digests)

    def to_replay(self) -> Counter[bytes]:
        """Return how often each result (by digest) may come again."""
        self._condense()
        return self._digests.copy()

    def _condense(self) -> None:
        self._digests.update(map(digest_of, self._raw))
        self._raw.clear()
        self._raw_bytes = 0


def digest_of(message: bytes) -> bytes:
    """Return what two notifications with the same result have in common."""
    return blake2b(result_of(message), digest_size=_DIGEST_BYTES).digest()
