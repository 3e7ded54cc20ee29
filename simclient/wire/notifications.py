"""What comes on the data plane, decoded fast: typed views that cost little until they are read.

Notifications come at hundreds of thousands a second, so each is decoded once, by msgspec, straight into the frozen struct that the user
sees. The whole message stays with it as `raw`; account data, transaction metadata and unknown fields are decoded when they are asked for.
Strings are opaque: servers send signatures and accounts that are not base58. Every field that a server may leave out can be None.

`decode_data_message` is the one reader; whatever it cannot read is a `RemoteProtocolError`, and a method that it does not know, or a
report of a kind that it does not know, arrives as an `UnknownNotification`. Source: the notification types of simulator-client 0.9.0 and of
Solana's `getTransaction`.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import final

import attrs
import msgspec
from msgspec import Raw, Struct
from msgspec.structs import force_setattr

from ..errors import RemoteProtocolError
from .executed_transaction import ExecutedTransaction, TokenBalance
from .json_text import JsonValue
from .notification_parts import (
    ONLY_THE_RESULT,
    AccountState,
    Context,
    Notification,
    Unsigned,
    error_text,
    excerpt_of,
)
from .reports import REPORT_METHODS, ActionReport, DiagnosticReport, ReplacementReport, read_report

__all__ = [
    "AccountDiff",
    "AccountState",
    "Acknowledgement",
    "ActionReport",
    "DataMessage",
    "DiagnosticReport",
    "ExecutedTransaction",
    "Refusal",
    "ReplacementReport",
    "SubscriptionComplete",
    "TokenBalance",
    "TransactionLogs",
    "UnknownNotification",
    "decode_data_message",
    "transaction_from_result",
]


_PATH = re.compile(r" - at `(\$[^`]*)`")
"""Where msgspec says the JSON path of what does not fit."""


# Account diffs


class _DiffResult(Struct, frozen=True, gc=False):
    context: Context
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
class AccountDiff(Notification, frozen=True, gc=False, tag_field="method", tag="accountDiffNotification"):
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


# Logs


class _LogsValue(Struct, frozen=True, gc=False):
    signature: str | None = None
    err: Raw = msgspec.field(default_factory=Raw)
    logs: tuple[str, ...] = ()


class _LogsResult(Struct, frozen=True, gc=False):
    context: Context
    value: _LogsValue


class _LogsParams(Struct, frozen=True, gc=False):
    subscription: Unsigned
    result: _LogsResult


@final
class TransactionLogs(Notification, frozen=True, gc=False, tag_field="method", tag="logsNotification"):
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
        return error_text(self.params.result.value.err)

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
            return bytes(ONLY_THE_RESULT.decode(self.raw).params.result)
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
    | ActionReport
    | DiagnosticReport
    | ReplacementReport
    | UnknownNotification
    | SubscriptionComplete
    | Acknowledgement
    | Refusal
)
"""What a data socket carries."""


def decode_data_message(payload: bytes, label: str | None = None) -> DataMessage:
    """Read one message of a data socket; a notification carries `label`.

    Raises:
        RemoteProtocolError: It is not JSON, or not what its method calls for.
    """
    try:
        message: _Known = _KNOWN.decode(payload)
    except msgspec.ValidationError as error:
        return _decode_rare(payload, label, error)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable(payload, error) from error

    if type(message) is not SubscriptionComplete:
        force_setattr(message, "raw", payload)
        if label is not None:
            force_setattr(message, "label", label)
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


def _decode_rare(payload: bytes, label: str | None, why: msgspec.ValidationError) -> DataMessage:
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
    if message.method in REPORT_METHODS:
        with suppress(RemoteProtocolError, msgspec.ValidationError):  # of a newer server: kept as it came
            return read_report(payload, label)

    return _unknown(message.method, message.params, payload, label)


def _number(raw: Raw, payload: bytes) -> int:
    try:
        return msgspec.json.decode(raw, type=Unsigned)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable(payload, error) from error


def _unknown(method: str, params: Raw, payload: bytes, label: str | None) -> UnknownNotification:
    try:
        found: JsonValue = msgspec.json.decode(params) if params else None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable(payload, error) from error

    subscription = found.get("subscription") if isinstance(found, dict) else None
    result = found.get("result") if isinstance(found, dict) else None
    context = result.get("context", result) if isinstance(result, dict) else None
    slot = context.get("slot") if isinstance(context, dict) else None
    return UnknownNotification(
        method=method,
        raw=payload,
        label=label,
        subscription_id=subscription if type(subscription) is int else None,
        slot=slot if type(slot) is int else None,
    )


def _unreadable(payload: bytes, why: Exception) -> RemoteProtocolError:
    path = _PATH.search(str(why))
    return RemoteProtocolError(
        f"cannot read a data message: {why}", path=path.group(1) if path else "$", excerpt=excerpt_of(payload)
    )
