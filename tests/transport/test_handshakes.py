"""How both kinds of socket open and are refused, against a peer in memory; time is virtual, so that every bound is exact."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

from simclient.errors import ConnectError, HttpError, InputError

from .peers import Peer, memory_peer
from .sockets import LIMITS, URL, Opener, Socket, both_kinds

pytestmark = both_kinds


async def connect_error(
    open_socket: Opener[Socket], answer: bytes, then: Callable[[Peer], Awaitable[object]] | None = None
) -> ConnectError:
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
            async with open_socket(URL, limits=LIMITS, open_stream=open_stream):
                pytest.fail("the handshake was refused")
    return caught.value


async def end_of_stream(peer: Peer) -> None:
    await peer.stream.aclose()


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 101 Swi"], ids=["nothing", "a part"])
async def test_a_mute_peer_is_given_up_in_time(
    autojump_clock: trio.testing.MockClock, open_socket: Opener[Socket], answer: bytes
) -> None:
    """Fault 1: a peer that never finishes its answer costs the connect limit and no more."""
    start = trio.current_time()

    error = await connect_error(open_socket, answer)

    assert error.retryable
    assert trio.current_time() - start == LIMITS.connect_seconds


async def test_an_opener_that_hangs_is_given_up_in_time(
    autojump_clock: trio.testing.MockClock, open_socket: Opener[Socket]
) -> None:
    """The connect limit counts from the beginning, name lookup and TCP included."""

    async def hang(host: str, port: int) -> trio.abc.Stream:
        await trio.sleep_forever()
        raise AssertionError

    start = trio.current_time()
    with pytest.raises(ConnectError, match="within 30 s"):
        async with open_socket(URL, limits=LIMITS, open_stream=hang):
            pytest.fail("nothing was opened")
    assert trio.current_time() - start == LIMITS.connect_seconds


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 101 Swi"], ids=["nothing", "a part"])
async def test_an_eof_is_noticed_at_once(
    autojump_clock: trio.testing.MockClock, open_socket: Opener[Socket], answer: bytes
) -> None:
    """Fault 6: a connection that ends in the handshake costs no time at all."""
    start = trio.current_time()

    error = await connect_error(open_socket, answer, end_of_stream)

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
    autojump_clock: trio.testing.MockClock, open_socket: Opener[Socket], answer: bytes
) -> None:
    """Fault 7: an answer that is not HTTP, or not to our request, is not that of a WebSocket server."""
    start = trio.current_time()

    error = await connect_error(open_socket, answer)

    assert "not that of a WebSocket server" in str(error)
    assert trio.current_time() == start


@pytest.mark.parametrize(
    ("status", "retryable"),
    [(302, False), (401, False), (403, False), (404, False), (429, True), (500, True), (503, True)],
)
async def test_a_refusal_is_typed_at_once(
    autojump_clock: trio.testing.MockClock, open_socket: Opener[Socket], status: int, retryable: bool
) -> None:
    """The status decides whether to try again; the body and Retry-After are kept; an open connection costs no time."""
    start = trio.current_time()

    error = await connect_error(
        open_socket, b"HTTP/1.1 %d No\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbody" % status
    )

    assert error.retryable is retryable
    assert isinstance(error.__cause__, HttpError)
    assert (error.__cause__.status, error.__cause__.body) == (status, "body")
    assert error.__cause__.retry_after_seconds == 7
    assert trio.current_time() == start


async def test_a_refusal_that_breaks_off_keeps_its_status(
    autojump_clock: trio.testing.MockClock, open_socket: Opener[Socket]
) -> None:
    """The connection ends inside the body: the status is known nevertheless."""
    error = await connect_error(open_socket, b"HTTP/1.1 401 No\r\nContent-Length: 9\r\n\r\nbo", end_of_stream)

    assert isinstance(error.__cause__, HttpError)
    assert (error.__cause__.status, error.__cause__.body, error.retryable) == (401, "bo", False)


async def test_a_refusal_that_stalls_keeps_its_status(
    autojump_clock: trio.testing.MockClock, open_socket: Opener[Socket]
) -> None:
    """The body never ends and the connect limit does: the status is known nevertheless."""
    start = trio.current_time()

    error = await connect_error(open_socket, b"HTTP/1.1 503 No\r\nContent-Length: 9\r\n\r\nbo")

    assert isinstance(error.__cause__, HttpError)
    assert error.__cause__.status == 503
    assert trio.current_time() - start == LIMITS.connect_seconds


async def test_an_endless_refusal_is_cut(autojump_clock: trio.testing.MockClock, open_socket: Opener[Socket]) -> None:
    """A body that does not end is read up to a bound, and ends the attempt at once."""
    start = trio.current_time()

    error = await connect_error(open_socket, b"HTTP/1.1 401 No\r\n\r\n" + b"x" * 200_000)

    assert isinstance(error.__cause__, HttpError)
    assert len(error.__cause__.body) == 64 * 2**10
    assert trio.current_time() == start


@pytest.mark.parametrize("url", ["http://host/", "ws://", "ws://user:secret@host/", "ws://host:x/", "ws://h/a b"])
async def test_an_unusable_url_is_refused(
    autojump_clock: trio.testing.MockClock, open_socket: Opener[Socket], url: str
) -> None:
    """A URL that cannot be used is an input error that shows no credentials."""
    with pytest.raises(InputError) as caught:
        async with open_socket(url):
            pytest.fail("the URL is wrong")
    assert "secret" not in str(caught.value)
