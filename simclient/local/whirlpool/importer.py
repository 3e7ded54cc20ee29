"""A day of Orca's public Whirlpool archive, made into a bundle.

The transactions are read twice and never kept: the first pass finds who takes part (a header and its accounts stand before the slots),
the second writes the slots. Memory grows with the accounts, not with the length of the day.

Swaps are always rebuilt. What else the program was told to do (positions, liquidity, fees, rewards, pools) is rebuilt where the state is
from before the first block, and makes the replay exact; a later state has its effects in it already, and would have them twice.
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
from .accounts import TOKEN_PROGRAM, made_accounts, program_accounts, state_accounts
from .archive import ArchivedTransaction, Swap, VaultBalance, read_program, read_slots, read_state, read_swap
from .cast import Cast
from .liquidity import LIQUIDITY, Rebuilt, rebuilt_instruction
from .swaps import rebuilt_transaction, swap_instruction

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
    """Those of which something was rebuilt."""
    transactions_left_out: int
    """Those of which nothing was."""
    swaps: int
    swaps_in_unknown_pools: int
    """Rebuilt too, but they cannot succeed: the state does not have their pool."""
    liquidity_instructions: int
    """Rebuilt beside the swaps, where the state is from before the first block."""
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
    census = _Census(transactions, Cast(before), slot_limit)
    made = census.cast.made
    account_count = sum(1 for _ in program_accounts(elf)) + len(before.accounts) + sum(1 for _ in made_accounts(made))
    report = census.report(state_slot=before.slot, accounts=account_count)

    write_bundle(
        output,
        _header(report, census.start_time),
        chain(
            program_accounts(elf),
            state_accounts(before.accounts, start_time=census.start_time),
            made_accounts(made),
        ),
        _slots(transactions, slot_limit, is_whole=census.is_whole),
    )
    return report


@final
class _Census:
    """The first pass: who takes part, and how much of everything there is."""

    def __init__(self, path: Path, cast: Cast, slot_limit: int | None) -> None:
        self.cast = cast
        self.is_whole = False
        """Whether everything is rebuilt, not only swaps."""
        self.start_time = 0
        self._names: Counter[str] = Counter()
        self._rebuilt_names: Counter[str] = Counter()
        self._start_slot = self._end_slot = self._slots = self._rebuilt = self._left_out = 0
        for number, slot in read_slots(path, slot_limit=slot_limit):
            if not self._slots:
                self._start_slot, self.start_time = slot.slot, slot.block_time
                self.is_whole = cast.state_slot < slot.slot
            self._end_slot = slot.slot
            self._slots += 1
            for transaction in slot.transactions:
                self._count(transaction, _parts(path, number, transaction, is_whole=self.is_whole))
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
            swaps_in_unknown_pools=self.cast.swaps_in_unknown_pools,
            liquidity_instructions=self._rebuilt_names.total() - self._rebuilt_names[_SWAP],
            other_instructions=tuple((self._names - self._rebuilt_names).most_common()),
            accounts=accounts,
            shared_token_accounts=len(self.cast.shared),
        )

    def _count(self, transaction: ArchivedTransaction, parts: list[Swap | Rebuilt]) -> None:
        self._names.update(instruction.name for instruction in transaction.instructions)
        self._rebuilt_names.update(_SWAP if isinstance(part, Swap) else part.name for part in parts)
        if not parts:
            self._left_out += 1
            return

        self._rebuilt += 1
        self.cast.add_payer(transaction.payer)
        for part in parts:
            if isinstance(part, Swap):
                self.cast.add_swap(part)
            else:
                self.cast.add(part)


def _slots(path: Path, slot_limit: int | None, *, is_whole: bool) -> Iterator[BundleSlot]:
    """Give the blocks; the archive has every block, so the one before in the file is the parent."""
    parent: int | None = None
    for number, slot in read_slots(path, slot_limit=slot_limit):
        parent = slot.slot - 1 if parent is None else parent
        rebuilt = (
            _transaction(t, _parts(path, number, t, is_whole=is_whole), _blockhash(parent)) for t in slot.transactions
        )
        yield BundleSlot(
            slot=slot.slot,
            parent_slot=parent,
            blockhash=_blockhash(slot.slot),
            block_height=slot.block_height,
            block_time=slot.block_time,
            transactions=tuple(transaction for transaction in rebuilt if transaction is not None),
        )
        parent = slot.slot


def _transaction(
    archived: ArchivedTransaction, parts: list[Swap | Rebuilt], blockhash: bytes
) -> BundleTransaction | None:
    if not parts:
        return None

    instructions = [swap_instruction(part) if isinstance(part, Swap) else part.instruction for part in parts]
    wire = rebuilt_transaction(instructions, payer=archived.payer, signature=archived.signature, blockhash=blockhash)
    return BundleTransaction(
        wire=wire, recorded=RecordedOutcome(is_success=True, token_balances=_balances(archived.balances))
    )


def _parts(path: Path, number: int, transaction: ArchivedTransaction, *, is_whole: bool) -> list[Swap | Rebuilt]:
    """Read the instructions that are rebuilt, in order."""
    parts: list[Swap | Rebuilt] = []
    for instruction in transaction.instructions:
        if instruction.name == _SWAP:
            parts.append(read_swap(path, number, instruction))
        elif is_whole and instruction.name in LIQUIDITY:
            parts.append(rebuilt_instruction(path, number, instruction))
    return parts


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
    further = f", with {report.liquidity_instructions:,} other instructions" if report.liquidity_instructions else ""
    if report.state_slot >= report.start_slot:
        late = ", which is not before the first block, so swaps move other amounts than they did, and some fail"
    return (
        f"Orca's public Whirlpool archive (mainnet): {report.swaps:,} recorded swaps rebuilt as transactions without slippage limits"
        f"{further},"
        " under their recorded signatures, which do not sign these bytes; slots, heights, times, program, and the data of the program's"
        f" accounts are the archive's, these as they were after slot {report.state_slot}{late}; made up: lamports, mints, vaults', users'"
        " and payers' balances, blockhashes (sha256 of the slot), the pools' reward clocks where they are after the first block; recorded"
        " token balances are the chain's, not those that the made-up accounts begin with;"
        f" not rebuilt: instructions of other programs, and of this one: {others};"
        " the archive's files come under the terms of their source (orca-so/whirlpool-tx-replayer: MIT)"
    )
