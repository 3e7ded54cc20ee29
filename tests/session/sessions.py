"""What the tests of sessions share: limits that do not wait for long, the ways in which a server goes away, and common scripts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager

import attrs
import pytest
import trio

from simclient.protocol.budget import BudgetLimits
from simclient.session.backtest import BacktestSession
from simclient.session.inbox import Event
from simclient.session.limits import Limits
from simclient.session.managed import open_backtest_session
from simclient.testing import ControlPeer, ScriptedServer
from simclient.wire.requests import AttachSession
from simclient.wire.responses import Completed, ReadyForContinue, SessionAttached
from simclient.wire.subscriptions import AccountDiffs

PROGRAM = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
OTHER = "whirLbMiicVdio4qvUfM5KAg6Ct8VwpYzGff3uctyCc"
WATCH = (AccountDiffs(program=PROGRAM),)

QUICK = Limits(reconnect=BudgetLimits(first_delay_seconds=0.01), continue_grace_seconds=0.2)
"""Reconnects at once: the tests are about what follows."""
BRIEF = attrs.evolve(QUICK, closing_seconds=1.0)
"""Leaves soon, too."""
WATCHFUL = attrs.evolve(QUICK, keepalive_interval_seconds=0.05, keepalive_deadline_seconds=0.2)
"""Notices silence soon, too."""
SMALL = attrs.evolve(QUICK, control_backlog=4)
"""Has room for few events that nobody reads."""
HANG_SECONDS = 20
"""Far more than anything here takes."""


# How a control connection ends

Ending = Callable[[ControlPeer], Awaitable[None]]


async def cut(peer: ControlPeer) -> None:
    """End with FIN."""
    peer.cut()


async def reset(peer: ControlPeer) -> None:
    """End with RST."""
    peer.reset()


async def hand_off(peer: ControlPeer) -> None:
    """End as the service does when it moves a session."""
    await peer.close(1012, "management handoff")


async def fall_silent(peer: ControlPeer) -> None:
    """End by saying nothing any more; for clients that are `WATCHFUL`."""
    peer.stop_answering_pings()
    await peer.hold_until_gone()


endings = pytest.mark.parametrize("end", [cut, reset, hand_off, fall_silent], ids=lambda end: end.__name__)


# What servers do


async def ready(peer: ControlPeer) -> None:
    """Create a session that waits, and answer its goodbye."""
    await peer.accept_create()
    await peer.send(ReadyForContinue())
    await peer.accept_close()


async def complete_at_once(peer: ControlPeer) -> None:
    """Say `completed` before any notification: all data comes in the drain."""
    await peer.accept_create()
    await peer.send(ReadyForContinue(), Completed())
    await peer.accept_close()


async def come_back_to_close(peer: ControlPeer) -> None:
    """Expect a client that attaches only to close the session."""
    request = await peer.expect(AttachSession)
    endpoint = peer.rpc_endpoint(request.session_id)
    await peer.send(SessionAttached(session_id=request.session_id, rpc_endpoint=endpoint))
    await peer.accept_close()


# What users do


def open_session(
    server: ScriptedServer,
    *,
    watch: Sequence[AccountDiffs] = (),
    limits: Limits = QUICK,
    api_key: str | None = None,
) -> AbstractAsyncContextManager[BacktestSession]:
    """Open a session over the slots 100 to 105."""
    return open_backtest_session(
        server.url, start_slot=100, end_slot=105, subscriptions=watch, limits=limits, api_key=api_key
    )


async def advance_to_the_end(session: BacktestSession) -> list[Event]:
    """Advance by two slots whenever the session is ready; return all events."""
    events: list[Event] = []
    with trio.fail_after(HANG_SECONDS):
        async for event in session:
            events.append(event)
            if isinstance(event, ReadyForContinue):
                await session.advance(2)
    return events


async def read_to_the_end(session: BacktestSession) -> list[Event]:
    """Return all events of a session that goes on by itself."""
    with trio.fail_after(HANG_SECONDS):
        return [event async for event in session]
