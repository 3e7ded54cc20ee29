"""What a session's parameters ask the engine to look for and to do by itself, checked and in the engine's terms.

Source: `ScheduledAction` and `DiscoveryFilter`, simulator-api 0.28.0.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar

import attrs

from ...wire.actions import (
    AfterEverySlot,
    AfterMatch,
    AfterSlot,
    BeforeEverySlot,
    BeforeMatch,
    BeforeSlot,
    DiagnosticProbeParams,
    ScheduledAction,
)
from ...wire.discovery import DiscoveryFilter, OracleUpdate, ProgramExecuted
from ...wire.failures import InvalidRequest
from ...wire.params import SessionParams
from ...wire.program_address import UPGRADEABLE_LOADER
from ..engine import Action, BatchFilter, ModifiedAccount, Probe
from .refusals import Refused

__all__ = ["Schedule", "read_schedule"]

_A = TypeVar("_A")
_B = TypeVar("_B")

_MOST_MARKETS, _MOST_USD_VALUES = 64, 16
"""Of one probe; source: simulator-api 0.28.0."""
_LOADERS = frozenset(
    (
        "BPFLoader1111111111111111111111111111111111",
        "BPFLoader2111111111111111111111111111111111",
        UPGRADEABLE_LOADER,
        "LoaderV411111111111111111111111111111111111",
    )
)
"""Owners of programs; source: `PROGRAM_OWNERS`, solana-account 3.4.0."""


@attrs.frozen(kw_only=True)
class Schedule:
    """What the engine looks for, and what it does by itself."""

    filters: tuple[BatchFilter, ...]
    actions: tuple[Action, ...]
    probes: tuple[Probe, ...] = ()


def read_schedule(params: SessionParams) -> Schedule:
    """Return the discovery filters and the scheduled actions.

    Raises:
        Refused: A filter is of an unknown kind; or an action or a probe asks for what this simulator does not do, or contradicts itself.
    """
    return Schedule(
        filters=tuple(map(_filter, params.discoveries)),
        actions=_read_each(params.actions, partial(_action, params), "action"),
        probes=_read_each(params.diagnostic_probes, _probe, "diagnostic probe"),
    )


def _read_each(values: Iterable[_A], read: Callable[[_A], _B], name: str) -> tuple[_B, ...]:
    found: list[_B] = []
    for index, value in enumerate(values):
        try:
            found.append(read(value))
        except ValueError as error:
            raise Refused(InvalidRequest(error=f"{name} {index}: {error}")) from error
    return tuple(found)


def _filter(wanted: DiscoveryFilter) -> BatchFilter:
    match wanted:
        case ProgramExecuted(program=program):
            return BatchFilter(frozenset((program,)))
        case OracleUpdate(programs=programs, accounts=accounts):
            return BatchFilter(frozenset(programs), frozenset(accounts), without_tokens=True)
        case _:
            raise Refused(InvalidRequest(error=f"the discovery filter {wanted.kind!r} is not served by this simulator"))


def _action(params: SessionParams, action: ScheduledAction) -> Action:
    _check_served(action)
    _check_overrides(action)
    if params.replay_account_state and action.kind == "send" and action.transactions:
        raise ValueError("kind: send is not possible with replayAccountState, which executes nothing; simulate it")
    anchor = action.anchor
    slots = list(anchor.slots) if isinstance(anchor, BeforeSlot | AfterSlot) else None
    if slots is not None and action.transactions and len(slots) != len(action.transactions):
        raise ValueError(f"it has {len(slots)} slots and {len(action.transactions)} transactions; give one for each")

    return Action(
        is_before=isinstance(anchor, BeforeSlot | BeforeEverySlot | BeforeMatch),
        is_committed=action.kind == "send",
        transactions=[_decoded(text, number) for number, text in enumerate(action.transactions)],
        label=action.label,
        slots=slots,
        every_slots=anchor.every_n_slots if isinstance(anchor, BeforeEverySlot | AfterEverySlot) else None,
        match=_filter(anchor.filter) if isinstance(anchor, BeforeMatch | AfterMatch) else None,
        overrides=[
            ModifiedAccount(address, account.lamports, account.owner, account.data.decode(), account.executable)
            for address, account in action.account_overrides.items()
        ],
        return_accounts=list(action.return_accounts),
        feeds_overrides=action.feeds_reroute,
    )


def _check_served(action: ScheduledAction) -> None:
    if action.resolve is not None:
        raise ValueError(
            "resolve is not served by this simulator, which does not know the venues; leave it out, and give the transaction with"
            " the accounts and the quote that it is to have"
        )
    if not action.transactions and not action.account_overrides:
        raise ValueError("it has neither transactions to run nor accountOverrides")


def _check_overrides(action: ScheduledAction) -> None:
    """Check what an action overrides, for itself or for whoever looks from outside.

    Source: `decode_override_actions` and `decode_account_modifications`, simulator-api 0.28.0.
    """
    if action.kind == "send" and (action.account_overrides or action.feeds_reroute):
        raise ValueError("account overrides, and feedsReroute, are not valid for kind: send")
    if (action.feeds_reroute or not action.transactions) and not isinstance(action.anchor, BeforeSlot):
        raise ValueError("account overrides for more than the action's own transactions need a beforeSlot anchor")
    for address, account in action.account_overrides.items():
        if account.executable or account.owner in _LOADERS:
            raise ValueError(f"overriding executable accounts and programs is not supported (account {address})")


def _probe(probe: DiagnosticProbeParams) -> Probe:
    """Check a probe.

    Source: `DiagnosticProbeParams::validate`, simulator-api 0.28.0.
    """
    if not 1 <= len(probe.markets) <= _MOST_MARKETS or len(set(probe.markets)) != len(probe.markets):
        raise ValueError(f"give 1 to {_MOST_MARKETS} markets, each once; there are {len(probe.markets)}")
    if not 1 <= len(probe.usd_values) <= _MOST_USD_VALUES or 0 in probe.usd_values:
        raise ValueError(f"give 1 to {_MOST_USD_VALUES} usdValues, none of them 0: {list(probe.usd_values)[:20]}")
    if not isinstance(probe.anchor, AfterSlot | AfterEverySlot):
        raise ValueError(  # noqa: TRY004 (a value of a request)
            "a router is asked at the end of a slot: only afterSlot and afterEverySlot are possible anchors"
        )

    return Probe(
        slots=frozenset(probe.anchor.slots) if isinstance(probe.anchor, AfterSlot) else None,
        every_slots=probe.anchor.every_n_slots if isinstance(probe.anchor, AfterEverySlot) else None,
        markets=list(probe.markets),
        usd_values=list(probe.usd_values),
        label=probe.label,
    )


def _decoded(text: str, number: int) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError as error:
        raise ValueError(f"transaction {number} is not base64: {error}") from error
