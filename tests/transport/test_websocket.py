"""The control socket, against a peer in memory; time is virtual, so that every bound is exact."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import pytest
import trio
import trio.testing
from wsproto.events import CloseConnection, Ping, Pong, TextMessage

from simclient.errors import ConnectError, ConnectionLost, HttpError, InputError
from simclient.transport.limits import TransportLimits
from simclient.transport.websocket import WebSocket, open_websocket

from .peers import Halting, Peer, lockstep_peer, memory_peer, opener_of

URL = "ws://simulator.test/backtest"
LIMITS = TransportLimits(connect_seconds=30, close_seconds=2, max_message_bytes=1000, unread_messages=4)


async def connect_error(answer: bytes, *, then_eof: bool) -> ConnectError:
    """Answer the opening request with `answer`; return what the client raises."""
    peer, open_stream = memory_peer()

    async def serve() -> None:
        await peer.read_request()
        await peer.stream.send_all(answer)
        if then_eof:
            await peer.stream.aclose()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        with pytest.raises(ConnectError) as caught:
            async with open_websocket(URL, limits=LIMITS, open_stream=open_stream):
                pytest.fail("the handshake was refused")
    return caught.value


@asynccontextmanager
async def opened() -> AsyncGenerator[tuple[WebSocket, Peer]]:
    """Open a socket to a peer that answers the close frame."""
    peer, open_stream = memory_peer()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(peer.accept)
        async with open_websocket(URL, limits=LIMITS, open_stream=open_stream) as socket:
            yield socket, peer


class TestMessages:
    async def test_messages_go_both_ways(self, autojump_clock: trio.testing.MockClock) -> None:
        """What one side sends is what the other receives, in order."""
        peer, open_stream = memory_peer()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(peer.accept, TextMessage(data="one"), TextMessage(data="two"))
            async with open_websocket(URL, limits=LIMITS, open_stream=open_stream) as socket:
                assert [await socket.receive(), await socket.receive()] == ["one", "two"]
                await socket.send("three")
                assert await peer.receive() == TextMessage(data="three")
                nursery.start_soon(peer.receive_close)

    async def test_headers_are_sent_with_the_request(self, autojump_clock: trio.testing.MockClock) -> None:
        """The opening request names the path, the host and the headers given."""
        peer, open_stream = memory_peer()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(peer.accept)
            async with open_websocket(
                f"{URL}?a=b", headers=[("X-API-Key", "k")], limits=LIMITS, open_stream=open_stream
            ):
                nursery.start_soon(peer.receive_close)

        assert peer.request.startswith(b"GET /backtest?a=b HTTP/1.1\r\nHost: simulator.test\r\n")
        assert b"\r\nX-API-Key: k\r\n" in peer.request

    async def test_a_cancelled_receive_loses_nothing(self, autojump_clock: trio.testing.MockClock) -> None:
        """The message that comes after a cancelled wait goes to the next wait."""
        async with opened() as (socket, peer):
            with trio.move_on_after(1):
                await socket.receive()
            await peer.say("late")

            assert await socket.receive() == "late"

    async def test_unread_messages_are_bounded(self, autojump_clock: trio.testing.MockClock) -> None:
        """When nobody takes messages, the socket is read until the channel is full and no further."""
        peer, open_stream = lockstep_peer()
        sent = 0

        async def serve() -> None:
            nonlocal sent
            await peer.accept()
            with suppress(trio.BrokenResourceError):
                while True:
                    await peer.say("x")
                    sent += 1

        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            async with open_websocket(URL, limits=LIMITS, open_stream=open_stream):
                await trio.testing.wait_all_tasks_blocked()
                assert LIMITS.unread_messages <= sent <= LIMITS.unread_messages + 3
            nursery.cancel_scope.cancel()

    async def test_pings_are_answered_while_messages_wait(self, autojump_clock: trio.testing.MockClock) -> None:
        """Fault 4: messages that nobody reads do not keep the peer's pings from their pongs."""
        async with opened() as (_, peer):
            await peer.send(TextMessage(data="unread"), TextMessage(data="unread"), Ping(payload=b"there?"))

            with trio.fail_after(1):
                assert await peer.receive() == Pong(payload=b"there?")

    async def test_a_close_is_seen_while_messages_wait(self, autojump_clock: trio.testing.MockClock) -> None:
        """Fault 4: the user reads what came before the close, then its code and reason."""
        async with opened() as (socket, peer):
            await peer.send(
                TextMessage(data="unread"), TextMessage(data="last"), CloseConnection(code=1012, reason="handoff")
            )

            assert [await socket.receive(), await socket.receive()] == ["unread", "last"]
            with pytest.raises(ConnectionLost, match="code 1012 'handoff'") as caught:
                await socket.receive()
            assert (caught.value.code, caught.value.reason) == (1012, "handoff")

    async def test_a_lone_surrogate_is_refused_before_it_is_sent(self, autojump_clock: trio.testing.MockClock) -> None:
        """Text that UTF-8 cannot say is an error of the caller, and the socket lives on."""
        async with opened() as (socket, peer):
            with pytest.raises(InputError, match="surrogate"):
                await socket.send("\ud800")
            await socket.send("fine")

            assert await peer.receive() == TextMessage(data="fine")

    async def test_last_inbound_is_the_time_of_any_traffic(self, autojump_clock: trio.testing.MockClock) -> None:
        """A pong counts as a sign of life."""
        async with opened() as (socket, peer):
            await trio.sleep(7)
            await socket.ping()
            ping = await peer.receive()
            assert isinstance(ping, Ping)
            await peer.send(ping.response())
            await trio.testing.wait_all_tasks_blocked()

            assert socket.last_inbound == trio.current_time()


