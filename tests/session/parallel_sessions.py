"""What the tests of parallel sessions share: two sub-sessions over one socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import attrs
import trio

from simclient.session.backtest import BacktestSession
from simclient.session.inbox import Event
from simclient.session.limits import Limits
from simclient.session.parallel import ParallelSession, open_parallel_session
from simclient.testing import ControlPeer, ScriptedServer
from simclient.wire.notifications import AccountDiff
from simclient.wire.requests import ContinueSubSession
from simclient.wire.responses import Completed, ReadyForContinue, SlotNotification
from simclient.wire.subscriptions import AccountDiffs

from .sessions import QUICK

RANGES = ((100, 149), (150, 199))
QUICK_IN_DRAIN = attrs.evolve(QUICK, drain_idle_seconds=0.3)


@asynccontextmanager
async def parallel_over(
    server: ScriptedServer,
    *,
    watch: Sequence[AccountDiffs] = (),
    limits: Limits = QUICK_IN_DRAIN,
    keep_going: bool = False,
) -> AsyncIterator[ParallelSession]:
    """Open a parallel session over the slots 100 to 199; a hang fails."""
    with trio.fail_after(20):
        async with open_parallel_session(
            server.url, start_slot=100, end_slot=199, subscriptions=watch, limits=limits, keep_going=keep_going
        ) as parallel:
            yield parallel


async def run_to_the_end(session: BacktestSession, into: list[Event]) -> None:
    """Advance whenever the sub-session is ready."""
    async for event in session:
        into.append(event)
        if isinstance(event, ReadyForContinue):
            await session.advance(50)


async def run_all(parallel: ParallelSession) -> list[list[Event]]:
    """Read all sub-sessions at the same time; return the events of each."""
    events: list[list[Event]] = [[] for _ in parallel]
    async with trio.open_nursery() as nursery:
        for session, into in zip(parallel, events, strict=True):
            nursery.start_soon(run_to_the_end, session, into)
    return events


def diffs(events: Sequence[Event]) -> list[AccountDiff]:
    return [event for event in events if isinstance(event, AccountDiff)]


async def run_two(peer: ControlPeer) -> None:
    """Create two sub-sessions, let each advance, and complete them."""
    await peer.accept_parallel_create(*RANGES)
    for session_id in ("s1", "s2"):
        await peer.send_to(session_id, ReadyForContinue(), seq_id=1)
    for _ in range(2):
        asked = await peer.expect(ContinueSubSession)
        first = RANGES[0][0] if asked.session_id == "s1" else RANGES[1][0]
        await peer.send_to(asked.session_id, SlotNotification(slot=first), Completed(), seq_id=2)
    await peer.accept_close()
