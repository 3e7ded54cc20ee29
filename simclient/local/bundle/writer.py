"""Writing a bundle: the same values give the same bytes, and a file appears whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from simclient.errors import BundleError

from .format import MAGIC, PROLOGUE, TARGET_CHUNK_BYTES, VERSION, Record, pack_chunk, pack_record
from .rules import BundleRules
from .values import BundleAccount, BundleHeader, BundleSlot

__all__ = ["write_bundle"]


def write_bundle(
    path: Path | str, header: BundleHeader, accounts: Iterable[BundleAccount], slots: Iterable[BundleSlot]
) -> None:
    """Write a bundle, replacing the file at `path` when, and only when, all of it was written.

    Args:
        path: Where to; the directory must exist.
        header: Its `account_count` must be the number of `accounts`.
        accounts: Consumed once, in order.
        slots: Consumed once, after the accounts; ascending. Both may be generators over something large: none is kept.

    Raises:
        BundleError: A value is out of bounds or out of order, or the file cannot be written. What was at `path` before
            is still there.
    """
    path = Path(path)
    with _replacement_of(path) as file:
        for block in _blocks(path, _ordered(header, accounts, slots)):
            with _naming(path):
                file.write(block)


@contextmanager
def _replacement_of(path: Path) -> Generator[BinaryIO]:
    """Give a file that takes the place of `path` if the block ends well, and is removed if not; what is no file is written to."""
    if path.exists() and not path.is_file():  # a device must not be replaced
        with _naming(path), path.open("wb") as device:
            yield device
        return

    path = path.resolve()
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with _naming(path):
        file = part.open("wb")

    try:
        with file:
            yield file
            with _naming(path):
                file.flush()
                os.fsync(file.fileno())
        with _naming(path):
            part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


@contextmanager
def _naming(path: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise BundleError(f"cannot write the bundle {path}: {error.strerror}") from error


def _ordered(
    header: BundleHeader, accounts: Iterable[BundleAccount], slots: Iterable[BundleSlot]
) -> Iterator[BundleHeader | BundleAccount | BundleSlot]:
    yield header
    yield from accounts
    yield from slots


def _blocks(path: Path, records: Iterable[Record]) -> Iterator[bytes]:
    """Yield the bytes of the file, prologue and chunks."""
    yield PROLOGUE.pack(MAGIC, VERSION)

    rules = BundleRules()
    content = bytearray()
    for record in records:
        content += _checked(path, record, rules)
        if len(content) >= TARGET_CHUNK_BYTES:
            yield pack_chunk(bytes(content))
            content.clear()

    content += _checked(path, rules.end(), rules)
    yield pack_chunk(bytes(content))


def _checked(path: Path, record: Record, rules: BundleRules) -> bytes:
    try:
        rules.check(record)
        return pack_record(record)
    except ValueError as error:
        raise BundleError(f"cannot write the bundle {path}: {_name(record)}: {error}") from error


def _name(record: Record) -> str:
    match record:
        case BundleAccount():
            return f"account {record.address.hex()}"
        case BundleSlot():
            return f"slot {record.slot}"
        case BundleHeader():
            return "the header"
        case _:
            return "the end"
