"""Profit and loss of wallets, computed from the stream alone: no RPC, so no answer that fails can read as a balance of zero.

The rule, which keeps anything from being counted twice:
- Balances are followed account by account. An account's opening is the state before its first observed change, its closing the
  state after its last one; first and last are by (slot, index of the transaction in it), then by arrival.
- One account is read from one source: its account diffs if there was any, else the balances that transactions carry. Diffs also
  show writes outside of transactions, and the two sources are never mixed.
- A token account adds its opening to the wallet that owned it then and its closing to the wallet that owns it in the end; a wallet's
  balance of a mint is the sum over all its token accounts, of the Token and the Token-2022 program.
- A wallet's SOL is the lamports of its own address: rent held by token accounts and wrapped SOL (a mint like any other) are not in it.
- Fees are in the change of the payer's SOL, and are also said apart; they are known from transactions only.

Wallets are the owners of token accounts, the signers of transactions, and the accounts without data that the system program owns.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Generic, TypeVar, final

import attrs
import msgspec

from ..wire.notifications import AccountDiff, AccountState, ExecutedTransaction, TokenBalance
from ..wire.program_address import SYSTEM_PROGRAM
from .records import AccountDiffRecord, TransactionRecord
from .token_accounts import Holding, mint_decimals, token_holding

__all__ = ["BalanceChange", "ProfitAndLoss", "WalletResult", "state_of"]

_SOL_DECIMALS = 9
_OUTSIDE_TRANSACTIONS = -1
"""The place in its slot of a write that names no transaction: before all that do."""

_State = TypeVar("_State")
_Position = tuple[int, int]
"""Slot, and the index of the transaction in it."""


@attrs.frozen(kw_only=True)
class BalanceChange:
    """What became of one wallet's balance of one mint, or of its SOL."""

    mint: str | None
    """None: SOL, in lamports."""
    opening: int
    """Before the first change that was seen, in the smallest unit."""
    closing: int
    """After the last change that was seen, in the smallest unit."""
    decimals: int | None
    """Of the mint, where the stream showed it; 9 for SOL."""

    @property
    def delta(self) -> int:
        """What was gained, in the smallest unit; negative: lost."""
        return self.closing - self.opening


@attrs.frozen(kw_only=True)
class WalletResult:
    """The profit and loss of one wallet."""

    wallet: str
    """Address, base58."""
    fees_lamports: int
    """Paid by this wallet as fee payer; already part of the change of its SOL."""
    changes: tuple[BalanceChange, ...]
    """SOL first, then by mint; also balances that are the same in the end."""


