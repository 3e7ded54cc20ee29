"""A day of Orca's public Whirlpool archive, made into a bundle.

The transactions are read twice and never kept: the first pass finds who takes part (a header and its accounts stand before the slots),
the second writes the slots. Memory grows with the accounts, not with the length of the day.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import final

import attrs
from solders.pubkey import Pubkey

from ...errors import InputError
from ..bundle import (
    BundleHeader,
    BundleSlot,
    BundleTransaction,
    RecordedOutcome,
    RecordedTokenBalance,
    Signatures,
    write_bundle,
)
from .accounts import TOKEN_PROGRAM, Holding, Pool, made_accounts, pools_of, program_accounts, state_accounts
from .archive import ArchivedTransaction, Swap, VaultBalance, read_program, read_slots, read_state, read_swap
from .swaps import swap_transaction

__all__ = ["ImportReport", "import_whirlpool"]

_SWAP = "swap"


@attrs.frozen(kw_only=True)
class ImportReport:
    """What came into a bundle, and what did not."""

    start_slot: int
    end_slot: int
    """Inclusive."""
    state_slot: int
    """After which the program's accounts were as the bundle has them; the nearer before `start_slot`, the truer."""
    slots: int
    """Blocks, most of them without a transaction."""
    transactions: int
    """Those that were rebuilt: each has at least one swap."""
    transactions_left_out: int
    """Those without a swap."""
    swaps: int
    swaps_in_unknown_pools: int
    """Rebuilt too, but they cannot succeed: the state does not have their pool."""
    other_instructions: tuple[tuple[str, int], ...]
    """Instructions that were not rebuilt, by name, most frequent first."""
    accounts: int
    shared_token_accounts: int
    """Token accounts that several authorities used; they belong to the first, and swaps of the others fail."""


def import_whirlpool(
    state: Path, transactions: Path, program: Path, output: Path, *, slot_limit: int | None = None
) -> ImportReport:
    """Write a bundle of the swaps of one day.

    Args:
        state: `whirlpool-state-DATE.json.gz`; the day before's fits best, the same day's will do.
        transactions: `whirlpool-transaction-DATE.jsonl.gz`.
        program: The program in force on that day, a gzipped ELF file.
        output: The bundle; replaced when, and only when, all of it was written.
        slot_limit: Take only so many blocks from the beginning, 1 or more; None takes all.

    Raises:
        InputError: A file cannot be read, or is not of the archive's format; the message names it and the line.
        BundleError: The bundle cannot be written.
    """
    before = read_state(state)
    elf = read_program(program)
    census = _Census(transactions, pools_of(before.accounts), slot_limit)
    made = (census.pools.values(), census.holdings, census.payers)
    account_count = sum(1 for _ in program_accounts(elf)) + len(before.accounts) + sum(1 for _ in made_accounts(*made))
    report = census.report(state_slot=before.slot, accounts=account_count)

    write_bundle(
        output,
        _header(report, census.start_time),
        chain(
            program_accounts(elf),
            state_accounts(before.accounts, start_time=census.start_time),
            made_accounts(*made),
        ),
        _slots(transactions, slot_limit),
    )
    return report


@final
class _Census:
    """The first pass: who takes part, and how much of everything there is."""

    def __init__(self, path: Path, pools: dict[Pubkey, Pool], slot_limit: int | None) -> None:
        self.pools = pools
        self.holdings: dict[Pubkey, Holding] = {}
        self.payers: dict[Pubkey, None] = {}
        self.start_time = 0
        self._vaults = {vault for pool in pools.values() for vault in (pool.vault_a, pool.vault_b)}
        self._shared: set[Pubkey] = set()
        self._names: Counter[str] = Counter()
        self._start_slot = self._end_slot = self._slots = self._rebuilt = self._left_out = self._unknown = 0
        for number, slot in read_slots(path, slot_limit=slot_limit):
            if not self._slots:
                self._start_slot, self.start_time = slot.slot, slot.block_time
            self._end_slot = slot.slot
            self._slots += 1
            for transaction in slot.transactions:
                self._count(transaction, _swaps(path, number, transaction))
        if not self._slots:
            raise InputError(f"cannot import {path}: it has no slots")

    def report(self, *, state_slot: int, accounts: int) -> ImportReport:
        """Return what was counted."""
        return ImportReport(
            start_slot=self._start_slot,
            end_slot=self._end_slot,
            state_slot=state_slot,
            slots=self._slots,
            transactions=self._rebuilt,
            transactions_left_out=self._left_out,
            swaps=self._names[_SWAP],
            swaps_in_unknown_pools=self._unknown,
            other_instructions=tuple((name, n) for name, n in self._names.most_common() if name != _SWAP),
            accounts=accounts,
            shared_token_accounts=len(self._shared),
        )

    def _count(self, transaction: ArchivedTransaction, swaps: list[Swap]) -> None:
        self._names.update(instruction.name for instruction in transaction.instructions)
        if not swaps:
            self._left_out += 1
            return

        self._rebuilt += 1
        self.payers[transaction.payer] = None
        for swap in swaps:
            pool = self.pools.get(swap.key_whirlpool)
            if pool is None:
                self._unknown += 1
                continue

            self._hold(swap.key_token_owner_account_a, pool.mint_a, swap.key_token_authority)
            self._hold(swap.key_token_owner_account_b, pool.mint_b, swap.key_token_authority)

    def _hold(self, address: Pubkey, mint: Pubkey, owner: Pubkey) -> None:
        if address in self._vaults:
            return

        holding = Holding(mint=mint, owner=owner)
        if self.holdings.setdefault(address, holding) != holding:
            self._shared.add(address)


