"""What a user subscribes to: one class per kind, each naming the addresses it watches.

One subscription object is one socket on the data plane; several addresses in it are several keys on that socket, each with a
cursor of its own. Source: the `…Subscribe` methods of simulator-client 0.9.0.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import attrs

from ..errors import InputError
from .addresses import address_of
from .json_text import JsonValue, dump
from .subscribe_options import SubscribeOptions

__all__ = [
    "ACCOUNT_DIFFS",
    "ADDRESSED",
    "LOGS",
    "SESSION_WIDE",
    "TRANSACTIONS",
    "AccountDiffs",
    "Actions",
    "Diagnostics",
    "Logs",
    "Replacements",
    "Subscription",
    "SubscriptionKey",
    "Transactions",
    "commitment_of",
    "describe_subscription",
    "keys_of",
    "names_of",
    "write_subscribe",
    "write_unsubscribe",
]

ACCOUNT_DIFFS = "accountDiffSubscribe"
LOGS = "logsSubscribe"
TRANSACTIONS = "transactionSubscribe"
ACTIONS = "actionSubscribe"
DIAGNOSTICS = "diagnosticSubscribe"
REPLACEMENTS = "replacementSubscribe"

ADDRESSED = frozenset({ACCOUNT_DIFFS, LOGS, TRANSACTIONS})
"""Methods whose requests name an address."""
SESSION_WIDE = frozenset({ACTIONS, DIAGNOSTICS, REPLACEMENTS})
"""Methods whose requests name none: there is one such stream per session. Source: simulator-client 0.28.0."""


def _addresses(value: object) -> tuple[str, ...]:
    """Take one address or several; anything whose `str()` is base58 of 32 bytes will do."""
    many = cast("Iterable[object]", value) if isinstance(value, (tuple, list, set, frozenset)) else (value,)
    addresses = tuple(dict.fromkeys(address_of(one) for one in many))
    return tuple(sorted(addresses)) if isinstance(value, (set, frozenset)) else addresses


@attrs.frozen
class SubscriptionKey:
    """One subscribe request: the method, the address, and what else tells two keys apart."""

    method: str
    """The wire method, for instance `accountDiffSubscribe`."""
    address: str
    """Base58; empty for what concerns the session as a whole."""
    is_program: bool = False
    """Only for account diffs: every account that the program owns, not one account."""


@attrs.frozen(kw_only=True)
class AccountDiffs:
    """Every write to the accounts owned by `program`, or to `account`: the state before and after.

    Args:
        program: A program's address, or several.
        account: An account's address, or several.
        label: A name of yours; events carry it.

    Raises:
        InputError: Neither a program nor an account is named, or something is not an address.
    """

    program: tuple[str, ...] = attrs.field(default=(), converter=_addresses)
    account: tuple[str, ...] = attrs.field(default=(), converter=_addresses)
    label: str | None = None

    def __attrs_post_init__(self) -> None:
        if not self.program and not self.account:
            raise InputError("AccountDiffs watches nothing: name a program or an account")


@attrs.frozen(kw_only=True)
class _Mentioning:
    """What is asked for by an address that transactions mention."""

    mentions: tuple[str, ...] = attrs.field(converter=_addresses)
    commitment: str = "confirmed"
    label: str | None = None

    def __attrs_post_init__(self) -> None:
        if not self.mentions:
            raise InputError(f"{type(self).__name__} watches nothing: name an address in `mentions`")


@attrs.frozen(kw_only=True)
class Transactions(_Mentioning):
    """Every executed transaction that mentions `mentions`.

    Args:
        mentions: An address, or several, each a subscription of its own.
        commitment: Passed on as it is.
        label: A name of yours; events carry it.

    Raises:
        InputError: No address is named, or something is not an address.
    """


@attrs.frozen(kw_only=True)
class Logs(_Mentioning):
    """The logs of every executed transaction that mentions `mentions`.

    Args:
        mentions: An address, or several, each a subscription of its own.
        commitment: Passed on as it is.
        label: A name of yours; events carry it.

    Raises:
        InputError: No address is named, or something is not an address.
    """


@attrs.frozen(kw_only=True)
class Actions:
    """The result of every scheduled action (`actions` of the session): an `ActionReport` each. Needs a 0.28 server.

    Args:
        label: A name of yours; events carry it.
    """

    label: str | None = None


@attrs.frozen(kw_only=True)
class Diagnostics:
    """The answer to every diagnostic probe of the session: a `DiagnosticReport` each. Needs a 0.28 server.

    Args:
        label: A name of yours; events carry it.
    """

    label: str | None = None


@attrs.frozen(kw_only=True)
class Replacements:
    """What became of every transaction that the session routed anew: a `ReplacementReport` each. Needs a 0.28 server.

    Args:
        label: A name of yours; events carry it.
    """

    label: str | None = None


Subscription = AccountDiffs | Transactions | Logs | Actions | Diagnostics | Replacements


def keys_of(subscription: Subscription) -> tuple[SubscriptionKey, ...]:
    """Return the subscribe requests that `subscription` needs, in the order they are sent."""
    match subscription:
        case AccountDiffs(program=programs, account=accounts):
            owned = tuple(SubscriptionKey(ACCOUNT_DIFFS, address, is_program=True) for address in programs)
            return owned + tuple(SubscriptionKey(ACCOUNT_DIFFS, address) for address in accounts)
        case Transactions(mentions=mentions):
            return tuple(SubscriptionKey(TRANSACTIONS, address) for address in mentions)
        case Logs(mentions=mentions):
            return tuple(SubscriptionKey(LOGS, address) for address in mentions)
        case Actions():
            return (SubscriptionKey(ACTIONS, ""),)
        case Diagnostics():
            return (SubscriptionKey(DIAGNOSTICS, ""),)
        case Replacements():
            return (SubscriptionKey(REPLACEMENTS, ""),)


def commitment_of(subscription: Subscription) -> str | None:
    """Return the commitment that the requests of `subscription` name; None where they name none."""
    return subscription.commitment if isinstance(subscription, (Transactions, Logs)) else None


def describe_subscription(subscription: Subscription) -> str:
    """Return a short text for messages and statistics, such as `account diffs of program TOKEN…`."""
    match subscription:
        case AccountDiffs(program=programs, account=accounts):
            parts = [f"program {address}" for address in programs] + [f"account {address}" for address in accounts]
            text = f"account diffs of {', '.join(parts)}"
        case Transactions(mentions=mentions):
            text = f"transactions that mention {', '.join(mentions)}"
        case Logs(mentions=mentions):
            text = f"logs of transactions that mention {', '.join(mentions)}"
        case Actions():
            text = "results of scheduled actions"
        case Diagnostics():
            text = "answers to diagnostic probes"
        case Replacements():
            text = "replaced transactions"
    return text if subscription.label is None else f"{text} ({subscription.label})"


def names_of(subscriptions: Iterable[Subscription]) -> tuple[str, ...]:
    """Return `describe_subscription` of each."""
    return tuple(describe_subscription(subscription) for subscription in subscriptions)


def write_subscribe(
    key: SubscriptionKey,
    *,
    request_id: int,
    replay_from_slot: int | None = None,
    compress: bool = False,
    commitment: str | None = "confirmed",
) -> str:
    """Write the request that subscribes to one key.

    Args:
        key: What to subscribe to.
        request_id: Unique on its socket; the acknowledgement carries it.
        replay_from_slot: Begin with what happened from this slot on (inclusive); None: with the first slot of the session.
        compress: Ask for the zstd stream; a server without it goes on in text.
        commitment: For transactions and logs.
    """
    options = SubscribeOptions(replay_from_slot=replay_from_slot, compression="zstd" if compress else None)
    params = options.applied_to(_target_and_options(key, commitment))
    return dump({"jsonrpc": "2.0", "id": request_id, "method": key.method, "params": params})


def _target_and_options(key: SubscriptionKey, commitment: str | None) -> list[JsonValue]:
    """Return the parameters of a kind; the second is always there, if only as {}: the server looks for options in it."""
    if key.method in SESSION_WIDE:
        return [None, {}]
    if key.method == ACCOUNT_DIFFS:
        return [key.address, {"address_type": "program"} if key.is_program else {}]

    return [{"mentions": [key.address]}, {"commitment": commitment}]


def write_unsubscribe(key: SubscriptionKey, *, request_id: int, subscription_id: int) -> str:
    """Write the request that ends one subscription."""
    method = key.method.removesuffix("Subscribe") + "Unsubscribe"
    return dump({"jsonrpc": "2.0", "id": request_id, "method": method, "params": [subscription_id]})
