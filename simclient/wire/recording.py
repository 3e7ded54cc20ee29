"""Recordings: a session as it came, in one file. `docs/reference/recording-format.md` is the specification.

The framing is that of `chunks`; this module says what the records are, writes them, and reads them from bytes as they come. A recording is
written while the session runs, so it may be cut anywhere: everything before the cut is read, and the decoder says that there was one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final, final

import msgspec
from msgspec import Meta

from ..errors import RemoteProtocolError
from .chunks import (
    PROLOGUE,
    TARGET_CHUNK_BYTES,
    UINT32,
    check_frame_length,
    decode_record,
    pack_chunk,
    pack_record,
    records_of,
    unpack_chunk,
)
from .subscriptions import SubscriptionKey

__all__ = [
    "MAGIC",
    "VERSION",
    "ControlMoment",
    "DataMoment",
    "Moment",
    "ReadChunk",
    "RecordedKey",
    "RecordingDecoder",
    "RecordingEncoder",
    "RecordingEnd",
    "RecordingHeader",
    "compressed",
    "moments_at",
]

MAGIC: Final = b"\x8fSIMREC\n"
"""The first byte is no text and the last is a line end, so a file that was converted as text is seen at once."""
VERSION: Final = 1

_COMPRESSION_LEVEL = 3
"""A recording is written while the session runs: fast matters more than small."""
_HEADER, _CONTROL, _DATA, _END = range(1, 5)
_Slot = Annotated[int, Meta(ge=0)]
_Microseconds = Annotated[int, Meta(ge=0)]


class RecordedKey(msgspec.Struct, frozen=True, kw_only=True):
    """One subscription of the session."""

    method: str
    """Such as `accountDiffSubscribe`."""
    address: str
    """Empty for one that concerns the session as a whole."""
    is_program: bool = False

    @classmethod
    def of(cls, key: SubscriptionKey) -> RecordedKey:
        """Return the key as it is recorded."""
        return cls(method=key.method, address=key.address, is_program=key.is_program)


class RecordingHeader(msgspec.Struct, frozen=True, kw_only=True):
    """What was recorded."""

    created_by: str
    """The program that wrote the file."""
    url: str
    """The server, without credentials."""
    start_slot: _Slot
    end_slot: _Slot
    """Inclusive."""
    started_utc: str
    """When the session was there, RFC 3339."""
    keys: tuple[RecordedKey, ...] = ()
    origin: dict[str, str] = {}
    """Where the blocks are from, as far as that was known."""


class ControlMoment(msgspec.Struct, frozen=True, array_like=True):
    """An event of the control plane, as it was given to the user."""

    at_microseconds: _Microseconds
    """Since the session was there."""
    message: bytes
    """JSON, as the server says it, without its sequence number."""


class DataMoment(msgspec.Struct, frozen=True, array_like=True):
    """A notification, as it was given to the user."""

    at_microseconds: _Microseconds
    """Since the session was there."""
    message: bytes
    """The bytes as they came, decompressed."""


class RecordingEnd(msgspec.Struct, frozen=True, kw_only=True):
    """The last record: how the session ended, and how much there is."""

    status: str
    """`completed`, `cancelled` or `failed`."""
    reason: str | None = None
    control_count: int
    data_count: int


Moment = ControlMoment | DataMoment


@final
class RecordingEncoder:
    """Collects records and gives them out as the bytes of chunks; compressing is left to the caller's thread."""

    def __init__(self) -> None:
        self._content = bytearray()
        self._control_count = self._data_count = 0
        self._encoder = msgspec.msgpack.Encoder()

    @staticmethod
    def prologue() -> bytes:
        """Return the first bytes of a file."""
        return PROLOGUE.pack(MAGIC, VERSION)

    @property
    def waiting_bytes(self) -> int:
        """What was collected and not yet taken, uncompressed."""
        return len(self._content)

    def begin(self, header: RecordingHeader) -> None:
        """Write the header; the first record."""
        self._add(_HEADER, header)

    def control(self, at_microseconds: int, message: bytes) -> None:
        """Write a control event.

        Raises:
            ValueError: It is too large.
        """
        self._add(_CONTROL, ControlMoment(at_microseconds, message))
        self._control_count += 1

    def data(self, at_microseconds: int, message: bytes) -> None:
        """Write a notification.

        Raises:
            ValueError: It is too large.
        """
        self._add(_DATA, DataMoment(at_microseconds, message))
        self._data_count += 1

    def end(self, status: str, reason: str | None) -> None:
        """Write the end; the last record."""
        counts = {"control_count": self._control_count, "data_count": self._data_count}
        self._add(_END, RecordingEnd(status=status, reason=reason, **counts))

    def take(self) -> bytes:
        """Return what was collected, for `compressed`, and forget it."""
        content, self._content = bytes(self._content), bytearray()
        return content

    def _add(self, kind: int, record: msgspec.Struct) -> None:
        self._content += pack_record(kind, self._encoder.encode(record))


