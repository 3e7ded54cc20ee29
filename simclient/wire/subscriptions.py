"""What a user subscribes to: one class per kind, each naming the addresses it watches.

One subscription object is one socket on the data plane; several addresses in it are several keys on that socket, each with a
cursor of its own. Source: the `…Subscribe` methods of simulator-client 0.9.0.
"""

from __future__ import annotations

import attrs
import msgspec

from ..errors import InputError
from .addresses import address_of

__all__ = [
    "ACCOUNT_DIFF_SUBSCRIBE",
    "LOGS_SUBSCRIBE",
    "TRANSACTION_SUBSCRIBE",
    "AccountDiffs",
    "Logs",
    "Subscription",
    "SubscriptionKey",
    "Transactions",
    "describe_subscription",
    "keys_of",
    "write_subscribe",
]

ACCOUNT_DIFF_SUBSCRIBE = "accountDiffSubscribe"
TRANSACTION_SUBSCRIBE = "transactionSubscribe"
LOGS_SUBSCRIBE = "logsSubscribe"


def _addresses(value: object) -> tuple[str, ...]:
    """Take one address or several; anything whose `str()` is base58 of 32 bytes will do."""
    many = value if isinstance(value, (tuple, list, set, frozenset)) else (value,)
    return tuple(address_of(one) for one in many)


def _at_least_one(instance: object, attribute: attrs.Attribute[tuple[str, ...]], value: tuple[str, ...]) -> None:
    if not value:
        raise InputError(f"{type(instance).__name__} needs an address to watch: {attribute.name}=…")


@attrs.frozen
class SubscriptionKey:
    """One subscribe request: the method, the address, and what else tells two keys apart."""

    method: str
    """The wire method, for instance `accountDiffSubscribe`."""
    address: str
    is_program: bool = False
    """Only for account diffs: every account that the program owns, not one account."""


@attrs.frozen(kw_only=True)
class AccountDiffs:
    """Every write to the accounts owned by `program`, or to `account`: the state before and after.

    Args:
        program: A program's address, or several.
        account: An account's address, or several.
    """

    program: tuple[str, ...] = attrs.field(default=(), converter=_addresses)
    account: tuple[str, ...] = attrs.field(default=(), converter=_addresses)
    label: str | None = None
    """A name of yours; events carry it."""

    def __attrs_post_init__(self) -> None:
        if not (self.program or self.account):
            raise InputError("AccountDiffs needs a program or an account to watch: AccountDiffs(program=…)")


@attrs.frozen(kw_only=True)
class Transactions:
    """Every executed transaction that mentions `mentions`."""

    mentions: tuple[str, ...] = attrs.field(converter=_addresses, validator=_at_least_one)
    commitment: str = "confirmed"
    label: str | None = None


@attrs.frozen(kw_only=True)
class Logs:
    """The logs of every executed transaction that mentions `mentions`."""

    mentions: tuple[str, ...] = attrs.field(converter=_addresses, validator=_at_least_one)
    commitment: str = "confirmed"
    label: str | None = None


Subscription = AccountDiffs | Transactions | Logs


def keys_of(subscription: Subscription) -> tuple[SubscriptionKey, ...]:
    """Return the subscribe requests that `subscription` needs, in the order they are sent."""
    match subscription:
        case AccountDiffs(program=programs, account=accounts):
            return tuple(SubscriptionKey(ACCOUNT_DIFF_SUBSCRIBE, a, True) for a in programs) + tuple(
                SubscriptionKey(ACCOUNT_DIFF_SUBSCRIBE, a) for a in accounts
            )
        case Transactions(mentions=mentions):
            return tuple(SubscriptionKey(TRANSACTION_SUBSCRIBE, a) for a in mentions)
        case Logs(mentions=mentions):
            return tuple(SubscriptionKey(LOGS_SUBSCRIBE, a) for a in mentions)


def describe_subscription(subscription: Subscription) -> str:
    """Return a short text for messages and statistics: the label, or the kind and the addresses."""
    kind = type(subscription).__name__
    return subscription.label or f"{kind} {', '.join(key.address for key in keys_of(subscription))}"


def write_subscribe(
    key: SubscriptionKey,
    *,
    request_id: int,
    replay_from_slot: int | None = None,
    compress: bool = False,
    commitment: str = "confirmed",
) -> str:
    """Write a subscribe request.

    Args:
        key: What to subscribe.
        request_id: The JSON-RPC id.
        replay_from_slot: Where to begin, inclusive; None on the first subscribe.
        compress: Whether to ask for the zstd stream.
        commitment: For transactions and logs.
    """
    options: dict[str, object] = {}
    target: object = {"mentions": [key.address]}
    if key.method == ACCOUNT_DIFF_SUBSCRIBE:
        target = key.address
        if key.is_program:
            options["address_type"] = "program"
    else:
        options["commitment"] = commitment
    if replay_from_slot is not None:
        options["replayFromSlot"] = replay_from_slot
    if compress:
        options["compression"] = "zstd"
    params = [target, options] if options else [target]
    request = {"jsonrpc": "2.0", "id": request_id, "method": key.method, "params": params}
    return msgspec.json.encode(request).decode()
