"""The lines of an output file: one JSON object `{"type": …, "data": …}` per line, in the format of today's tool.

- Types: `metadata` (one, first), `session_started`, `tx`, `diff`, `summary` (one, last). That tool fails on any other type, so `logs`
  lines are written only when they are asked for. It ignores keys that it does not know: ours only add some.
- Keys of that tool that are optional there are left out when they are unknown. Keys that it must have are always written, as 64 or 32 zero
  bytes where the server gave nothing (`tx_hash` of a diff outside of transactions), since it reads no other text; our own `signature` is
  null then.
- Amounts are JSON integers, up to 2^64 - 1. `error` is the text that Solana's tools show, `err` the server's own JSON.
- `pre_state` and `post_state` of a diff are the server's bytes, as they came.

Source: the file format of sim-cli 0.21.0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec

from ..wire.notifications import (
    AccountDiff,
    AccountState,
    ExecutedTransaction,
    Instruction,
    TokenBalance,
    TransactionLogs,
)
from ..wire.transaction_errors import describe_transaction_error
from .records import SolChange, TokenAccount, TokenChange
from .token_accounts import Holding, token_holding

__all__ = ["diff_line", "line", "logs_line", "transaction_line"]

JsonValue = str | int | float | bool | None | Sequence["JsonValue"] | Mapping[str, "JsonValue"]

_NO_SIGNATURE = "1" * 64
_NO_ADDRESS = "1" * 32
"""Zero bytes in base58."""
_ENCODER = msgspec.json.Encoder()


def line(kind: str, data: Mapping[str, JsonValue]) -> bytes:
    """Return one line of any type, its newline included."""
    return _encode(kind, data)


def transaction_line(transaction: ExecutedTransaction, *, session_id: str, with_instructions: bool = False) -> bytes:
    """Return the `tx` line of a transaction; with its instructions it is about twice as long."""
    return _encode(
        "tx",
        _Transaction(
            slot=transaction.slot,
            timestamp=_given(transaction.block_time),
            signature=transaction.signature or "",
            success=transaction.is_success,
            error=_given(describe_transaction_error(transaction.error)),
            logs=transaction.logs or (),
            sol_changes=tuple(_sol_changes(transaction)),
            token_changes=tuple(_token_changes(transaction)),
            tx_index=transaction.tx_index,
            fee=transaction.fee,
            compute_units=transaction.compute_units,
            err=_raw(transaction.error),
            fee_payer=next(iter(transaction.account_keys), None),
            instructions=transaction.instructions if with_instructions else msgspec.UNSET,
            session_id=session_id,
        ),
    )


def diff_line(diff: AccountDiff, *, session_id: str) -> bytes:
    """Return the `diff` line of an account's change."""
    states = _STATES.decode(diff.result_bytes)
    return _encode(
        "diff",
        _Diff(
            slot=diff.slot,
            tx_hash=diff.signature or _NO_SIGNATURE,
            account=diff.account or _NO_ADDRESS,
            tx_index=_given(diff.tx_index),
            block_time=_given(diff.block_time),
            pre_lamports=_lamports(diff.pre),
            post_lamports=_lamports(diff.post),
            pre_state=_given_raw(states.pre),
            post_state=_given_raw(states.post),
            signature=diff.signature,
            pre_token_account=_given(_token_account(token_holding(diff.pre))),
            post_token_account=_given(_token_account(token_holding(diff.post))),
            session_id=session_id,
        ),
    )


def logs_line(logs: TransactionLogs, *, session_id: str) -> bytes:
    """Return the `logs` line of a transaction's logs; today's tool cannot read it."""
    return _encode(
        "logs",
        _Logs(
            slot=logs.slot,
            signature=logs.signature,
            success=logs.is_success,
            error=_given(describe_transaction_error(logs.error)),
            logs=logs.logs or (),
            err=_raw(logs.error),
            session_id=session_id,
        ),
    )