def compressed(content: bytes) -> bytes:
    """Return the chunks of what an encoder collected: one for every so many bytes, at the ends of records."""
    chunks: list[bytes] = []
    start = position = 0
    while position < len(content):
        (length,) = UINT32.unpack_from(content, position)
        position += UINT32.size + length
        if position - start >= TARGET_CHUNK_BYTES or position == len(content):
            chunks.append(pack_chunk(content[start:position], level=_COMPRESSION_LEVEL))
            start = position
    return b"".join(chunks)


class ReadChunk(msgspec.Struct, frozen=True):
    """What one chunk holds."""

    offset: int
    """Where it begins in the file, in bytes."""
    moments: list[Moment]


def moments_at(frame: bytes) -> list[Moment]:
    """Read the moments of one frame again, that was read before as a part of its file.

    Raises:
        ValueError: It is damaged.
    """
    records = (decode_record(_DECODERS, kind, body) for kind, body in records_of(unpack_chunk(frame)))
    return [record for record in records if isinstance(record, ControlMoment | DataMoment)]


@final
class RecordingDecoder:
    """Reads a recording from bytes as they come.

    Attributes:
        header: Once it was read.
        end: Once it was read: then the recording is whole.
        damage: Why nothing can be read any more, and where; None while all is well. What was given before is good.
    """

    def __init__(self) -> None:
        self.header: RecordingHeader | None = None
        self.end: RecordingEnd | None = None
        self.damage: str | None = None
        self._buffer = bytearray()
        self._offset = 0
        self._has_prologue = False
        self._counts = [0, 0]

    def feed(self, data: bytes) -> list[ReadChunk]:
        """Take the next bytes of the file, and return the chunks that are whole now.

        Raises:
            RemoteProtocolError: This is not a recording, or one of a format that is not known here.
        """
        self._buffer += data
        if not self._has_prologue and not self._read_prologue():
            return []

        found: list[ReadChunk] = []
        while self.damage is None and (frame := self._next_frame()) is not None:
            chunk = ReadChunk(self._offset, [])
            found.append(chunk)
            try:
                chunk.moments.extend(self._moments_of(frame))
            except ValueError as error:
                self._damaged(str(error))
            else:
                self._offset += UINT32.size + len(frame)
                del self._buffer[: UINT32.size + len(frame)]
        return found

    def finish(self) -> None:
        """The file has ended.

        Raises:
            RemoteProtocolError: It was not even the beginning of a recording.
        """
        if not self._has_prologue or self.header is None:
            raise RemoteProtocolError("this is not a recording, or its beginning is damaged", excerpt="")
        if self.end is None and self.damage is None:
            self._damaged("the file ends here, before the recording does")

    def _damaged(self, why: str) -> None:
        self.damage = f"byte {self._offset}: {why}"

    def _read_prologue(self) -> bool:
        if len(self._buffer) < PROLOGUE.size:
            return False

        if not self._buffer.startswith(MAGIC):
            raise RemoteProtocolError("this is not a recording", excerpt="")
        _, version = PROLOGUE.unpack_from(self._buffer)
        if version != VERSION:
            raise RemoteProtocolError(
                f"recordings of format version {version} cannot be read here, only {VERSION}", excerpt=""
            )
        self._has_prologue = True
        self._offset = PROLOGUE.size
        del self._buffer[: PROLOGUE.size]
        return True

    def _next_frame(self) -> bytes | None:
        """Return the next whole frame; None where more bytes are needed, or nothing more can be read."""
        if len(self._buffer) < UINT32.size:
            return None

        (length,) = UINT32.unpack_from(self._buffer)
        try:
            check_frame_length(length)
        except ValueError as error:
            self._damaged(str(error))
            return None
        if len(self._buffer) < UINT32.size + length:
            return None
        return bytes(self._buffer[UINT32.size : UINT32.size + length])

    def _moments_of(self, frame: bytes) -> Iterator[Moment]:
        for kind, body in records_of(unpack_chunk(frame)):
            if self.end is not None:
                raise ValueError("something follows the end record")
            record = decode_record(_DECODERS, kind, body)
            match record:
                case RecordingHeader():
                    if self.header is not None:
                        raise ValueError("there is a second header")
                    self.header = record
                case _ if self.header is None:
                    raise ValueError("the first record is not the header")
                case RecordingEnd():
                    self._check_end(record)
                    self.end = record
                case ControlMoment() | DataMoment():
                    self._counts[isinstance(record, DataMoment)] += 1
                    yield record

    def _check_end(self, end: RecordingEnd) -> None:
        if [end.control_count, end.data_count] != self._counts:
            raise ValueError("the end record's counts disagree with what was read")


_DECODERS: dict[int, msgspec.msgpack.Decoder[RecordingHeader | ControlMoment | DataMoment | RecordingEnd]] = {
    _HEADER: msgspec.msgpack.Decoder(RecordingHeader),
    _CONTROL: msgspec.msgpack.Decoder(ControlMoment),
    _DATA: msgspec.msgpack.Decoder(DataMoment),
    _END: msgspec.msgpack.Decoder(RecordingEnd),
}
