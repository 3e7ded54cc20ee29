"""Reading a bundle: forward, once, one chunk in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, final

from simclient.errors import BundleError

from .format import (
    PROLOGUE,
    UINT32,
    BundleEnd,
    Record,
    check_frame_length,
    check_prologue,
    records_of,
    unpack_chunk,
)
from .rules import BadBlockhash, BundleRules
from .values import BundleAccount, BundleHeader, BundleSlot

__all__ = ["BlockhashError", "BundleReader", "open_bundle"]


class BlockhashError(BundleError):
    """The blockhash of a slot cannot be one."""


def open_bundle(path: Path | str) -> BundleReader:
    """Open a bundle and read its header; use the result in a `with` block.

    Raises:
        BundleError: There is no such file, or it is not a bundle that can be read here.
    """
    path = Path(path)
    try:
        file = path.open("rb")
    except OSError as error:
        raise BundleError(f"cannot open the bundle {path}: {error.strerror}") from error

    try:
        return BundleReader(path, file)
    except BaseException:
        file.close()
        raise


@final
class BundleReader:
    """An open bundle, made by `open_bundle`.

    It is read forward, and once: the accounts, then the slots. Both raise `BundleError`, with the file's name and the
    place in it, at the first record that is damaged, missing or out of order; every record before that one was good.

    Attributes:
        path: The file.
        header: Its header, already read.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self._file = file
        self._records = _Records(path, file)
        self._ahead: Record | None = None
        self._accounts_over = False
        first = self._records.take()
        assert isinstance(first, BundleHeader), "the rules let nothing else be the first record"
        self.header = first

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; may be called again."""
        self._file.close()

    def reopen(self) -> None:
        """Go on with a file of one's own, at the same place: a forked process shares the place in the one that it inherited.

        Raises:
            BundleError: The file is no longer there.
        """
        place = self._file.tell()
        try:
            self._file = self.path.open("rb")
        except OSError as error:
            raise BundleError(f"cannot open the bundle {self.path} again: {error.strerror}") from error

        self._file.seek(place)
        self._records.go_on_with(self._file)

    def accounts(self) -> Iterator[BundleAccount]:
        """Read the accounts as they were before the first slot.

        Raises:
            BundleError: The file is damaged, or it was already read past its accounts.
        """
        if self._accounts_over:
            raise BundleError(f"{self.path} was already read past its accounts; open it again to read them again")

        while isinstance(record := self._look_ahead(), BundleAccount):
            self._ahead = None
            yield record
        self._accounts_over = True

    def slots(self) -> Iterator[BundleSlot]:
        """Read the slots in ascending order, from where the last call left off; accounts not yet read are passed over.

        Raises:
            BundleError: The file is damaged.
        """
        self._accounts_over = True
        while not isinstance(record := self._look_ahead(), BundleEnd):
            self._ahead = None
            if isinstance(record, BundleSlot):
                yield record

    def _look_ahead(self) -> Record:
        """Return the next record without using it up."""
        if self._file.closed:
            raise BundleError(f"{self.path} was closed; open it again to read it")

        if self._ahead is None:
            self._ahead = self._records.take()
        return self._ahead


@final
class _Records:
    """All records of a file in order, each checked; a failure is final and names the place."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file
        self._rules = BundleRules()
        self._chunk: Iterator[Record] = iter(())
        self._chunk_offset = 0
        self._record_number = 0
        self._failure = ""

    def go_on_with(self, file: BinaryIO) -> None:
        """Read from another file object of the same file."""
        self._file = file

    def take(self) -> Record:
        """Return the next record; the end record is the last that may be taken.

        Raises:
            BundleError: It cannot be read, or must not stand where it does.
        """
        if self._failure:
            raise BundleError(self._failure)

        try:
            return self._take()
        except OSError as error:
            self._failure = f"cannot read the bundle {self._path}: {self._place()}: {error.strerror}"
            raise BundleError(self._failure) from error
        except ValueError as error:
            self._failure = f"cannot use the bundle {self._path}: {self._place()}: {error}"
            kind = BlockhashError if isinstance(error, BadBlockhash) else BundleError
            raise kind(self._failure) from error

    def _take(self) -> Record:
        if self._file.tell() == 0:
            check_prologue(self._file.read(PROLOGUE.size))

        while (record := self._next_of_chunk()) is None:
            self._open_chunk()
        self._rules.check(record)
        if isinstance(record, BundleEnd):
            self._check_nothing_follows()
        return record

    def _open_chunk(self) -> None:
        self._chunk_offset = self._file.tell()
        self._record_number = 0
        (length,) = UINT32.unpack(self._read_exactly(UINT32.size))
        check_frame_length(length)
        self._chunk = records_of(unpack_chunk(self._read_exactly(length)))

    def _next_of_chunk(self) -> Record | None:
        self._record_number += 1
        return next(self._chunk, None)

    def _place(self) -> str:
        if self._record_number == 0:
            return f"byte {self._chunk_offset}"

        return f"chunk at byte {self._chunk_offset}, record {self._record_number}"

    def _read_exactly(self, length: int) -> bytes:
        data = self._file.read(length)
        if len(data) < length:
            raise ValueError("the file ends here, before the bundle does; it is a part of one")

        return data

    def _check_nothing_follows(self) -> None:
        if next(self._chunk, None) is not None or self._file.read(1):
            raise ValueError("something follows the end record")
