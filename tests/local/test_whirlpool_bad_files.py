"""Whirlpool archives that are wrong in some way: what and where is said, and nothing is written."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from simclient.errors import InputError

from .whirlpool_archive import FIRST_SWAP_LINE, Archive, Json, before_the_day, first_payload, opened_position


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{", "Input data was truncated"),
        (b"[]", "Expected `object`"),
        (b"\xff\n", "not a slot"),
        (b'{"slot":1,"blockHeight":1,"blockTime":1}\n', "transactions"),
        (b'{"slot":-1,"blockHeight":1,"blockTime":1,"transactions":[]}\n', "$.slot"),
        (b'{"slot":18446744073709551616,"blockHeight":1,"blockTime":1,"transactions":[]}\n', "$.slot"),
        (b'{"slot":1,"blockHeight":1,"blockTime":253402300800,"transactions":[]}\n', "$.blockTime"),
        (b'{"slot":1,"blockHeight":1,"blockTime":1,"transactions":[]}\n', "slot 1 comes after slot 128510582"),
    ],
)
def test_a_line_that_is_not_a_slot_is_named(archive: Archive, line: bytes, said: str) -> None:
    """What is wrong with a line is said with the file's name and the line's number."""
    archive.write_lines([*archive.lines()[:2], line])

    with pytest.raises(InputError) as caught:
        archive.load()
    assert f"{archive.transactions}, line 3: " in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"dataAmount": str(2**64)}, "which no u64 holds"),
        ({"dataAmount": "-1"}, "$.dataAmount"),
        ({"dataAmount": "much"}, "$.dataAmount"),
        ({"dataAToB": 2}, "$.dataAToB"),
        ({"keyOracle": "0"}, "$.keyOracle"),
        ({"keyOracle": None}, "$.keyOracle"),
    ],
)
def test_a_swap_that_cannot_be_read_is_named(archive: Archive, change: Json, said: str) -> None:
    """What is wrong with a swap is said with the file's name and the line's number."""
    archive.change_slot(FIRST_SWAP_LINE, lambda slot: first_payload(slot).update(change))

    with pytest.raises(InputError) as caught:
        archive.load()
    assert f"{archive.transactions}, line {FIRST_SWAP_LINE}: " in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize("change", [{"signature": "abc"}, {"signature": 5}, {"payer": "l"}])
def test_a_transaction_that_cannot_be_read_is_named(archive: Archive, change: Json) -> None:
    """A signature or a payer that is not one is said with its place in the line."""
    archive.change_slot(FIRST_SWAP_LINE, lambda slot: slot["transactions"][0].update(change))

    with pytest.raises(InputError, match=rf"line {FIRST_SWAP_LINE}: .*\$\.transactions\[0\]\.{next(iter(change))}"):
        archive.load()


def test_a_balance_that_no_u64_holds_is_named(archive: Archive) -> None:
    """A bundle cannot hold such a balance, so the line is refused."""
    balance = {"post": str(2**64)}
    archive.change_slot(FIRST_SWAP_LINE, lambda slot: slot["transactions"][0]["balances"][0].update(balance))

    with pytest.raises(InputError, match=rf"line {FIRST_SWAP_LINE}: a balance of .* that no u64 holds"):
        archive.load()


def test_a_file_without_slots_is_refused(archive: Archive) -> None:
    """There is no bundle without a slot."""
    archive.write_lines([])

    with pytest.raises(InputError, match="has no slots"):
        archive.load()


@pytest.mark.parametrize("name", ["state", "transactions", "program"])
def test_a_file_that_ends_early_is_named(archive: Archive, name: str) -> None:
    """A cut-off download is said to be one."""
    path: Path = getattr(archive, name)
    path.write_bytes(path.read_bytes()[:-20])

    with pytest.raises(InputError, match=f"cannot read {path}"):
        archive.load()


@pytest.mark.parametrize("name", ["state", "transactions", "program"])
def test_a_file_that_is_not_there_is_named(archive: Archive, name: str) -> None:
    """A path that was mistyped is said."""
    path: Path = getattr(archive, name)
    path.unlink()

    with pytest.raises(InputError, match=f"cannot read {path}"):
        archive.load()


def test_a_program_that_is_not_one_is_refused(archive: Archive) -> None:
    """Files given in another order are noticed before anything is written."""
    archive.program.write_bytes(archive.transactions.read_bytes())

    with pytest.raises(InputError, match="not a gzipped ELF file"):
        archive.load()


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"slot":1,"accounts":[{"pubkey":"1","data":""}]}', b"\xff"])
def test_a_state_that_is_not_one_is_refused(archive: Archive, content: bytes) -> None:
    """What is wrong with the state is said with the file's name."""
    archive.state.write_bytes(gzip.compress(content))

    with pytest.raises(InputError, match=f"cannot read the state {archive.state}"):
        archive.load()


def test_a_failed_import_leaves_the_output_alone(archive: Archive) -> None:
    """What was there before is still there when the files turn out to be wrong."""
    archive.output.write_bytes(b"before")
    archive.write_lines([*archive.lines(), b"{"])

    with pytest.raises(InputError):
        archive.load()
    assert archive.output.read_bytes() == b"before"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"dataLiquidityAmount": str(2**128)},
            "$.dataLiquidityAmount is 340282366920938463463374607431768211456, which",
        ),
        ({"dataLiquidityAmount": True}, "$.dataLiquidityAmount is not a number"),
        ({"keyPosition": "0"}, "$.keyPosition"),
        ({"keyPosition": None}, "$.keyPosition is not an address"),
    ],
)
def test_an_instruction_that_cannot_be_read_is_named(archive: Archive, change: Json, said: str) -> None:
    """What is wrong with it is said with the file's name and the line's number."""
    before_the_day(archive)
    [_, increase, *_] = opened_position(archive)
    increase["payload"].update(change)
    archive.change_slot(FIRST_SWAP_LINE, lambda slot: slot["transactions"][0].update(instructions=[increase]))

    with pytest.raises(InputError) as caught:
        archive.load()
    assert f"{archive.transactions}, line {FIRST_SWAP_LINE}: a increaseLiquidity that cannot be read" in str(
        caught.value
    )
    assert said in str(caught.value)
