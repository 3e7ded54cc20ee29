"""Compressed output files: zstd frames one after the other, of which each holds whole lines.

So a file that was cut is readable up to its last whole frame, and more can be written after it. Any zstd tool unpacks it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import zstandard

__all__ = ["COMPRESSED_SUFFIX", "compressed_frame", "whole_frames"]

COMPRESSED_SUFFIX = ".zst"
_LARGEST_BYTES = 64 << 20
"""Of the content of one frame; ours hold what was received in a moment, those of other tools may hold a whole file."""
_READ_BYTES = 1 << 20
_COMPRESSOR = zstandard.ZstdCompressor()


def compressed_frame(lines: bytes) -> bytes:
    """Return whole lines as one frame."""
    return _COMPRESSOR.compress(lines)


def whole_frames(path: Path) -> Iterator[tuple[bytes, int]]:
    """Yield the content of each whole frame, and where in the file it ends.

    Raises:
        OSError: The file cannot be read.
        ValueError: A frame is larger than those that we write.
        zstandard.ZstdError: It is damaged.
    """
    with path.open("rb") as file:
        end, waiting = 0, b""
        while True:
            frame = zstandard.ZstdDecompressor().decompressobj()
            parts: list[bytes] = []
            size = 0
            while not frame.eof:
                read = waiting or file.read(_READ_BYTES)
                if not read:
                    return  # the file ends, or is cut in this frame

                waiting = b""
                parts.append(frame.decompress(read))
                size += len(parts[-1])
                end += len(read)
                if size > _LARGEST_BYTES:
                    raise ValueError("it was compressed by another program")
            waiting = frame.unused_data
            end -= len(waiting)
            yield b"".join(parts), end
