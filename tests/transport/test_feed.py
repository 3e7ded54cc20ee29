"""The notification socket, mostly against a peer in memory and in virtual time, and a few times over loopback."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial

import pytest
import trio
import trio.testing
import trustme
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, Pong, TextMessage

from simclient.errors import ConnectError, ConnectionLost, HttpError, InputError
from simclient.transport.feed import Feed, open_feed
from simclient.transport.limits import TransportLimits

from .peers import Halting, Peer, lockstep_peer, memory_peer, opener_of

URL = "ws://simulator.test/session"
LIMITS = TransportLimits(connect_seconds=30, close_seconds=2, max_message_bytes=1000)
HANG_SECONDS = 30
"""Far more than anything here takes over loopback."""


@asynccontextmanager
async def opened() -> AsyncGenerator[tuple[Feed, Peer]]:
    """Open a feed to a peer in memory that has accepted it."""
    peer, open_stream = memory_peer()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(peer.accept)
        async with open_feed(URL, limits=LIMITS, open_stream=open_stream) as feed:
            yield feed, peer


async def connect_error(answer: bytes, then: Callable[[Peer], Awaitable[object]] | None = None) -> ConnectError:
    """Answer the opening request with `answer`; return what the client raises."""
    peer, open_stream = memory_peer()

    async def serve() -> None:
        await peer.read_request()
        await peer.stream.send_all(answer)
        if then is not None:
            await then(peer)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        with pytest.raises(ConnectError) as caught:
            async with open_feed(URL, limits=LIMITS, open_stream=open_stream):
                pytest.fail("the handshake was refused")
    return caught.value


async def lost(feed: Feed) -> ConnectionLost:
    with pytest.raises(ConnectionLost) as caught:
        await feed.receive_batch()
    return caught.value


class TestMessages:
    async def test_a_read_is_a_batch_in_order(self, autojump_clock: trio.testing.MockClock) -> None:
        """All messages of one read come at once, in order, text and binary told apart."""
        async with opened() as (feed, peer):
            await peer.send(TextMessage(data="one"), BytesMessage(data=b"two"), TextMessage(data="three"))
            assert await feed.receive_batch() == [(False, [b"one"]), (True, [b"two"]), (False, [b"three"])]

            await peer.say("four")
            assert await feed.receive_batch() == [(False, [b"four"])]

    async def test_messages_behind_the_handshake_are_the_first_batch(
        self, autojump_clock: trio.testing.MockClock
    ) -> None:
        """What the server sends in the same write as its acceptance is not lost, and counted."""
        peer, open_stream = memory_peer()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(peer.accept, TextMessage(data="early"))
            async with open_feed(URL, limits=LIMITS, open_stream=open_stream) as feed:
                assert await feed.receive_batch() == [(False, [b"early"])]
                assert feed.bytes_received == len("early") + 2

    async def test_a_message_goes_to_the_peer(self, autojump_clock: trio.testing.MockClock) -> None:
        """What is sent arrives, masked as a server demands."""
        async with opened() as (feed, peer):
            await feed.send('{"id": "é"}')
            assert await peer.receive() == TextMessage(data='{"id": "é"}')

    async def test_a_lone_surrogate_is_refused_before_it_is_sent(self, autojump_clock: trio.testing.MockClock) -> None:
        """Text that UTF-8 cannot say is an error of the caller, and the feed lives on."""
        async with opened() as (feed, peer):
            with pytest.raises(InputError, match="surrogate"):
                await feed.send("\ud800")
            await feed.send("fine")

            assert await peer.receive() == TextMessage(data="fine")

    async def test_a_ping_is_answered_as_it_is_read(self, autojump_clock: trio.testing.MockClock) -> None:
        """A pong goes out before the batch that came with the ping is used."""
        async with opened() as (feed, peer):
            await peer.send(TextMessage(data="x"), Ping(payload=b"there?"))
            await feed.receive_batch()

            assert await peer.receive() == Pong(payload=b"there?")

    async def test_last_inbound_is_the_time_of_any_traffic(self, autojump_clock: trio.testing.MockClock) -> None:
        """A pong is no message, but a sign of life."""
        async with opened() as (feed, peer):
            await trio.sleep(7)
            await feed.ping()
            ping = await peer.receive()
            assert isinstance(ping, Ping)
            await peer.send(ping.response())
            with trio.move_on_after(1):
                await feed.receive_batch()

            assert feed.last_inbound == trio.current_time() - 1

    async def test_a_cancelled_receive_loses_nothing(self, autojump_clock: trio.testing.MockClock) -> None:
        """A wait that is cancelled inside a message leaves its first half for the next wait."""
        async with opened() as (feed, peer):
            message = peer.encode(TextMessage(data="whole"))
            await peer.stream.send_all(message[:4])
            with trio.move_on_after(1):
                await feed.receive_batch()
            await peer.stream.send_all(message[4:])

            assert await feed.receive_batch() == [(False, [b"whole"])]

    async def test_waiting_shows_a_reader_at_the_socket(self, autojump_clock: trio.testing.MockClock) -> None:
        """`waiting` is true exactly while `receive_batch` waits for bytes."""
        async with opened() as (feed, peer):
            before = feed.waiting
            async with trio.open_nursery() as nursery:
                nursery.start_soon(feed.receive_batch)
                await trio.testing.wait_all_tasks_blocked()
                meanwhile = feed.waiting
                await peer.say("x")

            assert (before, meanwhile, feed.waiting) == (False, True, False)

    async def test_nothing_is_read_while_nobody_asks(self, autojump_clock: trio.testing.MockClock) -> None:
        """A server that writes to a consumer who does not read is held back, message by message."""
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
            async with open_feed(URL, limits=LIMITS, open_stream=open_stream) as feed:
                await trio.testing.wait_all_tasks_blocked()
                before = sent
                await feed.receive_batch()
                await trio.testing.wait_all_tasks_blocked()
                assert (before, sent) == (0, 1)
                nursery.cancel_scope.cancel()


class TestEnding:
    async def test_a_close_frame_is_told_after_what_came_before_it(
        self, autojump_clock: trio.testing.MockClock
    ) -> None:
        """The batch before a close frame comes first, then code and reason, each time as a new exception."""
        async with opened() as (feed, peer):
            await peer.send(TextMessage(data="last"), CloseConnection(code=1012, reason="handoff"))

            assert await feed.receive_batch() == [(False, [b"last"])]
            first, second = await lost(feed), await lost(feed)
            assert (first.code, first.reason) == (1012, "handoff")
            assert (str(first), first is second) == (str(second), False)

    @pytest.mark.parametrize(
        ("close", "code"), [(b"\x88\x02\x03\xf4", 1012), (b"\x88\x00", 1005)], ids=["with a code", "without a code"]
    )
    async def test_a_close_frame_is_answered(
        self, autojump_clock: trio.testing.MockClock, close: bytes, code: int
    ) -> None:
        """The server's close frame gets its own code back, none for none, and the block costs no time to leave."""
        async with opened() as (feed, peer):
            await peer.stream.send_all(close)
            assert (await lost(feed)).code == code
            start = trio.current_time()

        answer = await peer.receive()
        assert isinstance(answer, CloseConnection)
        assert answer.code == code
        assert trio.current_time() == start

    async def test_messages_before_a_violation_are_delivered(self, autojump_clock: trio.testing.MockClock) -> None:
        """A broken rule of the framing is told after the batch before it, and to the server by its close code."""
        async with opened() as (feed, peer):
            await peer.stream.send_all(peer.encode(TextMessage(data="good")) + b"\x83\x00")

            assert await feed.receive_batch() == [(False, [b"good"])]
            assert (await lost(feed)).code == 1002

        answer = await peer.receive()
        assert isinstance(answer, CloseConnection)
        assert answer.code == 1002

    async def test_too_long_a_message_is_refused_by_its_header(self, autojump_clock: trio.testing.MockClock) -> None:
        """A message beyond the limit ends the feed before its payload has come."""
        async with opened() as (feed, peer):
            await peer.stream.send_all(b"\x82\x7e" + (LIMITS.max_message_bytes + 1).to_bytes(2, "big"))
            assert (await lost(feed)).code == 1009

    async def test_an_end_without_a_close_frame_is_told(self, autojump_clock: trio.testing.MockClock) -> None:
        """An EOF is a lost connection with code 1006, after what had arrived."""
        async with opened() as (feed, peer):
            await peer.say("last")
            await peer.stream.aclose()

            assert await feed.receive_batch() == [(False, [b"last"])]
            assert (await lost(feed)).code == 1006

    @pytest.mark.parametrize("use", [lambda feed: feed.send("x"), Feed.ping], ids=["send", "ping"])
    async def test_an_ended_feed_takes_nothing(
        self, autojump_clock: trio.testing.MockClock, use: Callable[[Feed], Awaitable[None]]
    ) -> None:
        """After the end, sending says how it ended."""
        async with opened() as (feed, peer):
            await peer.send(CloseConnection(code=1001))
            await lost(feed)

            with pytest.raises(ConnectionLost, match="code 1001"):
                await use(feed)

    async def test_a_failed_write_is_reported_and_what_arrived_is_kept(
        self, autojump_clock: trio.testing.MockClock
    ) -> None:
        """A send into a broken connection raises; messages that arrived before are still delivered."""
        ours, theirs = trio.testing.memory_stream_pair()
        halting = Halting(ours, 300, then_break=True)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(Peer(theirs).accept, TextMessage(data="a"))
            async with open_feed(URL, limits=LIMITS, open_stream=opener_of(halting)) as feed:
                with pytest.raises(ConnectionLost):
                    await feed.send("x" * 900)
                assert await feed.receive_batch() == [(False, [b"a"])]

        assert halting.is_closed

    async def test_a_ping_after_a_failed_write_does_no_harm(self, autojump_clock: trio.testing.MockClock) -> None:
        """Where nothing can be written any more, what arrives is still read, pings and the close frame too."""
        ours, theirs = trio.testing.memory_stream_pair()
        halting = Halting(ours, 300, then_break=True)
        peer = Peer(theirs)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(peer.accept)
            async with open_feed(URL, limits=LIMITS, open_stream=opener_of(halting)) as feed:
                with pytest.raises(ConnectionLost):
                    await feed.send("x" * 900)
                await peer.send(Ping(payload=b"p"), TextMessage(data="a"), CloseConnection(code=1012))
                assert await feed.receive_batch() == [(False, [b"a"])]
                assert (await lost(feed)).code == 1012

    async def test_a_cancelled_send_does_not_tear_its_frame(self, autojump_clock: trio.testing.MockClock) -> None:
        """A send cancelled while it is written is finished, one still queued is withdrawn; the next arrives whole."""
        peer, open_stream = lockstep_peer()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(peer.accept)
            async with open_feed(URL, limits=LIMITS, open_stream=open_stream) as feed:
                with trio.move_on_after(1):
                    await feed.send("being written")
                with trio.move_on_after(1):
                    await feed.send("withdrawn")
                nursery.start_soon(feed.send, "next")
                await trio.testing.wait_all_tasks_blocked()
                received = [await peer.receive(), await peer.receive()]
                nursery.start_soon(peer.receive_close)

        assert received == [TextMessage(data="being written"), TextMessage(data="next")]


