"""Token accounts and balances as a session's state holds them, and setting them.

Source: `Account` of spl-token, whose layout Token-2022 begins with; the rent-exempt minimum comes from the session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import InputError
from ..wire.accounts import AccountData
from ..wire.addresses import address_of, decode_base58
from ..wire.program_address import (
    NATIVE_MINT,
    SYSTEM_PROGRAM,
    TOKEN_2022_PROGRAM,
    TOKEN_PROGRAM,
    associated_token_address,
)

if TYPE_CHECKING:
    from .session_rpc import SessionRpc

__all__ = ["set_balance", "set_token_balance", "token_account"]

_TOKEN_ACCOUNT_BYTES = 165
_AMOUNT = slice(64, 72)
_U64_MAX = 2**64 - 1


def token_account(
    mint: object, owner: object, amount: int, *, rent_lamports: int, token_program: object = TOKEN_PROGRAM
) -> AccountData:
    """Build an initialized token account without a delegate or close authority.

    Args:
        mint: The token's address.
        owner: The wallet's address.
        amount: In the token's smallest unit.
        rent_lamports: The rent-exempt minimum of 165 bytes; an account of wrapped SOL has its amount on top.
        token_program: The owner of the mint.

    Raises:
        InputError: An address is not one, or the amount is not a u64.
    """
    _check_amount("amount", amount)
    is_native = address_of(mint) == NATIVE_MINT
    no_delegate, initialized, no_delegated_amount, no_close_authority = bytes(36), b"\x01", bytes(8), bytes(36)
    native = (1).to_bytes(4, "little") + rent_lamports.to_bytes(8, "little") if is_native else bytes(12)
    head = decode_base58(address_of(mint)) + decode_base58(address_of(owner)) + amount.to_bytes(8, "little")
    return AccountData.build(
        lamports=rent_lamports + (amount if is_native else 0),
        owner=address_of(token_program),
        data=head + no_delegate + initialized + native + no_delegated_amount + no_close_authority,
    )


async def set_balance(rpc: SessionRpc, address: object, lamports: int) -> None:
    """Set an account's lamports; see `SessionRpc.set_balance`."""
    _check_amount("lamports", lamports)
    account = await rpc.get_account(address)
    if account is None:
        changed = AccountData.build(lamports=lamports, owner=SYSTEM_PROGRAM)
    else:
        changed = AccountData.build(
            lamports=lamports, owner=account.owner, data=account.data, executable=account.executable
        )
    await rpc.modify_accounts({address: changed})


async def set_token_balance(rpc: SessionRpc, wallet: object, mint: object, amount: int) -> str:
    """Set what a wallet holds of a token; see `SessionRpc.set_token_balance`."""
    _check_amount("amount", amount)
    [mint_account] = await rpc.get_multiple_accounts([mint])
    if mint_account is None or mint_account.owner not in (TOKEN_PROGRAM, TOKEN_2022_PROGRAM):
        owner = "nobody" if mint_account is None else mint_account.owner
        raise InputError(f"{mint} is no mint: {owner} owns it; give the address of the token")

    address = associated_token_address(wallet, mint, token_program=mint_account.owner)
    account = await rpc.get_account(address)
    if account is None or account.owner != mint_account.owner:
        rent_lamports = await rpc.get_minimum_balance_for_rent_exemption(_TOKEN_ACCOUNT_BYTES)
        changed = token_account(mint, wallet, amount, rent_lamports=rent_lamports, token_program=mint_account.owner)
    else:
        before = int.from_bytes(account.data[_AMOUNT], "little")
        added_lamports = amount - before if address_of(mint) == NATIVE_MINT else 0
        data = account.data[: _AMOUNT.start] + amount.to_bytes(8, "little") + account.data[_AMOUNT.stop :]
        changed = AccountData.build(lamports=account.lamports + added_lamports, owner=account.owner, data=data)
    await rpc.modify_accounts({address: changed})
    return address


def _check_amount(name: str, value: int) -> None:
    if not 0 <= value <= _U64_MAX:
        raise InputError(f"{name} must be a whole number from 0 to {_U64_MAX}, not {value!r}")
