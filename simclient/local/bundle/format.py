"""The records of a bundle. `docs/reference/bundle-format.md` is the specification; the framing around them is in `wire/chunks.py`."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import msgspec

from ...wire import chunks
from ...wire.chunks import (
    MAX_RECORD_BYTES,
    PROLOGUE,
    TARGET_CHUNK_BYTES,
    UINT32,
    check_frame_length,
    unpack_chunk,
)
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
    kind = _KINDS[type(record)]
    try:
        body = _ENCODER.encode(record)
    except OverflowError as error:
        raise ValueError(f"a number that 64 bits do not hold ({error})") from error

    packed = chunks.pack_record(kind, body)
    chunks.decode_record(_DECODERS, kind, body)
    return packed


def records_of(content: bytes) -> Iterator[Record]:
    """Read the records of one chunk, in order.

    Raises:
        ValueError: A record is cut, too large, of an unknown kind or unreadable.
    """
    for kind, body in chunks.records_of(content):
        yield chunks.decode_record(_DECODERS, kind, body)


def pack_chunk(content: bytes) -> bytes:
    """Return the bytes of one chunk: the frame with its length before it."""
    return chunks.pack_chunk(content, level=_COMPRESSION_LEVEL)
