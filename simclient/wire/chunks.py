"""Files of records in checked chunks: the framing that bundles and recordings share.

    file     = prologue chunk*
    prologue = magic (8 bytes) version (u32)
    chunk    = length (u32, of the frame, in bytes) frame (one zstd frame: checksum, declared content size)
    content  = record*, whole ones
    record   = length (u32, of kind and body, in bytes) kind (u8) body

Integers are little-endian. Nothing is believed before it was bounded: a length is compared with its limit before that
much is read, and a frame's declared size before it is decompressed. A chunk that fails its checksum yields no record.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import TypeVar

import msgspec
import zstandard

__all__ = [
    "MAX_RECORD_BYTES",
    "PROLOGUE",
    "TARGET_CHUNK_BYTES",
    "UINT32",
    "check_frame_length",
    "decode_record",
    "pack_chunk",
    "pack_record",
    "records_of",
    "unpack_chunk",
]

MAX_RECORD_BYTES = 32 * 2**20
"""The largest account is 10 MiB, and a full block with all its logs stays below this."""
TARGET_CHUNK_BYTES = 512 * 2**10
"""A writer closes a chunk at the first record that makes it this long: enough to compress well, and soon checked."""
MAX_CHUNK_BYTES = TARGET_CHUNK_BYTES + MAX_RECORD_BYTES
MAX_FRAME_BYTES = MAX_CHUNK_BYTES + MAX_CHUNK_BYTES // 128
"""Incompressible data grows by less than this when compressed."""

PROLOGUE = struct.Struct("<8sI")
UINT32 = struct.Struct("<I")

_RecordT = TypeVar("_RecordT")


def pack_record(kind: int, body: bytes) -> bytes:
    """Return the bytes of one record.

    Raises:
        ValueError: It is too large.
    """
    length = 1 + len(body)
    if length > MAX_RECORD_BYTES:
        raise ValueError(f"a record of {length} bytes is larger than the limit of {MAX_RECORD_BYTES}")

    return UINT32.pack(length) + bytes((kind,)) + body


def records_of(content: bytes) -> Iterator[tuple[int, memoryview]]:
    """Give the kind and the body of each record of one chunk, in order.

    Raises:
        ValueError: A record is cut or too large.
    """
    view = memoryview(content)
    position = 0
    while position < len(view):
        body_start = position + UINT32.size + 1
        if body_start > len(view):
            raise ValueError("a record is cut by the end of its chunk")
        (length,) = UINT32.unpack_from(view, position)
        if not 1 <= length <= MAX_RECORD_BYTES:
            raise ValueError(f"a record's length of {length} is not between 1 and {MAX_RECORD_BYTES}")

        position = body_start - 1 + length
        if position > len(view):
            raise ValueError("a record is cut by the end of its chunk")
        yield view[body_start - 1], view[body_start:position]


def decode_record(
    decoders: Mapping[int, msgspec.msgpack.Decoder[_RecordT]], kind: int, body: bytes | memoryview
) -> _RecordT:
    """Return the record in `body`, read by the decoder of its kind.

    Raises:
        ValueError: There is no such kind, or the body cannot be read.
    """
    decoder = decoders.get(kind)
    if decoder is None:
        raise ValueError(f"records of kind {kind} are not known")

    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"a record of kind {kind} is unreadable ({error})") from error


def pack_chunk(content: bytes, *, level: int) -> bytes:
    """Return the bytes of one chunk: the frame with its length before it."""
    compressor = zstandard.ZstdCompressor(level=level, write_checksum=True, write_content_size=True, threads=0)
    frame = compressor.compress(content)
    return UINT32.pack(len(frame)) + frame


def check_frame_length(length: int) -> None:
    """Check a frame's length before that much is read.

    Raises:
        ValueError: No frame is that long.
    """
    if not 1 <= length <= MAX_FRAME_BYTES:
        raise ValueError(f"a chunk's length of {length} is not between 1 and {MAX_FRAME_BYTES}")


def unpack_chunk(frame: bytes) -> bytes:
    """Return the content of one frame, verified by its checksum.

    Raises:
        ValueError: The frame is damaged, has no checksum, or declares no size or one beyond the limit.
    """
    try:
        declared = zstandard.get_frame_parameters(frame)
        if not declared.has_checksum:
            raise ValueError("a chunk has no checksum")
        if declared.content_size > MAX_CHUNK_BYTES:
            raise ValueError(f"a chunk declares no size, or one beyond the limit of {MAX_CHUNK_BYTES} bytes")
        content = zstandard.ZstdDecompressor().decompress(frame, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise ValueError(f"a chunk is damaged ({error})") from error

    if not content:  # where a frame declares no content, zstandard looks no further, not even at its checksum
        raise ValueError("a chunk is empty")
    return content