class TestLeaving:
    async def test_unread_messages_are_discarded_until_the_servers_close(
        self, autojump_clock: trio.testing.MockClock
    ) -> None:
        """Leaving reads on after its close frame, so that the server's answer ends it and nothing stays unread."""
        peer, open_stream = lockstep_peer()
        closes: list[CloseConnection] = []

        async def serve() -> None:
            await peer.accept()
            unread = peer.encode(TextMessage(data="unread"))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(peer.stream.send_all, unread)
                event = await peer.receive()
            assert isinstance(event, CloseConnection)
            closes.append(event)
            await peer.send(event.response())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            async with open_feed(URL, limits=LIMITS, open_stream=open_stream):
                start = trio.current_time()

        assert [close.code for close in closes] == [1000]
        assert trio.current_time() == start

    async def test_a_mute_peer_does_not_hold_the_block(self, autojump_clock: trio.testing.MockClock) -> None:
        """Leaving takes the close limit when the peer does not answer the close frame."""
        async with opened():
            start = trio.current_time()
        assert trio.current_time() - start == LIMITS.close_seconds

    async def test_a_stalled_write_does_not_hold_the_block(self, autojump_clock: trio.testing.MockClock) -> None:
        """A peer that reads nothing costs the close limit, and the stream is closed by force."""
        ours, theirs = trio.testing.memory_stream_pair()
        halting = Halting(ours, 300)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(Peer(theirs).accept)
            async with open_feed(URL, limits=LIMITS, open_stream=opener_of(halting)) as feed:
                with trio.move_on_after(1):
                    await feed.send("x" * 900)
                start = trio.current_time()

        assert trio.current_time() - start == LIMITS.close_seconds
        assert halting.is_closed

    async def test_closing_twice_is_closing_once(self, autojump_clock: trio.testing.MockClock) -> None:
        """The second `aclose` returns at once, and a closed feed says that it is."""
        async with opened() as (feed, _):
            await feed.aclose()
            start = trio.current_time()
            await feed.aclose()

            assert trio.current_time() == start
            assert "closed by this side" in str(await lost(feed))

    async def test_a_reader_in_another_task_learns_of_the_close(self, autojump_clock: trio.testing.MockClock) -> None:
        """`aclose` does not wait for a task that is reading, and that task gets ConnectionLost."""
        errors: list[ConnectionLost] = []

        async def read(feed: Feed) -> None:
            errors.append(await lost(feed))

        async with opened() as (feed, peer):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(read, feed)
                await trio.testing.wait_all_tasks_blocked()
                await feed.aclose()

            assert isinstance(await peer.receive(), CloseConnection)
        assert "closed by this side" in str(errors[0])

    async def test_a_cancelled_close_closes_at_once(self, autojump_clock: trio.testing.MockClock) -> None:
        """Whoever has no time to say goodbye closes the stream nevertheless."""
        async with opened() as (feed, peer):
            with trio.move_on_after(1):
                await feed.aclose()
            assert trio.current_time() == 1
            assert isinstance(await peer.receive(), CloseConnection)
            with pytest.raises(trio.EndOfChannel):
                await peer.receive()

    async def test_cancellation_says_goodbye(self, autojump_clock: trio.testing.MockClock) -> None:
        """A block that is cancelled from outside still sends its close frame."""
        peer, open_stream = memory_peer()
        closes: list[CloseConnection] = []

        async def serve() -> None:
            await peer.accept()
            closes.append(await peer.receive_close())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            with trio.move_on_after(5) as scope:
                async with open_feed(URL, limits=LIMITS, open_stream=open_stream) as feed:
                    await feed.receive_batch()

        assert scope.cancelled_caught
        assert [close.code for close in closes] == [1000]

    @pytest.mark.parametrize("error", [KeyError("mine"), ExceptionGroup("mine", [KeyError()])])
    async def test_the_exception_of_the_block_comes_out_untouched(
        self, autojump_clock: trio.testing.MockClock, error: BaseException
    ) -> None:
        """What the block raises, a group too, is what its caller sees."""
        raised: BaseException | None = None
        peer, open_stream = memory_peer()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(peer.accept)
            try:
                async with open_feed(URL, limits=LIMITS, open_stream=open_stream):
                    raise error
            except BaseException as caught:  # noqa: ASYNC103, BLE001 - the exception itself is looked at
                raised = caught

        assert raised is error


