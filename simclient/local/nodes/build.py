"""A bundle from the JSON of Solana nodes: real blocks on the accounts whose state is known.

The files are read twice and blocks never kept: the first pass takes the accounts in and finds out which of the accounts that the
transactions touch are known, the second writes the blocks. Memory grows with the accounts, not with the blocks.

A node gives the history of blocks but only the present of accounts. So a replay is true as far as the accounts were captured before the
first block; the report says how many were captured later, and how many that the transactions touch are not known at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import final

import attrs
import msgspec
from solders.litesvm import LiteSVM
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from ...errors import InputError
from ...wire import program_address
from ...wire.addresses import address_list, decode_base58, is_address
from ..bundle import (
    BundleAccount,
    BundleHeader,
    BundleSlot,
    BundleTransaction,
    RecordedOutcome,
    RecordedTokenBalance,
    write_bundle,
)
from ..engine.transactions import read_transaction
from .answers import NodeAccount, NodeBlock, NodeMeta, NodeTokenBalance, NodeTransaction, facts_of
from .files import read_values

__all__ = ["BuildReport", "Census", "build_bundle", "missing_code"]

_VOTE_PROGRAM = Pubkey.from_string("Vote111111111111111111111111111111111111111")
_UPGRADEABLE_LOADER = bytes(Pubkey.from_string(program_address.UPGRADEABLE_LOADER))
_OF_THE_RUNTIME = frozenset(
    bytes(Pubkey.from_string(owner))
    for owner in ("NativeLoader1111111111111111111111111111111", "Sysvar1111111111111111111111111111111111111")
)
"""Owners of accounts that the runtime brings itself, in a state that fits the slot."""
_PROGRAM_TAG, _PROGRAM_DATA_TAG = (2).to_bytes(4, "little"), (3).to_bytes(4, "little")
"""`UpgradeableLoaderState::Program` and `::ProgramData`."""
_PROGRAM_BYTES = 36
"""Of the former: the tag and an address."""
_LONGEST_U64 = 20
"""Digits."""
_UNKNOWN_SHOWN = 5
"""Unknown accounts that the report names."""


@attrs.frozen(kw_only=True)
class BuildReport:
    """What came into a bundle, and what did not."""

    start_slot: int
    end_slot: int
    """Inclusive."""
    slots: int
    transactions: int
    votes_left_out: int
    others_left_out: int
    """Those that mention none of the addresses that were wanted."""
    transactions_left_out: int
    """Those that touch an account of unknown state, where only the others were wanted."""
    accounts: int
    accounts_known_late: int
    """Accounts as they were after the first slot or later: the replay begins with what they became."""
    unknown_accounts: int
    """Accounts that the transactions in the bundle touch, and whose state is not known: they begin empty."""
    unknown_examples: tuple[str, ...]
    """Some of them, those that most transactions touch first."""


def build_bundle(
    sources: Sequence[Path],
    output: Path,
    *,
    name: str = "",
    without_votes: bool = False,
    known_only: bool = False,
    mentions: Sequence[str] = (),
) -> BuildReport:
    """Write a bundle of blocks and accounts that Solana nodes gave.

    Args:
        sources: Files of JSON, or folders of them; `simclient.local.nodes.answers` lists the forms. Blocks must ascend; of several
            states of an account the last one counts.
        output: The bundle; replaced when, and only when, all of it was written.
        name: A short name for people; by default the output's.
        without_votes: Leave out the validators' votes, whose accounts are rarely known.
        known_only: Leave out every transaction that touches an account of unknown state. An account that a node said does not exist
            is known.
        mentions: Take only transactions that mention one of these addresses; empty: all.

    Raises:
        InputError: A file cannot be read, or holds something else; the message names it and the line.
        BundleError: The bundle cannot be written.
    """
    census = Census(sources, without_votes=without_votes, mentions=mentions)
    _check_programs(census.accounts)
    selection = _Selection(census, known_only=known_only)
    unknown = [] if known_only else census.unknown()
    header = BundleHeader(
        name=name or output.name.partition(".")[0],
        start_slot=census.start_slot,
        end_slot=census.end_slot,
        created_by="simclient.local.nodes",
        origin=_origin(
            census, without_votes=without_votes, known_only=known_only, unknown=len(unknown), mentions=mentions
        ),
        account_count=len(census.accounts),
        builtins=tuple(sorted(bytes(program) for program in census.builtins())),
    )
    write_bundle(output, header, census.bundle_accounts(), selection.slots(sources))
    return BuildReport(
        start_slot=census.start_slot,
        end_slot=census.end_slot,
        slots=census.slots,
        transactions=selection.taken,
        votes_left_out=census.votes,
        others_left_out=census.others,
        transactions_left_out=selection.left_out,
        accounts=len(census.accounts),
        accounts_known_late=census.late(),
        unknown_accounts=len(unknown),
        unknown_examples=tuple(map(str, unknown[:_UNKNOWN_SHOWN])),
    )


@final
class Census:
    """The first pass: the accounts, and who is touched by the transactions."""

    def __init__(self, sources: Sequence[Path], *, without_votes: bool, mentions: Sequence[str] = ()) -> None:
        self.start_slot = self.end_slot = self.slots = self.votes = self.others = 0
        self.accounts: dict[str, NodeAccount] = {}
        """Those that exist."""
        self._known: set[Pubkey] = set()
        self._without_votes = without_votes
        self._mentions = frozenset(Pubkey.from_string(address) for address in address_list(mentions))
        self._touched: Counter[Pubkey] = Counter()
        self._programs: set[Pubkey] = set()
        self._runtime = LiteSVM()
        for place, value in read_values(sources):
            for fact in facts_of(place, value):
                if isinstance(fact, NodeBlock):
                    self._add_block(fact)
                else:
                    self._add_account(fact)
        if not self.slots:
            raise InputError("there is no block in these files; a bundle needs one at least")

    def is_unwanted_vote(self, transaction: VersionedTransaction) -> bool:
        """Whether a transaction is a vote, where votes are not wanted."""
        return self._without_votes and _VOTE_PROGRAM in _programs_of(transaction)

    def is_wanted(self, keys: Iterable[Pubkey]) -> bool:
        """Whether a transaction with these addresses mentions what is wanted."""
        return not self._mentions or not self._mentions.isdisjoint(keys)

    def is_known(self, address: Pubkey) -> bool:
        """Whether the state of an account is given, or the runtime brings it: a sysvar, a builtin, a program that LiteSVM has."""
        return address in self._known or self._runtime.get_account(address) is not None

    def unknown(self) -> list[Pubkey]:
        """Return the accounts that transactions touch and whose state is not known, the most touched first."""
        found = [(count, address) for address, count in self._touched.items() if not self.is_known(address)]
        return [address for _, address in sorted(found, key=lambda item: (-item[0], bytes(item[1])))]

    def builtins(self) -> list[Pubkey]:
        """Return the programs that are called, and that the runtime has to bring."""
        return [program for program in self._programs if str(program) not in self.accounts]

    def late(self) -> int:
        """Count the accounts that are as they were after the first slot or later."""
        slots = (account.context_slot for account in self.accounts.values())
        return sum(slot is not None and slot >= self.start_slot for slot in slots)

    def bundle_accounts(self) -> Iterator[BundleAccount]:
        """Give the accounts, each program's data before the program itself, as the runtime loads them."""
        for account in sorted(self.accounts.values(), key=lambda a: not _is_program_data(a)):
            yield BundleAccount(
                address=decode_base58(account.address),
                lamports=account.lamports,
                owner=account.owner,
                data=account.data,
                executable=account.executable,
            )

    def _add_account(self, account: NodeAccount) -> None:
        if account.owner in _OF_THE_RUNTIME:
            return

        self._known.add(Pubkey.from_string(account.address))
        if account.lamports:
            self.accounts[account.address] = account
        else:
            self.accounts.pop(account.address, None)

    def _add_block(self, block: NodeBlock) -> None:
        if self.slots and block.slot <= self.end_slot:
            raise InputError(
                f"cannot use {block.place}: slot {block.slot} comes after slot {self.end_slot}; give the blocks in ascending order"
            )
        self.start_slot = self.start_slot if self.slots else block.slot
        self.end_slot = block.slot
        self.slots += 1
        for one in block.transactions:
            transaction = _parsed(block, one)
            if self.is_unwanted_vote(transaction):
                self.votes += 1
                continue
            keys = _keys_of(block, transaction, one.meta)
            if not self.is_wanted(keys):
                self.others += 1
                continue
            self._touched.update(keys)
            self._programs.update(_programs_of(transaction))


