"""Leaving the block of a session: the server is told whatever happens, and nothing holds it up."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from simclient.errors import RemoteError, SessionClosed
from simclient.session.inbox import Event
from simclient.testing import ControlPeer, DataPeer, open_scripted_server
from simclient.wire.failures import AdvanceSlotFailed, InvalidRequest
from simclient.wire.requests import AttachSession, CloseSession, CreateSession, ResumeAttachedSession
from simclient.wire.responses import Completed, ErrorEvent, ReadyForContinue, SessionAttached, Status, Success

from .sessions import (
    BRIEF,
    SMALL,
    WATCH,
    WATCHFUL,
    Ending,
    come_back_to_close,
    endings,
    open_session,
    read_to_the_end,
    ready,
)

FATAL = ErrorEvent(failure=AdvanceSlotFailed(slot=101, error="no"))
LONGEST_LEAVING_SECONDS = 5.0


async def test_the_server_is_told_when_the_block_ends() -> None:
    """closeBacktestSession reaches it, and its answer is waited for."""
    async with open_scripted_server(control=[ready]) as server:
        with trio.fail_after(LONGEST_LEAVING_SECONDS):
            async with open_session(server, limits=BRIEF):
                pass

    assert server.requests[-1] == CloseSession()


async def test_the_server_is_told_when_the_body_raises() -> None:
    """And the body's exception comes out bare."""
    async with open_scripted_server(control=[ready]) as server:
        with trio.fail_after(LONGEST_LEAVING_SECONDS), pytest.raises(ZeroDivisionError):
            async with open_session(server, limits=BRIEF):
                raise ZeroDivisionError

    assert server.requests[-1] == CloseSession()


async def test_the_server_is_told_when_the_block_is_cancelled() -> None:
    """The goodbye is shielded, and bounded."""
    async with open_scripted_server(control=[ready]) as server:
        with trio.fail_after(LONGEST_LEAVING_SECONDS), trio.CancelScope() as scope:
            async with open_session(server, limits=BRIEF) as session:
                scope.cancel()
                await anext(session)
                await anext(session)

    assert scope.cancelled_caught
    assert server.requests[-1] == CloseSession()


async def test_the_body_s_exception_wins_over_a_failure_of_the_session() -> None:
    """A failure that nobody saw does not take its place."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ErrorEvent(failure=InvalidRequest(error="mad")))
        peer.cut()

    async def again(peer: ControlPeer) -> None:
        await peer.refuse(401)

    async with open_scripted_server(control=[control, again]) as server:
        with pytest.raises(ZeroDivisionError):
            async with open_session(server, limits=BRIEF):
                try:
                    with trio.fail_after(10):
                        await trio.sleep_forever()
                finally:
                    raise ZeroDivisionError


async def test_a_session_cannot_be_used_after_its_block() -> None:
    """Neither read nor advanced."""
    async with open_scripted_server(control=[ready]) as server:
        async with open_session(server, limits=BRIEF) as session:
            pass
        with pytest.raises(SessionClosed):
            await anext(session)
        with pytest.raises(SessionClosed):
            await session.advance()


# A user who does not read


async def test_a_session_whose_user_does_not_read_is_left_at_once() -> None:
    """The close's answer is read though there is no room for more events."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(*[Status(status="x")] * 10, seq_id=1)
        await peer.ping()
        full.set()
        await peer.accept_close()

    full = trio.Event()
    async with open_scripted_server(control=[control]) as server:
        with trio.fail_after(10):
            async with open_session(server, limits=SMALL) as session:
                await anext(session)
                await trio.testing.wait_all_tasks_blocked(0.05)
                full.set()
        assert [type(request) for request in server.requests] == [CreateSession, CloseSession]


