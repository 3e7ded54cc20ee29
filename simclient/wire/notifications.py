"""What comes on the data plane, decoded fast: typed views that cost little until they are read.

Notifications come at hundreds of thousands a second, so each is decoded once, by msgspec, straight into the frozen struct that the user
sees. The whole message stays with it as `raw`; account data, transaction metadata and unknown fields are decoded when they are asked for.
Strings are opaque: servers send signatures and accounts that are not base58. Every field that a server may leave out can be None.

`decode_data_message` is the one reader; whatever it cannot read is a `RemoteProtocolError`, and a method that it does not know arrives as
an `UnknownNotification`. Source: the notification types of simulator-client 0.9.0 and of Solana's `getTransaction`.
"""

from __future__ import annotations

import base64
from typing import Annotated, TypeVar, final

import attrs
import msgspec
from msgspec import Meta, Raw, Struct
from msgspec.structs import force_setattr

from ..errors import RemoteProtocolError
from .json_text import JsonValue

__all__ = [
    "AccountDiff",
    "AccountState",
    "Acknowledgement",
    "DataMessage",
    "ExecutedTransaction",
    "Refusal",
    "SubscriptionComplete",
    "TokenBalance",
    "TransactionLogs",
    "UnknownNotification",
    "decode_data_message",
    "transaction_from_result",
]

Unsigned = Annotated[int, Meta(ge=0)]
_EXCERPT_CHARACTERS = 200
_NOT_ON_THE_WIRE = "simclient: "
"""Prefix of fields that no message can name."""


# Values inside of notifications


@final
class AccountState(Struct, frozen=True, gc=False, rename="camel"):
    """An account at one moment; any field may be missing."""

    lamports: Unsigned | None = None
    owner: str | None = None
    """The owning program's address."""
    executable: bool | None = None
    rent_epoch: Unsigned | None = None
    space: Unsigned | None = None
    """The length of the data in bytes."""
    encoded: Raw = msgspec.field(default_factory=Raw, name="data")

    @property
    def data_base64(self) -> str | None:
        """The account's data as the server sent it; None where it is absent or in another encoding."""
        if not self.encoded:
            return None

        match msgspec.json.decode(self.encoded):
            case [str(text), "base64"]:
                return text
            case _:
                return None

    @property
    def data(self) -> bytes | None:
        """The account's data, decoded at each reading; None where it is absent or in another encoding.

        Raises:
            RemoteProtocolError: It is not base64.
        """
        text = self.data_base64
        if text is None:
            return None

        try:
            return base64.b64decode(text, validate=True)
        except ValueError as error:
            raise RemoteProtocolError(
                f"account data is not base64: {error}", path="$.data[0]", excerpt=text[:40]
            ) from error


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


# What every notification has


class _Notification(Struct, frozen=True, gc=False, kw_only=True):
    raw: bytes = msgspec.field(default=b"", name=f"{_NOT_ON_THE_WIRE}raw")
    """The whole message as JSON."""
    label: str | None = msgspec.field(default=None, name=f"{_NOT_ON_THE_WIRE}label")
    """The label of the subscription that it came by."""

    @property
    def result_bytes(self) -> bytes:
        """The raw JSON of `params.result`: what does not depend on the connection that it came by."""
        return bytes(_ONLY_THE_RESULT.decode(self.raw).params.result)


class _Result(Struct, frozen=True, gc=False):
    result: Raw


class _OnlyTheResult(Struct, frozen=True, gc=False):
    params: _Result


_ONLY_THE_RESULT = msgspec.json.Decoder(_OnlyTheResult)


class _Context(Struct, frozen=True, gc=False):
    slot: Unsigned


# Account diffs


class _DiffResult(Struct, frozen=True, gc=False):
    context: _Context
    account: str | None = None
    signature: str | None = None
    tx_index: Unsigned | None = None
    block_time: int | None = None
    pre: AccountState | None = None
    post: AccountState | None = None


class _DiffParams(Struct, frozen=True, gc=False):
    subscription: Unsigned
    result: _DiffResult


@final
class AccountDiff(_Notification, frozen=True, gc=False, tag_field="method", tag="accountDiffNotification"):
    """One write to an account: its state before and after."""

    params: _DiffParams

    def __repr__(self) -> str:
        return f"AccountDiff(slot={self.slot}, account={self.account!r}, signature={self.signature!r})"

    @property
    def subscription_id(self) -> int:
        """The server's number for the subscription, on the current connection."""
        return self.params.subscription

    @property
    def slot(self) -> int:
        """The slot in which it was written."""
        return self.params.result.context.slot

    @property
    def account(self) -> str | None:
        """The account's address."""
        return self.params.result.account

    @property
    def signature(self) -> str | None:
        """The transaction that wrote it; None for writes of the runtime, such as sysvars."""
        return self.params.result.signature

    @property
    def tx_index(self) -> int | None:
        """The transaction's place in its block."""
        return self.params.result.tx_index

    @property
    def block_time(self) -> int | None:
        """Seconds since 1970."""
        return self.params.result.block_time

    @property
    def pre(self) -> AccountState | None:
        """The account before; None where it did not exist."""
        return self.params.result.pre

    @property
    def post(self) -> AccountState | None:
        """The account after; None where it no longer exists."""
        return self.params.result.post


