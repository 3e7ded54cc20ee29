"""Derived addresses, against those of solders."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from solders.pubkey import Pubkey
from solders.token.associated import get_associated_token_address

from simclient.errors import InputError
from simclient.wire.program_address import (
    TOKEN_2022_PROGRAM,
    UPGRADEABLE_LOADER,
    _is_on_curve,
    associated_token_address,
    find_program_address,
    program_data_address,
)

KEYS = st.binary(min_size=32, max_size=32)
PRIME = 2**255 - 19


@given(seeds=st.lists(st.binary(max_size=32), max_size=15), program=KEYS)
def test_an_address_and_its_bump_are_those_of_solana(seeds: list[bytes], program: bytes) -> None:
    """Whatever the seeds."""
    address, bump = Pubkey.find_program_address(seeds, Pubkey(program))
    assert find_program_address(seeds, Pubkey(program)) == (str(address), bump)


@given(point=KEYS)
@example(point=bytes(32))
@example(point=(1).to_bytes(32, "little"))
@example(point=(1 | 1 << 255).to_bytes(32, "little"))
@example(point=(PRIME - 1).to_bytes(32, "little"))
@example(point=PRIME.to_bytes(32, "little"))
@example(point=(PRIME + 1).to_bytes(32, "little"))
@example(point=(2**255 - 1).to_bytes(32, "little"))
@example(point=bytes([255]) * 32)
def test_a_point_is_told_from_what_is_none(point: bytes) -> None:
    """Also at the edges: zero, one, the prime and beyond, either sign."""
    assert _is_on_curve(point) == Pubkey(point).is_on_curve()


def test_a_wallets_token_account_is_that_of_either_token_program() -> None:
    """The token program is a seed."""
    wallet, mint = Pubkey(bytes([7]) * 32), Pubkey(bytes([8]) * 32)
    other = Pubkey.from_string(TOKEN_2022_PROGRAM)
    assert associated_token_address(wallet, mint) == str(get_associated_token_address(wallet, mint))
    assert associated_token_address(wallet, mint, token_program=other) == str(
        get_associated_token_address(wallet, mint, other)
    )


def test_a_programs_code_is_under_the_loader() -> None:
    """As the loader derives it."""
    program = Pubkey(bytes([9]) * 32)
    expected, _ = Pubkey.find_program_address([bytes(program)], Pubkey.from_string(UPGRADEABLE_LOADER))
    assert program_data_address(program) == str(expected)


@pytest.mark.parametrize(("seeds", "message"), [([b""] * 16, "16 seeds"), ([b"", b"x" * 33], "seed 1 has 33 bytes")])
def test_seeds_that_no_program_could_use_are_refused(seeds: list[bytes], message: str) -> None:
    """The message names the way out."""
    with pytest.raises(InputError, match=message):
        find_program_address(seeds, UPGRADEABLE_LOADER)