class TestHandshake:
    @pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 101 Swi"])
    async def test_a_mute_peer_is_given_up_in_time(self, autojump_clock: trio.testing.MockClock, answer: bytes) -> None:
        """Fault 1: a peer that never finishes its answer costs the connect limit and no more."""
        start = trio.current_time()

        error = await connect_error(answer, then_eof=False)

        assert error.retryable
        assert trio.current_time() - start == LIMITS.connect_seconds

    @pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 101 Swi"])
    async def test_an_eof_is_noticed_at_once(self, autojump_clock: trio.testing.MockClock, answer: bytes) -> None:
        """Fault 6: a connection that ends in the handshake costs no time at all."""
        start = trio.current_time()

        error = await connect_error(answer, then_eof=True)

        assert error.retryable
        assert trio.current_time() == start

    async def test_garbage_is_a_connect_error(self, autojump_clock: trio.testing.MockClock) -> None:
        """Fault 7: what is not HTTP is told as such, at once."""
        start = trio.current_time()

        error = await connect_error(b"SSH-2.0-OpenSSH_9.6\r\n\r\n", then_eof=False)

        assert "not that of a WebSocket server" in str(error)
        assert trio.current_time() == start

    @pytest.mark.parametrize(
        ("status", "retryable"),
        [(302, False), (401, False), (403, False), (404, False), (429, True), (500, True), (503, True)],
    )
    async def test_a_refusal_is_typed(
        self, autojump_clock: trio.testing.MockClock, status: int, retryable: bool
    ) -> None:
        """The status decides whether to try again; the body and Retry-After are kept."""
        answer = b"HTTP/1.1 %d No\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbody" % status

        error = await connect_error(answer, then_eof=False)

        assert error.retryable is retryable
        assert isinstance(error.__cause__, HttpError)
        assert (error.__cause__.status, error.__cause__.body) == (status, "body")
        assert error.__cause__.retry_after_seconds == 7

    async def test_an_endless_body_is_cut(self, autojump_clock: trio.testing.MockClock) -> None:
        """A refusal whose body does not end is read up to a bound, and ends the attempt at once."""
        start = trio.current_time()

        error = await connect_error(b"HTTP/1.1 401 No\r\n\r\n" + b"x" * 200_000, then_eof=False)

        assert isinstance(error.__cause__, HttpError)
        assert len(error.__cause__.body) == 64 * 2**10
        assert trio.current_time() == start

    @pytest.mark.parametrize("url", ["http://host/", "ws://", "ws://user:secret@host/", "ws://host:x/", "ws://h/a b"])
    async def test_an_unusable_url_is_refused(self, autojump_clock: trio.testing.MockClock, url: str) -> None:
        """A URL that cannot be used is an input error that shows no credentials."""
        with pytest.raises(InputError) as caught:
            async with open_websocket(url):
                pytest.fail("the URL is wrong")
        assert "secret" not in str(caught.value)

    async def test_a_bad_header_is_refused_without_showing_it(self, autojump_clock: trio.testing.MockClock) -> None:
        """A key with a line break in it is named by its header only."""
        with pytest.raises(InputError, match="X-API-Key") as caught:
            async with open_websocket(URL, headers=[("X-API-Key", "secret\n")]):
                pytest.fail("the header is wrong")
        assert "secret" not in str(caught.value)


