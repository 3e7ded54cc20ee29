"""Who and what is in the market: mints, wallets, and the accounts that exist before the first slot."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

import attrs
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.token.associated import get_associated_token_address

from ...wire import program_address
from ..bundle import BundleAccount

__all__ = ["GOLD", "MAKER", "SILVER", "TAKERS", "TOKEN_PROGRAM", "USD", "Mint", "Wallet", "accounts"]

TOKEN_PROGRAM = Pubkey.from_string(program_address.TOKEN_PROGRAM)
_SYSTEM_PROGRAM = Pubkey.from_string(program_address.SYSTEM_PROGRAM)
_MINT_LAMPORTS = 1_461_600
"""The rent-exempt minimum of 82 bytes (solana-rent 1.x)."""
_TOKEN_ACCOUNT_LAMPORTS = 2_039_280
"""The rent-exempt minimum of 165 bytes."""
_LAMPORTS_PER_SOL = 10**9


@attrs.frozen(kw_only=True)
class Mint:
    """A token of the market."""

    symbol: str
    address: Pubkey
    decimals: int
    start_price: int
    """In cents of USD for one whole token."""


@attrs.frozen(kw_only=True)
class Wallet:
    """Somebody who trades."""

    name: str
    keypair: Keypair
    sol: int
    """Whole SOL at the beginning."""
    holdings: tuple[tuple[Mint, int], ...]
    """Whole tokens at the beginning; a mint that is not here has no token account yet."""

    @property
    def address(self) -> Pubkey:
        """The wallet's address."""
        return self.keypair.pubkey()

    def account(self, mint: Mint) -> Pubkey:
        """The address of its token account, whether or not it exists."""
        return get_associated_token_address(self.address, mint.address)


def _keypair(name: str) -> Keypair:
    return Keypair.from_seed(sha256(f"simclient market {name}".encode()).digest())


def _mint(symbol: str, decimals: int, start_price: int) -> Mint:
    return Mint(symbol=symbol, address=_keypair(f"mint {symbol}").pubkey(), decimals=decimals, start_price=start_price)


USD = _mint("USD", 6, 100)
GOLD = _mint("GOLD", 9, 331_250)
SILVER = _mint("SILVER", 6, 3_615)
_MINTS = (USD, GOLD, SILVER)

MAKER = Wallet(name="maker", keypair=_keypair("maker"), sol=50, holdings=((USD, 400_000), (GOLD, 120), (SILVER, 9_000)))
_TAKER_NAMES = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "mallory")
TAKERS = tuple(
    Wallet(
        name=name,
        keypair=_keypair(name),
        sol=5,
        # Every third has no silver yet, and makes the account when it buys some.
        holdings=((USD, 20_000), (GOLD, 6)) + (() if index % 3 == 0 else ((SILVER, 300),)),
    )
    for index, name in enumerate(_TAKER_NAMES)
)


def accounts() -> Iterator[BundleAccount]:
    """Give the accounts before the first slot, in a fixed order."""
    wallets = (MAKER, *TAKERS)
    for mint in _MINTS:
        supply = sum(amount for wallet in wallets for held, amount in wallet.holdings if held is mint)
        yield _account(
            mint.address, _MINT_LAMPORTS, TOKEN_PROGRAM, _mint_data(supply * 10**mint.decimals, mint.decimals)
        )
    for wallet in wallets:
        yield _account(wallet.address, wallet.sol * _LAMPORTS_PER_SOL, _SYSTEM_PROGRAM, b"")
        for mint, amount in wallet.holdings:
            data = _token_account_data(mint.address, wallet.address, amount * 10**mint.decimals)
            yield _account(wallet.account(mint), _TOKEN_ACCOUNT_LAMPORTS, TOKEN_PROGRAM, data)


def _account(address: Pubkey, lamports: int, owner: Pubkey, data: bytes) -> BundleAccount:
    return BundleAccount(address=bytes(address), lamports=lamports, owner=bytes(owner), data=data, executable=False)


def _mint_data(supply: int, decimals: int) -> bytes:
    """Lay out a mint without authorities (spl-token, `Mint`)."""
    no_authority = bytes(36)
    return no_authority + supply.to_bytes(8, "little") + bytes((decimals, 1)) + no_authority


def _token_account_data(mint: Pubkey, owner: Pubkey, amount: int) -> bytes:
    """Lay out an initialized token account (spl-token, `Account`)."""
    no_delegate, initialized = bytes(36), b"\1"
    not_native, no_delegated_amount, no_close_authority = bytes(12), bytes(8), bytes(36)
    head = bytes(mint) + bytes(owner) + amount.to_bytes(8, "little")
    return head + no_delegate + initialized + not_native + no_delegated_amount + no_close_authority
