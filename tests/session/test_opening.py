"""What happens while a session is opened: refusals, connections that break before there is one, and cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import trio
import trio.testing

from simclient import Transactions, open_client, open_local_simulator, open_parallel_session
from simclient.errors import ConnectError, InputError, LocalProtocolError, RemoteError
from simclient.session.managed import open_backtest_session
from simclient.testing import ControlPeer, open_scripted_server
from simclient.wire.failures import InvalidRequest
from simclient.wire.responses import Completed, ErrorEvent, ReadyForContinue

from .sessions import (
    BRIEF,
    HANG_SECONDS,
    QUICK,
    WATCHFUL,
    Ending,
    complete_at_once,
    endings,
    open_session,
    read_to_the_end,
)


@pytest.mark.parametrize(
    "open_something",
    [
        lambda: open_backtest_session("ws://127.0.0.1:1", start_slot=1, slot_count=1),
        lambda: open_parallel_session("ws://127.0.0.1:1", start_slot=1, slot_count=1),
        lambda: open_client("ws://127.0.0.1:1"),
        lambda: open_local_simulator(),
    ],
)
def test_a_program_without_trio_is_told_what_to_do(
    open_something: Callable[[], AbstractAsyncContextManager[object]],
) -> None:
    """Under asyncio, the first call says how to run it."""

    async def main() -> None:
        async with open_something():
            pytest.fail("it cannot be opened here")

    with pytest.raises(LocalProtocolError, match=r"trio\.run"):
        asyncio.run(main())


@pytest.mark.parametrize(
    ("subscriptions", "said"),
    [
        (Transactions(mentions="1" * 32), r"subscriptions is a list: \[Transactions"),
        (["1" * 32], "is no subscription"),
    ],
)
async def test_what_is_no_list_of_subscriptions_is_refused(subscriptions: Any, said: str) -> None:
    """Before anything is sent, with what to give instead."""
    with pytest.raises(InputError, match=said):
        async with open_backtest_session("ws://127.0.0.1:1", start_slot=1, slot_count=1, subscriptions=subscriptions):
            pytest.fail("there is nothing to receive")


async def test_an_address_where_nobody_listens_is_a_connect_error() -> None:
    """After a few attempts, not after the whole budget."""
    async with open_scripted_server() as server:
        url = server.url

    with pytest.raises(ConnectError), trio.fail_after(10):
        async with open_backtest_session(url, start_slot=1, slot_count=1, limits=QUICK):
            pass


async def test_a_refused_key_is_not_tried_again() -> None:
    """401 is final."""
    async with open_scripted_server(api_key="right") as server:
        with pytest.raises(ConnectError) as caught, trio.fail_after(5):
            async with open_backtest_session(server.url, start_slot=1, slot_count=1, api_key="wrong", limits=QUICK):
                pass

    assert not caught.value.retryable


async def test_a_refused_create_keeps_its_payload() -> None:
    """The server's reason comes out typed."""
    refusal = InvalidRequest(error="no such range")

    async def control(peer: ControlPeer) -> None:
        await peer.receive_request()
        await peer.send(ErrorEvent(failure=refusal))
        await peer.hold()

    async with open_scripted_server(control=[control]) as server:
        with pytest.raises(RemoteError) as caught:
            async with open_session(server):
                pass

    assert caught.value.payload == refusal


@endings
@pytest.mark.parametrize("is_read", [False, True], ids=["before the server read it", "after the server read it"])
async def test_a_create_that_nobody_answered_is_asked_for_again(end: Ending, is_read: bool) -> None:
    """The second connection creates, and the run is the new session's; the session that the first may have left behind is counted."""

    async def first(peer: ControlPeer) -> None:
        await peer.accept()
        if is_read:
            await peer.receive_request()
        await end(peer)

    async with open_scripted_server(control=[first, complete_at_once]) as server:
        async with open_session(server, limits=WATCHFUL) as session:
            assert session.session_id == "s1"
            assert await read_to_the_end(session) == [ReadyForContinue(), Completed()]
            assert int(is_read) <= session.statistics().possible_orphans <= 1


async def test_an_opening_that_is_cancelled_while_the_create_waits_leaves_nothing_behind() -> None:
    """While the server has not answered the create."""

    async def control(peer: ControlPeer) -> None:
        await peer.receive_request()
        was_asked.set()
        await peer.hold_until_gone()

    was_asked = trio.Event()
    async with open_scripted_server(control=[control]) as server:
        with trio.fail_after(HANG_SECONDS), trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_cancel_after, scope, was_asked)
                async with open_session(server, limits=BRIEF):
                    pytest.fail("there is no session")

    assert scope.cancelled_caught


async def _cancel_after(scope: trio.CancelScope, event: trio.Event) -> None:
    await event.wait()
    scope.cancel()


async def test_an_opening_that_is_cancelled_while_it_connects_creates_nothing() -> None:
    """Nobody is left who would want the session."""

    async def control(peer: ControlPeer) -> None:
        scope.cancel()
        await trio.testing.wait_all_tasks_blocked(0.05)
        await peer.accept()
        await peer.hold_until_gone()

    was_opened: list[bool] = []
    with trio.CancelScope() as scope:
        async with open_scripted_server(control=[control]) as server:
            with trio.fail_after(10):
                async with open_session(server):
                    was_opened.append(True)
        assert server.requests == ()
    assert was_opened == []
