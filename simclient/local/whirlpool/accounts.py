"""The accounts before the first slot: the program and its accounts from the archive, and those that have to be made up.

The archive has only the data of the program's own accounts. So that swaps can run, mints, vaults, users' token accounts and payers are
made: token accounts and payers hold far more than any day moves, everything is rent-exempt.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import attrs
from solders.pubkey import Pubkey
from solders.token.state import Mint, TokenAccount, TokenAccountState

from ...wire import program_address
from ..bundle import BundleAccount
from .archive import ArchivedAccount
from .swaps import WHIRLPOOL_PROGRAM

__all__ = [
    "TOKEN_PROGRAM",
    "Holding",
    "Made",
    "Pool",
    "made_accounts",
    "pools_of",
    "position_mint",
    "program_accounts",
    "reward_mint",
    "state_accounts",
]

TOKEN_PROGRAM = Pubkey.from_string(program_address.TOKEN_PROGRAM)
_SYSTEM_PROGRAM = Pubkey.default()
_UPGRADEABLE_LOADER = Pubkey.from_string(program_address.UPGRADEABLE_LOADER)
_PROGRAM_TAG, _PROGRAM_DATA_TAG = (2).to_bytes(4, "little"), (3).to_bytes(4, "little")
"""`UpgradeableLoaderState::Program` and `::ProgramData`."""
_DEPLOYED_AT_SLOT_0 = bytes(8)
_NO_KEY_IN_AUTHORITY_FIELD = b"\1" + bytes(32)
"""`Some` of the zero address: the field has its full 33 bytes, and nobody can upgrade."""

_RENT_BASE_BYTES, _LAMPORTS_PER_BYTE = 128, 6_960
"""The rent-exempt minimum is (128 + bytes) x 6,960 lamports (solana-rent 1.x)."""
_PAYER_LAMPORTS = 1_000 * 10**9
_TOKEN_ACCOUNT_BYTES = 165
_HELD_AMOUNT = 10**18
"""Of every token account: 18 of them still fit a u64, and the largest swap of 2022-04-06 moves less than a thousandth of it."""

_POOL_DISCRIMINATOR = bytes.fromhex("3f95d10ce1806309")
"""sha256("account:Whirlpool")[:8]."""
_POOL_BYTES = 653
_MINT_A, _VAULT_A, _MINT_B, _VAULT_B = slice(101, 133), slice(133, 165), slice(181, 213), slice(213, 245)
_REWARD_TIME = slice(261, 269)
"""`reward_last_updated_timestamp`, a u64 of unix seconds."""

_REWARDS_AT, _REWARD_BYTES = 269, 128
"""Three of them; each begins with its mint."""
_POSITION_DISCRIMINATOR = bytes.fromhex("aabc8fe47a40f7d0")
"""sha256("account:Position")[:8]."""
_POSITION_BYTES = 216
_POSITION_MINT = slice(40, 72)

_WRAPPED_SOL = Pubkey.from_string(program_address.NATIVE_MINT)
_KNOWN_DECIMALS: Mapping[Pubkey, int] = {
    _WRAPPED_SOL: 9,
    Pubkey.from_string("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"): 6,  # USDC
    Pubkey.from_string("Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB"): 6,  # USDT
    Pubkey.from_string("orcaEKTdK7LKz57vaAYr9QeNsVEPfiu6QeMU1kektZE"): 6,  # ORCA
    Pubkey.from_string("mSoLzYCxHdYgdzU16g5QSh3i5K3z3KZK7ytfqcJm7So"): 9,  # mSOL
}
"""Decimals are not in the archive; every other mint gets 0, so its amounts show in the smallest unit."""


@attrs.frozen(kw_only=True)
class Pool:
    """What a Whirlpool account says of its two tokens."""

    address: Pubkey
    mint_a: Pubkey
    vault_a: Pubkey
    mint_b: Pubkey
    vault_b: Pubkey


@attrs.frozen(kw_only=True)
class Holding:
    """A token account that has to be made."""

    mint: Pubkey
    owner: Pubkey
    amount: int = _HELD_AMOUNT


@attrs.frozen(kw_only=True)
class Made:
    """What has to be made; the dicts are sets that keep their order."""

    pools: tuple[Pool, ...]
    """Those of the state, whose mints and vaults are not in it."""
    holdings: dict[Pubkey, Holding] = attrs.field(factory=dict[Pubkey, Holding])
    """The users' token accounts, by address."""
    payers: dict[Pubkey, None] = attrs.field(factory=dict[Pubkey, None])
    mints: dict[Pubkey, None] = attrs.field(factory=dict[Pubkey, None])
    """Further ones, as of rewards."""
    positions: dict[Pubkey, None] = attrs.field(factory=dict[Pubkey, None])
    """The mints of positions, of each of which there is one token."""


def reward_mint(pool: bytes, index: int) -> Pubkey:
    """Return the mint of one of a pool's three rewards, from the pool's data."""
    start = _REWARDS_AT + _REWARD_BYTES * index
    return Pubkey.from_bytes(pool[start : start + 32])