async def test_a_session_whose_user_does_not_read_is_detached_at_once() -> None:
    """What was received is given, what was not is for whoever takes it up."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(*[Status(status=f"{number}") for number in range(10)], seq_id=1)
        await peer.hold()

    async with open_scripted_server(control=[control]) as server:
        with trio.fail_after(10):
            async with open_session(server, limits=SMALL) as session:
                received: list[Event] = [await anext(session)]
                await trio.testing.wait_all_tasks_blocked(0.05)
                detached = await session.detach()
                received += [event async for event in session]

    assert received == [Status(status=f"{number}") for number in range(len(received))]
    assert detached.last_sequence == len(received)


# A server that has gone


async def test_a_dead_peer_does_not_hold_up_the_leaving() -> None:
    """Neither answers nor reads: the block is left within the closing limit all the same."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue())
        peer.freeze()
        await trio.sleep_forever()

    async with open_scripted_server(control=[control]) as server:
        with trio.fail_after(LONGEST_LEAVING_SECONDS):
            async with open_session(server, limits=BRIEF):
                pass


async def test_a_dead_data_peer_does_not_hold_up_the_leaving() -> None:
    """The same for the data plane."""

    is_dead = trio.Event()

    async def data(peer: DataPeer) -> None:
        await peer.accept_subscribe()
        peer.freeze()
        is_dead.set()
        await trio.sleep_forever()

    async with open_scripted_server(control=[ready], data=[data]) as server:
        with trio.fail_after(LONGEST_LEAVING_SECONDS):
            async with open_session(server, watch=WATCH, limits=BRIEF):
                await is_dead.wait()

    assert CloseSession() in server.requests


async def test_a_session_is_detached_while_it_reconnects() -> None:
    """The attempt under way is given up; nothing is attached to any more."""

    async def first(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue(), seq_id=1)
        peer.cut()

    async def second(peer: ControlPeer) -> None:
        connecting.set()
        await peer.hold_until_gone()  # the upgrade is not answered

    connecting = trio.Event()
    async with open_scripted_server(control=[first, second]) as server:
        with trio.fail_after(10):
            async with open_session(server) as session:
                assert await anext(session) == ReadyForContinue()
                await connecting.wait()
                detached = await session.detach()

        assert [type(request) for request in server.requests] == [CreateSession]
    assert detached.is_ready


@endings
async def test_a_close_that_nobody_answered_is_asked_for_again(end: Ending) -> None:
    """The close may not have been read: the session is attached to once more to close it."""

    async def first(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue(), seq_id=1)
        await peer.expect(CloseSession)
        await end(peer)

    async with open_scripted_server(control=[first, come_back_to_close]) as server:
        with trio.fail_after(LONGEST_LEAVING_SECONDS):
            async with open_session(server, limits=WATCHFUL):
                pass


@endings
async def test_a_completed_session_whose_socket_is_gone_is_still_closed(end: Ending) -> None:
    """Leaving attaches once more, only to close the session, so that it does not wait on the server for its timeout."""

    async def complete_and_end(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue(), Completed(), seq_id=1)
        await end(peer)

    async with open_scripted_server(control=[complete_and_end, come_back_to_close]) as server:
        async with open_session(server, limits=WATCHFUL) as session:
            events = await read_to_the_end(session)
        attaches = [request.last_sequence for request in server.requests if isinstance(request, AttachSession)]

    assert events == [ReadyForContinue(), Completed()]
    assert attaches == [2]


@pytest.mark.parametrize("when", ["replayed during attach", "before the socket is lost"])
async def test_a_failed_run_is_closed_on_the_server(when: str) -> None:
    """Though its socket is gone, or was not resumed yet."""

    async def first(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue(), seq_id=1)
        if when == "before the socket is lost":
            await peer.send(FATAL, seq_id=2)
        peer.cut()

    async def second(peer: ControlPeer) -> None:
        await peer.expect(AttachSession)
        await peer.send(SessionAttached(session_id="s1", rpc_endpoint=peer.rpc_endpoint("s1")))
        if when == "replayed during attach":
            await peer.send(FATAL, seq_id=2)
            await peer.expect(ResumeAttachedSession)
            await peer.send(Success())
        await peer.accept_close()

    async with open_scripted_server(control=[first, second]) as server:
        with trio.fail_after(10), pytest.raises(RemoteError, match="slot 101"):
            async with open_session(server) as session:
                async for _ in session:
                    pass
        assert isinstance(server.requests[-1], CloseSession)