@final
class ProfitAndLoss:
    """Takes diffs and transactions in the order of the stream, and says what each wallet gained."""

    def __init__(self) -> None:
        self._states: dict[str, _Span[AccountState | None]] = {}
        self._lamports: dict[str, _Span[int]] = {}
        self._holdings: dict[str, _Span[Holding | None]] = {}
        self._signers: set[str] = set()
        self._fees_lamports: dict[str, int] = {}
        self._decimals: dict[str, int] = {}

    def add_diff(self, diff: AccountDiff) -> None:
        """Take the states before and after one write; without an account it tells nothing about a wallet."""
        if diff.account is not None:
            _observe(self._states, diff.account, _position(diff), diff.pre, diff.post)

    def add_record(self, record: TransactionRecord | AccountDiffRecord) -> None:
        """Take a line of a run's file, which has the balances that changed."""
        if isinstance(record, AccountDiffRecord):
            if record.account:
                _observe(
                    self._states,
                    record.account,
                    _position(record),
                    state_of(record.pre_state),
                    state_of(record.post_state),
                )
            return

        position = _position(record)
        for change in record.sol_changes:
            _observe(self._lamports, change.pubkey, position, change.pre_lamports, change.post_lamports)
        for token in record.token_changes:
            self._decimals[token.mint] = token.decimals
            if token.owner:
                before = Holding(token.mint, token.owner, token.pre_amount)
                after = Holding(token.mint, token.owner, token.post_amount)
                _observe(self._holdings, token.pubkey, position, before, after)
        if record.fee_payer is not None:
            self._signers.add(record.fee_payer)
            self._add_fee(record.fee_payer, record.fee)

    def _add_fee(self, payer: str, fee_lamports: int | None) -> None:
        if fee_lamports is not None:
            self._fees_lamports[payer] = self._fees_lamports.get(payer, 0) + fee_lamports

    def add_transaction(self, transaction: ExecutedTransaction) -> None:
        """Take the balances before and after one transaction, failed ones too: they pay fees."""
        position = _position(transaction)
        keys = transaction.account_keys
        for key, before, after in zip(keys, transaction.pre_balances, transaction.post_balances, strict=False):
            _observe(self._lamports, key, position, before, after)

        holdings_before = self._holdings_in(keys, transaction.pre_token_balances)
        holdings_after = self._holdings_in(keys, transaction.post_token_balances)
        for key in holdings_before | holdings_after:
            _observe(self._holdings, key, position, holdings_before.get(key), holdings_after.get(key))

        self._signers.update(keys[: len(transaction.signatures)])
        if keys:
            self._add_fee(keys[0], transaction.fee)

    def wallets(self, also: Collection[str] = ()) -> tuple[WalletResult, ...]:
        """Return every wallet seen so far, by address.

        Args:
            also: Addresses that are wallets even if the stream does not show it: they only ever received SOL, for instance.
        """
        tokens = self._token_sums()
        sol = dict(self._wallet_lamports(tokens.keys() | self._signers | set(also)))
        decimals = self._known_decimals()
        return tuple(
            WalletResult(
                wallet=wallet,
                fees_lamports=self._fees_lamports.get(wallet, 0),
                changes=tuple(_changes(sol.get(wallet), tokens.get(wallet, {}), decimals)),
            )
            for wallet in sorted(tokens.keys() | sol.keys())
        )

    def _holdings_in(self, keys: tuple[str, ...], balances: tuple[TokenBalance, ...]) -> dict[str, Holding]:
        """Return the holdings of a transaction's token accounts by address; balances without an owner are of no wallet."""
        found: dict[str, Holding] = {}
        for balance in balances:
            self._decimals[balance.mint] = balance.decimals
            if balance.owner is not None and balance.account_index < len(keys):
                found[keys[balance.account_index]] = Holding(balance.mint, balance.owner, balance.amount)
        return found

    def _token_sums(self) -> dict[str, dict[str, _Sum]]:
        """Return the balances by wallet and mint."""
        sums: dict[str, dict[str, _Sum]] = {}
        for opening, closing in self._token_accounts():
            if opening is not None:
                sums.setdefault(opening.owner, {}).setdefault(opening.mint, _Sum()).opening += opening.amount
            if closing is not None:
                sums.setdefault(closing.owner, {}).setdefault(closing.mint, _Sum()).closing += closing.amount
        return sums

    def _token_accounts(self) -> Iterator[tuple[Holding | None, Holding | None]]:
        """Yield what each token account held at first and at last, from the one source it is read from."""
        for state in self._states.values():
            yield token_holding(state.opening), token_holding(state.closing)
        for account, span in self._holdings.items():
            if account not in self._states:
                yield span.opening, span.closing

    def _wallet_lamports(self, wallets: set[str]) -> Iterator[tuple[str, _Sum]]:
        """Yield the lamports of each wallet whose own account was seen, from the one source it is read from."""
        for account, span in self._states.items():
            if account in wallets or _is_wallet(span.closing or span.opening):
                yield account, _Sum(_lamports(span.opening), _lamports(span.closing))
        for account in wallets & self._lamports.keys():
            if account not in self._states:
                yield account, _Sum(self._lamports[account].opening, self._lamports[account].closing)

    def _known_decimals(self) -> dict[str, int]:
        """Return the decimals by mint, from token balances and from mints whose accounts were seen."""
        mints = ((account, mint_decimals(span.closing)) for account, span in self._states.items())
        return self._decimals | {mint: decimals for mint, decimals in mints if decimals is not None}


@final
class _Span(Generic[_State]):
    """The first and the last state of one account."""

    __slots__ = ("closing", "first", "last", "opening")

    def __init__(self, position: _Position, before: _State, after: _State) -> None:
        self.first = self.last = position
        self.opening = before
        self.closing = after


@final
class _Sum:
    """A balance at first and at last, summed over accounts."""

    __slots__ = ("closing", "opening")

    def __init__(self, opening: int = 0, closing: int = 0) -> None:
        self.opening = opening
        self.closing = closing


def _position(event: AccountDiff | ExecutedTransaction | AccountDiffRecord | TransactionRecord) -> _Position:
    """Return where in the replay an event stands."""
    return event.slot, _OUTSIDE_TRANSACTIONS if event.tx_index is None else event.tx_index


def _observe(spans: dict[str, _Span[_State]], account: str, position: _Position, before: _State, after: _State) -> None:
    """Widen an account's span by one change."""
    span = spans.get(account)
    if span is None:
        spans[account] = _Span(position, before, after)
        return

    if position < span.first:
        span.first, span.opening = position, before
    if position >= span.last:
        span.last, span.closing = position, after


def _changes(sol: _Sum | None, tokens: dict[str, _Sum], decimals: dict[str, int]) -> Iterator[BalanceChange]:
    """Yield the balances of one wallet, SOL first, then by mint."""
    if sol is not None:
        yield BalanceChange(mint=None, opening=sol.opening, closing=sol.closing, decimals=_SOL_DECIMALS)
    for mint in sorted(tokens):
        total = tokens[mint]
        yield BalanceChange(mint=mint, opening=total.opening, closing=total.closing, decimals=decimals.get(mint))


def _is_wallet(state: AccountState | None) -> bool:
    """Tell whether an account is a plain wallet: owned by the system program, without data."""
    return state is not None and state.owner == SYSTEM_PROGRAM and not state.data_base64


def state_of(raw: msgspec.Raw) -> AccountState | None:
    """Return the state in a line of a file; one that is no account tells nothing."""
    try:
        return _STATE.decode(raw) if raw else None
    except msgspec.DecodeError:
        return None


_STATE: msgspec.json.Decoder[AccountState | None] = msgspec.json.Decoder(AccountState | None)


def _lamports(state: AccountState | None) -> int:
    """Return the lamports of a state; an account that does not exist has none."""
    return 0 if state is None else state.lamports or 0