# Transactions


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
    pre_token_balances: tuple[_UiTokenBalance, ...] | None = None
    post_token_balances: tuple[_UiTokenBalance, ...] | None = None
    loaded_addresses: _Loaded | None = None


class _Message(Struct, frozen=True, rename="camel"):
    account_keys: tuple[str, ...] = ()


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
class ExecutedTransaction(_Notification, frozen=True, tag_field="method", tag="transactionNotification"):
    """One executed transaction, as `getTransaction` would return it.

    Reading anything but slot, time and version decodes the transaction or its metadata, once; a `RemoteProtocolError` says that they are
    not in the `json` encoding.
    """

    params: _TransactionParams
    decoded_transaction: _Transaction | None = msgspec.field(default=None, name=f"{_NOT_ON_THE_WIRE}transaction")
    decoded_meta: _Meta | None = msgspec.field(default=None, name=f"{_NOT_ON_THE_WIRE}meta")

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
        return _error_text(self._meta.err)

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
    def pre_balances(self) -> tuple[int, ...]:
        """Lamports before, by place in `account_keys`."""
        return self._meta.pre_balances

    @property
    def post_balances(self) -> tuple[int, ...]:
        """Lamports after, by place in `account_keys`."""
        return self._meta.post_balances

    @property
    def pre_token_balances(self) -> tuple[TokenBalance, ...]:
        """Token balances before."""
        return _token_balances(self._meta.pre_token_balances)

    @property
    def post_token_balances(self) -> tuple[TokenBalance, ...]:
        """Token balances after."""
        return _token_balances(self._meta.post_token_balances)

    @property
    def _transaction(self) -> _Transaction:
        if self.decoded_transaction is None:
            force_setattr(
                self, "decoded_transaction", _part(self.params.result.transaction, _TRANSACTION, "transaction")
            )
        assert self.decoded_transaction is not None
        return self.decoded_transaction

    @property
    def _meta(self) -> _Meta:
        if self.decoded_meta is None:
            force_setattr(self, "decoded_meta", _part(self.params.result.meta, _META, "meta"))
        assert self.decoded_meta is not None
        return self.decoded_meta


_TRANSACTION = msgspec.json.Decoder(_Transaction)
_META = msgspec.json.Decoder(_Meta)


# Logs


class _LogsValue(Struct, frozen=True, gc=False):
    signature: str | None = None
    err: Raw = msgspec.field(default_factory=Raw)
    logs: tuple[str, ...] = ()


class _LogsResult(Struct, frozen=True, gc=False):
    context: _Context
    value: _LogsValue


class _LogsParams(Struct, frozen=True, gc=False):
    subscription: Unsigned
    result: _LogsResult


@final
class TransactionLogs(_Notification, frozen=True, gc=False, tag_field="method", tag="logsNotification"):
    """The log lines of one executed transaction."""

    params: _LogsParams

    def __repr__(self) -> str:
        return f"TransactionLogs(slot={self.slot}, signature={self.signature!r}, {len(self.logs)} lines)"

    @property
    def subscription_id(self) -> int:
        """The server's number for the subscription, on the current connection."""
        return self.params.subscription

    @property
    def slot(self) -> int:
        """The slot in which the transaction was executed."""
        return self.params.result.context.slot

    @property
    def signature(self) -> str | None:
        """The transaction's first signature."""
        return self.params.result.value.signature

    @property
    def is_success(self) -> bool:
        """Whether the transaction succeeded."""
        return self.error is None

    @property
    def error(self) -> str | None:
        """Why the transaction failed, as JSON text; None when it succeeded."""
        return _error_text(self.params.result.value.err)

    @property
    def logs(self) -> tuple[str, ...]:
        """The lines, in order."""
        return self.params.result.value.logs


# Everything else that comes on a data socket


@attrs.frozen(kw_only=True)
class UnknownNotification:
    """A notification whose method this version does not know, kept as it came."""

    method: str
    raw: bytes = attrs.field(repr=False)
    """The whole message as JSON."""
    label: str | None = None
    subscription_id: int | None = None
    slot: int | None = None
    """What `params.result` says in the usual places, `context.slot` or `slot`."""

    @property
    def result_bytes(self) -> bytes:
        """The raw JSON of `params.result`; the whole message where there is none."""
        try:
            return bytes(_ONLY_THE_RESULT.decode(self.raw).params.result)
        except msgspec.ValidationError:
            return self.raw


@final
class SubscriptionComplete(Struct, frozen=True, gc=False, tag_field="method", tag="subscriptionComplete"):
    """`subscriptionComplete`: the last notification of a subscription has come."""

    params: _CompleteParams

    @property
    def subscription_id(self) -> int:
        """The server's number for the subscription."""
        return self.params.subscription


class _CompleteParams(Struct, frozen=True, gc=False):
    subscription: Unsigned


@attrs.frozen(kw_only=True)
class Acknowledgement:
    """The answer to a subscribe request."""

    request_id: int
    subscription_id: int


