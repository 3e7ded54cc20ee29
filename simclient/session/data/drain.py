"""The drain coordinator: lets `completed` out only after the end of every subscription.

Control and the subscriptions tell it what happened over one memory channel; the drain machine decides.
"""

from __future__ import annotations

from contextlib import suppress

import trio

from ...protocol.drain import DrainMachine, DrainState
from ...wire.responses import Completed
from ..inbox import Inbox
from .subscription import SubscriptionTask

__all__ = ["DrainCoordinator"]

_UNHEARD = 1024
"""Reports waiting for the coordinator; there are one per subscription and one of the control task."""


class DrainCoordinator:
    """Holds `completed` back while subscriptions still deliver."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._machine = DrainMachine()
        self._open: set[SubscriptionTask] = set()
        self._sender, self._receiver = trio.open_memory_channel[Completed | SubscriptionTask](_UNHEARD)

    def opened(self, subscription: SubscriptionTask) -> None:
        """A subscription is to be waited for."""
        self._machine.opened(subscription)
        self._open.add(subscription)

    def completed(self, event: Completed) -> None:
        """The control plane has said that the range is at its end."""
        self._sender.send_nowait(event)

    def ended(self, subscription: SubscriptionTask) -> None:
        """A subscription is not to be waited for any more: everything of it was handed on, or the user has ended it."""
        if subscription in self._open:
            self._open.remove(subscription)
            with suppress(trio.BrokenResourceError):  # the block was left, and nobody waits for it
                self._sender.send_nowait(subscription)

    async def run(self) -> None:
        """Listen until the run is drained."""
        with self._receiver:
            while self._machine.state is not DrainState.DRAINED:
                report = await self._receiver.receive()
                if isinstance(report, Completed):
                    self._machine.complete(report)
                    self._start_draining()
                else:
                    self._machine.ended(report)
        if self._machine.completed is not None:
            self._inbox.complete(self._machine.completed)

    def _start_draining(self) -> None:
        for subscription in self._open:
            subscription.start_draining()
