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

_STEP_BYTES = 1024
"""How much is decompressed before the size is looked at: a block of 4 bytes may hold 128 KiB, so a step gives at most 32 MiB."""


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
        self._max_message_bytes = max_message_bytes
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES)
        self._stream = self._decompressor.decompressobj()

    def decompress(self, frame: bytes) -> bytes:
        """Return what one binary frame holds; several messages in one frame come out joined, an empty frame is empty.

        Raises:
            RemoteProtocolError: The stream is corrupted, or the message is larger than allowed. Reconnect and resume.
        """
        try:
            return self._decompress_in_steps(frame)
        except zstandard.ZstdError as error:
            raise RemoteProtocolError(f"the zstd notification stream is corrupted: {error}") from error

    def _decompress_in_steps(self, frame: bytes) -> bytes:
        message = self._decompress_step(frame[:_STEP_BYTES])
        pieces, size_bytes = [message], len(message)
        for start in range(_STEP_BYTES, len(frame), _STEP_BYTES):
            self._check(size_bytes)
            pieces.append(self._decompress_step(frame[start : start + _STEP_BYTES]))
            size_bytes += len(pieces[-1])
        self._check(size_bytes)
        return message if len(pieces) == 1 else b"".join(pieces)

    def _decompress_step(self, part: bytes) -> bytes:
        """Decompress a part of a frame; the sender may have ended its zstd frame in it, and begun another."""
        message = self._stream.decompress(part)
        while self._stream.eof:
            rest = self._stream.unused_data
            self._stream = self._decompressor.decompressobj()
            message += self._stream.decompress(rest)
        return message

    def _check(self, size_bytes: int) -> None:
        if size_bytes > self._max_message_bytes:
            raise RemoteProtocolError(
                f"a compressed message is larger than {self._max_message_bytes} bytes;"
                " raise the limit on messages if it is wanted"
            )
