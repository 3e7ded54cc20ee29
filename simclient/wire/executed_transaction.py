"""Executed transactions, as `getTransaction` would return them; see `notifications`."""

from __future__ import annotations

from typing import TypeVar, final

import attrs
import msgspec
from msgspec import Raw, Struct
from msgspec.structs import force_setattr

from ..errors import RemoteProtocolError
from .instructions import Instruction, read_instructions
from .notification_parts import NOT_ON_THE_WIRE, Notification, Unsigned, error_text, excerpt_of

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


class _Loaded(Struct, frozen=True, gc=False):
    writable: tuple[str, ...] = ()
    readonly: tuple[str, ...] = ()


class _Meta(Struct, frozen=True, rename="camel"):
    err: Raw = msgspec.field(default_factory=Raw)
    fee: Unsigned | None = None
    compute_units_consumed: Unsigned | None = None
    log_messages: tuple[str, ...] | None = None
    pre_balances: tuple[Unsigned, ...] = ()
    post_balances: tuple[Unsigned, ...] = ()
    pre_token_balances: Raw = msgspec.field(default_factory=Raw)
    post_token_balances: Raw = msgspec.field(default_factory=Raw)
    loaded_addresses: _Loaded | None = None
    inner_instructions: Raw = msgspec.field(default_factory=Raw)


class _Message(Struct, frozen=True, rename="camel"):
    account_keys: tuple[str, ...] = ()
    instructions: Raw = msgspec.field(default_factory=Raw)


class _Transaction(Struct, frozen=True):
    signatures: tuple[str, ...] = ()
    message: _Message = _Message()


class _TransactionResult(Struct, frozen=True, gc=False, rename="camel"):
    slot: Unsigned
    block_time: int | None = None
    transaction_index: Unsigned | None = None
    version: str | int | None = None
    transaction: Raw = msgspec.field(default_factory=Raw)
    meta: Raw = msgspec.field(default_factory=Raw)


class _TransactionParams(Struct, frozen=True, gc=False):
    subscription: Unsigned
    result: _TransactionResult


@final
class ExecutedTransaction(Notification, frozen=True, tag_field="method", tag="transactionNotification"):
    """One executed transaction, as `getTransaction` would return it.

    Reading anything but slot, time and version decodes the transaction or its metadata, once; a `RemoteProtocolError` says that they are
    not in the `json` encoding.
    """

    params: _TransactionParams
    decoded_transaction: _Transaction | None = msgspec.field(default=None, name=f"{NOT_ON_THE_WIRE}transaction")
    decoded_meta: _Meta | None = msgspec.field(default=None, name=f"{NOT_ON_THE_WIRE}meta")

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
        return self._transaction.signatures

    @property
    def signature(self) -> str | None:
        """The first signature, which names the transaction."""
        signatures = self._transaction.signatures
        return signatures[0] if signatures else None

    @property
    def account_keys(self) -> tuple[str, ...]:
        """Every address it names: static, then loaded writable, then loaded readonly; balances follow this order."""
        loaded = self._meta.loaded_addresses or _Loaded()
        return self._transaction.message.account_keys + loaded.writable + loaded.readonly

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
        return self._meta.fee

    @property
    def compute_units(self) -> int | None:
        """Compute units consumed."""
        return self._meta.compute_units_consumed

    @property
    def logs(self) -> tuple[str, ...]:
        """The log lines, empty where they were not kept."""
        return self._meta.log_messages or ()

    @property
    def instructions(self) -> tuple[Instruction, ...]:
        """Its instructions, each followed by those that programs made of it; decoded at each reading."""
        return read_instructions(
            self._transaction.message.instructions, self._meta.inner_instructions, self.account_keys
        )

    @property
    def pre_balances(self) -> tuple[int, ...]:
        """Lamports before, by place in `account_keys`."""
        return self._meta.pre_balances

    @property
    def post_balances(self) -> tuple[int, ...]:
        """Lamports after, by place in `account_keys`."""
        return self._meta.post_balances

    @property
    def pre_token_balances(self) -> tuple[TokenBalance, ...]:
        """Token balances before, decoded at each reading."""
        return _token_balances(self._meta.pre_token_balances, "meta.preTokenBalances")

    @property
    def post_token_balances(self) -> tuple[TokenBalance, ...]:
        """Token balances after, decoded at each reading."""
        return _token_balances(self._meta.post_token_balances, "meta.postTokenBalances")

    @property
    def _transaction(self) -> _Transaction:
        if self.decoded_transaction is None:
            transaction = _part(self.params.result.transaction, _TRANSACTION, "transaction")
            force_setattr(self, "decoded_transaction", transaction or _Transaction())
        assert self.decoded_transaction is not None
        return self.decoded_transaction

    @property
    def _meta(self) -> _Meta:
        if self.decoded_meta is None:
            force_setattr(self, "decoded_meta", _part(self.params.result.meta, _META, "meta") or _Meta())
        assert self.decoded_meta is not None
        return self.decoded_meta


_TRANSACTION = msgspec.json.Decoder(_Transaction | None)
_META = msgspec.json.Decoder(_Meta | None)
_TOKEN_BALANCES = msgspec.json.Decoder(tuple[_UiTokenBalance, ...] | None)


_Part = TypeVar("_Part")


def _part(raw: Raw, decoder: msgspec.json.Decoder[_Part | None], name: str) -> _Part | None:
    """Decode a part of a transaction that was left raw; a missing one is None, as null is."""
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
        for balance in _part(raw, _TOKEN_BALANCES, name) or ()
    )


def _amount(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise RemoteProtocolError(f"a token amount is not a whole number: {text[:40]!r}", excerpt=text[:40])

    return int(text)
