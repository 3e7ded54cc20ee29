"""Completed sessions that were closed: their notifications are kept a while longer, for whoever has not received all of them yet.

The official client closes a session as soon as it has read `completed`, also while one of its data sockets is down: that one comes
back, asks for what it has missed, and fails the run if it gets no end marker within its reconnect budget. So the data plane of a
completed session outlives its closing; the engine does not, nor does the control plane.

Source: `message_loop` in `managed/control.rs` (closes at once) and `drain_subscriptions_until_complete` in `managed/session.rs` (waits),
simulator-client 0.9.0 and 0.28.0.
"""

from __future__ import annotations

from typing import final

import attrs
import trio

from .limits import SimulatorLimits
from .session import ServedSession

__all__ = ["ClosedSessions"]


@attrs.frozen
class _Kept:
    session: ServedSession
    scope: trio.CancelScope
    """Cancelling it forgets the session."""


@final
class ClosedSessions:
    """The newest of them, each for so many seconds."""

    def __init__(self, limits: SimulatorLimits, nursery: trio.Nursery) -> None:
        self._limits = limits
        self._nursery = nursery
        self._kept: dict[str, _Kept] = {}
        """In the order in which they were closed."""

    def get(self, session_id: str) -> ServedSession | None:
        """Find one."""
        kept = self._kept.get(session_id)
        return None if kept is None else kept.session

    def keep(self, session: ServedSession) -> None:
        """Keep one that has completed; nothing is awaited."""
        while len(self._kept) >= self._limits.max_sessions:
            oldest = next(iter(self._kept))
            self._kept.pop(oldest).scope.cancel(reason="newer sessions were closed since")
        kept = self._kept[session.session_id] = _Kept(session, trio.CancelScope())
        self._nursery.start_soon(self._forget_in_time, kept, name=f"{session.session_id} closed")

    async def _forget_in_time(self, kept: _Kept) -> None:
        try:
            with kept.scope:
                await kept.session.notifications.put_away()
                await trio.sleep(self._limits.closed_seconds)
        except OSError:
            pass  # there is no room for it on the disk, and none to spare in memory
        if self._kept.get(kept.session.session_id) is kept:
            del self._kept[kept.session.session_id]