def position_mint(position: bytes) -> Pubkey | None:
    """Return the mint of a position, from its data; None where it is not a position."""
    is_position = len(position) == _POSITION_BYTES and position.startswith(_POSITION_DISCRIMINATOR)
    return Pubkey.from_bytes(position[_POSITION_MINT]) if is_position else None


def pools_of(state: Iterable[ArchivedAccount]) -> dict[Pubkey, Pool]:
    """Find the pools among the program's accounts."""
    return {account.pubkey: _pool(account) for account in state if _is_pool(account.data)}


def program_accounts(elf: bytes) -> Iterator[BundleAccount]:
    """Give the program, its data first: the runtime loads the code when the program itself is set."""
    data_address, _ = Pubkey.find_program_address([bytes(WHIRLPOOL_PROGRAM)], _UPGRADEABLE_LOADER)
    header = _PROGRAM_DATA_TAG + _DEPLOYED_AT_SLOT_0 + _NO_KEY_IN_AUTHORITY_FIELD
    yield _account(data_address, _UPGRADEABLE_LOADER, header + elf)
    yield _account(WHIRLPOOL_PROGRAM, _UPGRADEABLE_LOADER, _PROGRAM_TAG + bytes(data_address), executable=True)


def state_accounts(state: Iterable[ArchivedAccount], *, start_time: int) -> Iterator[BundleAccount]:
    """Give the program's accounts, with the pools' reward clocks no later than the first block.

    The state may be from the end of the day, and the program refuses to swap in a pool that was updated in the future.

    Args:
        state: As archived.
        start_time: Of the first block, in unix seconds.
    """
    for account in state:
        data = _set_back(account.data, start_time) if _is_pool(account.data) else account.data
        yield _account(account.pubkey, WHIRLPOOL_PROGRAM, data)


def made_accounts(made: Made) -> Iterator[BundleAccount]:
    """Give the mints and vaults of the pools, the users' token accounts and the payers."""
    of_pools = (mint for pool in made.pools for mint in (pool.mint_a, pool.mint_b))
    for mint in dict.fromkeys((*of_pools, *made.mints)):
        yield _account(mint, TOKEN_PROGRAM, _mint_data(mint))
    for mint in made.positions:
        yield _account(mint, TOKEN_PROGRAM, bytes(Mint(None, 1, 0, True, None)))
    for pool in made.pools:
        yield _token_account(pool.vault_a, Holding(mint=pool.mint_a, owner=pool.address))
        yield _token_account(pool.vault_b, Holding(mint=pool.mint_b, owner=pool.address))
    for address, holding in made.holdings.items():
        yield _token_account(address, holding)
    for payer in made.payers:
        yield _account(payer, _SYSTEM_PROGRAM, b"", more_lamports=_PAYER_LAMPORTS)


def _is_pool(data: bytes) -> bool:
    return len(data) == _POOL_BYTES and data.startswith(_POOL_DISCRIMINATOR)


def _pool(account: ArchivedAccount) -> Pool:
    data = account.data
    return Pool(
        address=account.pubkey,
        mint_a=Pubkey.from_bytes(data[_MINT_A]),
        vault_a=Pubkey.from_bytes(data[_VAULT_A]),
        mint_b=Pubkey.from_bytes(data[_MINT_B]),
        vault_b=Pubkey.from_bytes(data[_VAULT_B]),
    )


def _set_back(pool: bytes, start_time: int) -> bytes:
    updated = min(int.from_bytes(pool[_REWARD_TIME], "little"), start_time)
    return pool[: _REWARD_TIME.start] + updated.to_bytes(8, "little") + pool[_REWARD_TIME.stop :]


def _mint_data(mint: Pubkey) -> bytes:
    return bytes(Mint(None, _HELD_AMOUNT, _KNOWN_DECIMALS.get(mint, 0), True, None))


def _token_account(address: Pubkey, holding: Holding) -> BundleAccount:
    """Lay out a token account; one of wrapped SOL has the SOL, as the token program moves both."""
    is_native = holding.mint == _WRAPPED_SOL
    reserve = _rent_exempt(_TOKEN_ACCOUNT_BYTES) if is_native else None
    data = TokenAccount(
        holding.mint, holding.owner, holding.amount, None, TokenAccountState.Initialized, reserve, 0, None
    )
    return _account(address, TOKEN_PROGRAM, bytes(data), more_lamports=holding.amount if is_native else 0)


def _account(
    address: Pubkey, owner: Pubkey, data: bytes, *, executable: bool = False, more_lamports: int = 0
) -> BundleAccount:
    return BundleAccount(
        address=bytes(address),
        lamports=_rent_exempt(len(data)) + more_lamports,
        owner=bytes(owner),
        data=data,
        executable=executable,
    )


def _rent_exempt(size_bytes: int) -> int:
    return (_RENT_BASE_BYTES + size_bytes) * _LAMPORTS_PER_BYTE
