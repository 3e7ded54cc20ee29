"""Executed transactions, as `getTransaction` would return them; see `notifications`."""

from __future__ import annotations

from typing import TypeVar, final

import attrs
import msgspec
from msgspec import Raw, Struct

from ..errors import RemoteProtocolError
from .instructions import Instruction, read_instructions
from .notification_parts import EXCERPT_CHARACTERS, Notification, Unsigned, error_text, excerpt_of

__all__ = ["ExecutedTransaction", "TokenBalance"]


@attrs.frozen(kw_only=True)
class TokenBalance:
    """How much of a mint a token account of a transaction holds."""

    account_index: int
    """Its place in `account_keys`."""
    mint: str
    owner: str | None
    amount: int
    """In base units of the mint."""
    decimals: int


class _UiAmount(Struct, frozen=True, gc=False):
    amount: str
    decimals: Unsigned


class _UiTokenBalance(Struct, frozen=True, gc=False, rename="camel"):
    account_index: Unsigned
    mint: str
    ui_token_amount: _UiAmount
    owner: str | None = None


_ABSENT = Raw()


class _Loaded(Struct, frozen=True, gc=False):
    writable: tuple[str, ...] = ()
    readonly: tuple[str, ...] = ()


class _Meta(Struct, frozen=True, gc=False, rename="camel"):
    """What is large or rarely read stays raw; in the order in which servers write it."""

    err: Raw = _ABSENT
    fee: Raw = _ABSENT
    pre_balances: Raw = _ABSENT
    post_balances: Raw = _ABSENT
    inner_instructions: Raw = _ABSENT
    pre_token_balances: Raw = _ABSENT
    post_token_balances: Raw = _ABSENT
    log_messages: Raw = _ABSENT
    loaded_addresses: Raw = _ABSENT
    compute_units_consumed: Raw = _ABSENT


class _Message(Struct, frozen=True, gc=False, rename="camel"):
    account_keys: Raw = _ABSENT
    instructions: Raw = _ABSENT


class _Transaction(Struct, frozen=True, gc=False):
    signatures: Raw = _ABSENT
    message: _Message = _Message()


_Encoded = tuple[Raw, ...] | str
"""What stands in the place of an object where the encoding is not `json`."""


class _TransactionResult(Struct, frozen=True, gc=False, rename="camel"):
    slot: Unsigned
    block_time: int | None = None
    transaction_index: Unsigned | None = None
    version: str | int | None = None
    transaction: _Transaction | _Encoded | None = None
    meta: _Meta | _Encoded | None = None


class _TransactionParams(Struct, frozen=True, gc=False):
    subscription: Unsigned
    result: _TransactionResult