@attrs.frozen(kw_only=True)
class Refusal:
    """The error that answers a subscribe request."""

    request_id: int | None
    code: int
    message: str


DataMessage = (
    AccountDiff
    | ExecutedTransaction
    | TransactionLogs
    | UnknownNotification
    | SubscriptionComplete
    | Acknowledgement
    | Refusal
)
"""What a data socket carries."""


def decode_data_message(payload: bytes) -> DataMessage:
    """Read one message of a data socket.

    Raises:
        RemoteProtocolError: It is not JSON, or not what its method calls for.
    """
    try:
        message: _Known = _KNOWN.decode(payload)
    except msgspec.ValidationError as error:
        return _decode_rare(payload, error)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable(payload, error) from error

    if type(message) is not SubscriptionComplete:
        force_setattr(message, "raw", payload)
    return message


def transaction_from_result(result: bytes) -> ExecutedTransaction:
    """Read what `getTransaction` answers; it has no subscription, so its id is 0.

    Raises:
        RemoteProtocolError: It is not a transaction in the `json` encoding.
    """
    message = decode_data_message(
        b'{"jsonrpc":"2.0","method":"transactionNotification","params":{"subscription":0,"result":%b}}' % result
    )
    assert isinstance(message, ExecutedTransaction)
    return message


_Known = AccountDiff | ExecutedTransaction | TransactionLogs | SubscriptionComplete
_KNOWN: msgspec.json.Decoder[_Known] = msgspec.json.Decoder(_Known)
_KNOWN_METHODS = frozenset(
    ("accountDiffNotification", "transactionNotification", "logsNotification", "subscriptionComplete")
)


class _RpcError(Struct, frozen=True):
    code: int
    message: str


class _Anything(Struct, frozen=True):
    """Any JSON-RPC message, as far as it must be told apart."""

    method: str | None = None
    id: int | str | None = None
    result: Raw = msgspec.field(default_factory=Raw)
    error: _RpcError | None = None
    params: Raw = msgspec.field(default_factory=Raw)


_ANYTHING = msgspec.json.Decoder(_Anything)


def _decode_rare(payload: bytes, why: msgspec.ValidationError) -> DataMessage:
    """Read what is not a well-formed notification of a known method."""
    try:
        message = _ANYTHING.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable(payload, error) from error

    request_id = message.id if isinstance(message.id, int) else None
    if message.error is not None:
        return Refusal(request_id=request_id, code=message.error.code, message=message.error.message)
    if message.method is None and request_id is not None and message.result:
        return Acknowledgement(request_id=request_id, subscription_id=_number(message.result, payload))
    if message.method is None or message.method in _KNOWN_METHODS:
        raise _unreadable(payload, why) from why

    return _unknown(message.method, message.params, payload)


def _number(raw: Raw, payload: bytes) -> int:
    try:
        return msgspec.json.decode(raw, type=Unsigned)
    except msgspec.ValidationError as error:
        raise _unreadable(payload, error) from error


def _unknown(method: str, params: Raw, payload: bytes) -> UnknownNotification:
    found: JsonValue = msgspec.json.decode(params) if params else None
    subscription = found.get("subscription") if isinstance(found, dict) else None
    result = found.get("result") if isinstance(found, dict) else None
    context = result.get("context", result) if isinstance(result, dict) else None
    slot = context.get("slot") if isinstance(context, dict) else None
    return UnknownNotification(
        method=method,
        raw=payload,
        subscription_id=subscription if type(subscription) is int else None,
        slot=slot if type(slot) is int else None,
    )


_Part = TypeVar("_Part")


def _part(raw: Raw, decoder: msgspec.json.Decoder[_Part], name: str) -> _Part:
    """Decode a part of a transaction that was left raw; a missing one or null is empty."""
    try:
        return decoder.decode(raw if raw and bytes(raw) != b"null" else b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RemoteProtocolError(
            f"cannot read a transaction notification: {error}",
            path=f"$.params.result.{name}",
            excerpt=_excerpt(bytes(raw)),
        ) from error


def _error_text(raw: Raw) -> str | None:
    text = bytes(raw).decode() if raw else "null"
    return None if text == "null" else text


def _token_balances(balances: tuple[_UiTokenBalance, ...] | None) -> tuple[TokenBalance, ...]:
    return tuple(
        TokenBalance(
            account_index=balance.account_index,
            mint=balance.mint,
            owner=balance.owner,
            amount=_amount(balance.ui_token_amount.amount),
            decimals=balance.ui_token_amount.decimals,
        )
        for balance in balances or ()
    )


def _amount(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise RemoteProtocolError(f"a token amount is not a whole number: {text[:40]!r}", excerpt=text[:40])

    return int(text)


def _unreadable(payload: bytes, why: Exception) -> RemoteProtocolError:
    return RemoteProtocolError(f"cannot read a data message: {why}", excerpt=_excerpt(payload))


def _excerpt(payload: bytes) -> str:
    return payload[:_EXCERPT_CHARACTERS].decode("utf-8", "replace")
