"""What a user subscribes to: one class per kind, each naming the addresses it watches.

One subscription object is one socket on the data plane; several addresses in it are several keys on that socket, each with a
cursor of its own. Source: the `…Subscribe` methods of simulator-client 0.9.0.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from .addresses import address_of

__all__ = ["AccountDiffs", "Logs", "Subscription", "SubscriptionKey", "Transactions"]


def _addresses(value: object) -> tuple[str, ...]:
    """Take one address or several; anything whose `str()` is base58 of 32 bytes will do."""
    many = value if isinstance(value, (tuple, list, set, frozenset)) else (value,)
    return tuple(address_of(one) for one in many)


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


@attrs.frozen(kw_only=True)
class Transactions:
    """Every executed transaction that mentions `mentions`."""

    mentions: tuple[str, ...] = attrs.field(converter=_addresses)
    commitment: str = "confirmed"
    label: str | None = None


@attrs.frozen(kw_only=True)
class Logs:
    """The logs of every executed transaction that mentions `mentions`."""

    mentions: tuple[str, ...] = attrs.field(converter=_addresses)
    commitment: str = "confirmed"
    label: str | None = None


Subscription = AccountDiffs | Transactions | Logs


def keys_of(subscription: Subscription) -> tuple[SubscriptionKey, ...]:
    """Return the subscribe requests that `subscription` needs, in the order they are sent."""
    match subscription:
        case AccountDiffs(program=programs, account=accounts):
            return tuple(SubscriptionKey("accountDiffSubscribe", a, True) for a in programs) + tuple(
                SubscriptionKey("accountDiffSubscribe", a) for a in accounts
            )
        case Transactions(mentions=mentions):
            return tuple(SubscriptionKey("transactionSubscribe", a) for a in mentions)
        case Logs(mentions=mentions):
            return tuple(SubscriptionKey("logsSubscribe", a) for a in mentions)


def names_of(subscriptions: Iterable[Subscription]) -> tuple[str, ...]:
    """Return a short text for each, for messages and statistics."""
    return tuple(f"{type(s).__name__} {', '.join(k.address for k in keys_of(s))}" for s in subscriptions)
