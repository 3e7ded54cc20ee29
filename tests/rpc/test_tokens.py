"""Balances set in a session, read back by the RPC and used by the token program."""

from __future__ import annotations

import pytest
from solders.keypair import Keypair

from simclient import InputError, associated_token_address
from simclient.local.market.cast import GOLD, MAKER, TAKERS, USD
from simclient.rpc.tokens import token_account
from simclient.wire.accounts import AccountData
from simclient.wire.program_address import NATIVE_MINT, TOKEN_PROGRAM

from .sessions import ready_session

STRANGER = Keypair.from_seed(bytes([9]) * 32).pubkey()
RENT_LAMPORTS = 2_039_280


async def test_a_token_balance_is_set_and_nothing_else() -> None:
    """An account that exists keeps everything but its amount."""
    async with ready_session() as session:
        before = await session.rpc.get_account(MAKER.account(USD))
        address = await session.rpc.set_token_balance(MAKER.address, USD.address, 5)
        after = await session.rpc.get_account(address)
        assert address == str(MAKER.account(USD))
        assert (await session.rpc.get_token_account_balance(address)).amount == 5
    assert before is not None
    assert after is not None
    assert (after.lamports, after.owner) == (before.lamports, before.owner)
    assert after.data[:64] + after.data[72:] == before.data[:64] + before.data[72:]


async def test_a_token_account_is_made_where_there_is_none() -> None:
    """It is the wallet's associated account, rent-exempt, as the market makes its own."""
    async with ready_session() as session:
        address = await session.rpc.set_token_balance(STRANGER, GOLD.address, 7)
        made = await session.rpc.get_account(address)
        model = await session.rpc.get_account(TAKERS[0].account(GOLD))
        assert (await session.rpc.get_token_account_balance(address)).amount == 7
    assert address == associated_token_address(STRANGER, GOLD.address)
    assert made is not None
    assert model is not None
    assert (made.lamports, made.owner, made.data[72:]) == (model.lamports, model.owner, model.data[72:])


async def test_lamports_are_set_and_nothing_else() -> None:
    """A wallet that does not exist is made; a token account stays one."""
    async with ready_session() as session:
        await session.rpc.set_balance(STRANGER, 11)
        assert await session.rpc.get_balance(STRANGER) == 11
        await session.rpc.set_balance(MAKER.account(USD), 10**9)
        assert await session.rpc.get_balance(MAKER.account(USD)) == 10**9
        assert (await session.rpc.get_token_account_balance(MAKER.account(USD))).amount > 0


async def test_a_wallet_is_no_mint() -> None:
    """The message says who owns it."""
    async with ready_session() as session:
        with pytest.raises(InputError, match="owns it"):
            await session.rpc.set_token_balance(STRANGER, MAKER.address, 1)
        with pytest.raises(InputError, match="nobody owns it"):
            await session.rpc.set_token_balance(MAKER.address, STRANGER, 1)


@pytest.mark.parametrize("amount", [-1, 2**64])
async def test_an_amount_is_a_u64(amount: int) -> None:
    """It is refused before anything is asked."""
    async with ready_session() as session:
        with pytest.raises(InputError, match=str(amount)):
            await session.rpc.set_token_balance(MAKER.address, USD.address, amount)
        with pytest.raises(InputError, match=str(amount)):
            await session.rpc.set_balance(MAKER.address, amount)


def test_wrapped_sol_is_held_as_lamports_too() -> None:
    """The amount is on top of the rent, and the account says that it is native."""
    account = token_account(NATIVE_MINT, STRANGER, 5, rent_lamports=RENT_LAMPORTS)
    data = account.data.decode()
    assert isinstance(account, AccountData)
    assert (account.lamports, account.owner, len(data)) == (RENT_LAMPORTS + 5, TOKEN_PROGRAM, 165)
    assert data[108:121] == b"\x01" + (1).to_bytes(4, "little") + RENT_LAMPORTS.to_bytes(8, "little")
