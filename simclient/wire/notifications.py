"""What comes on the data plane, decoded fast: typed views that cost little until they are read.

Notifications come at hundreds of thousands a second, so each is decoded once, by msgspec, straight into the frozen struct that the user
sees. The whole message stays with it as `raw`; account data, transaction metadata and unknown fields are decoded when they are asked for.
Strings are opaque: servers send signatures and accounts that are not base58. Every field that a server may leave out can be None.

`decode_data_messages` is the one reader, and reads a run of messages at once; whatever it cannot read is a `RemoteProtocolError`, and a
method that it does not know, or a report of a kind that it does not know, arrives as an `UnknownNotification`. Source: the notification
types of simulator-client 0.9.0 and of Solana's `getTransaction`.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import repeat
from typing import cast, final

import attrs
import msgspec
from msgspec import Raw, Struct
from msgspec.structs import force_setattr

from ..errors import RemoteProtocolError
from .executed_transaction import ExecutedTransaction, TokenBalance
from .instructions import Instruction
from .json_text import JsonValue
from .notification_parts import (
    NOT_ON_THE_WIRE,
    AccountState,
    Context,
    Notification,
    Unsigned,
    error_text,
    excerpt_of,
    result_of,
)
from .reports import REPORT_METHODS, ActionReport, DiagnosticReport, ReplacementReport, read_report

__all__ = [
    "AccountDiff",
    "AccountState",
    "Acknowledgement",
    "ActionReport",
    "Bulk",
    "DataMessage",
    "DiagnosticReport",
    "ExecutedTransaction",
    "Instruction",
    "Refusal",
    "ReplacementReport",
    "SubscriptionComplete",
    "TokenBalance",
    "TransactionLogs",
    "UnknownNotification",
    "decode_data_message",
    "decode_data_messages",
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
            return result_of(self.raw)
        except msgspec.ValidationError:
            return self.raw


@final
class SubscriptionComplete(Struct, frozen=True, gc=False, tag_field="method", tag="subscriptionComplete"):
    """`subscriptionComplete`: the last notification of a subscription has come."""

    params: _CompleteParams
    raw: bytes = msgspec.field(default=b"", name=f"{NOT_ON_THE_WIRE}raw")
    """The whole message as JSON."""
    label: str | None = msgspec.field(default=None, name=f"{NOT_ON_THE_WIRE}label")
    """The label of the subscription that it came by."""

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


def decode_data_messages(
    payloads: Sequence[bytes], label: str | None = None
) -> tuple[list[DataMessage], RemoteProtocolError | None]:
    """Read messages of a data socket, in order, as far as they can be read; and why the next one cannot.

    Notifications carry `label`. An error means that a message is not JSON, or not what its method calls for.
    """
    messages: list[DataMessage] = []
    unread = iter(payloads)
    next(unread, None)  # the one that is read alone: after each turn it is the one at which the decoder stopped
    while len(messages) < len(payloads):
        try:
            first = decode_data_message(payloads[len(messages)], label)
        except RemoteProtocolError as error:
            return messages, error

        messages.append(first)
        start = len(messages)
        with suppress(*_UNREADABLE):
            messages.extend(map(_DECODE_KIND.get(type(first), _DECODE), unread))
        _complete(messages[start:], payloads[start : len(messages)], label)
    return messages, None


def decode_data_message(payload: bytes, label: str | None = None) -> DataMessage:
    """Read one message of a data socket; a notification carries `label`.

    Raises:
        RemoteProtocolError: It is not JSON, or not what its method calls for.
    """
    try:
        message = _DECODE(payload)
    except _UNREADABLE as why:
        return _decode_rare(payload, label, why)

    _complete([message], (payload,), label)
    return message


def _complete(messages: Sequence[DataMessage], payloads: Sequence[bytes], label: str | None) -> None:
    """Give the messages what no decoder can give them; nothing in here is a step of Python per message."""
    structs = cast("Sequence[Struct]", messages)
    _exhaust(map(force_setattr, structs, repeat("raw"), payloads))
    if label is not None:
        _exhaust(map(force_setattr, structs, repeat("label"), repeat(label)))


_exhaust = deque[None](maxlen=0).extend


@attrs.frozen
class Bulk:
    """Notifications of one of the three kinds that come in masses, and what a cursor needs to know of them."""

    notifications: Sequence[AccountDiff | ExecutedTransaction | TransactionLogs]
    subscription_ids: list[int]
    slots: list[int]

    @classmethod
    def of(cls, messages: list[DataMessage]) -> Bulk | None:
        """Return `messages` as such, if they are all of one kind."""
        match list(set(map(type, messages))):
            case [kind] if kind is AccountDiff or kind is TransactionLogs:
                diffs = cast("list[AccountDiff]", messages)
                slots = [diff.params.result.context.slot for diff in diffs]
                return cls(diffs, [diff.params.subscription for diff in diffs], slots)
            case [kind] if kind is ExecutedTransaction:
                executed = cast("list[ExecutedTransaction]", messages)
                slots = [one.params.result.slot for one in executed]
                return cls(executed, [one.params.subscription for one in executed], slots)
            case _:
                return None

    def by_subscription(self) -> list[tuple[int, Bulk]]:
        """Return the part of each subscription, in order."""
        numbers = set(self.subscription_ids)
        if len(numbers) == 1:
            return [(self.subscription_ids[0], self)]

        return [(number, self._part(number)) for number in numbers]

    def _part(self, number: int) -> Bulk:
        places = [place for place, one in enumerate(self.subscription_ids) if one == number]
        ours = [self.notifications[place] for place in places]
        return Bulk(ours, [number] * len(places), [self.slots[place] for place in places])


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
_Decode = Callable[[bytes], _Known]
_DECODE: _Decode = msgspec.json.Decoder(_Known).decode
_DECODE_KIND: dict[type, _Decode] = {
    AccountDiff: msgspec.json.Decoder(AccountDiff).decode,
    ExecutedTransaction: msgspec.json.Decoder(ExecutedTransaction).decode,
    TransactionLogs: msgspec.json.Decoder(TransactionLogs).decode,
}
"""What comes in masses: a decoder that knows the kind beforehand need not look for the method first."""
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
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


def _decode_rare(payload: bytes, label: str | None, why: Exception) -> DataMessage:
    """Read what is not a well-formed notification of a known method."""
    if not isinstance(why, msgspec.ValidationError):
        raise _unreadable(payload, why) from why

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
