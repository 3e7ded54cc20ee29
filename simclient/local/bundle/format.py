"""The bytes of a bundle: prologue, chunks, records. `docs/bundle-format.md` is the specification.

    file     = prologue chunk*
    prologue = magic (8 bytes) version (u32)
    chunk    = length (u32, of the frame, in bytes) frame (one zstd frame: checksum, declared content size)
    content  = record*, whole ones
    record   = length (u32, of kind and body, in bytes) kind (u8) body (msgpack)

Integers are little-endian. Nothing is believed before it was bounded: a length is compared with its limit before that
much is read, and a frame's declared size before it is decompressed. A chunk that fails its checksum yields no record.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import attrs
import msgspec
import zstandard

from .values import BundleAccount, BundleHeader, BundleSlot, Count

__all__ = [
    "MAGIC",
    "MAX_RECORD_BYTES",
    "PROLOGUE",
    "TARGET_CHUNK_BYTES",
    "UINT32",
    "VERSION",
    "BundleEnd",
    "Record",
    "check_frame_length",
    "check_prologue",
    "pack_chunk",
    "pack_record",
    "records_of",
    "unpack_chunk",
]

MAGIC = b"\x8fSIMBDL\n"
"""The first byte is no text and the last is a line end, so a file that was converted as text is seen at once."""
VERSION = 1
MAX_RECORD_BYTES = 32 * 2**20
"""The largest account is 10 MiB, and a full block with all its logs stays below this."""
TARGET_CHUNK_BYTES = 512 * 2**10
"""The writer closes a chunk at the first record that makes it this long: enough to compress well, and soon checked."""
MAX_CHUNK_BYTES = TARGET_CHUNK_BYTES + MAX_RECORD_BYTES
MAX_FRAME_BYTES = MAX_CHUNK_BYTES + MAX_CHUNK_BYTES // 128
"""Incompressible data grows by less than this when compressed."""

PROLOGUE = struct.Struct("<8sI")
UINT32 = struct.Struct("<I")

_COMPRESSION_LEVEL = 15
"""A file is written once and read often; from here on more effort gains a few percent."""


@attrs.frozen(kw_only=True)
class BundleEnd:
    """The last record: without it the file is a part of a bundle, and its counts must agree with what was read."""

    account_count: Count
    slot_count: Count
    transaction_count: Count


Record = BundleHeader | BundleAccount | BundleSlot | BundleEnd

_KINDS: dict[type[Record], int] = {BundleHeader: 1, BundleAccount: 2, BundleSlot: 3, BundleEnd: 4}
_DECODERS: dict[int, msgspec.msgpack.Decoder[Record]] = {
    kind: msgspec.msgpack.Decoder(record_type) for record_type, kind in _KINDS.items()
}
_ENCODER = msgspec.msgpack.Encoder(order="sorted")
"""Sorted keys: the same values give the same bytes on every version of Python."""


def check_prologue(prologue: bytes) -> None:
    """Check the first bytes of a file.

    Raises:
        ValueError: It is not a bundle, or one of a format that is not known here.
    """
    if len(prologue) < PROLOGUE.size or not prologue.startswith(MAGIC):
        raise ValueError("this is not a block bundle")

    _, version = PROLOGUE.unpack(prologue)
    if version > VERSION:
        raise ValueError(f"format version {version} is newer than {VERSION}, the newest known here; upgrade simclient")
    if version < VERSION:
        raise ValueError(f"there is no format version {version}")


def pack_record(record: Record) -> bytes:
    """Return the bytes of one record, which were read back once, so that what is written can be read.

    Raises:
        ValueError: A value is out of its bounds, or the record is too large.
    """
    body = _ENCODER.encode(record)
    length = 1 + len(body)
    if length > MAX_RECORD_BYTES:
        raise ValueError(f"a record of {length} bytes is larger than the limit of {MAX_RECORD_BYTES}")

    kind = _KINDS[type(record)]
    _decode(kind, body)
    return UINT32.pack(length) + bytes([kind]) + body


def records_of(content: bytes) -> Iterator[Record]:
    """Read the records of one chunk, in order.

    Raises:
        ValueError: A record is cut, too large, of an unknown kind or unreadable.
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
        yield _decode(view[body_start - 1], view[body_start:position])


def pack_chunk(content: bytes) -> bytes:
    """Return the bytes of one chunk: the frame with its length before it."""
    compressor = zstandard.ZstdCompressor(
        level=_COMPRESSION_LEVEL, write_checksum=True, write_content_size=True, threads=0
    )
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
        return zstandard.ZstdDecompressor().decompress(frame, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise ValueError(f"a chunk is damaged ({error})") from error


def _decode(kind: int, body: bytes | memoryview) -> Record:
    """Return the record of `kind` in `body`; ValueError if it cannot be read."""
    decoder = _DECODERS.get(kind)
    if decoder is None:
        raise ValueError(f"records of kind {kind} are not known")

    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"a record of kind {kind} is unreadable ({error})") from error
