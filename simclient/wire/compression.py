"""The zstd notification stream: all binary frames of one connection are one stream, flushed after each message, its window kept.

A frame that is lost is not noticed by the decoder, and a flipped bit need not be: what then comes out does not parse, and is to be
taken for a broken stream. A reconnect starts a fresh stream on both sides.
"""

from __future__ import annotations

import zstandard

from ..errors import RemoteProtocolError

__all__ = ["LEVEL", "MAX_WINDOW_BYTES", "StreamCompressor", "StreamDecompressor"]

LEVEL = 3
"""The level the real server compresses with; it decides the window that a reader needs (2 MiB)."""

MAX_WINDOW_BYTES = 8 * 2**20
"""The largest window that is accepted: without a limit a frame may claim 128 MiB and get it."""

_DEFAULT_MAX_MESSAGE_BYTES = 256 * 2**20


class StreamCompressor:
    """The sending side of one connection."""

    def __init__(self) -> None:
        self._stream = zstandard.ZstdCompressor(level=LEVEL).compressobj()

    def compress(self, message: bytes) -> bytes:
        """Return the frame for `message`; what was sent before shortens it."""
        return self._stream.compress(message) + self._stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)


class StreamDecompressor:
    """The receiving side of one connection; after an error it is of no further use."""

    def __init__(self, max_message_bytes: int = _DEFAULT_MAX_MESSAGE_BYTES) -> None:
        """Begin a stream.

        Args:
            max_message_bytes: The largest message that is decompressed, counted while decompressing.
        """
        self._sink = _Sink(max_message_bytes)
        decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES)
        self._stream = decompressor.stream_writer(self._sink, write_return_read=False, closefd=False)

    def decompress(self, frame: bytes) -> bytes:
        """Return what one binary frame holds; several messages in one frame come out joined, an empty frame is empty.

        Raises:
            RemoteProtocolError: The stream is corrupted, or the message is larger than allowed. Reconnect and resume.
        """
        try:
            self._stream.write(frame)
        except zstandard.ZstdError as error:
            raise RemoteProtocolError(f"the zstd notification stream is corrupted: {error}") from error

        return self._sink.take()


class _Sink:
    """Collects what the decompressor gives, piece by piece, and stops it at the ceiling."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._pieces: list[bytes] = []
        self._size_bytes = 0

    def write(self, piece: bytes) -> int:
        self._size_bytes += len(piece)
        if self._size_bytes > self._most_bytes:
            raise RemoteProtocolError(f"a compressed message is larger than {self._most_bytes} bytes")

        self._pieces.append(bytes(piece))
        return len(piece)

    def take(self) -> bytes:
        pieces, self._pieces, self._size_bytes = self._pieces, [], 0
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)