class TestSending:
    async def test_a_cancelled_send_does_not_tear_its_frame(self, autojump_clock: trio.testing.MockClock) -> None:
        """Fault 3: a send cancelled while it is written is finished; the next one arrives whole after it."""
        peer, open_stream = lockstep_peer()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(peer.accept)
            async with open_websocket(URL, limits=LIMITS, open_stream=open_stream) as socket:
                with trio.move_on_after(1):
                    await socket.send("being written")
                with trio.move_on_after(1):
                    await socket.send("withdrawn")
                nursery.start_soon(socket.send, "next")
                await trio.testing.wait_all_tasks_blocked()
                received = [await peer.receive(), await peer.receive()]
                nursery.start_soon(peer.receive_close)

        assert received == [TextMessage(data="being written"), TextMessage(data="next")]

    async def test_a_failed_write_is_reported_and_what_arrived_is_kept(
        self, autojump_clock: trio.testing.MockClock
    ) -> None:
        """A send into a broken connection raises; messages that arrived before are still delivered."""
        ours, theirs = trio.testing.memory_stream_pair()
        halting = Halting(ours, 400, then_break=True)
        peer = Peer(theirs)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(peer.accept, TextMessage(data="a"), TextMessage(data="b"))
            async with open_websocket(URL, limits=LIMITS, open_stream=opener_of(halting)) as socket:
                with pytest.raises(ConnectionLost):
                    await socket.send("x" * 900)
                assert [await socket.receive(), await socket.receive()] == ["a", "b"]

        assert halting.is_closed

    async def test_a_ping_does_not_wait_for_its_pong(self, autojump_clock: trio.testing.MockClock) -> None:
        """Fault 5: pings to a dead peer return at once."""
        async with opened() as (socket, _):
            start = trio.current_time()
            for _ in range(100):
                await socket.ping()
            assert trio.current_time() == start


class TestLeaving:
    async def test_a_mute_peer_does_not_hold_the_block(self, autojump_clock: trio.testing.MockClock) -> None:
        """Leaving takes the close limit when the peer does not answer the close frame."""
        async with opened():
            start = trio.current_time()
        assert trio.current_time() - start == LIMITS.close_seconds

    async def test_a_stalled_write_does_not_hold_the_block(self, autojump_clock: trio.testing.MockClock) -> None:
        """Fault 2: a peer that reads nothing costs the close limit, and the stream is closed by force."""
        ours, theirs = trio.testing.memory_stream_pair()
        halting = Halting(ours, 400)
        peer = Peer(theirs)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(peer.accept)
            async with open_websocket(URL, limits=LIMITS, open_stream=opener_of(halting)) as socket:
                with trio.move_on_after(1):
                    await socket.send("x" * 900)
                start = trio.current_time()

        assert trio.current_time() - start == LIMITS.close_seconds
        assert halting.is_closed

    async def test_unread_messages_and_a_cut_do_not_hold_the_block(
        self, autojump_clock: trio.testing.MockClock
    ) -> None:
        """Fault 2: with the channel full and the connection gone, leaving is bounded."""
        async with opened() as (_, peer):
            await peer.say(*("unread" for _ in range(20)))
            await peer.stream.aclose()
            await trio.testing.wait_all_tasks_blocked()
            start = trio.current_time()
        assert trio.current_time() - start <= LIMITS.close_seconds

    async def test_cancellation_says_goodbye(self, autojump_clock: trio.testing.MockClock) -> None:
        """Fault 9: a block that is cancelled from outside still sends its close frame, and the cancellation comes out."""
        peer, open_stream = memory_peer()
        closes: list[CloseConnection] = []

        async def serve() -> None:
            await peer.accept()
            closes.append(await peer.receive_close())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            with trio.move_on_after(5) as scope:
                async with open_websocket(URL, limits=LIMITS, open_stream=open_stream):
                    await trio.sleep_forever()
            assert scope.cancelled_caught

        assert [close.code for close in closes] == [1000]

    @pytest.mark.parametrize("error", [KeyError("mine"), ExceptionGroup("mine", [KeyError()])])
    async def test_the_exception_of_the_block_comes_out_untouched(
        self, autojump_clock: trio.testing.MockClock, error: BaseException
    ) -> None:
        """What the block raises, a group too, is what its caller sees."""
        peer, open_stream = memory_peer()
        raised: BaseException | None = None

        async with trio.open_nursery() as nursery:
            nursery.start_soon(peer.accept)
            try:
                async with open_websocket(URL, limits=LIMITS, open_stream=open_stream):
                    raise error
            except BaseException as caught:  # noqa: ASYNC103, BLE001 - the exception itself is looked at
                raised = caught

        assert raised is error

    async def test_too_long_a_message_ends_the_connection_and_closes_the_stream(
        self, autojump_clock: trio.testing.MockClock
    ) -> None:
        """Fault 8: after 1009 the earlier message is delivered, the loss is told, and the stream is closed."""
        ours, theirs = trio.testing.memory_stream_pair()
        watched = Halting(ours, 10_000)
        peer = Peer(theirs)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(peer.accept)
            async with open_websocket(URL, limits=LIMITS, open_stream=opener_of(watched)) as socket:
                await peer.say("short", "x" * (LIMITS.max_message_bytes + 1))
                assert await socket.receive() == "short"
                with pytest.raises(ConnectionLost) as caught:
                    await socket.receive()

        assert caught.value.code == 1009
        assert watched.is_closed
