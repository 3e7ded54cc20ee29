"""What the user asked for, checked before anything is sent."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from secrets import token_hex
from typing import SupportsBytes, TypeVar

import attrs

from ..errors import InputError
from ..wire.accounts import AccountData
from ..wire.actions import AfterEverySlot, AfterSlot, DiagnosticProbeParams, ScheduledAction
from ..wire.addresses import address_of
from ..wire.agents import AgentParams
from ..wire.detached import DetachedSession, Position
from ..wire.discovery import DiscoveryFilter
from ..wire.names import session_name
from ..wire.params import SessionParams
from ..wire.requests import Continue, ContinueTo, CreateSession
from ..wire.reroute import RerouteParams
from ..wire.subscriptions import Subscription, SubscriptionKey, keys_of
from ..wire.urls import control_url
from .credentials import Secret, find_key

__all__ = [
    "DISCONNECT_TIMEOUT_SECONDS",
    "Address",
    "SessionRequest",
    "attach_request",
    "check_count",
    "continue_request",
    "continue_to_request",
    "create_request",
    "positions_from",
    "refuse_beside_attach",
    "slot_range",
]

Address = TypeVar("Address")
"""Anything whose `str()` is an address; a mapping of such is not one of objects to a type checker."""

_U64_MAX = 2**64 - 1
DISCONNECT_TIMEOUT_SECONDS = 360
"""Longer than the reconnect budget of 300 s, so that every attempt can still find the session. Source: simulator-client 0.28.0."""
_LONGEST_DISCONNECT_TIMEOUT_SECONDS = 900
_LONGEST_CAPACITY_WAIT_SECONDS = 2**16 - 1
_TOKEN_BYTES = 16
"""Written as 32 hex digits. Source: `CreateToken`, simulator-api 0.28.0."""
_MOST_PROBED_MARKETS, _MOST_PROBED_VALUES = 64, 16


@attrs.frozen(kw_only=True)
class SessionRequest:
    """A session to open or to take up: where, with which key, and how."""

    url: str
    secret: Secret | None
    create: CreateSession | None
    """None: there is a session already, `attach`."""
    attach: DetachedSession | None
    subscriptions: tuple[Subscription, ...]

    @classmethod
    def build(
        cls,
        url: str,
        *,
        api_key: str | None,
        subscriptions: Sequence[Subscription],
        create: CreateSession | None = None,
        attach: DetachedSession | None = None,
    ) -> SessionRequest:
        """Check what is the same for all ways to open a session.

        Raises:
            InputError: A value cannot be used; the message names it and the way out.
        """
        full_url = control_url(url)
        return cls(
            url=full_url,
            secret=find_key(full_url, api_key),
            create=create,
            attach=attach,
            subscriptions=_distinct(subscriptions),
        )


def create_request(
    *,
    start_slot: int,
    end_slot: int | None = None,
    slot_count: int | None = None,
    parallel: bool = False,
    name: str | None = None,
    send_summary: bool = False,
    disconnect_timeout_seconds: int | None = None,
    capacity_wait_timeout_seconds: int | None = None,
    extra_compute_units: int | None = None,
    discoveries: Sequence[DiscoveryFilter] = (),
    actions: Sequence[ScheduledAction] = (),
    diagnostic_probes: Sequence[DiagnosticProbeParams] = (),
    reroute: RerouteParams | None = None,
    replay_account_state: bool = False,
    signer_filter: Sequence[object] = (),
    agents: Sequence[AgentParams] = (),
) -> CreateSession:
    """Build the request for a session.

    Args:
        start_slot: The first slot.
        end_slot: The last slot, inclusive.
        slot_count: In place of `end_slot`: how many slots past the start; n replays n + 1 slots, as in the Rust builder.
        parallel: Whether the server is to split the range into sub-sessions.
        name: The session's name, never to be used again; 0.28. With it goes a token by which a second attempt finds the first's session.
        send_summary: Whether `Completed` is to carry a comparison with what was recorded.
        disconnect_timeout_seconds: How long the server keeps the session while nobody is connected, at most 900; None: the server decides.
        capacity_wait_timeout_seconds: How long the server may let the request wait for a free place.
        extra_compute_units: Added to the compute unit limit of every transaction.
        discoveries: Batches to be announced ahead of their execution.
        actions: What the session does by itself at chosen moments; 0.28.
        diagnostic_probes: Quotes that the router is asked for; 0.28.
        reroute: How recorded swaps are replaced by others; 0.28.
        replay_account_state: Reconstruct account state from what was recorded instead of executing transactions; 0.28.
        signer_filter: Only transactions signed by one of these are executed; 0.9.
        agents: Programs of the server's that trade along; 0.9.

    Raises:
        InputError: A value cannot be used; the message names it and the way out.
    """
    first, last = slot_range(start_slot, end_slot=end_slot, slot_count=slot_count)
    _check_range("disconnect_timeout_seconds", disconnect_timeout_seconds, _LONGEST_DISCONNECT_TIMEOUT_SECONDS)
    _check_range("capacity_wait_timeout_seconds", capacity_wait_timeout_seconds, _LONGEST_CAPACITY_WAIT_SECONDS)
    _check_range("extra_compute_units", extra_compute_units, 2**32 - 1)
    if replay_account_state and any(action.kind == "send" for action in actions):
        raise InputError(
            "an action of kind 'send' needs execution: use kind 'simulate', or leave replay_account_state out"
        )
    for probe in diagnostic_probes:
        _check_probe(probe)

    return CreateSession(
        params=SessionParams(
            start_slot=first,
            end_slot=last,
            signer_filter=signer_filter,
            send_summary=send_summary,
            reroute=reroute,
            disconnect_timeout_seconds=disconnect_timeout_seconds,
            capacity_wait_timeout_seconds=capacity_wait_timeout_seconds,
            extra_compute_units=extra_compute_units,
            agents=tuple(agents),
            discoveries=tuple(discoveries),
            actions=tuple(actions),
            replay_account_state=replay_account_state,
            diagnostic_probes=tuple(diagnostic_probes),
        ),
        parallel=parallel,
        name=None if name is None else session_name(name),
        create_token=None if name is None else token_hex(_TOKEN_BYTES),
    )


def refuse_beside_attach(**arguments: object) -> None:
    """Refuse what only a new session can be told.

    Args:
        arguments: By name; None where one was not given.

    Raises:
        InputError: One was given.
    """
    given = [name for name, value in arguments.items() if value is not None]
    if given:
        raise InputError(
            f"attach= takes up a session that there is already: {', '.join(given)} cannot be given with it"
        )


def attach_request(
    attach: DetachedSession | str, *, start_slot: int | None, end_slot: int | None, slot_count: int | None
) -> DetachedSession:
    """Return the session to take up.

    Raises:
        InputError: The range is given twice, or not at all.
    """
    if isinstance(attach, DetachedSession):
        if (start_slot, end_slot, slot_count) != (None, None, None):
            raise InputError(
                "attach= carries the range of its session: give neither start_slot, end_slot nor slot_count"
            )
        return attach

    if start_slot is None:
        raise InputError(f"to attach to {attach[:16]!r} by its id, say its range too: start_slot and end_slot")
    first, last = slot_range(start_slot, end_slot=end_slot, slot_count=slot_count)
    return DetachedSession(session_id=attach, start_slot=first, end_slot=last)


def slot_range(start_slot: int, *, end_slot: int | None = None, slot_count: int | None = None) -> tuple[int, int]:
    """Return the first and the last slot, both inclusive.

    Args:
        start_slot: The first slot.
        end_slot: The last slot, inclusive.
        slot_count: In place of `end_slot`: how many slots past the start, so n asks for n + 1 slots, as in the Rust builder.

    Raises:
        InputError: Both or neither of end and count are given, the end is before the start, or a slot is not a u64.
    """
    _check_range("start_slot", start_slot, _U64_MAX)
    if (end_slot is None) == (slot_count is None):
        given = "neither is" if end_slot is None else "both are"
        raise InputError(f"give end_slot or slot_count for the range from {start_slot}: {given} given")

    if slot_count is not None:
        _check_range("slot_count", slot_count, _U64_MAX)
    last = start_slot + slot_count if slot_count is not None else end_slot
    assert last is not None
    if last < start_slot:
        raise InputError(f"the range is reversed: end_slot {last} is before start_slot {start_slot}; swap them")
    _check_range("end_slot" if slot_count is None else "start_slot + slot_count", last, _U64_MAX)
    return start_slot, last


def continue_request(
    slots: int, transactions: Sequence[object], modify_accounts: Mapping[Address, AccountData]
) -> Continue:
    """Build a `continue`.

    Raises:
        InputError: A value cannot be used.
    """
    _check_range("slots", slots, _U64_MAX)
    if slots < 1:
        raise InputError(f"slots must be 1 or more, not {slots}")

    return Continue(
        advance_count=slots,
        transactions=tuple(_transaction_text(t, index) for index, t in enumerate(transactions)),
        modify_account_states={address_of(address): _checked(data) for address, data in modify_accounts.items()},
    )


def continue_to_request(slot: int, batch_index: int | None) -> ContinueTo:
    """Build a `continueTo`.

    Raises:
        InputError: A value cannot be used.
    """
    _check_range("slot", slot, _U64_MAX)
    _check_range("batch_index", batch_index, 2**32 - 1)
    return ContinueTo(slot=slot, batch_index=batch_index)


def positions_from(subscription: Subscription, slot: int | None) -> tuple[Position, ...]:
    """Return where each key of `subscription` begins; nothing for None.

    Raises:
        InputError: `slot` is not a slot.
    """
    _check_range("replay_from_slot", slot, 2**63 - 1)
    if slot is None:
        return ()

    return tuple(
        Position(method=key.method, address=key.address, is_program=key.is_program, slot=slot)
        for key in keys_of(subscription)
    )


def check_count(name: str, value: int) -> None:
    """Refuse what is not a count that fits into a u32.

    Raises:
        InputError: It is not.
    """
    _check_range(name, value, 2**32 - 1)


def _transaction_text(transaction: object, index: int) -> str:
    """Encode a signed transaction; numbers and texts have a `bytes()` too, or none, and are never one."""
    if isinstance(transaction, (bytes, bytearray, SupportsBytes)):
        return b64encode(bytes(transaction)).decode("ascii")

    raise InputError(
        f"transactions[{index}] is a {type(transaction).__name__}; pass the signed transaction as bytes"
        " or an object whose bytes() is one"
    )


def _checked(account: AccountData) -> AccountData:
    address_of(account.owner)
    _check_range("lamports", account.lamports, _U64_MAX)
    return account


def _check_range(name: str, value: object, highest: int) -> None:
    if value is None:
        return

    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= highest:
        raise InputError(f"{name} must be a whole number from 0 to {highest}, not {value!r}")


def _check_probe(probe: DiagnosticProbeParams) -> None:
    """Refuse what the server refuses. Source: `DiagnosticProbeParams::validate`, simulator-api 0.28.0."""
    if not isinstance(probe.anchor, AfterSlot | AfterEverySlot):
        raise InputError(
            f"a diagnostic probe is anchored at AfterSlot or AfterEverySlot, not {type(probe.anchor).__name__}"
        )
    if not 1 <= len(probe.markets) <= _MOST_PROBED_MARKETS or len(set(probe.markets)) != len(probe.markets):
        raise InputError(
            f"a diagnostic probe has 1 to {_MOST_PROBED_MARKETS} distinct markets, not {list(probe.markets)}"
        )
    if not 1 <= len(probe.usd_values) <= _MOST_PROBED_VALUES or 0 in probe.usd_values:
        raise InputError(
            f"a diagnostic probe has 1 to {_MOST_PROBED_VALUES} values other than 0, not {list(probe.usd_values)}"
        )


def _distinct(subscriptions: Sequence[Subscription]) -> tuple[Subscription, ...]:
    """Refuse a key that is subscribed twice: its events could not be told apart."""
    if isinstance(subscriptions, Subscription):
        raise InputError(f"subscriptions is a list: [{subscriptions!r}]")

    seen: set[SubscriptionKey] = set()
    for subscription in subscriptions:
        if not isinstance(subscription, Subscription):  # pyright: ignore[reportUnnecessaryIsInstance]  # programs are not all checked
            raise InputError(f"{subscription!r} is no subscription: give AccountDiffs(…), Transactions(…) or Logs(…)")
        for key in keys_of(subscription):
            if key in seen:
                raise InputError(f"{key.method} of {key.address} is subscribed twice; name it once")
            seen.add(key)
    return tuple(subscriptions)
