"""Accounts as the engine sees them: read, compared, and written as JSON."""

from __future__ import annotations

from functools import lru_cache

from solders.account import Account
from solders.pubkey import Pubkey

from ...errors import InputError
from ...wire import program_address
from ...wire.addresses import address_of
from .facts import AccountState, Holding
from .messages import ModifiedAccount

__all__ = [
    "ABSENT",
    "ACCOUNT_KIND_AT",
    "MINT_BYTES",
    "MINT_KIND",
    "MULTISIG_BYTES",
    "TOKEN_2022_PROGRAM",
    "TOKEN_ACCOUNT_BYTES",
    "TOKEN_PROGRAM",
    "TOKEN_PROGRAMS",
    "account_state",
    "address_text",
    "decimals_of",
    "holding_of",
    "is_absent",
    "is_token_account",
    "read_modified",
    "ui_amount",
]

ABSENT = Account(0, b"", Pubkey.default(), False)
"""What an account is set to that is not to exist."""
_MOST_DATA_BYTES = 10 * 2**20
"""Of one account (`MAX_PERMITTED_DATA_LENGTH`, solana-system-interface)."""
_U64_MAX = 2**64 - 1
_MOST_NUMBER_DECIMALS = 19
"""10^19 is the largest power of ten in a u64."""

TOKEN_PROGRAM = Pubkey.from_string(program_address.TOKEN_PROGRAM)
TOKEN_2022_PROGRAM = Pubkey.from_string(program_address.TOKEN_2022_PROGRAM)
TOKEN_PROGRAMS = frozenset((TOKEN_PROGRAM, TOKEN_2022_PROGRAM))
_TOKEN_PROGRAM_TEXTS = frozenset(map(str, TOKEN_PROGRAMS))
TOKEN_ACCOUNT_BYTES = 165
MULTISIG_BYTES = 355
"""Of either program; never a token account, whatever its bytes say."""
_STATE_AT = 108
"""In a token account; 0 is one that was not initialized (spl-token, `AccountState`)."""
ACCOUNT_KIND_AT = TOKEN_ACCOUNT_BYTES
"""In an account with extensions, also in a mint, which is padded to it (spl-token-2022, `AccountType`)."""
MINT_KIND, TOKEN_ACCOUNT_KIND = 1, 2
MINT_BYTES = 82
_DECIMALS_AT = 44
"""In a mint (spl-token, `Mint`)."""


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


def account_state(account: Account | None) -> AccountState | None:
    """Return what is said of an account; None where it does not exist."""
    if account is None or not account.lamports:
        return None

    data = account.data
    return AccountState(
        lamports=account.lamports,
        data=(data, "base64"),
        owner=address_text(account.owner),
        executable=account.executable,
        rent_epoch=account.rent_epoch,
        space=len(data),
    )


def holding_of(state: AccountState | None) -> Holding | None:
    """Return what a token account holds; None where it is not one."""
    if state is None or state.owner not in _TOKEN_PROGRAM_TEXTS:
        return None

    data, _ = state.data
    if not is_token_account(data):
        return None

    return (*_mint_and_owner(data[:64]), int.from_bytes(data[64:72], "little"))


def is_token_account(data: bytes) -> bool:
    """Whether this is the data of an initialized token account, with extensions or without."""
    size = len(data)
    if size < TOKEN_ACCOUNT_BYTES or size == MULTISIG_BYTES or not data[_STATE_AT]:
        return False

    return size == TOKEN_ACCOUNT_BYTES or data[ACCOUNT_KIND_AT] == TOKEN_ACCOUNT_KIND


def decimals_of(mint: Account | None) -> int:
    """Return the decimals of a mint; 0 where it is not one, so that amounts stay in base units."""
    return 0 if mint is None or len(mint.data) < MINT_BYTES else mint.data[_DECIMALS_AT]


@lru_cache(maxsize=2**16)
def address_text(address: Pubkey) -> str:
    """Return an address in base58; most are asked for again and again."""
    return str(address)


@lru_cache(maxsize=2**16)
def _mint_and_owner(head: bytes) -> tuple[str, str]:
    """Return the two addresses with which a token account begins."""
    return str(Pubkey.from_bytes(head[:32])), str(Pubkey.from_bytes(head[32:]))


@lru_cache(maxsize=2**14)
def ui_amount(amount: int, decimals: int) -> dict[str, object]:
    """Return an amount as Solana's RPC writes it: no number where the power of ten is more than a u64 holds.

    What comes out is shared: it is not to be changed.
    """
    text = f"{amount:0{decimals + 1}d}"
    whole, fraction = (text[:-decimals], text[-decimals:].rstrip("0")) if decimals else (text, "")
    shown = f"{whole}.{fraction}" if fraction else whole
    number = float(amount) / float(10**decimals) if decimals <= _MOST_NUMBER_DECIMALS else None
    return {"amount": str(amount), "decimals": decimals, "uiAmount": number, "uiAmountString": shown}
