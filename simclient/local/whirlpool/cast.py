"""Who takes part in a day: pools, token accounts, mints, positions and payers, gathered from the instructions that name them."""

from __future__ import annotations

from typing import final

from solders.pubkey import Pubkey

from .accounts import Holding, Made, Pool, pools_of, position_mint, reward_mint
from .archive import ArchivedState, Swap
from .liquidity import Rebuilt

__all__ = ["Cast"]


@final
class Cast:
    """Gathers what has to be made beside the state, so that the instructions find their accounts.

    What an instruction itself makes (a pool's vaults, a position's mint and token account) is not made before it.
    """

    def __init__(self, state: ArchivedState) -> None:
        self.state_slot = state.slot
        self._data = {account.pubkey: account.data for account in state.accounts}
        self._pools = pools_of(state.accounts)
        self._opened_pools: dict[Pubkey, Pool] = {}
        self._reward_mints: dict[tuple[Pubkey, int], Pubkey] = {}
        self._created: set[Pubkey] = {vault for pool in self._pools.values() for vault in (pool.vault_a, pool.vault_b)}
        """Token accounts that are not made as users' ones: they come with a pool, or by an instruction."""
        self.made = Made(pools=tuple(self._pools.values()))
        self.shared: set[Pubkey] = set()
        """Token accounts that several authorities used; they belong to the first."""
        self.swaps_in_unknown_pools = 0

    def add_payer(self, payer: Pubkey) -> None:
        """Somebody who pays."""
        self.made.payers[payer] = None

    def add_swap(self, swap: Swap) -> None:
        """Those who take part in a swap."""
        pool = self._pool(swap.key_whirlpool)
        if pool is None:
            self.swaps_in_unknown_pools += 1
            return

        self._hold(swap.key_token_owner_account_a, pool.mint_a, swap.key_token_authority)
        self._hold(swap.key_token_owner_account_b, pool.mint_b, swap.key_token_authority)

    def add(self, part: Rebuilt) -> None:
        """Those who take part in any other instruction."""
        keys = part.keys
        if "Funder" in keys:
            self.add_payer(keys["Funder"])
        match part.name:
            case "initializePool":
                self._open_pool(part)
            case "initializeReward":
                self._created.add(keys["RewardVault"])
                self.made.mints[keys["RewardMint"]] = None
                self._reward_mints[keys["Whirlpool"], part.numbers["RewardIndex"]] = keys["RewardMint"]
            case "openPosition" | "openPositionWithMetadata":
                self._created |= {keys["PositionMint"], keys["PositionTokenAccount"]}
            case "increaseLiquidity" | "decreaseLiquidity" | "collectFees":
                self._hold_position(part)
                self._hold_both(part)
            case "collectReward":
                self._hold_position(part)
                self._hold_reward(part)
            case "closePosition":
                self._hold_position(part)
            case _:
                pass  # it names nothing that has to be made

    def _pool(self, address: Pubkey) -> Pool | None:
        return self._pools.get(address) or self._opened_pools.get(address)

    def _open_pool(self, part: Rebuilt) -> None:
        keys = part.keys
        pool = Pool(
            address=keys["Whirlpool"],
            mint_a=keys["TokenMintA"],
            vault_a=keys["TokenVaultA"],
            mint_b=keys["TokenMintB"],
            vault_b=keys["TokenVaultB"],
        )
        self._opened_pools[pool.address] = pool
        self._created |= {pool.vault_a, pool.vault_b}
        self.made.mints.update(dict.fromkeys((pool.mint_a, pool.mint_b)))

    def _hold_both(self, part: Rebuilt) -> None:
        keys = part.keys
        pool = self._pool(keys["Whirlpool"])
        if pool is not None:
            self._hold(keys["TokenOwnerAccountA"], pool.mint_a, keys["PositionAuthority"])
            self._hold(keys["TokenOwnerAccountB"], pool.mint_b, keys["PositionAuthority"])

    def _hold_reward(self, part: Rebuilt) -> None:
        keys, index = part.keys, part.numbers["RewardIndex"]
        pool = self._data.get(keys["Whirlpool"])
        mint = self._reward_mints.get((keys["Whirlpool"], index))
        if mint is None and pool is not None:
            mint = reward_mint(pool, index)
        if mint is not None:
            self.made.mints[mint] = None
            self._hold(keys["RewardOwnerAccount"], mint, keys["PositionAuthority"])
            self._hold(keys["RewardVault"], mint, keys["Whirlpool"])

    def _hold_position(self, part: Rebuilt) -> None:
        """Let the authority hold the one token of a position that was there before."""
        address = part.keys["PositionTokenAccount"]
        mint = position_mint(self._data.get(part.keys["Position"], b""))
        if address in self._created or mint is None:
            return

        self.made.positions[mint] = None
        self.made.holdings.setdefault(address, Holding(mint=mint, owner=part.keys["PositionAuthority"], amount=1))

    def _hold(self, address: Pubkey, mint: Pubkey, owner: Pubkey) -> None:
        if address in self._created:
            return

        holding = Holding(mint=mint, owner=owner)
        if self.made.holdings.setdefault(address, holding) != holding:
            self.shared.add(address)
