"""When a completed run may say so: after the end marker of every subscription, and never before.

Theory of operation. `completed` arrives on the control plane, often before the last notifications. From then on each subscription is
waited for: while it is reconnecting, and while data flows; a connected one that stays silent for the idle limit (measured by its own
task, only while it waits for the socket) fails. The run completes when every subscription has ended; a failed one means that the run
has failed.
"""

from __future__ import annotations

import enum

from ..wire.responses import Completed

__all__ = ["DrainMachine", "DrainState"]


class DrainState(enum.Enum):
    """How far the end of the run is."""

    STREAMING = "streaming"
    DRAINING = "draining"
    DRAINED = "drained"


class DrainMachine:
    """Tracks which subscriptions have still to end."""

    def __init__(self) -> None:
        self._open: set[object] = set()
        self.completed: Completed | None = None

    @property
    def state(self) -> DrainState:
        """How far the end of the run is."""
        if self.completed is None:
            return DrainState.STREAMING

        return DrainState.DRAINING if self._open else DrainState.DRAINED

    def opened(self, subscription: object) -> None:
        """A subscription is to be waited for."""
        self._open.add(subscription)

    def ended(self, subscription: object) -> None:
        """A subscription has delivered its end marker, or the user has ended it."""
        self._open.discard(subscription)

    def complete(self, completed: Completed) -> None:
        """The control plane has said that the range is at its end."""
        self.completed = completed