class _Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """The data of a `tx` line; from `tx_index` on they are keys that we add."""

    slot: int
    timestamp: int | msgspec.UnsetType
    signature: str
    success: bool
    error: str | msgspec.UnsetType
    logs: Sequence[str]
    sol_changes: tuple[SolChange, ...]
    token_changes: tuple[TokenChange, ...]
    tx_index: int | None
    fee: int | None
    compute_units: int | None
    err: msgspec.Raw | None
    fee_payer: str | None
    instructions: Sequence[Instruction] | msgspec.UnsetType
    session_id: str


class _Diff(msgspec.Struct, frozen=True, kw_only=True):
    """The data of a `diff` line; from `signature` on they are keys that we add."""

    slot: int
    tx_hash: str
    account: str
    tx_index: int | msgspec.UnsetType
    block_time: int | msgspec.UnsetType
    pre_lamports: int | msgspec.UnsetType
    post_lamports: int | msgspec.UnsetType
    pre_state: msgspec.Raw | msgspec.UnsetType
    post_state: msgspec.Raw | msgspec.UnsetType
    signature: str | None
    pre_token_account: TokenAccount | msgspec.UnsetType
    post_token_account: TokenAccount | msgspec.UnsetType
    session_id: str


class _Logs(msgspec.Struct, frozen=True, kw_only=True):
    """The data of a `logs` line."""

    slot: int
    signature: str | None
    success: bool
    error: str | msgspec.UnsetType
    logs: Sequence[str]
    err: msgspec.Raw | None
    session_id: str


class _States(msgspec.Struct, frozen=True):
    """The states of a diff's result, unread."""

    pre: msgspec.Raw = msgspec.Raw()
    post: msgspec.Raw = msgspec.Raw()


_STATES = msgspec.json.Decoder(_States)


def _encode(kind: str, data: object) -> bytes:
    return _ENCODER.encode({"type": kind, "data": data}) + b"\n"


def _sol_changes(transaction: ExecutedTransaction) -> Iterator[SolChange]:
    """Yield the accounts whose lamports changed, in the order of the transaction's keys."""
    balances = zip(
        transaction.account_keys, transaction.pre_balances or (), transaction.post_balances or (), strict=False
    )
    for key, before, after in balances:
        if before != after:
            yield SolChange(key, before, after)


def _token_changes(transaction: ExecutedTransaction) -> Iterator[TokenChange]:
    """Yield the token accounts whose amount changed, by index; a side that is missing counts as 0."""
    keys = transaction.account_keys
    before = {balance.account_index: balance for balance in transaction.pre_token_balances or ()}
    after = {balance.account_index: balance for balance in transaction.post_token_balances or ()}
    for index in sorted(before.keys() | after.keys()):
        known = before.get(index) or after[index]
        change = _amount(before.get(index)), _amount(after.get(index))
        if change[0] != change[1] and index < len(keys):
            yield TokenChange(keys[index], known.mint, known.owner or "", *change, known.decimals)


def _amount(balance: TokenBalance | None) -> int:
    return 0 if balance is None else balance.amount


def _lamports(state: AccountState | None) -> int | msgspec.UnsetType:
    return msgspec.UNSET if state is None else _given(state.lamports)


def _token_account(holding: Holding | None) -> TokenAccount | None:
    return None if holding is None else TokenAccount(*holding)


_Value = TypeVar("_Value")


def _given(value: _Value | None) -> _Value | msgspec.UnsetType:
    """Return a value to write, or what leaves its key out."""
    return msgspec.UNSET if value is None else value


def _given_raw(raw: msgspec.Raw) -> msgspec.Raw | msgspec.UnsetType:
    """Return JSON to write as it came, or what leaves its key out."""
    return msgspec.UNSET if bytes(raw) in (b"", b"null") else raw


def _raw(text: str | None) -> msgspec.Raw | None:
    return None if text is None else msgspec.Raw(text.encode())
