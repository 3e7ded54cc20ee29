"""Token accounts and mints, read from their bytes."""

from __future__ import annotations

import pytest

from simclient.research.token_accounts import Holding, mint_decimals, token_holding

from .frames import SYSTEM_PROGRAM, TOKEN_2022_PROGRAM, TOKEN_PROGRAM, address, diff, state, token_data

ACCOUNT = token_data(1, 2, 500)
MINT = bytes(44) + bytes([6, 1]) + bytes(36)


def read(data: bytes, owner: str) -> Holding | None:
    """Read the holding of an account with this data."""
    return token_holding(diff(post=state(1, owner=owner, data=data)).post)


@pytest.mark.parametrize("program", [TOKEN_PROGRAM, TOKEN_2022_PROGRAM])
def test_a_token_account_holds_an_amount_of_a_mint_for_a_wallet(program: str) -> None:
    """Both token programs have the same first 165 bytes."""
    assert read(ACCOUNT, program) == Holding(address(1), address(2), 500)


def test_a_token_2022_account_may_have_extensions() -> None:
    """Byte 165 says that it is an account."""
    assert read(ACCOUNT + bytes([2]) + bytes(20), TOKEN_2022_PROGRAM) == Holding(address(1), address(2), 500)


@pytest.mark.parametrize(
    ("data", "owner"),
    [
        (ACCOUNT, SYSTEM_PROGRAM),
        (token_data(1, 2, 500, state=0), TOKEN_PROGRAM),
        (ACCOUNT + bytes([2]), TOKEN_PROGRAM),
        (ACCOUNT + bytes([1]) + bytes(20), TOKEN_2022_PROGRAM),
        (bytes(355), TOKEN_2022_PROGRAM),
        (MINT, TOKEN_PROGRAM),
        (b"", TOKEN_PROGRAM),
    ],
)
def test_other_accounts_hold_nothing(data: bytes, owner: str) -> None:
    """Not owned by a token program, not initialized, too long, a mint, a multisig or empty."""
    assert read(data, owner) is None


def test_a_missing_account_holds_nothing() -> None:
    """An account that does not exist, and one without data in the notification."""
    assert token_holding(None) is None
    assert token_holding(diff(post={"owner": TOKEN_PROGRAM}).post) is None


def test_a_mint_has_decimals() -> None:
    """They stand at byte 44."""
    assert mint_decimals(diff(post=state(1, owner=TOKEN_PROGRAM, data=MINT)).post) == 6
    assert mint_decimals(diff(post=state(1, owner=TOKEN_PROGRAM, data=ACCOUNT)).post) is None