def _slots(path: Path, slot_limit: int | None) -> Iterator[BundleSlot]:
    """Give the blocks; the archive has every block, so the one before in the file is the parent."""
    parent: int | None = None
    for number, slot in read_slots(path, slot_limit=slot_limit):
        parent = slot.slot - 1 if parent is None else parent
        rebuilt = (_transaction(t, _swaps(path, number, t), _blockhash(parent)) for t in slot.transactions)
        yield BundleSlot(
            slot=slot.slot,
            parent_slot=parent,
            blockhash=_blockhash(slot.slot),
            block_height=slot.block_height,
            block_time=slot.block_time,
            transactions=tuple(transaction for transaction in rebuilt if transaction is not None),
        )
        parent = slot.slot


def _transaction(archived: ArchivedTransaction, swaps: list[Swap], blockhash: bytes) -> BundleTransaction | None:
    if not swaps:
        return None

    wire = swap_transaction(swaps, payer=archived.payer, signature=archived.signature, blockhash=blockhash)
    return BundleTransaction(
        wire=wire, recorded=RecordedOutcome(is_success=True, token_balances=_balances(archived.balances))
    )


def _swaps(path: Path, number: int, transaction: ArchivedTransaction) -> list[Swap]:
    return [read_swap(path, number, one) for one in transaction.instructions if one.name == _SWAP]


def _balances(balances: tuple[VaultBalance, ...]) -> tuple[RecordedTokenBalance, ...]:
    recorded = (RecordedTokenBalance(address=bytes(b.account), pre_amount=b.pre, post_amount=b.post) for b in balances)
    return tuple(sorted(recorded, key=lambda balance: balance.address))


def _blockhash(slot: int) -> bytes:
    """Make a blockhash up, as the archive has none."""
    return sha256(str(slot).encode()).digest()


def _header(report: ImportReport, start_time: int) -> BundleHeader:
    day = datetime.fromtimestamp(start_time, UTC).date()
    return BundleHeader(
        name=f"whirlpool-{day}",
        start_slot=report.start_slot,
        end_slot=report.end_slot,
        created_by="simclient.local.whirlpool",
        origin=_origin(report),
        account_count=report.accounts,
        signatures=Signatures.ABSENT,
        builtins=(bytes(TOKEN_PROGRAM),),
    )


def _origin(report: ImportReport) -> str:
    others = ", ".join(f"{count:,} {name}" for name, count in report.other_instructions) or "none"
    late = ""
    if report.state_slot >= report.start_slot:
        late = ", which is not before the first block, so swaps move other amounts than they did, and some fail"
    return (
        f"Orca's public Whirlpool archive (mainnet): {report.swaps:,} recorded swaps rebuilt as transactions without slippage limits,"
        " under their recorded signatures, which do not sign these bytes; slots, heights, times, program, and the data of the program's"
        f" accounts are the archive's, these as they were after slot {report.state_slot}{late}; made up: lamports, mints, vaults', users'"
        " and payers' balances, blockhashes (sha256 of the slot), the pools' reward clocks where they are after the first block; recorded"
        " token balances are the chain's, not those that the made-up accounts begin with;"
        f" not rebuilt: instructions of other programs, and of this one: {others};"
        " the archive's files come under the terms of their source (orca-so/whirlpool-tx-replayer: MIT)"
    )
