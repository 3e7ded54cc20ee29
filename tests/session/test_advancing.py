"""Requests to advance: at the wrong moment, and on a socket that breaks before they are answered."""

from __future__ import annotations

import json

import pytest
import trio
import trio.testing

from simclient.errors import ConnectionLost, LocalProtocolError
from simclient.testing import ControlPeer, HttpAnswer, HttpRequest, open_scripted_server
from simclient.wire.accounts import AccountData
from simclient.wire.requests import Continue
from simclient.wire.responses import Completed, ReadyForContinue, SlotNotification

from .sessions import PROGRAM, QUICK, advance_to_the_end, open_session

SYSTEM_PROGRAM = "1" * 32


async def test_an_advance_that_is_not_due_is_refused_locally() -> None:
    """Nothing is sent, and the session goes on."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue())
        await peer.expect(Continue)
        await peer.accept_close()

    async with open_scripted_server(control=[control]) as server, open_session(server) as session:
        assert await anext(session) == ReadyForContinue()
        await session.advance()
        with pytest.raises(LocalProtocolError):
            await session.advance()


async def test_what_is_asked_for_while_a_dead_socket_closes_is_sent_on_the_next_one() -> None:
    """Effects or not: it was never written."""

    async def first(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue(), seq_id=1)
        await peer.send_message('{"seqId":')  # the client gives the socket up, and nobody answers its close frame
        await peer.hold_until_gone()

    async def second(peer: ControlPeer) -> None:
        await peer.accept_attach()
        assert (await peer.expect(Continue)).transactions
        await peer.send(Completed(), seq_id=2)
        await peer.accept_close()

    async with open_scripted_server(control=[first, second]) as server, open_session(server) as session:
        with trio.fail_after(10):
            assert await anext(session) == ReadyForContinue()
            await trio.testing.wait_all_tasks_blocked(0.05)
            await session.advance(transactions=[b"signed"])
            assert [event async for event in session] == [Completed()]


# A `continue` written just before the cut


class Slots:
    """Answers getSlot with one number after another, the last one for ever."""

    def __init__(self, *slots: int) -> None:
        self._left = list(slots)

    def __call__(self, request: HttpRequest) -> HttpAnswer:
        asked = json.loads(request.body)
        slot = self._left[0] if len(self._left) == 1 else self._left.pop(0)
        return HttpAnswer(body=json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": slot}).encode())


async def lose_a_continue(peer: ControlPeer) -> None:
    await peer.accept_create()
    await peer.send(ReadyForContinue(), seq_id=1)
    await peer.expect(Continue)
    peer.cut()


@pytest.mark.parametrize("http", [None, Slots(99)], ids=["without RPC", "with an RPC whose slot stands still"])
async def test_a_plain_continue_of_which_nothing_shows_is_sent_once_more(http: Slots | None) -> None:
    """Neither an event nor the slot moves within the grace: the server has not read it."""

    async def second(peer: ControlPeer) -> None:
        await peer.accept_attach()
        assert (await peer.expect(Continue)).advance_count == 2
        await peer.send(Completed(), seq_id=2)
        await peer.accept_close()

    answer = http or (lambda request: HttpAnswer(status=503))
    async with open_scripted_server(control=[lose_a_continue, second], http=answer) as server:
        async with open_session(server) as session:
            await advance_to_the_end(session)
            assert session.statistics().continues_resent == 1


async def test_a_continue_is_not_sent_again_while_the_slot_moves() -> None:
    """The session's RPC shows that the server is at it."""

    async def second(peer: ControlPeer) -> None:
        await peer.accept_attach()
        await moved.wait()
        with trio.move_on_after(2 * QUICK.continue_grace_seconds):
            await peer.expect(Continue)
            raise AssertionError("it was sent again")
        await peer.send(SlotNotification(slot=100), Completed(), seq_id=2)
        await peer.accept_close()

    moved = trio.Event()
    slots = Slots(99, 100)
    asked = 0

    def http(request: HttpRequest) -> HttpAnswer:
        nonlocal asked
        asked += 1
        if asked == 2:
            moved.set()
        return slots(request)

    async with open_scripted_server(control=[lose_a_continue, second], http=http) as server:
        async with open_session(server) as session:
            await advance_to_the_end(session)
            assert session.statistics().continues_resent == 0
        assert [type(request) for request in server.requests].count(Continue) == 1


@pytest.mark.parametrize("with_what", ["transactions", "modifications"])
async def test_a_continue_with_effects_of_which_nothing_shows_ends_the_run(with_what: str) -> None:
    """Sending it twice could do it twice: the error says what is unknown."""

    async def second(peer: ControlPeer) -> None:
        await peer.accept_attach()
        await peer.accept_close()

    async with open_scripted_server(control=[lose_a_continue, second]) as server:
        with pytest.raises(ConnectionLost, match=r"nothing shows whether the server took it"):
            async with open_session(server) as session:
                async for event in session:
                    if isinstance(event, ReadyForContinue) and with_what == "transactions":
                        await session.advance(transactions=[b"signed"])
                    elif isinstance(event, ReadyForContinue):
                        account = AccountData.build(lamports=1, owner=SYSTEM_PROGRAM)
                        await session.advance(modify_accounts={PROGRAM: account})
        assert [type(request) for request in server.requests].count(Continue) == 1
