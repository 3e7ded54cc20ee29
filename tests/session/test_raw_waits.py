"""The waits of a raw session over real WebSockets: what they take, what they leave, and what a cancelled one leaves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio

from simclient.errors import LocalProtocolError
from simclient.session.limits import Limits
from simclient.session.raw.session import RawSession
from simclient.testing import ControlPeer
from simclient.wire.requests import CloseSession, Continue, ContinueTo, CreateSession
from simclient.wire.responses import (
    Completed,
    ControlResponse,
    Paused,
    ReadyForContinue,
    SessionCreated,
    SlotNotification,
    Status,
    Success,
)

from .raw_sessions import DISCOVERY, NEWS, ODD, STATUS, everything, raw_session


async def test_what_a_wait_does_not_take_is_given_by_iteration_in_order() -> None:
    """Discoveries, simulation errors, statuses, slots and unknown messages outlive every wait."""

    async def control(peer: ControlPeer) -> None:
        await peer.expect(CreateSession)
        await peer.send(NEWS, SessionCreated(session_id="s1", rpc_endpoint="/r"), STATUS, DISCOVERY)
        await peer.send(ReadyForContinue())
        await peer.expect(Continue)
        await peer.send(SlotNotification(slot=101), ODD, DISCOVERY, NEWS, STATUS, ReadyForContinue())
        await peer.expect(Continue)
        await peer.send(Completed())
        await peer.accept_close()

    async with raw_session(control) as session:
        await session.wait_ready()
        await session.advance(1)
        last = await session.advance(1)
        assert last.completed == Completed()
        assert await everything(session) == [NEWS, STATUS, DISCOVERY, ODD, DISCOVERY, NEWS]


async def test_a_status_that_waits_unread_counts() -> None:
    """A wait for a status looks at what was kept first, and leaves the rest in order."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(Status(status="a"), Status(status="b"), ReadyForContinue(), Completed())
        await peer.accept_close()

    async with raw_session(control) as session:
        await session.wait_ready()
        await session.wait_for_status("b")
        with pytest.raises(LocalProtocolError, match="'c' will not come"):
            await session.wait_for_status("c")
        assert await everything(session) == [Status(status="a"), Completed()]


async def test_every_event_is_shown_as_it_comes() -> None:
    """The callback of `advance` sees what is taken and what is kept."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue())
        await peer.expect(Continue)
        await peer.send(STATUS, ODD, SlotNotification(slot=101), ReadyForContinue())
        await peer.accept_close()

    seen: list[ControlResponse] = []
    async with raw_session(control) as session:
        await session.wait_ready()
        await session.advance(1, on_event=seen.append)

    assert seen == [STATUS, ODD, SlotNotification(slot=101), ReadyForContinue()]


async def test_a_ready_that_overtakes_its_slots_is_waited_for() -> None:
    """`advance` wants both, `continue_until_ready` only the ready."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue())
        await peer.expect(Continue)
        await peer.send(ReadyForContinue(), SlotNotification(slot=101))
        await peer.expect(Continue)
        await peer.send(ReadyForContinue(), SlotNotification(slot=102))
        await peer.accept_close()

    async with raw_session(control) as session:
        await session.wait_ready()
        assert (await session.advance(1)).last_slot == 101
        assert (await session.continue_until_ready(1)).last_slot is None


async def test_a_run_to_a_batch_stops_there() -> None:
    """`advance_to` gives the pause."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue())
        assert await peer.expect(ContinueTo) == ContinueTo(slot=101, batch_index=3)
        await peer.send(DISCOVERY, Paused(slot=101, batch_index=3))
        await peer.accept_close()

    async with raw_session(control) as session:
        await session.wait_ready()
        result = await session.advance_to(101, batch_index=3)
        assert result.paused == Paused(slot=101, batch_index=3)
        assert await anext(session) == DISCOVERY


async def test_a_cancelled_advance_loses_nothing() -> None:
    """What had come is in the progress, and the rest can be waited for."""
    may_finish = trio.Event()

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue())
        await peer.expect(Continue)
        await peer.send(SlotNotification(slot=101), DISCOVERY)
        await may_finish.wait()
        await peer.send(SlotNotification(slot=102), ReadyForContinue())
        await peer.accept_close()

    async with raw_session(control) as session:
        await session.wait_ready()
        with trio.CancelScope() as scope:
            await session.advance(2, on_event=lambda event: scope.cancel() if event == DISCOVERY else None)
        assert (session.progress.slots, session.progress.is_over) == (1, False)

        may_finish.set()
        assert await session.wait_ready()
        assert session.progress.slots == 2
        assert [await anext(session), await anext(session)] == [DISCOVERY, SlotNotification(slot=102)]


async def test_too_much_unread_is_refused_and_can_be_taken() -> None:
    """At the bound a wait says so and reads nothing; after the events were taken it goes on."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(STATUS, STATUS, STATUS, ReadyForContinue())
        await peer.accept_close()

    async with raw_session(control, limits=Limits(control_backlog=2)) as session:
        with pytest.raises(LocalProtocolError, match="2 messages wait unread"):
            await session.wait_ready()
        assert [await anext(session), await anext(session)] == [STATUS, STATUS]
        assert await session.wait_ready()


async def test_only_one_task_reads() -> None:
    """A second reader is told, and the first is not disturbed."""
    may_be_ready = trio.Event()

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await may_be_ready.wait()
        await peer.send(ReadyForContinue())
        await peer.accept_close()

    async with raw_session(control) as session, trio.open_nursery() as nursery:
        nursery.start_soon(session.wait_ready)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(LocalProtocolError, match="another task reads"):
            await session.wait_ready()
        may_be_ready.set()


# Cancellation


@pytest.mark.parametrize(
    ("wait", "answer"),
    [
        (lambda session: session.wait_ready(), ReadyForContinue()),
        (lambda session: session.wait_for_status("executingBlockTransactions"), STATUS),
        (lambda session: anext(session), NEWS),
        (lambda session: session.close(), Success()),
    ],
    ids=["wait_ready", "wait_for_status", "iteration", "close"],
)
async def test_a_wait_that_was_cancelled_is_repeated(
    wait: Callable[[RawSession], Awaitable[object]], answer: ControlResponse
) -> None:
    """Nothing is lost, and nothing is asked twice."""
    was_cancelled = trio.Event()

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await was_cancelled.wait()
        await peer.send(answer)
        await peer.expect(CloseSession)
        await peer.send(Success())
        await peer.hold()

    async with raw_session(control) as session:
        with trio.move_on_after(0.05) as scope:
            await wait(session)
        assert scope.cancelled_caught
        was_cancelled.set()
        await wait(session)


async def test_a_cancelled_read_takes_nothing() -> None:
    """Neither the iterator nor a wait for a status that is there already."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(STATUS, ReadyForContinue())
        await peer.accept_close()

    async with raw_session(control) as session:
        await session.wait_ready()
        with trio.CancelScope() as scope:
            scope.cancel()
            await anext(session)
        with trio.CancelScope() as scope:
            scope.cancel()
            await session.wait_for_status(STATUS.status)
        assert session.take_unread() == [STATUS]
