"""How a run stands: its first failure, who has seen it, and whether the block was left."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import trio

from ..errors import SessionClosed, SimClientError
from .inbox import Inbox

__all__ = ["RunState"]


@final
class RunState:
    """Records the first failure of any task and brings it to whoever reads, or ends the block if nobody does."""

    def __init__(self, inbox: Inbox) -> None:
        """Start well; `inbox` is where the user reads events."""
        self._inbox = inbox
        self.stop_data: Callable[[], None] | None = None
        """Stops the subscriptions, once there are any."""
        self.streams: set[Inbox] = set()
        """Further places where the user reads."""
        self._was_seen = False
        self.failure: SimClientError | None = None
        self.body_scope = trio.CancelScope()
        self.is_closed = False
        self.is_detached = False

    @property
    def was_read(self) -> bool:
        """Whether anybody has ever asked for an event."""
        return self._inbox.was_read or any(stream.was_read for stream in self.streams)

    @property
    def was_seen(self) -> bool:
        """Whether an iterator or a method has raised the failure."""
        return (
            self._was_seen
            or self._inbox.failure_was_raised
            or any(stream.failure_was_raised for stream in self.streams)
        )

    def fail(self, error: SimClientError) -> None:
        """Record a failure; the first one counts, later ones become its notes."""
        if self.is_closed or self.is_detached or error is self.failure:
            return

        if self.failure is not None:
            self.failure.add_note(f"also failed: {error}")
            return

        self.failure = error
        self._inbox.fail(error)
        if self.stop_data is not None:
            self.stop_data()
        if not self.was_read:
            self.body_scope.cancel(reason=f"the session has failed: {type(error).__name__}")

    def close(self) -> None:
        """The block was left."""
        self.is_closed = True
        for inbox in (self._inbox, *self.streams):
            inbox.close(self.failure)

    def check(self) -> None:
        """Raise what keeps the session from being used."""
        if self.is_closed:
            raise SessionClosed("the session is closed: the block was left") from self.failure
        if self.is_detached:
            raise SessionClosed("the session was detached: take it up with open_backtest_session(attach=…)")
        if self.failure is not None:
            self._was_seen = True
            raise self.failure

    def raise_what_nobody_saw(self) -> None:
        """Raise a failure that neither an iterator nor a method has raised."""
        if self.failure is not None and not self.was_seen:
            raise self.failure

    def forget(self, stream: Inbox) -> None:
        """The user will not read `stream` any more."""
        self.streams.discard(stream)
        self._was_seen = self._was_seen or stream.failure_was_raised
