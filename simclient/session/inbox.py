"""What was received and not yet taken by the user: control events first, then notifications, then how it ended.

Control events wait in a bounded backlog, notifications as batches in a bounded memory channel whose backpressure reaches the socket. A
second channel of one place only wakes the reader. The end (the `completed` event, or a failure) comes after everything else.

The inbox is the iterator behind `async for event in session`. What an event costs there is one coroutine and one step of `_at_hand`: a few
events of the current batch, during which nothing else is looked at. Whatever comes in between empties it, so that the next event takes the
long way, `_take`, which looks at everything in its order. Nothing is taken ahead: what is at hand is still in the batch.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from itertools import islice
from time import perf_counter
from typing import final

import trio

from ..errors import LocalProtocolError, SessionClosed, SimClientError
from ..protocol.backlog import ControlBacklog
from ..protocol.subscription import Notification
from ..wire.responses import Completed, SessionEvent

__all__ = ["Batches", "Event", "Inbox"]

Event = SessionEvent | Notification
"""What a user meets in `async for event in session`."""

_CHECKPOINT_SECONDS = 0.001
"""A reader that never has to wait still lets the other tasks run this often. A control event passes through a handful of tasks on its way,
so it takes as many of these turns."""
_AT_HAND_SECONDS = 0.0005
"""How long the events at hand should last: the clock is looked at when they are used up."""
_MOST_AT_HAND = 64
"""Enough that the long way does not count; a user who suddenly slows down makes a late checkpoint once."""
_CONTROL_AT_ONCE = 1024
"""Control events in one batch."""
_NOTHING: Iterator[Notification] = iter(())


@final
class Inbox(AsyncIterator[Event]):
    """A queue with two priorities and an end; see the module for the rules."""

    def __init__(self, *, control_backlog: int, data_batches: int) -> None:
        """Start empty.

        Args:
            control_backlog: Control events that may wait; a run of slots counts once.
            data_batches: Batches of notifications that may wait before their producers do.
        """
        self._backlog = ControlBacklog(control_backlog)
        self._room = trio.Event()
        self._making = 0  # batches that are being made, or wait for room
        self._data_room = trio.Semaphore(data_batches, max_value=data_batches)
        self._batch_sender, self._batch_receiver = trio.open_memory_channel[Sequence[Notification]](data_batches)
        self._wake_sender, self._wake_receiver = trio.open_memory_channel[None](1)
        self._batch = _NOTHING
        self._at_hand = _NOTHING
        self._at_hand_length = 1
        self._looked_at = 0.0
        self._is_closed = False
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
        if not self._is_closed:
            self._backlog.push(event)
            self._wake()

    def withdraw(self, event: SessionEvent) -> None:
        """Take a control event back, if it was not taken yet."""
        self._backlog.withdraw(event)
        self._room.set()

    async def wait_for_room(self) -> None:
        """Wait until the control backlog is below its bound; at once when it is."""
        if not self._backlog.is_full:
            return

        self.times_full += 1
        while self._backlog.is_full:
            self._room = trio.Event()
            await self._room.wait()

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another control event."""
        return self._backlog.is_full

    async def wait_until_half_empty(self) -> None:
        """Wait until there is room for many more control events."""
        self.times_full += 1
        while not self._backlog.is_half_empty:
            self._room = trio.Event()
            await self._room.wait()

    async def put_batch(self, make: Callable[[], Sequence[Notification]]) -> None:
        """Wait until fewer batches are waiting than may, then make one and add it; an empty one counts as none.

        What is made late is warm in the processor's cache when the user takes it, and takes no memory until then.
        """
        self._making += 1
        try:
            await self._data_room.acquire()
            batch = make()
            if batch:
                self._batch_sender.send_nowait(batch)
            else:
                self._data_room.release()
        finally:
            self._making -= 1
            self._wake()

    def complete(self, event: Completed) -> None:
        """Everything was put: `event` is the last one."""
        self._completed = event
        self._wake()

    def end(self) -> None:
        """Nothing more will come; what is here is still given."""
        self._has_ended = True
        self._wake()

    def fail(self, error: SimClientError) -> None:
        """Raise `error` in the reader once it has taken everything; the first failure counts."""
        if self._failure is None and self._completed is None:
            self._failure = error
            self._wake()

    def close(self, failure: SimClientError | None) -> None:
        """Give nothing any more: whoever reads, or waits already, gets `SessionClosed`, because of `failure` if there is one."""
        self._is_closed, self._failure = True, failure
        self._backlog.clear()
        self._room.set()
        self._wake()

    # For the one who reads it

    async def __anext__(self) -> Event:
        """Return the next event, waiting for one.

        Raises:
            StopAsyncIteration: The last event was taken.
            LocalProtocolError: Another task is waiting for an event already.
            SimClientError: The session has failed; everything received before was returned.
            SessionClosed: It was closed.
        """
        for notification in self._at_hand:
            return notification

        self.was_read = True
        await self._let_others_run()
        return await self._take()

    async def take_batch(self) -> Sequence[Event]:
        """Return everything that is at hand, at least one event: control events alone, or the rest of a batch; wait for it.

        Raises:
            StopAsyncIteration, LocalProtocolError, SimClientError, SessionClosed: As for `__anext__`.
        """
        self._at_hand, self.was_read = _NOTHING, True
        await self._let_others_run()
        while True:
            self._require_open()
            if self._backlog:
                return self._pop_controls()
            if rest := list(self._batch):
                return rest
            if not self._next_batch():
                if (end := self._take_end()) is not None:
                    return [end]
                await self._wait()

    async def _take(self) -> Event:
        while True:
            self._require_open()
            if self._backlog:
                return self._pop_control()
            for notification in self._batch:
                self._at_hand = islice(self._batch, self._at_hand_length)
                return notification
            if not self._next_batch():
                if (end := self._take_end()) is not None:
                    return end
                await self._wait()

    def _require_open(self) -> None:
        if self._is_closed:
            raise SessionClosed("the session is closed: its events cannot be read after the block") from self._failure

    def _take_end(self) -> Completed | None:
        """Everything at hand was taken: raise or return how it ended; None if it has not, or a batch is being made."""
        if self._making:
            return None
        if self._failure is not None:
            self._has_ended = True
            self.failure_was_raised = True
            raise self._failure
        if self._has_ended:
            raise StopAsyncIteration
        if self._completed is not None:
            self._has_ended = True
        return self._completed

    async def _let_others_run(self) -> None:
        """Make a checkpoint if it is time, and judge how many events the reader takes until the next look at the clock."""
        now = perf_counter()
        if now - self._looked_at > _AT_HAND_SECONDS:
            self._at_hand_length = max(1, self._at_hand_length // 4)
        else:
            self._at_hand_length = min(_MOST_AT_HAND, self._at_hand_length * 2)
        self._looked_at = now
        if now >= self._checkpoint_due:
            await trio.lowlevel.checkpoint()
            self._note_turn(perf_counter())

    def _pop_control(self) -> SessionEvent:
        event = self._backlog.pop()
        self._room.set()
        return event

    def _pop_controls(self) -> list[Event]:
        events: list[Event] = []
        while self._backlog and len(events) < _CONTROL_AT_ONCE:
            events.append(self._pop_control())
        return events

    def _next_batch(self) -> bool:
        try:
            self._batch = iter(self._batch_receiver.receive_nowait())
        except trio.WouldBlock:
            return False

        self._data_room.release()
        return True

    async def _wait(self) -> None:
        if self._is_waiting:
            raise LocalProtocolError("two tasks read the events of one session; read them in one and pass them on")

        self._is_waiting = True
        try:
            await self._wake_receiver.receive()
        finally:
            self._is_waiting = False
        self._note_turn(perf_counter())

    def _note_turn(self, now: float) -> None:
        """The other tasks have just had their turn."""
        self._looked_at = now
        self._checkpoint_due = now + _CHECKPOINT_SECONDS

    def _wake(self) -> None:
        self._at_hand = _NOTHING
        try:
            self._wake_sender.send_nowait(None)
        except trio.WouldBlock:
            return  # the reader has a wake-up waiting for it already


@final
class Batches(AsyncIterator[Sequence[Event]]):
    """The events of an inbox in batches: `async for batch in session.batches()`."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def __anext__(self) -> Sequence[Event]:
        """Return the next batch; see `Inbox.take_batch`."""
        return await self._inbox.take_batch()
