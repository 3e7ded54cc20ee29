"""What both kinds of socket do alike once they are open, against a peer in memory; time is virtual, so that every bound is exact.

Opening is in `test_handshakes.py`; what only one kind does is in `test_websocket.py` and `test_feed.py`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing
from wsproto.events import CloseConnection, Event, Ping, TextMessage

from simclient.errors import ConnectionLost, InputError

from .peers import Halting, Peer, halting_peer, lockstep_peer, memory_peer, opener_of
from .sockets import LIMITS, URL, Opener, Socket, both_kinds, lost, opened, receive

pytestmark = both_kinds


@asynccontextmanager
async def halting(
    open_socket: Opener[Socket], *first: Event, then_break: bool = False
) -> AsyncGenerator[tuple[Socket, Peer, Halting]]:
    """Open a socket whose writing halts in the first long message."""
    peer, stream = halting_peer(400, then_break=then_break)
    async with opened(open_socket, *first, ends=(peer, opener_of(stream))) as (socket, _):
        yield socket, peer, stream


class TestMessages:
    async def test_messages_go_both_ways(
        self, autojump_clock: trio.testing.MockClock, open_socket: Opener[Socket]
    ) -> None:
        """What one side sends is what the other receives, in order; what comes with the acceptance is not lost."""
        async with opened(open_socket, TextMessage(data="one"), TextMessage(data="two")) as (socket, peer):
            assert await receive(socket, 2) == ["one", "two"]
            await socket.send('{"id": "é"}')
            assert await peer.receive() == TextMessage(data='{"id": "é"}')

    async def test_a_lone_surrogate_is_refused_before_it_is_sent(
        self, autojump_clock: trio.testing.MockClock, open_socket: Opener[Socket]
    ) -> None:
        """Text that UTF-8 cannot say is an error of the caller, and the socket lives on."""
        async with opened(open_socket) as (socket, peer):
            with pytest.raises(InputError, match="surrogate"):
                await socket.send("\ud800")
            await socket.send("fine")

            assert await peer.receive() == TextMessage(data="fine")

    @pytest.mark.parametrize("arrived_bytes", [0, 4], ids=["before a message", "inside a message"])
    async def test_a_cancelled_receive_loses_nothing(
        self, autojump_clock: trio.testing.MockClock, open_socket: Opener[Socket], arrived_bytes: int
    ) -> None:
        """What has arrived, and what comes after a cancelled wait, goes to the next wait."""
        async with opened(open_socket) as (socket, peer):
            message = peer.encode(TextMessage(data="whole"))
            await peer.stream.send_all(message[:arrived_bytes])
            with trio.move_on_after(1) as wait:
                await receive(socket)
            await peer.stream.send_all(message[arrived_bytes:])

            assert wait.cancelled_caught
            assert await receive(socket) == ["whole"]

    async def test_last_inbound_is_the_time_of_any_traffic(
        self, autojump_clock: trio.testing.MockClock, open_socket: Opener[Socket]
    ) -> None:
        """A pong is no message, but a sign of life."""
        async with opened(open_socket) as (socket, peer):
            await trio.sleep(7)
            await socket.ping()
            ping = await peer.receive()
            assert isinstance(ping, Ping)
            await peer.send(ping.response())
            with trio.move_on_after(1):
                await receive(socket)

            assert socket.last_inbound == trio.current_time() - 1

    async def test_a_ping_does_not_wait_for_its_pong(
        self, autojump_clock: trio.testing.MockClock, open_socket: Opener[Socket]
    ) -> None:
        """Fault 5: pings to a dead peer return at once."""
        async with opened(open_socket) as (socket, _):
            start = trio.current_time()
            for _ in range(100):
                await socket.ping()
            assert trio.current_time() == start

    async def test_a_cancelled_send_does_not_tear_its_frame(
        self, autojump_clock: trio.testing.MockClock, open_socket: Opener[Socket]
    ) -> None:
        """Fault 3: a send cancelled while it is written is finished, one still queued is withdrawn; the next arrives whole."""
        async with trio.open_nursery() as nursery:
            async with opened(open_socket, ends=lockstep_peer()) as (socket, peer):
                with trio.move_on_after(1):
                    await socket.send("being written")
                with trio.move_on_after(1):
                    await socket.send("withdrawn")
                nursery.start_soon(socket.send, "next")
                await trio.testing.wait_all_tasks_blocked()
                received = [await peer.receive(), await peer.receive()]
                nursery.start_soon(peer.receive_close)

        assert received == [TextMessage(data="being written"), TextMessage(data="next")]


class TestEnding:
    async def test_a_close_frame_is_told_after_what_came_before_it(
        self, autojump_clock: trio.testing.MockClock, open_socket: Opener[Socket]
    ) -> None:
        """Fault 4: the user reads what came before the close, then its code and reason, each time as a new exception."""
        async with opened(open_socket) as (socket, peer):
            close = CloseConnection(code=1012, reason="handoff")
            await peer.send(TextMessage(data="unread"), TextMessage(data="last"), close)

            assert await receive(socket, 2) == ["unread", "last"]
            first, second = await lost(socket), await lost(socket)
            assert (first.code, first.reason) == (1012, "handoff")
            assert "code 1012 'handoff'" in str(first)
            assert (str(first), first is second) == (str(second), False)

    @pytest.mark.parametrize(
        ("close", "code"), [(b"\x88\x02\x03\xf4", 1012), (b"\x88\x00", 1005)], ids=["with a code", "without a code"]
    )
    async def test_a_close_frame_is_answered(
        self, autojump_clock: trio.testing.MockClock, open_socket: Opener[Socket], close: bytes, code: int
    ) -> None:
        """The server's close frame gets its own code back, none for none, and the block costs no time to leave."""
        async with opened(open_socket) as (socket, peer):
            await peer.stream.send_all(close)
            assert (await lost(socket)).code == code
            start = trio.current_time()

        answer = await peer.receive()
        assert isinstance(answer, CloseConnection)
        assert answer.code == code
        assert trio.current_time() == start

    async def test_an_end_without_a_close_frame_is_told(
        self, autojump_clock: trio.testing.MockClock, open_socket: Opener[Socket]
    ) -> None:
        """An EOF is a lost connection with code 1006, after what had arrived."""
        async with opened(open_socket) as (socket, peer):
            await peer.say("last")
            await peer.stream.aclose()

            assert await receive(socket) == ["last"]
            assert (await lost(socket)).code == 1006

    async def test_too_long_a_message_ends_the_connection_and_closes_the_stream(
        self, autojump_clock: trio.testing.MockClock, open_socket: Opener[Socket]
    ) -> None:
        """Fault 8: after 1009 the earlier message is delivered, the loss is told, and the stream is closed."""
        peer, watched = halting_peer(10_000)
        async with opened(open_socket, ends=(peer, opener_of(watched))) as (socket, _):
            await peer.say("short", "x" * (LIMITS.max_message_bytes + 1))
            assert await receive(socket) == ["short"]
            assert (await lost(socket)).code == 1009

        assert watched.is_closed

    @pytest.mark.parametrize(
        "use", [lambda socket: socket.send("x"), lambda socket: socket.ping()], ids=["send", "ping"]
    )
    async def test_an_ended_socket_takes_nothing(
        self,
        autojump_clock: trio.testing.MockClock,
        open_socket: Opener[Socket],
        use: Callable[[Socket], Awaitable[None]],
    ) -> None:
        """After the end, sending says how it ended."""
        async with opened(open_socket) as (socket, peer):
            await peer.send(CloseConnection(code=1001))
            await lost(socket)

            with pytest.raises(ConnectionLost, match="code 1001"):
                await use(socket)

    async def test_a_failed_write_is_reported_and_what_arrived_is_kept(
        self, autojump_clock: trio.testing.MockClock, open_socket: Opener[Socket]
    ) -> None:
        """A send into a broken connection raises; messages that arrived before are still delivered."""
        first = TextMessage(data="a"), TextMessage(data="b")
        async with halting(open_socket, *first, then_break=True) as (socket, _, stream):
            with pytest.raises(ConnectionLost):
                await socket.send("x" * 900)
            assert await receive(socket, 2) == ["a", "b"]

        assert stream.is_closed

    async def test_a_ping_after_a_failed_write_does_no_harm(
        self, autojump_clock: trio.testing.MockClock, open_socket: Opener[Socket]
    ) -> None:
        """Where nothing can be written any more, what arrives is still read, pings and the close frame too."""
        async with halting(open_socket, then_break=True) as (socket, peer, _):
            with pytest.raises(ConnectionLost):
                await socket.send("x" * 900)
            await peer.send(Ping(payload=b"p"), TextMessage(data="a"), CloseConnection(code=1012))
            assert await receive(socket) == ["a"]
            assert (await lost(socket)).code == 1012


