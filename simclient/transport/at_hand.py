"""What has come already on a stream, read without waiting and without the event loop.

A turn of the event loop costs some 50 µs, the time of a hundred notifications, and over TLS trio gives one record per turn: 16 KiB at most,
and one message where the server writes each on its own. So beside trio's way of waiting for bytes there is a short one to those that are
there. Both are used by the one task that reads, in turns, never at once.

Over TLS the short way needs what trio's `SSLStream` keeps to itself, its SSL object and the buffer in front of it; `WatchedContext`
notes them when the stream has them made. It is taken for TLS 1.3 only: before that a writer may have to read, too (renegotiation).
"""

from __future__ import annotations

import os
import ssl
from contextlib import suppress
from typing import Protocol, cast, final

import trio

__all__ = ["AtHand", "WatchedContext", "at_hand_of"]

_RECORD_BYTES = 2**14
"""The most that a TLS record holds."""
_STEP_BYTES = 4 * _RECORD_BYTES
"""What is put into the buffer at once: a large one is cleared whenever it grows, and given back to the kernel."""
_MOST_BYTES = 2**18
"""Encrypted bytes read at once: they are there twice, and what is taken from the kernel and given back at every read costs page faults."""


class AtHand(Protocol):
    """The short way to the bytes of one stream."""

    has_more: bool
    """Whether the last reading gave all that was asked for, so that there is likely more."""
    is_needed_after_waiting: bool
    """Whether there may be more at hand after trio has given less than was asked for."""

    def read(self, max_bytes: int) -> bytes:
        """Return what is there, `max_bytes` or somewhat more at most; b"" where nothing is, or the stream has ended.

        Raises:
            OSError: The connection is broken.
        """
        ...


def at_hand_of(stream: trio.abc.Stream, context: WatchedContext | None) -> AtHand | None:
    """Return the short way to the bytes of `stream`; None where there is none.

    Args:
        stream: TCP, or TLS over it.
        context: What TLS was made with.
    """
    if isinstance(stream, trio.SocketStream):
        return _Socket(stream)
    if context is None or context.connection is None:
        return None

    under: object = cast("trio.SSLStream[trio.abc.Stream]", stream).transport_stream
    return _Records(under, *context.connection) if isinstance(under, trio.SocketStream) else None


@final
class WatchedContext:
    """Stands in for an SSL context where one connection is made, and notes what it is made of."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self.connection: tuple[ssl.MemoryBIO, ssl.SSLObject] | None = None
        """The buffer of what came and is still encrypted, and what decrypts it."""

    def as_context(self) -> ssl.SSLContext:
        """Return this as what `trio.SSLStream` wants; it asks for nothing but `wrap_bio`."""
        return cast("ssl.SSLContext", self)

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """Do as the context does."""
        made = self._context.wrap_bio(incoming, outgoing, server_side, server_hostname, session)
        self.connection = incoming, made
        return made


@final
class _Socket:
    is_needed_after_waiting = False

    def __init__(self, stream: trio.SocketStream) -> None:
        self._socket = stream.socket
        self.has_more = False

    def read(self, max_bytes: int) -> bytes:
        self.has_more = False
        try:
            data = os.read(self._socket.fileno(), max_bytes)
        except BlockingIOError:
            return b""

        self.has_more = len(data) == max_bytes
        return data


@final
class _Records:
    is_needed_after_waiting = True

    def __init__(self, under: trio.SocketStream, incoming: ssl.MemoryBIO, records: ssl.SSLObject) -> None:
        self._socket = _Socket(under)
        self._incoming = incoming
        self._records = records
        self.has_more = False

    def read(self, max_bytes: int) -> bytes:
        """Decrypt all records that are there whole. A broken record is told once those before it were given."""
        if self._records.version() != "TLSv1.3":
            return b""

        encrypted = memoryview(self._socket.read(min(max_bytes, _MOST_BYTES)))
        self.has_more = self._socket.has_more
        pieces: list[bytes] = []
        try:
            for start in range(0, len(encrypted) or 1, _STEP_BYTES):
                self._incoming.write(encrypted[start : start + _STEP_BYTES])
                self._decrypt(pieces)
        except ssl.SSLError:
            self.has_more = False
            if not pieces:
                raise
        return b"".join(pieces)

    def _decrypt(self, pieces: list[bytes]) -> None:
        """Add what the records hold that are there whole."""
        with suppress(ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            while piece := self._records.read(_RECORD_BYTES):
                pieces.append(piece)
