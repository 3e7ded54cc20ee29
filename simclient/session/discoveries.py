"""Stopping before every matching batch: the iterator behind `session.discoveries()`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import final

import attrs

from ..errors import RemoteError
from ..protocol.stepping import DiscoverySteps, Refused, Report, Wait
from ..wire.failures import describe_failure
from ..wire.requests import Continue, ContinueTo
from ..wire.responses import DiscoveryBatch, Paused
from .inbox import Event, Inbox

__all__ = ["DiscoveryPause", "DiscoveryPauses"]


@final
@attrs.frozen(kw_only=True)
class DiscoveryPause:
    """The session waits just before a batch that matches a discovery filter; reads over RPC show the state at that place."""

    discovery: DiscoveryBatch
    """What was announced: the filters that matched, and the transactions that they matched."""
    paused: Paused | None
    """Where the session waits; None: execution has passed the batch without a stop, because it was announced too late or the range has
    ended."""

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

    async def __anext__(self) -> DiscoveryPause:
        """Move on, and return the next pause.

        Raises:
            StopAsyncIteration: The range is at its end.
            RemoteError: The server refused to stop before a batch that it had announced; iterating again goes on with the next.
            SimClientError: As for the session's own iterator.

        Cancellation: no event is lost; iterate again.
        """
        while True:
            match self._steps.next():
                case Report(discovery, paused):
                    return DiscoveryPause(discovery=discovery, paused=paused)
                case Refused(discovery, failure):
                    place = f"batch {discovery.batch_index} of slot {discovery.slot}"
                    why = f"the server would not stop before {place}: {describe_failure(failure)}"
                    raise RemoteError(why, payload=failure)
                case Wait():
                    event = await anext(self._inbox)  # StopAsyncIteration after `completed` ends this iterator too
                    if self._on_event is not None:
                        self._on_event(event)
                case request:
                    self._ask(request)
