"""What waits for the user: order, bounds, wake-ups and the end."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence

import pytest
import trio
import trio.testing

from simclient.errors import ConnectionLost, LocalProtocolError, SessionClosed
from simclient.protocol.subscription import Notification
from simclient.session.inbox import Batches, Event, Inbox
from simclient.wire.notifications import UnknownNotification, decode_data_message
from simclient.wire.responses import Completed, ReadyForContinue, Status


def inbox(*, control_backlog: int = 10, data_batches: int = 1) -> Inbox:
    return Inbox(control_backlog=control_backlog, data_batches=data_batches)


def notification(slot: int) -> Notification:
    message = decode_data_message(
        b'{"jsonrpc":"2.0","method":"xNotification","params":{"subscription":1,"result":{"n":%d}}}' % slot
    )
    assert isinstance(message, UnknownNotification)
    return message


async def add(subject: Inbox, batch: Sequence[Notification]) -> None:
    await subject.put_batch(lambda: batch)


async def taken(subject: Inbox, count: int) -> list[Event]:
    return [await anext(subject) for _ in range(count)]


async def test_control_comes_before_data() -> None:
    """An event that arrives in the middle of a batch is not held behind it."""
    subject = inbox()
    first, second = notification(1), notification(2)
    await add(subject, [first, second])
    assert await anext(subject) is first
    subject.put_event(ReadyForContinue())
    assert await anext(subject) == ReadyForContinue()
    assert await anext(subject) is second


async def test_a_waiting_reader_is_woken(autojump_clock: trio.testing.MockClock) -> None:
    """By an event and by a batch alike."""
    subject = inbox()
    got: list[Event] = []

    async def read() -> None:
        got.extend(await taken(subject, 2))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        subject.put_event(ReadyForContinue())
        await trio.testing.wait_all_tasks_blocked()
        await add(subject, [one := notification(1)])
    assert got == [ReadyForContinue(), one]


async def test_batches_push_back() -> None:
    """The second batch waits until the first is taken; nothing is lost."""
    subject = inbox(data_batches=1)
    batches = [[notification(1)], [notification(2)], [notification(3)]]
    put: list[int] = []

    async def fill() -> None:
        for number, batch in enumerate(batches):
            await add(subject, batch)
            put.append(number)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(fill)
        await trio.testing.wait_all_tasks_blocked()
        assert put == [0]
        assert await taken(subject, 3) == [one for batch in batches for one in batch]


async def test_a_batch_is_made_when_there_is_room_for_it() -> None:
    """What waits is not decoded yet; a batch that turns out empty takes no room."""
    subject = inbox(data_batches=1)
    made: list[int] = []

    def make(slot: int) -> list[Notification]:
        made.append(slot)
        return [notification(slot)] if slot else []

    await subject.put_batch(lambda: make(0))
    await subject.put_batch(lambda: make(1))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(subject.put_batch, lambda: make(2))
        await trio.testing.wait_all_tasks_blocked()
        assert made == [0, 1]
        await taken(subject, 1)
    assert made == [0, 1, 2]


async def test_a_full_backlog_makes_room_when_read() -> None:
    """Reading the control socket waits for the user beyond the bound, and is counted."""
    subject = inbox(control_backlog=1)
    subject.put_event(ReadyForContinue())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(subject.wait_for_room)
        await trio.testing.wait_all_tasks_blocked()
        assert subject.times_full == 1
        await anext(subject)


async def test_the_end_comes_last() -> None:
    """`completed` after the data, then nothing."""
    subject = inbox()
    await add(subject, [one := notification(1)])
    subject.complete(Completed())
    assert await taken(subject, 2) == [one, Completed()]
    for _ in range(2):
        with pytest.raises(StopAsyncIteration):
            await anext(subject)


async def test_a_failure_comes_after_everything_received() -> None:
    """Also after what a producer is still waiting to put."""
    subject = inbox(data_batches=1)
    one, two = notification(1), notification(2)
    await add(subject, [one])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(add, subject, [two])
        await trio.testing.wait_all_tasks_blocked()
        subject.put_event(Status(status="x"))
        subject.fail(ConnectionLost("gone"))
        assert await taken(subject, 3) == [Status(status="x"), one, two]
        with pytest.raises(ConnectionLost):
            await anext(subject)


async def test_two_readers_are_refused() -> None:
    """The second to wait gets an error; the first goes on."""
    subject = inbox()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(subject.__anext__)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(LocalProtocolError, match="two tasks"):
            await anext(subject)
        subject.put_event(ReadyForContinue())


async def test_a_cancelled_take_loses_nothing() -> None:
    """The event that comes after the cancellation is still there."""
    subject = inbox()
    with trio.CancelScope() as scope:
        scope.cancel()
        await anext(subject)
    subject.put_event(ReadyForContinue())
    assert await anext(subject) == ReadyForContinue()


async def test_a_reader_that_never_waits_lets_others_run() -> None:
    """Another task gets its turn while a long batch is read."""
    subject = inbox(data_batches=1)
    ran = trio.Event()
    await add(subject, [notification(1)] * 200_000)

    async def other() -> None:
        ran.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        read = 0
        while not ran.is_set():
            await anext(subject)
            read += 1
    assert read < 200_000


async def test_batches_come_whole_and_control_alone() -> None:
    """A batch is what one read gave, less what was taken already; control events come before it, together."""
    subject = inbox()
    first, second, third = notification(1), notification(2), notification(3)
    await add(subject, [first, second, third])
    assert await anext(subject) is first
    subject.put_event(ReadyForContinue())
    subject.put_event(Status(status="x"))
    batches = Batches(subject)
    assert await anext(batches) == [ReadyForContinue(), Status(status="x")]
    assert await anext(batches) == [second, third]
    subject.complete(Completed())
    assert [batch async for batch in batches] == [[Completed()]]


async def test_a_batch_is_waited_for_and_its_cancellation_loses_nothing() -> None:
    """A cancelled wait leaves the batch that comes later; a failure comes after it."""
    subject = inbox()
    with trio.CancelScope() as scope:
        scope.cancel()
        await subject.take_batch()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(subject.take_batch)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(LocalProtocolError, match="two tasks"):
            await subject.take_batch()
        await add(subject, [notification(1)])
    await add(subject, [one := notification(2)])
    subject.fail(ConnectionLost("gone"))
    assert await subject.take_batch() == [one]
    with pytest.raises(ConnectionLost):
        await subject.take_batch()


@pytest.mark.parametrize("read", [Inbox.__anext__, Inbox.take_batch])
async def test_a_closed_inbox_gives_nothing(read: Callable[[Inbox], Awaitable[object]]) -> None:
    """Neither what is at hand nor to one who waits already; the failure is the cause."""
    subject = inbox()
    await add(subject, [notification(1), notification(2), notification(3)])
    await anext(subject)
    failure = ConnectionLost("gone")
    subject.close(failure)
    for _ in range(2):
        with pytest.raises(SessionClosed) as caught:
            await read(subject)
        assert caught.value.__cause__ is failure


async def test_closing_wakes_the_one_who_waits() -> None:
    """A reader in another task does not wait for ever."""
    subject = inbox()
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def read() -> None:
            with pytest.raises(SessionClosed):
                await anext(subject)

        await trio.testing.wait_all_tasks_blocked()
        subject.close(None)


async def test_a_reader_who_slows_down_looks_at_the_clock_again() -> None:
    """Events are at hand for a moment of the reader's time, not for a number of events."""
    subject = inbox()
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await trio.lowlevel.checkpoint()

    await add(subject, [notification(1)] * 400)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        for _ in range(300):
            await anext(subject)
        before = turns
        for _ in range(100):
            time.sleep(0.002)  # noqa: ASYNC251  # a user who computes
            await anext(subject)
        nursery.cancel_scope.cancel()
    assert turns - before > 2
