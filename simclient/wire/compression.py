"""The zstd notification stream: all binary frames of one connection are one stream, flushed after each message, its window kept.

A frame that is lost is not noticed by the decoder, and a flipped bit need not be: what then comes out does not parse, and is to be
taken for a broken stream. A reconnect starts a fresh stream on both sides.
"""

from __future__ import annotations

from collections.abc import Iterable

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
        messages, fault = self.decompress_run((frame,))
        if fault is not None:
            raise fault

        return messages[0]

    def decompress_run(self, frames: Iterable[bytes]) -> tuple[list[bytes], RemoteProtocolError | None]:
        """Return what each of the frames holds, in order, as far as the stream is whole; and what broke it."""
        messages: list[bytes] = []
        add, longest = messages.append, self._max_message_bytes
        try:
            for frame in frames:
                if len(frame) > _STEP_BYTES:
                    message = self._decompress_in_steps(frame)
                else:
                    message = self._stream.decompress(frame)
                    if self._stream.eof:
                        message += self._decompress_next()
                if len(message) > longest:
                    raise self._too_large()
                add(message)
        except zstandard.ZstdError as error:
            return messages, RemoteProtocolError(f"the zstd notification stream is corrupted: {error}")
        except RemoteProtocolError as error:
            return messages, error

        return messages, None

    def _decompress_in_steps(self, frame: bytes) -> bytes:
        pieces: list[bytes] = []
        size_bytes = 0
        for start in range(0, len(frame), _STEP_BYTES):
            piece = self._stream.decompress(frame[start : start + _STEP_BYTES])
            if self._stream.eof:
                piece += self._decompress_next()
            pieces.append(piece)
            size_bytes += len(piece)
            if size_bytes > self._max_message_bytes:
                raise self._too_large()
        return b"".join(pieces)

    def _decompress_next(self) -> bytes:
        """The sender has ended its zstd frame and perhaps begun another: decompress what follows the end."""
        message = b""
        while self._stream.eof:
            rest = self._stream.unused_data
            self._stream = self._decompressor.decompressobj()
            message += self._stream.decompress(rest)
        return message

    def _too_large(self) -> RemoteProtocolError:
        return RemoteProtocolError(
            f"a compressed message is larger than {self._max_message_bytes} bytes; raise the limit on messages if it is wanted"
        )