@final
class ExecutedTransaction(Notification, frozen=True, gc=False, tag_field="method", tag="transactionNotification"):
    """One executed transaction, as `getTransaction` would return it.

    Everything but slot, time and version is decoded when it is read, at each reading; a `RemoteProtocolError` says that it is not in the
    `json` encoding.
    """

    params: _TransactionParams

    def __repr__(self) -> str:
        return f"ExecutedTransaction(slot={self.slot}, signature={self.signature!r}, is_success={self.is_success})"

    @property
    def subscription_id(self) -> int:
        """The server's number for the subscription, on the current connection."""
        return self.params.subscription

    @property
    def slot(self) -> int:
        """The slot in which it was executed."""
        return self.params.result.slot

    @property
    def block_time(self) -> int | None:
        """Seconds since 1970."""
        return self.params.result.block_time

    @property
    def tx_index(self) -> int | None:
        """Its place in the block, where the server says so."""
        return self.params.result.transaction_index

    @property
    def version(self) -> str | int | None:
        """`"legacy"` or a number."""
        return self.params.result.version

    @property
    def signatures(self) -> tuple[str, ...]:
        """All signatures, the payer's first."""
        return _read(self._transaction.signatures, _TEXTS, "transaction.signatures") or ()

    @property
    def signature(self) -> str | None:
        """The first signature, which names the transaction."""
        signatures = self.signatures
        return signatures[0] if signatures else None

    @property
    def account_keys(self) -> tuple[str, ...]:
        """Every address it names: static, then loaded writable, then loaded readonly; balances follow this order."""
        static = _read(self._transaction.message.account_keys, _TEXTS, "transaction.message.accountKeys") or ()
        loaded = _read(self._meta.loaded_addresses, _LOADED, "meta.loadedAddresses")
        return static if loaded is None else static + loaded.writable + loaded.readonly

    @property
    def is_success(self) -> bool:
        """Whether it succeeded."""
        return self.error is None

    @property
    def error(self) -> str | None:
        """Why it failed, as JSON text of Solana's `TransactionError`; None when it succeeded."""
        return error_text(self._meta.err)

    @property
    def fee(self) -> int | None:
        """In lamports."""
        return _read(self._meta.fee, _NUMBER, "meta.fee")

    @property
    def compute_units(self) -> int | None:
        """Compute units consumed."""
        return _read(self._meta.compute_units_consumed, _NUMBER, "meta.computeUnitsConsumed")

    @property
    def logs(self) -> tuple[str, ...]:
        """The log lines, empty where they were not kept."""
        return _read(self._meta.log_messages, _TEXTS, "meta.logMessages") or ()

    @property
    def instructions(self) -> tuple[Instruction, ...]:
        """Its instructions, each followed by those that programs made of it."""
        return read_instructions(
            self._transaction.message.instructions, self._meta.inner_instructions, self.account_keys
        )

    @property
    def pre_balances(self) -> tuple[int, ...]:
        """Lamports before, by place in `account_keys`."""
        return _read(self._meta.pre_balances, _NUMBERS, "meta.preBalances") or ()

    @property
    def post_balances(self) -> tuple[int, ...]:
        """Lamports after, by place in `account_keys`."""
        return _read(self._meta.post_balances, _NUMBERS, "meta.postBalances") or ()

    @property
    def pre_token_balances(self) -> tuple[TokenBalance, ...]:
        """Token balances before."""
        return _token_balances(self._meta.pre_token_balances, "meta.preTokenBalances")

    @property
    def post_token_balances(self) -> tuple[TokenBalance, ...]:
        """Token balances after."""
        return _token_balances(self._meta.post_token_balances, "meta.postTokenBalances")

    @property
    def _transaction(self) -> _Transaction:
        found = self.params.result.transaction
        return found if isinstance(found, _Transaction) else _without_encoding(found, _NO_TRANSACTION, "transaction")

    @property
    def _meta(self) -> _Meta:
        found = self.params.result.meta
        return found if isinstance(found, _Meta) else _without_encoding(found, _NO_META, "meta")


_NO_TRANSACTION, _NO_META = _Transaction(), _Meta()
_TEXTS = msgspec.json.Decoder(tuple[str, ...] | None)
_NUMBER = msgspec.json.Decoder(Unsigned | None)
_NUMBERS = msgspec.json.Decoder(tuple[Unsigned, ...] | None)
_LOADED = msgspec.json.Decoder(_Loaded | None)
_TOKEN_BALANCES = msgspec.json.Decoder(tuple[_UiTokenBalance, ...] | None)


_Part = TypeVar("_Part")


def _without_encoding(found: _Encoded | None, empty: _Part, name: str) -> _Part:
    """Return what a missing part counts as; one in another encoding cannot be read."""
    if found is None:
        return empty

    raise RemoteProtocolError(
        "cannot read a transaction notification: it is not in the `json` encoding",
        path=f"$.params.result.{name}",
        excerpt=str(found)[:EXCERPT_CHARACTERS],
    )


def _read(raw: Raw, decoder: msgspec.json.Decoder[_Part | None], name: str) -> _Part | None:
    """Decode what was left raw; a missing part is None, as null is."""
    try:
        return decoder.decode(raw) if raw else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RemoteProtocolError(
            f"cannot read a transaction notification: {error}",
            path=f"$.params.result.{name}",
            excerpt=excerpt_of(bytes(raw)),
        ) from error


def _token_balances(raw: Raw, name: str) -> tuple[TokenBalance, ...]:
    return tuple(
        TokenBalance(
            account_index=balance.account_index,
            mint=balance.mint,
            owner=balance.owner,
            amount=_amount(balance.ui_token_amount.amount),
            decimals=balance.ui_token_amount.decimals,
        )
        for balance in _read(raw, _TOKEN_BALANCES, name) or ()
    )


def _amount(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise RemoteProtocolError(f"a token amount is not a whole number: {text[:40]!r}", excerpt=text[:40])

    return int(text)
