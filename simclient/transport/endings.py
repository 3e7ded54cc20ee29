"""How a stream ends rudely, at once and without waiting: with FIN and no goodbye, or with RST."""

from __future__ import annotations

import socket
import struct
from typing import Protocol, runtime_checkable

import trio

__all__ = ["CanEndRudely", "cut_stream", "reset_stream"]

_READ_BYTES = 64 * 2**10
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER on, for 0 seconds: close() sends RST."""


@runtime_checkable
class CanEndRudely(Protocol):
    """A stream that is no socket, and does what a kernel would do."""

    def cut(self) -> None:
        """End: the peer reads what was written, and then the end of the stream."""
        ...

    def reset(self) -> None:
        """End: the peer gets BrokenResourceError once it has read what had arrived."""
        ...


def cut_stream(stream: trio.abc.Stream) -> None:
    """End with FIN. A stream that is neither a socket nor `CanEndRudely` is left to its `aclose`."""
    if isinstance(stream, CanEndRudely):
        stream.cut()
    elif isinstance(stream, trio.SocketStream):
        _cut_socket(stream.socket)


def reset_stream(stream: trio.abc.Stream) -> None:
    """End with RST. A stream that is neither a socket nor `CanEndRudely` is left to its `aclose`."""
    if isinstance(stream, CanEndRudely):
        stream.reset()
    elif isinstance(stream, trio.SocketStream) and stream.socket.fileno() >= 0:
        stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        stream.socket.close()


def _cut_socket(raw: trio.socket.SocketType) -> None:
    """Read away what has arrived before closing: to close over unread bytes would send RST."""
    if raw.fileno() < 0:
        return

    try:
        raw.shutdown(socket.SHUT_WR)
        with socket.fromfd(raw.fileno(), raw.family, raw.type) as plain:
            while plain.recv(_READ_BYTES, socket.MSG_DONTWAIT):
                pass
    except OSError:
        pass  # nothing more has arrived, or the peer was faster
    raw.close()