@final
class _Selection:
    """The second pass: the blocks, with the transactions that are wanted."""

    def __init__(self, census: Census, *, known_only: bool) -> None:
        self._census = census
        self._known_only = known_only
        self.taken = self.left_out = 0

    def slots(self, sources: Sequence[Path]) -> Iterator[BundleSlot]:
        """Give the blocks of the bundle."""
        for place, value in read_values(sources):
            for fact in facts_of(place, value):
                if isinstance(fact, NodeBlock):
                    yield self._slot(fact)

    def _slot(self, block: NodeBlock) -> BundleSlot:
        wanted = (self._wanted(block, one) for one in block.transactions)
        return BundleSlot(
            slot=block.slot,
            parent_slot=block.parent_slot,
            blockhash=block.blockhash,
            block_height=block.block_height,
            block_time=block.block_time,
            transactions=tuple(one for one in wanted if one is not None),
        )

    def _wanted(self, block: NodeBlock, one: NodeTransaction) -> BundleTransaction | None:
        transaction = _parsed(block, one)
        if self._census.is_unwanted_vote(transaction):
            return None

        keys = _keys_of(block, transaction, one.meta)
        if not self._census.is_wanted(keys):
            return None
        if self._known_only and not all(map(self._census.is_known, keys)):
            self.left_out += 1
            return None

        self.taken += 1
        return BundleTransaction(wire=bytes(transaction), recorded=_outcome(block, one.meta, keys))


