"""Accounts as the engine sees them: read, compared, and written as JSON."""

from __future__ import annotations

from base64 import b64encode

from solders.account import Account
from solders.pubkey import Pubkey

from ...errors import InputError
from ...wire.addresses import address_of
from .messages import ModifiedAccount

__all__ = [
    "ABSENT",
    "TOKEN_PROGRAMS",
    "TokenAccount",
    "decimals_of",
    "is_absent",
    "read_modified",
    "token_account",
    "ui_account",
    "ui_amount",
]

ABSENT = Account(0, b"", Pubkey.default(), False)
"""What an account is set to that is not to exist."""
_MOST_DATA_BYTES = 10 * 2**20
"""Of one account (`MAX_PERMITTED_DATA_LENGTH`, solana-system-interface)."""
_U64_MAX = 2**64 - 1

TOKEN_PROGRAMS = frozenset(
    Pubkey.from_string(address)
    for address in (
        "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
        "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb",
    )
)
_TOKEN_ACCOUNT_BYTES = 165
_TOKEN_2022_ACCOUNT_KIND = 2
"""At byte 165 of an account with extensions: 1 is a mint, 2 an account (spl-token-2022, `AccountType`)."""
_MINT_BYTES = 82
_DECIMALS_AT = 44
"""In a mint (spl-token, `Mint`)."""

TokenAccount = tuple[Pubkey, Pubkey, int]
"""Mint, owner, amount."""


def is_absent(account: Account | None) -> bool:
    """An account without lamports does not exist for the chain."""
    return account is None or account.lamports == 0


def read_modified(account: ModifiedAccount) -> tuple[Pubkey, Account]:
    """Return the address and the account that a modification means; without lamports that is none.

    Raises:
        InputError: It does not describe an account.
    """
    address = Pubkey.from_string(address_of(account.address))
    owner = Pubkey.from_string(address_of(account.owner))
    if not 0 <= account.lamports <= _U64_MAX:
        raise InputError(
            f"the account {address} cannot have {account.lamports} lamports: not an unsigned 64-bit number"
        )
    if len(account.data) > _MOST_DATA_BYTES:
        raise InputError(f"the account {address} is longer than the chain allows: {_MOST_DATA_BYTES} bytes")

    return address, Account(account.lamports, account.data, owner, account.executable) if account.lamports else ABSENT


def ui_account(account: Account | None) -> dict[str, object] | None:
    """Return the account as Solana's RPC writes it in base64; None where it does not exist."""
    if account is None or is_absent(account):
        return None

    return {
        "lamports": account.lamports,
        "data": [b64encode(account.data).decode("ascii"), "base64"],
        "owner": str(account.owner),
        "executable": account.executable,
        "rentEpoch": account.rent_epoch,
        "space": len(account.data),
    }


def token_account(account: Account | None) -> TokenAccount | None:
    """Return what a token account holds; None where it is not one."""
    if account is None or account.owner not in TOKEN_PROGRAMS or len(account.data) < _TOKEN_ACCOUNT_BYTES:
        return None

    data = account.data
    if len(data) > _TOKEN_ACCOUNT_BYTES and data[_TOKEN_ACCOUNT_BYTES] != _TOKEN_2022_ACCOUNT_KIND:
        return None

    return Pubkey.from_bytes(data[:32]), Pubkey.from_bytes(data[32:64]), int.from_bytes(data[64:72], "little")


def decimals_of(mint: Account | None) -> int:
    """Return the decimals of a mint; 0 where it is not one, so that amounts stay in base units."""
    return 0 if mint is None or len(mint.data) < _MINT_BYTES else mint.data[_DECIMALS_AT]


def ui_amount(amount: int, decimals: int) -> dict[str, object]:
    """Return an amount as Solana's RPC writes it."""
    text = f"{amount:0{decimals + 1}d}"
    whole, fraction = (text[:-decimals], text[-decimals:].rstrip("0")) if decimals else (text, "")
    shown = f"{whole}.{fraction}" if fraction else whole
    return {"amount": str(amount), "decimals": decimals, "uiAmount": amount / 10**decimals, "uiAmountString": shown}
