"""The zstd stream of a data socket: all binary frames of one connection are one stream, flushed after each message.

Both ends keep the window across messages, so every frame must be decoded, in order; a frame that does not decode ends the stream. The size
of a decoded message has a ceiling, and so has the window, so that a small frame cannot take a lot of memory.
Source: `ws_compression.rs` of simulator-api 0.9.0 (level 3, flush per message).
"""

from __future__ import annotations

from typing import final

import zstandard

from ..errors import RemoteProtocolError

__all__ = ["StreamCompressor", "StreamDecompressor"]

_LEVEL = 3
_LARGEST_WINDOW_BYTES = 8 * 2**20
"""What a zstd decoder must at least support (RFC 8878, 3.1.1.1.2); level 3 uses 2 MiB."""


@final
class StreamCompressor:
    """The sending end of one connection."""

    def __init__(self) -> None:
        self._stream = zstandard.ZstdCompressor(level=_LEVEL).compressobj()

    def compress(self, message: bytes) -> bytes:
        """Return the frame that carries `message`; an empty message is an empty frame."""
        if not message:
            return b""

        return self._stream.compress(message) + self._stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)


@final
class StreamDecompressor:
    """The receiving end of one connection."""

    def __init__(self, max_message_bytes: int) -> None:
        """Start a stream; `max_message_bytes` is the ceiling of one decoded message."""
        self._max_message_bytes = max_message_bytes
        self._sink = _Sink(max_message_bytes)
        self._stream = zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW_BYTES).stream_writer(
            self._sink, closefd=False
        )

    def decompress(self, frame: bytes) -> bytes:
        """Return the message that `frame` carries.

        Raises:
            RemoteProtocolError: The stream is broken, or the message is larger than the ceiling; the connection is of no more use.
        """
        try:
            self._stream.write(frame)
        except zstandard.ZstdError as error:
            raise RemoteProtocolError(f"the compressed stream is broken: {error}") from error

        return self._sink.take()


class _Sink:
    """Collects what one frame decodes to, up to the ceiling."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._chunks: list[bytes] = []
        self._size = 0

    def write(self, chunk: bytes) -> int:
        self._size += len(chunk)
        if self._size > self._max_bytes:
            raise RemoteProtocolError(
                f"a compressed message is larger than {self._max_bytes} bytes; raise Limits.max_message_bytes if it is wanted"
            )
        self._chunks.append(bytes(chunk))
        return len(chunk)

    def take(self) -> bytes:
        message = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._size = 0
        return message
