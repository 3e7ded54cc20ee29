"""What a session's parameters ask the engine to look for and to do by itself, checked and in the engine's terms.

Source: `ScheduledAction` and `DiscoveryFilter`, simulator-api 0.28.0.
"""

from __future__ import annotations

from base64 import b64decode

import attrs

from ...wire.actions import (
    AfterEverySlot,
    AfterMatch,
    AfterSlot,
    BeforeEverySlot,
    BeforeMatch,
    BeforeSlot,
    ScheduledAction,
)
from ...wire.discovery import DiscoveryFilter, OracleUpdate, ProgramExecuted
from ...wire.failures import InvalidRequest
from ...wire.params import SessionParams
from ..engine import Action, BatchFilter, ModifiedAccount
from .refusals import Refused

__all__ = ["Schedule", "read_schedule"]


@attrs.frozen(kw_only=True)
class Schedule:
    """What the engine looks for, and what it does by itself."""

    filters: tuple[BatchFilter, ...]
    actions: tuple[Action, ...]


def read_schedule(params: SessionParams) -> Schedule:
    """Return the discovery filters and the scheduled actions.

    Raises:
        Refused: A filter is of an unknown kind, or an action asks for what this simulator does not do, or contradicts itself.
    """
    return Schedule(filters=tuple(map(_filter, params.discoveries)), actions=_actions(params))


def _actions(params: SessionParams) -> tuple[Action, ...]:
    actions: list[Action] = []
    for index, action in enumerate(params.actions):
        try:
            actions.append(_action(action, params))
        except ValueError as error:
            raise Refused(InvalidRequest(error=f"action {index}: {error}")) from error
    return tuple(actions)


def _filter(wanted: DiscoveryFilter) -> BatchFilter:
    match wanted:
        case ProgramExecuted(program=program):
            return BatchFilter(frozenset((program,)))
        case OracleUpdate(programs=programs, accounts=accounts):
            return BatchFilter(frozenset(programs), frozenset(accounts), without_tokens=True)
        case _:
            raise Refused(InvalidRequest(error=f"the discovery filter {wanted.kind!r} is not served by this simulator"))


def _action(action: ScheduledAction, params: SessionParams) -> Action:
    _check_served(action)
    anchor = action.anchor
    slots = list(anchor.slots) if isinstance(anchor, BeforeSlot | AfterSlot) else None
    if slots is not None and len(slots) != len(action.transactions):
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
    )


def _check_served(action: ScheduledAction) -> None:
    if action.feeds_reroute or action.resolve is not None:
        raise ValueError("feedsReroute and resolve are not served by this simulator: there is no router in it")
    if not action.transactions:
        raise ValueError("an action without transactions is not served by this simulator")
    if action.kind == "send" and action.account_overrides:
        raise ValueError("account overrides are not valid for kind: send")
    for address, account in action.account_overrides.items():
        if account.executable:
            raise ValueError(f"overriding executable accounts is not supported (account {address})")


def _decoded(text: str, number: int) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError as error:
        raise ValueError(f"transaction {number} is not base64: {error}") from error
