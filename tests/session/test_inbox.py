"""What waits for the user: order, bounds, wake-ups and the end."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from simclient.errors import ConnectionLost, LocalProtocolError
from simclient.protocol.subscription import Notification
from simclient.session.inbox import Event, Inbox
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


async def taken(subject: Inbox, count: int) -> list[Event]:
    return [await subject.take() for _ in range(count)]


async def test_control_comes_before_data() -> None:
    """An event that arrives in the middle of a batch is not held behind it."""
    subject = inbox()
    first, second = notification(1), notification(2)
    await subject.put_batch([first, second])
    assert await subject.take() is first
    subject.put_event(ReadyForContinue())
    assert await subject.take() == ReadyForContinue()
    assert await subject.take() is second


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
        await subject.put_batch([one := notification(1)])
    assert got == [ReadyForContinue(), one]


async def test_batches_push_back() -> None:
    """The second batch waits until the first is taken; nothing is lost."""
    subject = inbox(data_batches=1)
    batches = [[notification(1)], [notification(2)], [notification(3)]]
    put: list[int] = []

    async def fill() -> None:
        for number, batch in enumerate(batches):
            await subject.put_batch(batch)
            put.append(number)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(fill)
        await trio.testing.wait_all_tasks_blocked()
        assert put == [0]
        assert await taken(subject, 3) == [one for batch in batches for one in batch]


async def test_a_full_backlog_makes_room_when_read() -> None:
    """Reading the control socket waits for the user beyond the bound, and is counted."""
    subject = inbox(control_backlog=1)
    subject.put_event(ReadyForContinue())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(subject.wait_for_room)
        await trio.testing.wait_all_tasks_blocked()
        assert subject.times_full == 1
        await subject.take()


async def test_the_end_comes_last() -> None:
    """`completed` after the data, then nothing."""
    subject = inbox()
    await subject.put_batch([one := notification(1)])
    subject.complete(Completed())
    assert await taken(subject, 2) == [one, Completed()]
    for _ in range(2):
        with pytest.raises(StopAsyncIteration):
            await subject.take()


async def test_a_failure_comes_after_everything_received() -> None:
    """Also after what a producer is still waiting to put."""
    subject = inbox(data_batches=1)
    one, two = notification(1), notification(2)
    await subject.put_batch([one])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(subject.put_batch, [two])
        await trio.testing.wait_all_tasks_blocked()
        subject.put_event(Status(status="x"))
        subject.fail(ConnectionLost("gone"))
        assert await taken(subject, 3) == [Status(status="x"), one, two]
        with pytest.raises(ConnectionLost):
            await subject.take()


async def test_two_readers_are_refused() -> None:
    """The second to wait gets an error; the first goes on."""
    subject = inbox()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(subject.take)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(LocalProtocolError, match="two tasks"):
            await subject.take()
        subject.put_event(ReadyForContinue())


async def test_a_cancelled_take_loses_nothing() -> None:
    """The event that comes after the cancellation is still there."""
    subject = inbox()
    with trio.CancelScope() as scope:
        scope.cancel()
        await subject.take()
    subject.put_event(ReadyForContinue())
    assert await subject.take() == ReadyForContinue()


async def test_a_reader_that_never_waits_lets_others_run() -> None:
    """Another task gets its turn while a long batch is read."""
    subject = inbox(data_batches=1)
    ran = trio.Event()
    await subject.put_batch([notification(1)] * 200_000)

    async def other() -> None:
        ran.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        read = 0
        while not ran.is_set():
            await subject.take()
            read += 1
    assert read < 200_000
