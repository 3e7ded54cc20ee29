"""What a report draws: activity by slot, and how the wallets' balances moved.

Slots are put into at most 200 columns; amounts of one asset only ever meet amounts of the same asset, since no prices are known here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import final

import attrs

from ..balances import WalletResult, state_of
from ..overview import RunOverview
from ..records import AccountDiffRecord, TransactionRecord
from ..run_file import RunFile
from ..token_accounts import token_holding

__all__ = ["Activity", "AssetHistory", "Columns", "WalletHistory", "read_history"]

_COLUMNS = 200
_ASSETS = 4
"""Charts of balances: SOL, and the mints that the most wallets moved."""
_WALLETS = 5
"""Lines in one chart, the largest changes first."""


@attrs.frozen(kw_only=True)
class Columns:
    """Slots, in columns of the same width."""

    first_slot: int
    last_slot: int
    width: int
    """Slots per column."""

    @classmethod
    def over(cls, first_slot: int, last_slot: int) -> Columns:
        """Divide a range of slots, inclusive on both ends."""
        return cls(first_slot=first_slot, last_slot=last_slot, width=-(-(last_slot - first_slot + 1) // _COLUMNS))

    @property
    def count(self) -> int:
        """How many there are."""
        return (self.last_slot - self.first_slot) // self.width + 1

    def of(self, slot: int) -> int:
        """Return the column of a slot; one before the range, of a bundle that begins earlier, is in the first."""
        return min(max(slot - self.first_slot, 0) // self.width, self.count - 1)

    def slots(self) -> list[int]:
        """Return the first slot of each column."""
        return [self.first_slot + column * self.width for column in range(self.count)]


@attrs.frozen(kw_only=True)
class Activity:
    """What happened in each column."""

    columns: Columns
    successes: list[int]
    failures: list[int]
    compute_units: list[int]
    diffs: list[int]


@attrs.frozen(kw_only=True)
class WalletHistory:
    """How one wallet's balance of an asset moved."""

    wallet: str
    change: list[int]
    """Since the run began, at the end of each column, in the smallest unit."""


@attrs.frozen(kw_only=True)
class AssetHistory:
    """How the balances of an asset moved, of the wallets with the largest changes."""

    columns: Columns
    mint: str | None
    """None: SOL."""
    decimals: int | None
    wallets: tuple[WalletHistory, ...]


def read_history(run: RunFile, overview: RunOverview) -> tuple[Activity, tuple[AssetHistory, ...]]:
    """Read a run once more, for what is drawn over slots.

    Raises:
        RunFileError: The file is damaged.
    """
    metadata = run.metadata
    columns = Columns.over(metadata.start_slot, max(metadata.end_slot, metadata.start_slot))
    chosen = _chosen(overview.pnl.wallets)
    reading = _Reading(columns, chosen, {diff.account for diff in run.diffs()})
    for event in run.events():
        if isinstance(event, (TransactionRecord, AccountDiffRecord)):
            reading.take(event)
    return reading.activity(), reading.histories(overview.pnl.wallets)


def _chosen(wallets: Sequence[WalletResult]) -> Mapping[str | None, list[str]]:
    """Return the wallets to draw of each asset that is drawn."""
    changes: dict[str | None, list[tuple[int, str]]] = defaultdict(list)
    for wallet in wallets:
        for change in wallet.changes:
            if change.delta:
                changes[change.mint].append((-abs(change.delta), wallet.wallet))
    assets = sorted(changes, key=lambda mint: (mint is not None, -len(changes[mint]), mint or ""))[:_ASSETS]
    return {mint: [wallet for _, wallet in sorted(changes[mint])[:_WALLETS]] for mint in assets}


@final
class _Reading:
    """The state of the pass."""

    def __init__(self, columns: Columns, chosen: Mapping[str | None, list[str]], accounts_with_diffs: set[str]) -> None:
        self._columns = columns
        self._chosen = chosen
        self._accounts_with_diffs = accounts_with_diffs
        self._moves: dict[tuple[str | None, str], list[int]] = {
            (mint, wallet): [0] * columns.count for mint, wallets in chosen.items() for wallet in wallets
        }
        self._successes, self._failures, self._compute_units, self._diffs = ([0] * columns.count for _ in range(4))

    def take(self, event: TransactionRecord | AccountDiffRecord) -> None:
        """Take one event."""
        column = self._columns.of(event.slot)
        if isinstance(event, AccountDiffRecord):
            self._diffs[column] += 1
            moves = _moves_of_diff(event)
        else:
            (self._successes if event.success else self._failures)[column] += 1
            self._compute_units[column] += event.compute_units or 0
            moves = _moves_of_transaction(event, self._accounts_with_diffs)
        for mint, wallet, amount in moves:
            history = self._moves.get((mint, wallet))
            if history is not None:
                history[column] += amount

    def activity(self) -> Activity:
        """Return what happened by column."""
        return Activity(
            columns=self._columns,
            successes=self._successes,
            failures=self._failures,
            compute_units=self._compute_units,
            diffs=self._diffs,
        )

    def histories(self, wallets: Sequence[WalletResult]) -> tuple[AssetHistory, ...]:
        """Return how the chosen balances moved."""
        decimals = {change.mint: change.decimals for wallet in wallets for change in wallet.changes}
        return tuple(
            AssetHistory(
                columns=self._columns,
                mint=mint,
                decimals=decimals.get(mint),
                wallets=tuple(
                    WalletHistory(wallet=wallet, change=list(_running(self._moves[mint, wallet]))) for wallet in chosen
                ),
            )
            for mint, chosen in self._chosen.items()
        )


def _moves_of_diff(diff: AccountDiffRecord) -> Iterator[tuple[str | None, str, int]]:
    """Yield by how much a write changed whose balance of what."""
    before, after = state_of(diff.pre_state), state_of(diff.post_state)
    for state, sign in ((before, -1), (after, 1)):
        holding = token_holding(state)
        if holding is not None:
            yield holding.mint, holding.owner, sign * holding.amount
        elif state is not None:
            yield None, diff.account, sign * (state.lamports or 0)


def _moves_of_transaction(
    transaction: TransactionRecord, accounts_with_diffs: set[str]
) -> Iterator[tuple[str | None, str, int]]:
    """Yield by how much a transaction changed whose balance of what; accounts that have diffs are read from those."""
    for sol in transaction.sol_changes:
        if sol.pubkey not in accounts_with_diffs:
            yield None, sol.pubkey, sol.post_lamports - sol.pre_lamports
    for token in transaction.token_changes:
        if token.pubkey not in accounts_with_diffs:
            yield token.mint, token.owner, token.post_amount - token.pre_amount


def _running(moves: Sequence[int]) -> Iterator[int]:
    total = 0
    for move in moves:
        total += move
        yield total
