"""What was received and not yet taken by the user: control events first, then notifications, then how it ended.

Control events wait in a bounded backlog, notifications as batches in a bounded memory channel whose backpressure reaches the socket. A
second channel of one place only wakes the reader. The end (the `completed` event, or a failure) comes after everything else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from time import perf_counter

import trio

from ..errors import LocalProtocolError, SimClientError
from ..protocol.backlog import ControlBacklog
from ..protocol.subscription import Notification
from ..wire.responses import Completed, SessionEvent

__all__ = ["Event", "Inbox"]

Event = SessionEvent | Notification
"""What a user meets in `async for event in session`."""

_CHECKPOINT_SECONDS = 0.005
"""A reader that never has to wait still lets the other tasks run this often."""


class Inbox:
    """A queue with two priorities and an end; see the module for the rules."""

    def __init__(self, *, control_backlog: int, data_batches: int) -> None:
        """Start empty.

        Args:
            control_backlog: Control events that may wait; a run of slots counts once.
            data_batches: Batches of notifications that may wait before their producers do.
        """
        self._backlog = ControlBacklog(control_backlog)
        self._room = trio.Event()
        self._batch_sender, self._batch_receiver = trio.open_memory_channel[Sequence[Notification]](data_batches)
        self._wake_sender, self._wake_receiver = trio.open_memory_channel[None](1)
        self._batch: Iterator[Notification] = iter(())
        self._completed: Completed | None = None
        self._failure: SimClientError | None = None
        self._has_ended = False
        self._is_waiting = False
        self._checkpoint_due = 0.0
        self.was_read = False
        """Whether anybody has ever asked for an event."""
        self.failure_was_raised = False
        self.times_full = 0
        """How often the control socket had to wait for the user."""

    # For those who fill it

    def put_event(self, event: SessionEvent) -> None:
        """Add a control event; ask `wait_for_room` afterwards."""
        self._backlog.push(event)
        self._wake()

    async def wait_for_room(self) -> None:
        """Wait until the control backlog is below its bound; at once when it is."""
        if not self._backlog.is_full:
            return

        self.times_full += 1
        while self._backlog.is_full:
            self._room = trio.Event()
            await self._room.wait()

    async def put_batch(self, batch: Sequence[Notification]) -> None:
        """Add notifications, in order; wait while too many batches are waiting."""
        try:
            self._batch_sender.send_nowait(batch)
        except trio.WouldBlock:
            await self._batch_sender.send(batch)
        self._wake()

    def complete(self, event: Completed) -> None:
        """Everything was put: `event` is the last one."""
        self._completed = event
        self._wake()

    def fail(self, error: SimClientError) -> None:
        """Raise `error` in the reader once it has taken everything; the first failure counts."""
        if self._failure is None and self._completed is None:
            self._failure = error
            self._wake()

    # For the one who reads it

    async def take(self) -> Event:
        """Return the next event, waiting for one.

        Raises:
            StopAsyncIteration: The last event was taken.
            LocalProtocolError: Another task is waiting for an event already.
            SimClientError: The session has failed; everything received before was returned.
        """
        if perf_counter() >= self._checkpoint_due:
            await trio.lowlevel.checkpoint()
            self._checkpoint_due = perf_counter() + _CHECKPOINT_SECONDS

        self.was_read = True
        while True:
            if self._backlog:
                return self._pop_control()
            for notification in self._batch:
                return notification
            if not self._next_batch():
                if self._failure is not None:
                    self._has_ended = True
                    self.failure_was_raised = True
                    raise self._failure
                if self._has_ended:
                    raise StopAsyncIteration
                if self._completed is not None:
                    self._has_ended = True
                    return self._completed
                await self._wait()

    def _pop_control(self) -> SessionEvent:
        event = self._backlog.pop()
        self._room.set()
        return event

    def _next_batch(self) -> bool:
        try:
            self._batch = iter(self._batch_receiver.receive_nowait())
        except trio.WouldBlock:
            return False

        return True

    async def _wait(self) -> None:
        if self._is_waiting:
            raise LocalProtocolError("two tasks read the events of one session; read them in one and pass them on")

        self._is_waiting = True
        try:
            await self._wake_receiver.receive()
        finally:
            self._is_waiting = False

    def _wake(self) -> None:
        try:
            self._wake_sender.send_nowait(None)
        except trio.WouldBlock:
            return  # the reader has a wake-up waiting for it already
