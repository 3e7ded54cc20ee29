"""The replay log: what a session has said, kept in order, the newest in memory and the rest on disk, read by cursor.

- Every item has a position, counted from 0; positions never change, also when the oldest items are dropped.
- There is no queue per reader: a reader is a position. A slow one costs nothing until the disk's share is full.
- A full log drops its oldest items, but none that an open reader has yet to read: then `has_room` is false and the writer waits. So a
  slow reader holds up its own session, and nobody else.

Items lie in chunks. The newest chunks are in memory; older ones are written, compressed, to files without a name, which are gone with
the log, whatever happens to the process. Reading and writing a chunk takes about a millisecond, of the processor and not of the disk,
since the files are in the kernel's cache: so both are done in place.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from bisect import bisect_right
from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import BinaryIO, Final, Generic, TypeVar, cast, final

import attrs
import msgspec
import trio
import zstandard

__all__ = ["LogLimits", "Reader", "ReplayLog"]

_T = TypeVar("_T")

_CHUNK_BYTES: Final = 256 * 2**10
"""About what a reader takes at once."""
_CHUNKS_OF_MEMORY: Final = 8
"""A log whose memory is small has smaller chunks: at least so many fit."""
_NEWEST_CHUNKS: Final = 2
"""Always in memory: the one that grows, and the one before, so that the newest item is kept however large it is."""
_FILE_BYTES: Final = 32 * 2**20
"""Written into one file; the space of dropped chunks comes back when their file is closed."""
_CHUNKS_READ: Final = 4
"""Kept decompressed for readers: several that are behind are rarely at the same place."""
_LEVEL: Final = 1
"""Of zstd: several hundred MB a second, to about a fifth."""


@attrs.frozen(kw_only=True)
class LogLimits:
    """How much a log keeps."""

    memory_bytes: int
    """Beyond this the oldest chunks go to disk."""
    disk_bytes: int
    """Beyond this they go altogether; compressed."""


@final
@attrs.define(eq=False)
class Reader:
    """Where somebody is in a log."""

    position: int
    """Of the next item to read."""


@attrs.define(eq=False)
class _Chunk(Generic[_T]):
    first: int
    """The position of its first item."""
    items: list[_T] = attrs.field(factory=list[_T])
    """Empty when it is on disk."""
    size: int = 0
    """In bytes, where it is."""
    file: BinaryIO | None = None
    offset: int = 0


@final
class ReplayLog(Generic[_T]):
    """A bounded log of items.

    Args:
        kind: Their type, as msgspec knows it.
        limits: How much is kept.
    """

    def __init__(self, kind: object, limits: LogLimits) -> None:
        self._limits = limits
        self._chunk_bytes = min(_CHUNK_BYTES, limits.memory_bytes // _CHUNKS_OF_MEMORY)
        self._decoder = msgspec.msgpack.Decoder(list[kind])  # type: ignore[valid-type]
        self._spilled: deque[_Chunk[_T]] = deque()
        self._spilled_bytes = 0
        self._kept: deque[_Chunk[_T]] = deque([_Chunk(0)])
        """In memory; the last one is still growing."""
        self._kept_bytes = 0
        self._read: OrderedDict[int, list[_T]] = OrderedDict()
        """Items of chunks that are on disk, by their first position."""
        self._files: list[BinaryIO] = []
        """The last one is written to."""
        weakref.finalize(self, _close_all, self._files)
        self._readers: set[Reader] = set()
        self.end = 0
        """The position that the next item will have."""

    @property
    def oldest(self) -> int:
        """The position of the oldest item that is kept."""
        return (self._spilled or self._kept)[0].first

    def has_room(self) -> bool:
        """Tell whether another item may be added; if not, a reader has to move on first."""
        self._drop_old()
        return self._spilled_bytes <= self._limits.disk_bytes

    def append(self, item: _T, size: int) -> None:
        """Add an item of so many bytes.

        Raises:
            OSError: There was no room for it on the disk.
        """
        chunk = self._kept[-1]
        chunk.items.append(item)
        chunk.size += size
        self._kept_bytes += size
        self.end += 1
        if chunk.size >= self._chunk_bytes:
            self._kept.append(_Chunk(self.end))
            while self._kept_bytes > self._limits.memory_bytes and len(self._kept) > _NEWEST_CHUNKS:
                self._spill(self._kept[0])
                self._kept.popleft()
            self._drop_old()

    def read(self, position: int, most: int) -> Sequence[_T]:
        """Return up to so many items from a position on, which need not be all there are; none at the end.

        Raises:
            OSError: They cannot be read back.
        """
        assert self.oldest <= position <= self.end, "a position outside the log"
        chunk = self._chunk_at(position)
        items = chunk.items if chunk.file is None else self._loaded(chunk)
        start = position - chunk.first
        return items[start : start + most]

    def add_reader(self, position: int) -> Reader:
        """Keep what lies at `position` and after it until the reader has moved on, or is removed."""
        assert self.oldest <= position <= self.end, "a reader outside the log"
        reader = Reader(position)
        self._readers.add(reader)
        return reader

    def remove_reader(self, reader: Reader) -> None:
        """Forget a reader."""
        self._readers.discard(reader)

    async def put_away(self) -> None:
        """Write everything to disk, chunk by chunk: nothing more will come, and few will ask.

        Raises:
            OSError: There was no room for it on the disk.
        """
        if self._kept[-1].items:
            self._kept.append(_Chunk(self.end))
        while len(self._kept) > 1:
            self._spill(self._kept.popleft())
            await trio.lowlevel.checkpoint()

    def _chunk_at(self, position: int) -> _Chunk[_T]:
        chunks = self._spilled if position < self._kept[0].first else self._kept
        return chunks[bisect_right(chunks, position, key=lambda chunk: chunk.first) - 1]

    def _loaded(self, chunk: _Chunk[_T]) -> list[_T]:
        if chunk.first in self._read:
            self._read.move_to_end(chunk.first)
            return self._read[chunk.first]

        assert chunk.file is not None
        chunk.file.seek(chunk.offset)
        packed = chunk.file.read(chunk.size)
        items = cast("list[_T]", self._decoder.decode(zstandard.decompress(packed)))
        self._read[chunk.first] = items
        if len(self._read) > _CHUNKS_READ:
            self._read.popitem(last=False)
        return items

    def _spill(self, chunk: _Chunk[_T]) -> None:
        packed = zstandard.compress(msgspec.msgpack.encode(chunk.items), _LEVEL)
        file = self._file_to_write()
        offset = file.seek(0, os.SEEK_END)
        _write_all(file, packed)  # where that fails the chunk stays in memory
        chunk.file, chunk.offset = file, offset
        self._kept_bytes -= chunk.size
        chunk.items, chunk.size = [], len(packed)
        self._spilled_bytes += chunk.size
        self._spilled.append(chunk)

    def _drop_old(self) -> None:
        needed = min((reader.position for reader in self._readers), default=self.end)
        while self._spilled_bytes > self._limits.disk_bytes and self._end_of_oldest() <= needed:
            chunk = self._spilled.popleft()
            self._spilled_bytes -= chunk.size
            self._read.pop(chunk.first, None)
            if not self._spilled or self._spilled[0].file is not chunk.file:
                assert chunk.file is not None
                self._files.remove(chunk.file)
                chunk.file.close()

    def _file_to_write(self) -> BinaryIO:
        if not self._files or self._files[-1].seek(0, os.SEEK_END) > _FILE_BYTES:
            self._files.append(cast("BinaryIO", tempfile.TemporaryFile(prefix="simclient-", buffering=0)))  # noqa: SIM115
        return self._files[-1]

    def _end_of_oldest(self) -> int:
        return self._spilled[1].first if len(self._spilled) > 1 else self._kept[0].first


def _close_all(files: list[BinaryIO]) -> None:
    for file in files:
        file.close()


def _write_all(file: BinaryIO, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]