class TestHandshake:
    async def test_no_key_is_sent(self, autojump_clock: trio.testing.MockClock) -> None:
        """The opening request names the path and the host, and what a WebSocket needs, no more."""
        async with opened() as (_, peer):
            pass

        head, *fields = peer.request.decode().strip().split("\r\n")
        assert head == "GET /session HTTP/1.1"
        assert [field.split(":")[0] for field in fields] == [
            "Host", "Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version",
        ]  # fmt: skip

    async def test_news_before_the_acceptance_are_skipped(self, autojump_clock: trio.testing.MockClock) -> None:
        """A 103 in front of the 101, in the same read, does not hide it."""
        peer, open_stream = memory_peer()

        async def serve() -> None:
            await peer.stream.send_all(b"HTTP/1.1 103 Early Hints\r\n\r\n")
            await peer.accept(TextMessage(data="x"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            async with open_feed(URL, limits=LIMITS, open_stream=open_stream) as feed:
                assert await feed.receive_batch() == [(False, [b"x"])]

    @pytest.mark.parametrize(
        ("status", "retryable"),
        [(302, False), (401, False), (403, False), (404, False), (429, True), (500, True), (503, True)],
    )
    async def test_a_refusal_is_typed_at_once(
        self, autojump_clock: trio.testing.MockClock, status: int, retryable: bool
    ) -> None:
        """The status decides whether to try again; the body and Retry-After are kept; an open connection costs no time."""
        start = trio.current_time()

        error = await connect_error(b"HTTP/1.1 %d No\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbody" % status)

        assert error.retryable is retryable
        assert isinstance(error.__cause__, HttpError)
        assert (error.__cause__.status, error.__cause__.body) == (status, "body")
        assert error.__cause__.retry_after_seconds == 7
        assert trio.current_time() == start

    async def test_a_refusal_that_breaks_off_keeps_its_status(self, autojump_clock: trio.testing.MockClock) -> None:
        """The connection ends inside the body: the status is known nevertheless."""
        error = await connect_error(
            b"HTTP/1.1 401 No\r\nContent-Length: 9\r\n\r\nbo", lambda peer: peer.stream.aclose()
        )

        assert isinstance(error.__cause__, HttpError)
        assert (error.__cause__.status, error.__cause__.body, error.retryable) == (401, "bo", False)

    async def test_a_refusal_that_stalls_keeps_its_status(self, autojump_clock: trio.testing.MockClock) -> None:
        """The body never ends and the connect limit does: the status is known nevertheless."""
        start = trio.current_time()

        error = await connect_error(b"HTTP/1.1 503 No\r\nContent-Length: 9\r\n\r\nbo")

        assert isinstance(error.__cause__, HttpError)
        assert error.__cause__.status == 503
        assert trio.current_time() - start == LIMITS.connect_seconds

    @pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 101 Swi"])
    async def test_a_mute_peer_is_given_up_in_time(self, autojump_clock: trio.testing.MockClock, answer: bytes) -> None:
        """A peer that never finishes its answer costs the connect limit and no more."""
        start = trio.current_time()

        error = await connect_error(answer)

        assert error.retryable
        assert trio.current_time() - start == LIMITS.connect_seconds

    async def test_an_opener_that_hangs_is_given_up_in_time(self, autojump_clock: trio.testing.MockClock) -> None:
        """The connect limit counts from the beginning, name lookup and TCP included."""

        async def hang(host: str, port: int) -> trio.abc.Stream:
            await trio.sleep_forever()
            raise AssertionError

        start = trio.current_time()
        with pytest.raises(ConnectError, match="within 30 s"):
            async with open_feed(URL, limits=LIMITS, open_stream=hang):
                pytest.fail("nothing was opened")
        assert trio.current_time() - start == LIMITS.connect_seconds

    @pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 101 Swi"])
    async def test_an_eof_is_noticed_at_once(self, autojump_clock: trio.testing.MockClock, answer: bytes) -> None:
        """A connection that ends in the handshake costs no time at all."""
        start = trio.current_time()

        error = await connect_error(answer, lambda peer: peer.stream.aclose())

        assert error.retryable
        assert trio.current_time() == start

    @pytest.mark.parametrize(
        "answer",
        [
            b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: bm90IG91cnM=\r\n\r\n",
        ],
        ids=["another protocol", "no token", "another's token"],
    )
    async def test_what_is_no_acceptance_is_told_at_once(
        self, autojump_clock: trio.testing.MockClock, answer: bytes
    ) -> None:
        """An answer that is not HTTP, or not to our request, is not that of a WebSocket server."""
        start = trio.current_time()

        error = await connect_error(answer)

        assert "not that of a WebSocket server" in str(error)
        assert trio.current_time() == start

    async def test_an_endless_refusal_is_cut(self, autojump_clock: trio.testing.MockClock) -> None:
        """A body that does not end is read up to a bound."""
        error = await connect_error(b"HTTP/1.1 401 No\r\n\r\n" + b"x" * 200_000)

        assert isinstance(error.__cause__, HttpError)
        assert len(error.__cause__.body) == 64 * 2**10

    @pytest.mark.parametrize("url", ["http://host/", "ws://", "ws://user:secret@host/", "ws://h/a b"])
    async def test_an_unusable_url_is_refused(self, autojump_clock: trio.testing.MockClock, url: str) -> None:
        """A URL that cannot be used is an input error that shows no credentials."""
        with pytest.raises(InputError) as caught:
            async with open_feed(url):
                pytest.fail("the URL is wrong")
        assert "secret" not in str(caught.value)


@asynccontextmanager
async def served(serve: Callable[[Peer, trio.SocketStream], Awaitable[None]]) -> AsyncGenerator[str]:
    """Serve connections on loopback with `serve`; give the URL."""

    async def handle(stream: trio.SocketStream) -> None:
        await serve(Peer(stream), stream)

    with trio.fail_after(HANG_SECONDS):
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(partial(trio.serve_tcp, handle, 0, host="127.0.0.1"))
            yield f"ws://127.0.0.1:{listeners[0].socket.getsockname()[1]}/session"
            nursery.cancel_scope.cancel()


async def reset(stream: trio.SocketStream) -> None:
    """Close with a TCP reset."""
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await stream.aclose()


class TestOverLoopback:
    async def test_a_server_sees_the_close_frame_behind_unread_data(self) -> None:
        """Much unread data does not have TCP reset the connection before the server has read our close frame."""
        seen: list[Event] = []

        async def serve(peer: Peer, stream: trio.SocketStream) -> None:
            await peer.accept()
            await peer.say(*("x" * 900 for _ in range(50)))
            seen.append(await peer.receive_close())

        async with served(serve) as url:
            async with open_feed(url, limits=LIMITS):
                pass

        assert [type(event) for event in seen] == [CloseConnection]

    async def test_a_feed_runs_over_tls(self) -> None:
        """`wss://` goes through TLS with the context given, both ways, and is closed as any other."""
        authority = trustme.CA()
        ours, theirs = ssl.create_default_context(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.configure_trust(ours)
        authority.issue_cert("localhost").configure_cert(theirs)
        seen: list[Event] = []

        async def serve(_: Peer, stream: trio.SocketStream) -> None:
            peer = Peer(trio.SSLStream(stream, theirs, server_side=True, https_compatible=True))
            await peer.accept(TextMessage(data="hello"))
            seen.extend([await peer.receive(), await peer.receive_close()])

        async with served(serve) as url:
            secure = url.replace("ws://127.0.0.1", "wss://localhost")
            async with open_feed(secure, limits=LIMITS, ssl_context=ours) as feed:
                assert await feed.receive_batch() == [(False, [b"hello"])]
                await feed.send("secret")

        assert seen[0] == TextMessage(data="secret")
        assert isinstance(seen[1], CloseConnection)

    async def test_a_cut_is_told_after_the_last_message(self) -> None:
        """A server that goes away without a close frame leaves a lost connection with code 1006."""

        async def serve(peer: Peer, stream: trio.SocketStream) -> None:
            await peer.accept(TextMessage(data="last"))

        async with served(serve) as url, open_feed(url, limits=LIMITS) as feed:
            assert await feed.receive_batch() == [(False, [b"last"])]
            assert (await lost(feed)).code == 1006

    async def test_a_reset_is_a_lost_connection(self) -> None:
        """A TCP reset says so in the message."""
        is_open = trio.Event()

        async def serve(peer: Peer, stream: trio.SocketStream) -> None:
            await peer.accept()
            await is_open.wait()
            await reset(stream)

        async with served(serve) as url, open_feed(url, limits=LIMITS) as feed:
            is_open.set()
            error = await lost(feed)
            assert error.code == 1006
            assert "reset" in str(error)

    async def test_a_refusal_that_ends_in_a_reset_keeps_its_status(self) -> None:
        """A server that refuses and resets is told by its status, not by the reset."""

        async def serve(peer: Peer, stream: trio.SocketStream) -> None:
            await peer.read_request()
            await stream.send_all(b"HTTP/1.1 503 No\r\nRetry-After: 3\r\nContent-Length: 1000\r\n\r\nbusy")
            await trio.testing.wait_all_tasks_blocked(
                0.05
            )  # the client has read it: a reset takes back what it has not
            await reset(stream)

        async with served(serve) as url:
            with pytest.raises(ConnectError) as caught:
                async with open_feed(url, limits=LIMITS):
                    pytest.fail("the handshake was refused")

        assert isinstance(caught.value.__cause__, HttpError)
        assert (caught.value.__cause__.status, caught.value.__cause__.retry_after_seconds) == (503, 3)

    async def test_a_restart_of_the_server_is_told_by_its_code(self) -> None:
        """Close 1012 is answered, and its code and reason reach the caller."""
        answers: list[Event] = []

        async def serve(peer: Peer, stream: trio.SocketStream) -> None:
            await peer.accept(Ping(payload=b"p"))
            answers.append(await peer.receive())
            await peer.send(CloseConnection(code=1012, reason="handoff"))
            answers.append(await peer.receive())

        async with served(serve) as url:
            async with open_feed(url, limits=LIMITS) as feed:
                error = await lost(feed)
            await trio.testing.wait_all_tasks_blocked(0.05)

        assert (error.code, error.reason) == (1012, "handoff")
        assert answers == [Pong(payload=b"p"), CloseConnection(code=1012, reason="")]

    async def test_a_slow_consumer_holds_the_server_back(self) -> None:
        """While nobody asks, TCP's buffers fill and the server's write waits; then all arrives."""
        messages, size = 20_000, 900
        is_done = trio.Event()

        async def serve(peer: Peer, stream: trio.SocketStream) -> None:
            await peer.accept()
            await stream.send_all(peer.encode(TextMessage(data="x" * size)) * messages)
            is_done.set()
            await peer.receive_close()

        async with served(serve) as url, open_feed(url, limits=LIMITS) as feed:
            await trio.testing.wait_all_tasks_blocked(0.05)
            was_done_early = is_done.is_set()
            count = 0
            while count < messages:
                count += sum(len(payloads) for _, payloads in await feed.receive_batch())

        assert (was_done_early, count) == (False, messages)
