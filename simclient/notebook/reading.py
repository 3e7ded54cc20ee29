"""Reading an asynchronous iterator from ordinary code: one batch at a time, and nothing lost by Ctrl-C.

A batch is asked for when the one before is used up, so a cell that does not read holds the server back, as a task would that does not.

Ctrl-C may come between any two instructions of the main thread. So a batch is never on its way in a variable there: the
portal's thread puts it into the object (`Feed._fill`), and what was taken of it is noted in the last statement before it is returned, with
no call in between, since the interpreter looks for signals after calls.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Generic, TypeVar, final

import trio

from .portal import Holding

__all__ = ["AtHand", "BatchIterator", "EventIterator", "Feed", "FeedIterator"]

T = TypeVar("T")


@final
class Feed(Generic[T]):
    """What was received and not taken."""

    def __init__(self, holding: Holding[Any], batches: AsyncIterator[Sequence[T]]) -> None:
        """Read `batches` in the portal, as long as `holding` is open."""
        self._holding = holding
        self._batches = batches
        self._reading = trio.Lock()
        self.at_hand: AtHand[T] = AtHand(())

    def wait(self) -> bool:
        """Wait until there is something at hand; False: nothing will come any more.

        Raises:
            SimClientError: As the asynchronous iterator does.
        """
        self._holding.call(self._fill, name="read")
        return self.at_hand.count > self.at_hand.taken

    async def _fill(self) -> None:
        """Take the next batch. One that came too late for a wait that was interrupted twice is there already."""
        async with self._reading:
            if self.at_hand.count > self.at_hand.taken:
                return
            try:
                self.at_hand = AtHand(await anext(self._batches))
            except StopAsyncIteration:
                return


@final
class AtHand(Generic[T]):
    """A batch, and how much of it was taken."""

    __slots__ = ("batch", "count", "taken")

    def __init__(self, batch: Sequence[T]) -> None:
        self.batch = batch
        self.count = len(batch)
        self.taken = 0


class EventIterator(Iterator[T]):
    """Gives the events of `_feed` one by one."""

    _feed: Feed[T]

    def __next__(self) -> T:
        """Return the next event, waiting for one; Ctrl-C loses none."""
        at_hand = self._feed.at_hand
        while at_hand.taken >= at_hand.count:
            if not self._feed.wait():
                raise StopIteration
            at_hand = self._feed.at_hand
        event = at_hand.batch[at_hand.taken]
        at_hand.taken += 1
        return event


@final
class FeedIterator(EventIterator[T]):
    """Gives the events of a feed and is nothing else."""

    def __init__(self, feed: Feed[T]) -> None:
        """Take from `feed`."""
        self._feed = feed


@final
class BatchIterator(Iterator[Sequence[T]]):
    """Gives what is at hand, at least one event at a time."""

    def __init__(self, feed: Feed[T]) -> None:
        """Take from `feed`."""
        self._feed = feed

    def __next__(self) -> Sequence[T]:
        """Return the rest of the batch at hand, or wait for the next; Ctrl-C loses none."""
        at_hand = self._feed.at_hand
        while at_hand.taken >= at_hand.count:
            if not self._feed.wait():
                raise StopIteration
            at_hand = self._feed.at_hand
        rest = at_hand.batch[at_hand.taken :]
        at_hand.taken = at_hand.count
        return rest