class TestLeaving:
    async def test_a_mute_peer_does_not_hold_the_block(
        self, autojump_clock: trio.testing.MockClock, open_socket: Opener[Socket]
    ) -> None:
        """Leaving takes the close limit when the peer does not answer the close frame."""
        async with opened(open_socket):
            start = trio.current_time()
        assert trio.current_time() - start == LIMITS.close_seconds

    async def test_a_stalled_write_does_not_hold_the_block(
        self, autojump_clock: trio.testing.MockClock, open_socket: Opener[Socket]
    ) -> None:
        """Fault 2: a peer that reads nothing costs the close limit, and the stream is closed by force."""
        async with halting(open_socket) as (socket, _, stream):
            with trio.move_on_after(1):
                await socket.send("x" * 900)
            start = trio.current_time()

        assert trio.current_time() - start == LIMITS.close_seconds
        assert stream.is_closed

    async def test_unread_messages_and_a_cut_do_not_hold_the_block(
        self, autojump_clock: trio.testing.MockClock, open_socket: Opener[Socket]
    ) -> None:
        """Fault 2: with more messages than are kept and the connection gone, leaving is bounded."""
        async with opened(open_socket) as (_, peer):
            await peer.say(*("unread" for _ in range(LIMITS.unread_messages + 20)))
            await peer.stream.aclose()
            await trio.testing.wait_all_tasks_blocked()
            start = trio.current_time()
        assert trio.current_time() - start <= LIMITS.close_seconds

    async def test_closing_twice_is_closing_once(
        self, autojump_clock: trio.testing.MockClock, open_socket: Opener[Socket]
    ) -> None:
        """The second `aclose` returns at once, and a closed socket says that it is."""
        async with opened(open_socket) as (socket, _):
            await socket.aclose()
            start = trio.current_time()
            await socket.aclose()

            assert trio.current_time() == start
            assert "closed by this side" in str(await lost(socket))

    async def test_a_reader_in_another_task_learns_of_the_close(
        self, autojump_clock: trio.testing.MockClock, open_socket: Opener[Socket]
    ) -> None:
        """`aclose` says goodbye beside a task that is reading, and that task gets ConnectionLost."""
        errors: list[ConnectionLost] = []

        async def read(socket: Socket) -> None:
            errors.append(await lost(socket))

        async with opened(open_socket) as (socket, peer):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(read, socket)
                await trio.testing.wait_all_tasks_blocked()
                await socket.aclose()

            assert isinstance(await peer.receive(), CloseConnection)
        assert "closed by this side" in str(errors[0])

    async def test_a_cancelled_close_closes_at_once(
        self, autojump_clock: trio.testing.MockClock, open_socket: Opener[Socket]
    ) -> None:
        """Whoever has no time to say goodbye closes the stream nevertheless."""
        async with opened(open_socket) as (socket, peer):
            with trio.move_on_after(1):
                await socket.aclose()
            assert trio.current_time() == 1
            assert isinstance(await peer.receive(), CloseConnection)
            with pytest.raises(trio.EndOfChannel):
                await peer.receive()

    async def test_cancellation_says_goodbye(
        self, autojump_clock: trio.testing.MockClock, open_socket: Opener[Socket]
    ) -> None:
        """Fault 9: a block that is cancelled from outside still sends its close frame, and the cancellation comes out."""
        peer, open_stream = memory_peer()
        closes: list[CloseConnection] = []

        async def serve() -> None:
            await peer.accept()
            closes.append(await peer.receive_close())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            with trio.move_on_after(5) as scope:
                async with open_socket(URL, limits=LIMITS, open_stream=open_stream) as socket:
                    await receive(socket)

        assert scope.cancelled_caught
        assert [close.code for close in closes] == [1000]

    @pytest.mark.parametrize("error", [KeyError("mine"), ExceptionGroup("mine", [KeyError()])], ids=["one", "a group"])
    async def test_the_exception_of_the_block_comes_out_untouched(
        self, autojump_clock: trio.testing.MockClock, open_socket: Opener[Socket], error: BaseException
    ) -> None:
        """What the block raises, a group too, is what its caller sees."""
        raised: BaseException | None = None
        peer, open_stream = memory_peer()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(peer.accept)
            try:
                async with open_socket(URL, limits=LIMITS, open_stream=open_stream):
                    raise error
            except BaseException as caught:  # noqa: ASYNC103, BLE001 - the exception itself is looked at
                raised = caught

        assert raised is error
