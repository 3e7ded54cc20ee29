"""The file format: what is written is read again, and what is damaged is refused by name and place."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import attrs
import pytest
import zstandard

from simclient.errors import BundleError
from simclient.local.bundle import (
    BundleAccount,
    BundleHeader,
    BundleSlot,
    BundleTransaction,
    RecordedOutcome,
    RecordedTokenBalance,
    Signatures,
    open_bundle,
    write_bundle,
)
from simclient.local.bundle.format import (
    MAGIC,
    PROLOGUE,
    TARGET_CHUNK_BYTES,
    UINT32,
    BundleEnd,
    Record,
    pack_chunk,
    pack_record,
)

OUTCOME = RecordedOutcome(
    is_success=False,
    error='{"InstructionError":[0,{"Custom":1}]}',
    fee=5_000,
    compute_units=76,
    logs=("Program log: one",),
    post_balances=(2**64 - 1, 0),
    token_balances=(RecordedTokenBalance(address=b"t" * 32, pre_amount=5, post_amount=4),),
)
ACCOUNTS = (
    BundleAccount(address=b"a" * 32, lamports=2**64 - 1, owner=bytes(32), data=b"", executable=False),
    BundleAccount(address=b"b" * 32, lamports=1, owner=b"o" * 32, data=b"\x00\xff", executable=True),
)
SLOTS = (
    BundleSlot(slot=10, parent_slot=7, blockhash=b"h" * 32, block_height=3, block_time=1_700_000_000),
    BundleSlot(
        slot=12,
        parent_slot=10,
        blockhash=b"i" * 32,
        block_height=4,
        block_time=1_700_000_001,
        transactions=(BundleTransaction(wire=b"one", recorded=OUTCOME), BundleTransaction(wire=b"two")),
    ),
)
HEADER = BundleHeader(
    name="small",
    start_slot=10,
    end_slot=13,
    created_by="a test",
    origin="made up",
    account_count=len(ACCOUNTS),
    signatures=Signatures.ABSENT,
    builtins=(b"p" * 32,),
)
END = BundleEnd(account_count=2, slot_count=2, transaction_count=2)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "small.bundle"


def write_records(path: Path, *records: Record) -> None:
    """Write a file that is well-formed whatever its records say."""
    content = b"".join(pack_record(record) for record in records)
    path.write_bytes(PROLOGUE.pack(MAGIC, 1) + pack_chunk(content))


def read_all(path: Path) -> tuple[BundleHeader, list[BundleAccount], list[BundleSlot]]:
    with open_bundle(path) as bundle:
        return bundle.header, list(bundle.accounts()), list(bundle.slots())


def test_what_was_written_is_read_again(path: Path) -> None:
    """Every field of every record comes back as it was."""
    write_bundle(path, HEADER, ACCOUNTS, SLOTS)

    assert read_all(path) == (HEADER, list(ACCOUNTS), list(SLOTS))


def test_the_same_values_give_the_same_bytes(path: Path, tmp_path: Path) -> None:
    """Two files of the same values are equal byte for byte."""
    write_bundle(path, HEADER, ACCOUNTS, SLOTS)
    write_bundle(tmp_path / "again", HEADER, iter(ACCOUNTS), iter(SLOTS))

    assert path.read_bytes() == (tmp_path / "again").read_bytes()


def test_slots_can_be_read_without_the_accounts(path: Path) -> None:
    """Accounts that nobody read are passed over."""
    write_bundle(path, HEADER, ACCOUNTS, SLOTS)

    with open_bundle(path) as bundle:
        assert list(bundle.slots()) == list(SLOTS)


def test_reading_goes_on_where_it_stopped(path: Path) -> None:
    """Leaving a loop loses no record."""
    write_bundle(path, HEADER, ACCOUNTS, SLOTS)

    with open_bundle(path) as bundle:
        assert [next(bundle.accounts()), *bundle.accounts()] == list(ACCOUNTS)
        assert [next(bundle.slots()), *bundle.slots()] == list(SLOTS)


def test_accounts_are_not_read_twice(path: Path) -> None:
    """Going back is refused with what to do instead."""
    write_bundle(path, HEADER, ACCOUNTS, SLOTS)

    with open_bundle(path) as bundle:
        list(bundle.accounts())
        with pytest.raises(BundleError, match="open it again"):
            list(bundle.accounts())


def test_a_closed_bundle_cannot_be_read(path: Path) -> None:
    """Reading after the block is a plain error."""
    write_bundle(path, HEADER, ACCOUNTS, SLOTS)
    with open_bundle(path) as bundle:
        pass

    with pytest.raises(BundleError, match="was closed"):
        list(bundle.slots())


def test_only_one_chunk_is_in_memory(path: Path) -> None:
    """The reader has read no more of the file than the chunk of the account it gave."""
    count = 40
    large = [
        attrs.evolve(ACCOUNTS[0], address=bytes([n]) * 32, data=os.urandom(TARGET_CHUNK_BYTES // 2))
        for n in range(count)
    ]
    write_bundle(path, attrs.evolve(HEADER, account_count=count), large, SLOTS)

    with path.open("rb") as file, open_bundle(path) as bundle:
        accounts = bundle.accounts()
        assert next(accounts) == large[0]
        assert bundle._file.tell() < len(file.read()) // 10  # pyright: ignore[reportPrivateUsage]
        assert list(accounts) == large[1:]


def test_every_cut_is_noticed(path: Path) -> None:
    """A file that ends too early at any byte is refused, with its name."""
    write_bundle(path, HEADER, ACCOUNTS, SLOTS)
    whole = path.read_bytes()

    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(BundleError, match=path.name):
            read_all(path)


def test_every_flipped_bit_is_noticed(path: Path) -> None:
    """A single wrong bit anywhere is refused, or changes nothing that is read."""
    write_bundle(path, HEADER, ACCOUNTS, SLOTS)
    whole = path.read_bytes()
    expected = read_all(path)

    for position in range(len(whole) * 8):
        damaged = bytearray(whole)
        damaged[position // 8] ^= 1 << position % 8
        path.write_bytes(damaged)
        with suppress(BundleError):
            assert read_all(path) == expected


def test_a_cut_between_chunks_is_noticed(path: Path) -> None:
    """Without the end record the file is a part of a bundle, and is called that."""
    write_records(path, HEADER, *ACCOUNTS, *SLOTS)

    with pytest.raises(BundleError, match="before the bundle does"):
        read_all(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a block bundle"),
        (b"PK\x03\x04 another kind of file", "not a block bundle"),
        (PROLOGUE.pack(MAGIC, 2), "version 2 is newer than 1, the newest known here; upgrade simclient"),
        (PROLOGUE.pack(MAGIC, 0), "no format version 0"),
        (PROLOGUE.pack(MAGIC, 1) + UINT32.pack(2**32 - 1), "byte 12: a chunk's length of 4294967295"),
        (PROLOGUE.pack(MAGIC, 1) + UINT32.pack(4) + b"junk", "byte 12: a chunk is damaged"),
        (PROLOGUE.pack(MAGIC, 1) + pack_chunk(b"\x05\x00"), "record 1: a record is cut"),
        (PROLOGUE.pack(MAGIC, 1) + pack_chunk(b"\x05\x00\x00\x00\x01"), "record 1: a record is cut"),
        (PROLOGUE.pack(MAGIC, 1) + pack_chunk(b"\x00\x00\x00\x00\x01"), "record's length of 0"),
        (PROLOGUE.pack(MAGIC, 1) + pack_chunk(b"\x02\x00\x00\x00\x09\x80"), "kind 9 are not known"),
        (PROLOGUE.pack(MAGIC, 1) + pack_chunk(b"\x02\x00\x00\x00\x01\x80"), "unreadable .*missing required field"),
        (PROLOGUE.pack(MAGIC, 1) + pack_chunk(pack_record(HEADER) + b"\x02\x00\x00\x00\x02\xc1"), "record 2: "),
    ],
)
def test_a_damaged_file_is_refused_with_the_place(path: Path, content: bytes, message: str) -> None:
    """Each kind of damage has its own words."""
    path.write_bytes(content)

    with pytest.raises(BundleError, match=message):
        read_all(path)


def frame(content: bytes, *, checksum: bool = True, size: bool = True) -> bytes:
    compressor = zstandard.ZstdCompressor(level=19, write_checksum=checksum, write_content_size=size)
    packed = compressor.compress(content)
    return UINT32.pack(len(packed)) + packed


@pytest.mark.parametrize(
    ("chunk", "message"),
    [
        (frame(bytes(200 * 2**20)), "beyond the limit"),
        (frame(pack_record(HEADER), size=False), "declares no size"),
        (frame(pack_record(HEADER), checksum=False), "no checksum"),
        (UINT32.pack(16) + bytes.fromhex("28b52ffde40000000000010000") + b"\x01\x00\x00", "beyond the limit"),
    ],
    ids=["bomb", "no-size", "no-checksum", "forged-tebibyte"],
)
def test_a_frame_is_not_believed(path: Path, chunk: bytes, message: str) -> None:
    """A frame that is a bomb, or could be one, is refused before it is decompressed."""
    path.write_bytes(PROLOGUE.pack(MAGIC, 1) + chunk)

    with pytest.raises(BundleError, match=message):
        read_all(path)


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ((ACCOUNTS[0],), "first record is not the header"),
        ((HEADER, HEADER), "second header"),
        ((HEADER, ACCOUNTS[0], SLOTS[0]), "1 accounts, not the 2"),
        ((HEADER, *ACCOUNTS, ACCOUNTS[0]), "more accounts than the 2"),
        ((HEADER, *ACCOUNTS, SLOTS[0], ACCOUNTS[0]), "account after the first slot"),
        ((HEADER, *ACCOUNTS, SLOTS[1], SLOTS[0]), "slot 10 comes after slot 12"),
        ((HEADER, *ACCOUNTS, SLOTS[0], SLOTS[0]), "slot 10 comes after slot 10"),
        ((HEADER, *ACCOUNTS, attrs.evolve(SLOTS[0], slot=14)), "slot 14 is outside"),
        ((HEADER, *ACCOUNTS, attrs.evolve(SLOTS[0], parent_slot=10)), "parent 10, which is not before it"),
        ((HEADER, *ACCOUNTS, SLOTS[0], attrs.evolve(SLOTS[1], parent_slot=9)), "parent 9, but follows slot 10"),
        ((HEADER, *ACCOUNTS, END), "counts disagree"),
        ((HEADER, *ACCOUNTS, *SLOTS, END, END), "something follows the end"),
        ((attrs.evolve(HEADER, end_slot=9),), "last slot 9 is before the first, 10"),
    ],
)
def test_records_out_of_order_are_refused(path: Path, records: tuple[Record, ...], message: str) -> None:
    """The reader believes no order that the format does not allow."""
    write_records(path, *records)

    with pytest.raises(BundleError, match=message):
        read_all(path)


def test_a_failure_stays(path: Path) -> None:
    """Reading on after an error gives the same error again, not more records."""
    write_records(path, HEADER, *ACCOUNTS)

    with open_bundle(path) as bundle:
        for _ in range(2):
            with pytest.raises(BundleError, match="before the bundle does"):
                list(bundle.slots())


def test_fields_of_a_later_writer_are_ignored(path: Path) -> None:
    """A field that is not known here does no harm."""
    body = b"\x84\xa7unknown\x01" + pack_record(END)[6:]
    end = UINT32.pack(1 + len(body)) + b"\x04" + body
    content = b"".join(pack_record(record) for record in (HEADER, *ACCOUNTS, *SLOTS)) + end
    path.write_bytes(PROLOGUE.pack(MAGIC, 1) + pack_chunk(content))

    assert read_all(path)[0] == HEADER


def test_a_missing_file_is_named(path: Path) -> None:
    """The message says which file there is not."""
    with pytest.raises(BundleError, match=r"small\.bundle: No such file"):
        open_bundle(path)


@pytest.mark.parametrize(
    ("accounts", "slots", "message"),
    [
        (ACCOUNTS[:1], SLOTS, "slot 10: there are 1 accounts"),
        (ACCOUNTS, SLOTS[::-1], "slot 10: slot 10 comes after slot 12"),
        ((attrs.evolve(ACCOUNTS[0], lamports=-1), ACCOUNTS[1]), SLOTS, "account 6161.*lamports"),
        ((attrs.evolve(ACCOUNTS[0], lamports=2**64), ACCOUNTS[1]), SLOTS, "account 6161.*64 bits do not hold"),
        ((attrs.evolve(ACCOUNTS[0], owner=b"short"), ACCOUNTS[1]), SLOTS, "account 6161.*owner"),
        ((attrs.evolve(ACCOUNTS[0], data=bytes(10 * 2**20 + 1)), ACCOUNTS[1]), SLOTS, "account 6161.*data"),
    ],
)
def test_what_could_not_be_read_is_not_written(
    path: Path, accounts: tuple[BundleAccount, ...], slots: tuple[BundleSlot, ...], message: str
) -> None:
    """The writer refuses what the reader would, and leaves the old file and nothing else."""
    path.write_bytes(b"the file before")

    with pytest.raises(BundleError, match=message):
        write_bundle(path, HEADER, accounts, slots)
    assert path.read_bytes() == b"the file before"
    assert list(path.parent.iterdir()) == [path]


def test_a_failing_source_leaves_nothing(path: Path) -> None:
    """An error of the caller's own generator comes out unchanged, and no file stays."""

    def broken() -> Iterator[BundleAccount]:
        yield ACCOUNTS[0]
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        write_bundle(path, HEADER, broken(), SLOTS)
    assert list(path.parent.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """The message says which file could not be made."""
    with pytest.raises(BundleError, match=r"nowhere.*No such file"):
        write_bundle(tmp_path / "nowhere" / "x.bundle", HEADER, ACCOUNTS, SLOTS)


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    """So is a device: `--output /dev/full` as root must not make a file of it."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    write_bundle(path, HEADER, ACCOUNTS, SLOTS)

    assert os.read(reader, 4) == b"\x8fSIM"
    os.close(reader)
    assert path.is_fifo()
