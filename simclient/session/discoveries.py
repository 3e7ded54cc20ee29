"""Stopping before every matching batch: the iterator behind `session.discoveries()`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import final

import attrs

from ..errors import RemoteProtocolError
from ..protocol.stepping import DiscoverySteps, Report, Wait
from ..wire.requests import Continue, ContinueTo
from ..wire.responses import Completed, DiscoveryBatch, Paused
from .inbox import Event, Inbox

__all__ = ["DiscoveryPause", "DiscoveryPauses"]


@final
@attrs.frozen(kw_only=True)
class DiscoveryPause:
    """The session waits just before a batch that matches a discovery filter; reads over RPC show the state at that place."""

    discovery: DiscoveryBatch
    """What was announced: the filters that matched, and the transactions that they matched."""
    paused: Paused | None
    """Where the session waits; None: execution had passed the batch when it was announced, and goes on."""

    @property
    def slot(self) -> int:
        """The slot of the batch."""
        return self.discovery.slot

    @property
    def batch_index(self) -> int:
        """The place of the batch in its slot."""
        return self.discovery.batch_index


@final
class DiscoveryPauses(AsyncIterator[DiscoveryPause]):
    """Reads the session's events and moves it from one discovery to the next."""

    def __init__(
        self,
        inbox: Inbox,
        steps: DiscoverySteps,
        *,
        ask: Callable[[Continue | ContinueTo], None],
        on_event: Callable[[Event], object] | None,
    ) -> None:
        """Take what the iterator works with.

        Args:
            inbox: The session's events.
            steps: Decides.
            ask: Makes a request of the session.
            on_event: Told of every event that was read.
        """
        self._inbox = inbox
        self._steps = steps
        self._ask = ask
        self._on_event = on_event
        self._is_on_its_way = False

    async def __anext__(self) -> DiscoveryPause:
        """Move on, and return the next pause.

        Raises:
            StopAsyncIteration: The range is at its end.
            RemoteProtocolError: The range is at its end, but the session did not stop where it was sent.
            SimClientError: As for the session's own iterator.

        Cancellation: no event is lost; iterate again.
        """
        while True:
            match self._steps.next():
                case Report(discovery, paused):
                    self._is_on_its_way = False
                    return DiscoveryPause(discovery=discovery, paused=paused)
                case Wait():
                    await self._read_event()  # StopAsyncIteration after `completed` ends this iterator too
                case request:
                    self._ask(request)
                    self._is_on_its_way = isinstance(request, ContinueTo)

    async def _read_event(self) -> None:
        event = await anext(self._inbox)
        if self._on_event is not None:
            self._on_event(event)
        if isinstance(event, Paused):
            self._steps.receive(event)
        if isinstance(event, Completed):
            if self._is_on_its_way:
                raise RemoteProtocolError(
                    "the run has completed, but did not stop before a batch that it had announced"
                )
            raise StopAsyncIteration
