"""Bad input is refused before anything is sent, with the value and the way out."""

from __future__ import annotations

import pytest

from simclient.errors import InputError
from simclient.session.request import continue_request, continue_to_request, slot_range
from simclient.wire.accounts import AccountData

SYSTEM = "1" * 32


def test_an_end_is_inclusive() -> None:
    """From 100 to 110 is eleven slots."""
    assert slot_range(100, end_slot=110) == (100, 110)


def test_a_count_is_past_the_start() -> None:
    """As in the Rust builder: a count of 10 from 100 ends at 110."""
    assert slot_range(100, slot_count=10) == (100, 110)


@pytest.mark.parametrize(
    ("start", "end", "count", "message"),
    [
        (100, 99, None, "reversed: end_slot 99 is before start_slot 100"),
        (100, None, None, "neither"),
        (100, 110, 10, "both"),
        (-1, 5, None, "start_slot must be a whole number"),
        (True, 5, None, "start_slot must be a whole number"),
        (2**64, 2**64, None, "start_slot"),
        (2**64 - 1, None, 1, "start_slot \\+ slot_count"),
        (1, None, -1, "slot_count"),
    ],
)
def test_a_bad_range_is_named(start: int, end: int | None, count: int | None, message: str) -> None:
    """Each mistake has its own words."""
    with pytest.raises(InputError, match=message):
        slot_range(start, end_slot=end, slot_count=count)


def test_transactions_are_bytes_or_have_bytes() -> None:
    """solders' objects are taken as they are; they are written in base64."""

    class Signed:
        def __bytes__(self) -> bytes:
            return b"\1\2"

    assert continue_request(1, [b"\1\2", Signed()], {}).transactions == ("AQI=", "AQI=")


@pytest.mark.parametrize("transaction", ["AQI=", 5, None])
def test_anything_else_is_no_transaction(transaction: object) -> None:
    """A base64 text or a number is refused, by its index."""
    with pytest.raises(InputError, match=r"transactions\[0\]"):
        continue_request(1, [transaction], {})


def test_modified_accounts_are_addressed() -> None:
    """Anything whose str() is an address will do; other keys are refused."""
    account = AccountData.build(lamports=1, owner=SYSTEM)
    assert continue_request(1, [], {SYSTEM: account}).modify_account_states == {SYSTEM: account}
    with pytest.raises(InputError, match="nonsense"):
        continue_request(1, [], {"nonsense": account})


@pytest.mark.parametrize("slots", [0, -1, 1.5, True, 2**64])
def test_an_advance_is_at_least_one_slot(slots: int) -> None:
    """Zero slots would wait for ever."""
    with pytest.raises(InputError, match="slots"):
        continue_request(slots, [], {})


def test_a_batch_index_is_a_u32() -> None:
    """The protocol has no larger one."""
    with pytest.raises(InputError, match="batch_index"):
        continue_to_request(5, 2**32)