def _parsed(block: NodeBlock, one: NodeTransaction) -> VersionedTransaction:
    wire = one.wire(block.place)
    try:
        return read_transaction(wire)
    except InputError as error:
        raise InputError(f"cannot read {block.place}: a transaction of slot {block.slot}: {error}") from error


def _programs_of(transaction: VersionedTransaction) -> set[Pubkey]:
    keys = transaction.message.account_keys
    indexes = {instruction.program_id_index for instruction in transaction.message.instructions}
    return {keys[index] for index in indexes if index < len(keys)}


def _keys_of(block: NodeBlock, transaction: VersionedTransaction, meta: NodeMeta | None) -> tuple[Pubkey, ...]:
    """Return every address of a transaction: those of lookup tables are in its meta."""
    loaded = None if meta is None else meta.loaded_addresses
    texts = () if loaded is None else (*loaded.writable, *loaded.readonly)
    wrong = next((text for text in texts if not is_address(text)), None)
    if wrong is not None:
        raise InputError(f"cannot read {block.place}: the loaded address {wrong[:60]!r} of slot {block.slot} is none")

    return (*transaction.message.account_keys, *map(Pubkey.from_string, texts))


def _outcome(block: NodeBlock, meta: NodeMeta | None, keys: tuple[Pubkey, ...]) -> RecordedOutcome | None:
    if meta is None:
        return None

    return RecordedOutcome(
        is_success=meta.err is None,
        error=None if meta.err is None else msgspec.json.encode(meta.err).decode(),
        fee=meta.fee,
        compute_units=meta.compute_units_consumed,
        logs=meta.log_messages,
        post_balances=meta.post_balances,
        token_balances=_token_balances(block, meta, keys),
    )


def _token_balances(
    block: NodeBlock, meta: NodeMeta, keys: tuple[Pubkey, ...]
) -> tuple[RecordedTokenBalance, ...] | None:
    """Pair what token accounts held before and after; an account that was not there held nothing."""
    if meta.pre_token_balances is None or meta.post_token_balances is None:
        return None

    before, after = _amounts(block, meta.pre_token_balances, keys), _amounts(block, meta.post_token_balances, keys)
    return tuple(
        RecordedTokenBalance(address=address, pre_amount=before.get(address, 0), post_amount=after.get(address, 0))
        for address in sorted({*before, *after})
    )


def _amounts(block: NodeBlock, balances: tuple[NodeTokenBalance, ...], keys: tuple[Pubkey, ...]) -> dict[bytes, int]:
    found: dict[bytes, int] = {}
    for balance in balances:
        amount = balance.ui_token_amount.amount
        if balance.account_index >= len(keys) or not amount.isdecimal() or len(amount) > _LONGEST_U64:
            raise InputError(f"cannot read {block.place}: a token balance of slot {block.slot} that is none")
        found[bytes(keys[balance.account_index])] = int(amount)
    return found


def _is_program_data(account: NodeAccount) -> bool:
    return account.owner == _UPGRADEABLE_LOADER and account.data[:4] == _PROGRAM_DATA_TAG


def missing_code(accounts: Iterable[NodeAccount]) -> list[str]:
    """Return the addresses of the program data that programs among these accounts have, and that is not among them."""
    given = {account.address: account for account in accounts}
    return list(dict.fromkeys(code for one in given.values() if (code := _code_of(one)) and code not in given))


def _check_programs(accounts: Mapping[str, NodeAccount]) -> None:
    """Check that every upgradeable program has its data, without which it cannot be loaded."""
    for account in accounts.values():
        code = _code_of(account)
        if code is not None and code not in accounts:
            raise InputError(
                f"cannot use {account.place}: the program {account.address} has its code in {code},"
                " which is not among the accounts; ask for that account too"
            )


def _code_of(account: NodeAccount) -> str | None:
    """Return where a program of the upgradeable loader has its code; None for any other account."""
    if account.owner != _UPGRADEABLE_LOADER or account.data[:4] != _PROGRAM_TAG or len(account.data) < _PROGRAM_BYTES:
        return None

    return str(Pubkey.from_bytes(account.data[4:_PROGRAM_BYTES]))


def _origin(census: Census, *, without_votes: bool, known_only: bool, unknown: int, mentions: Sequence[str]) -> str:
    left_out = [
        *([f"transactions that mention none of {', '.join(mentions)}"] if mentions else []),
        *(["the validators' votes"] if without_votes else []),
        *(["transactions that touch accounts of unknown state"] if known_only else []),
    ]
    late = census.late()
    return (
        "blocks and accounts as Solana nodes gave them"
        f"; left out: {', '.join(left_out) or 'nothing'}"
        + (f"; {late:,} accounts are as they were after slot {census.start_slot} or later" if late else "")
        + (f"; {unknown:,} accounts that transactions touch are not known and begin empty" if unknown else "")
    )
