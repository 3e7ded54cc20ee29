"""Batches taken from an asynchronous iterator by code that is not asynchronous."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import final

import pytest
import trio

from simclient.notebook import close_all
from simclient.notebook.portal import Holding, the_portal
from simclient.notebook.reading import BatchIterator, Feed, FeedIterator

from .cells import interrupted


@final
class Source(AsyncIterator[Sequence[int]]):
    """Gives 0, 1, 2, … three at a time, and counts how often it was asked."""

    def __init__(self, *, last: int = 8) -> None:
        self.asked = 0
        self.release = trio.Event()
        self.release.set()
        self._last = last

    async def __anext__(self) -> Sequence[int]:
        self.asked += 1
        first = 3 * (self.asked - 1)
        await self.release.wait()
        if first > self._last:
            raise StopAsyncIteration
        return range(first, first + 3)


@pytest.fixture
def holding() -> Iterator[Holding[None]]:
    @asynccontextmanager
    async def nothing() -> AsyncIterator[None]:
        yield

    yield the_portal().open(nothing(), name="nothing")
    close_all()


def test_a_batch_is_asked_for_when_the_one_before_is_used_up(holding: Holding[None]) -> None:
    """That holds the server back: nothing is read ahead."""
    source = Source()
    events = FeedIterator(Feed(holding, source))
    assert [next(events), next(events), next(events)] == [0, 1, 2]
    assert source.asked == 1
    assert next(events) == 3
    assert source.asked == 2


def test_events_and_batches_take_from_the_same_feed(holding: Holding[None]) -> None:
    """A batch is the rest of what is at hand; the end is the end of both."""
    feed = Feed(holding, Source())
    events, batches = FeedIterator(feed), BatchIterator(feed)
    assert next(events) == 0
    assert list(next(batches)) == [1, 2]
    assert list(next(batches)) == [3, 4, 5]
    assert list(events) == [6, 7, 8]
    assert list(batches) == []


def test_what_comes_after_a_wait_was_interrupted_twice_is_read_by_the_next(holding: Holding[None]) -> None:
    """The second Ctrl-C does not wait for what cannot be cancelled; a batch that it brings is not lost."""
    source = Source()
    source.release = trio.Event()

    @final
    class Stubborn(AsyncIterator[Sequence[int]]):
        async def __anext__(self) -> Sequence[int]:
            with trio.CancelScope(shield=True):
                return await anext(source)
            raise AssertionError

    events = FeedIterator(Feed(holding, Stubborn()))
    assert interrupted(lambda: next(events), after_seconds=0.05, every_seconds=0.05)
    the_portal().soon(source.release.set)

    assert list(events) == list(range(9))
