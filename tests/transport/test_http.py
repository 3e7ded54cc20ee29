"""HTTP against a loopback server that answers every request with the same bytes."""

from __future__ import annotations

import gzip
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio
import trio.testing

from simclient.errors import ConnectError, ConnectionLost, HttpError, InputError, RemoteProtocolError
from simclient.transport.http import open_http
from simclient.transport.limits import TransportLimits

LIMITS = TransportLimits(connect_seconds=5, response_seconds=5, max_message_bytes=1000)
HANG_SECONDS = 30
"""Far more than anything here takes over loopback."""


class Server:
    """Reads a request, says `answer`, and closes the connection unless it is to stay open."""

    def __init__(self, answer: bytes, *, stays_open: bool) -> None:
        self._answer = answer
        self._stays_open = stays_open
        self.url = ""
        self.requests: list[bytes] = []

    async def handle(self, stream: trio.abc.Stream) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            request += await stream.receive_some()
        self.requests.append(request)
        await stream.send_all(self._answer)
        if self._stays_open:
            await trio.sleep_forever()


@asynccontextmanager
async def serving(answer: bytes, *, stays_open: bool = False) -> AsyncGenerator[Server]:
    server = Server(answer, stays_open=stays_open)
    with trio.fail_after(HANG_SECONDS):
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(partial(trio.serve_tcp, server.handle, 0, host="127.0.0.1"))
            server.url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
            yield server
            nursery.cancel_scope.cancel()


def http(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def get_error(answer: bytes, kind: type[Exception], *, stays_open: bool = False) -> Exception:
    async with serving(answer, stays_open=stays_open) as server, open_http(limits=LIMITS) as client:
        with pytest.raises(kind) as caught:
            await client.get(f"{server.url}/path?query=1")
    return caught.value


class TestSuccess:
    async def test_get_returns_the_body(self) -> None:
        """A GET sends its headers, and gives the body of a success."""
        async with serving(http("200 OK", b"body")) as server, open_http(limits=LIMITS) as client:
            assert await client.get(f"{server.url}/path?query=1", headers={"X-API-Key": "k"}) == b"body"

        assert server.requests[0].startswith(b"GET /path?query=1 HTTP/1.1\r\n")
        assert b"\r\nx-api-key: k\r\n" in server.requests[0].lower()

    async def test_post_sends_json(self) -> None:
        """A POST says that its body is JSON."""
        async with serving(http("200 OK", b"{}")) as server, open_http(limits=LIMITS) as client:
            assert await client.post(server.url, b"{}") == b"{}"

        assert b"\r\ncontent-type: application/json\r\n" in server.requests[0].lower()

    async def test_a_compressed_body_is_decompressed(self) -> None:
        """What the server compressed arrives as it was."""
        answer = http("200 OK", gzip.compress(b"body"), "Content-Encoding: gzip")
        async with serving(answer) as server, open_http(limits=LIMITS) as client:
            assert await client.get(server.url) == b"body"

    async def test_the_variables_of_a_proxy_are_not_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A request goes to its host, whatever the environment says about proxies."""
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        async with serving(http("200 OK", b"direct")) as server, open_http(limits=LIMITS) as client:
            assert await client.get(server.url) == b"direct"


class TestRefusals:
    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    async def test_a_redirect_is_not_followed(self, status: int) -> None:
        """A redirect is an HttpError, and no second request is made."""
        async with serving(b"") as other:
            answer = http(f"{status} Moved", b"", f"Location: {other.url}/")
            error = await get_error(answer, HttpError)

        assert isinstance(error, HttpError)
        assert error.status == status
        assert other.requests == []

    @pytest.mark.parametrize("status", [401, 404, 429, 500, 503])
    async def test_a_refusal_keeps_its_status_body_and_retry_after(self, status: int) -> None:
        """A status other than success is typed, with what the server said about later."""
        error = await get_error(http(f"{status} No", b"busy", "Retry-After: 7"), HttpError)

        assert isinstance(error, HttpError)
        assert (error.status, error.body, error.retry_after_seconds) == (status, "busy", 7)

    @pytest.mark.parametrize("value", ["Wed, 21 Oct 2026 07:28:00 GMT", "-1", "soon", ""])
    async def test_another_retry_after_counts_as_absent(self, value: str) -> None:
        """Only a number of seconds is read."""
        error = await get_error(http("503 No", b"", f"Retry-After: {value}"), HttpError)

        assert isinstance(error, HttpError)
        assert error.retry_after_seconds is None

    async def test_the_body_of_a_refusal_is_cut(self) -> None:
        """An error page without end costs its first 64 KiB."""
        error = await get_error(b"HTTP/1.1 500 No\r\n\r\n" + b"x" * 200_000, HttpError, stays_open=True)

        assert isinstance(error, HttpError)
        assert len(error.body) == 64 * 2**10

    async def test_a_refusal_that_breaks_off_keeps_its_status(self) -> None:
        """The status is told although the body is not whole."""
        error = await get_error(b"HTTP/1.1 503 No\r\nContent-Length: 9\r\n\r\nbo", HttpError)

        assert isinstance(error, HttpError)
        assert error.status == 503

    async def test_messages_do_not_show_the_query(self) -> None:
        """What stands behind the path may be a key."""
        assert "query" not in str(await get_error(http("404 No"), HttpError))


class TestFailures:
    async def test_a_refused_connection_is_a_connect_error(self) -> None:
        """Nobody listens: the error says what to check, and may be retried."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # bound, but not listening: nobody else gets the port meanwhile
            async with open_http(limits=LIMITS) as client:
                with pytest.raises(ConnectError, match="check the address") as caught:
                    await client.get(f"http://127.0.0.1:{taken.getsockname()[1]}/")
        assert caught.value.retryable

    @pytest.mark.parametrize(
        "answer",
        [b"", b"HTTP/1.1 200 O", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbo", b"SSH-2.0-OpenSSH_9.6\r\n"],
        ids=["no answer", "half a head", "half a body", "another protocol"],
    )
    async def test_an_answer_that_breaks_off_is_a_lost_connection(self, answer: bytes) -> None:
        """The end of the connection inside the answer is told."""
        await get_error(answer, ConnectionLost)

    async def test_an_answer_that_does_not_come_is_a_lost_connection(self) -> None:
        """A mute server is given up after the response limit."""
        limits = TransportLimits(response_seconds=0.05)
        async with serving(b"", stays_open=True) as server, open_http(limits=limits) as client:
            with pytest.raises(ConnectionLost, match="ReadTimeout"):
                await client.get(server.url)

    @pytest.mark.parametrize("head", ["Content-Length: 1001", "Connection: close"], ids=["announced", "endless"])
    async def test_too_long_an_answer_is_refused(self, head: str) -> None:
        """A success beyond the limit is not read to its end."""
        answer = f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode() + b"x" * 1001
        error = await get_error(answer, RemoteProtocolError, stays_open=True)
        assert "longer than 1000 bytes" in str(error)

    async def test_a_small_answer_that_decompresses_to_a_long_one_is_refused(self) -> None:
        """The limit counts what is kept, not what was sent."""
        answer = http("200 OK", gzip.compress(bytes(100_000)), "Content-Encoding: gzip")
        await get_error(answer, RemoteProtocolError)

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # httpx2 drops a generator, not us
    async def test_a_wrong_compression_is_told(self) -> None:
        """A body that is not what its head says is a fault of the server."""
        error = await get_error(http("200 OK", b"not gzip", "Content-Encoding: gzip"), RemoteProtocolError)
        assert "decompressed" in str(error)

    @pytest.mark.parametrize("url", ["ws://host/", "http://", "http://user:secret@host/", "http://h/a b", "nonsense"])
    async def test_an_unusable_url_is_refused(self, url: str) -> None:
        """A URL that cannot be used is an input error that shows no credentials."""
        async with open_http(limits=LIMITS) as client:
            with pytest.raises(InputError) as caught:
                await client.get(url)
        assert "secret" not in str(caught.value)

    async def test_a_bad_header_is_refused_without_showing_it(self) -> None:
        """A key with a line break in it is named by its header only, and nothing is sent."""
        async with serving(http("200 OK")) as server, open_http(limits=LIMITS) as client:
            with pytest.raises(InputError, match="X-API-Key") as caught:
                await client.get(server.url, headers={"X-API-Key": "secret\n"})
        assert "secret" not in str(caught.value)
        assert server.requests == []


async def test_requests_go_over_streams_that_somebody_else_opens() -> None:
    """Each request has one of its own, and nothing touches the network."""
    asked: list[tuple[str, int]] = []
    answer = http("200 OK", b"memory")

    async with trio.open_nursery() as nursery:

        async def open_memory(host: str, port: int) -> trio.abc.Stream:
            asked.append((host, port))
            ours, theirs = trio.testing.memory_stream_pair()
            nursery.start_soon(Server(answer, stays_open=False).handle, theirs)
            await trio.lowlevel.checkpoint()
            return ours

        async with open_http(limits=LIMITS, open_stream=open_memory) as client:
            assert await client.get("http://nowhere.invalid:1234/a") == b"memory"
            assert await client.post("http://nowhere.invalid/b", b"{}") == b"memory"

    assert asked == [("nowhere.invalid", 1234), ("nowhere.invalid", 80)]


async def test_a_stream_that_cannot_be_opened_is_a_connect_error() -> None:
    """As with TCP."""

    async def refuse(host: str, port: int) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        raise ConnectionRefusedError("nobody listens")

    async with open_http(limits=LIMITS, open_stream=refuse) as client:
        with pytest.raises(ConnectError, match="nobody listens"):
            await client.get("http://nowhere.invalid/")


async def test_a_stream_that_stalls_is_given_up_in_time(autojump_clock: trio.testing.MockClock) -> None:
    """Whether it takes the request and says nothing, or is never opened."""

    async def stall(host: str, port: int) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        return trio.testing.memory_stream_pair()[0]

    async def never(host: str, port: int) -> trio.abc.Stream:
        await trio.sleep_forever()
        raise AssertionError

    async with open_http(limits=LIMITS, open_stream=stall) as client:
        with pytest.raises(ConnectionLost):
            await client.get("http://nowhere.invalid/")
    async with open_http(limits=LIMITS, open_stream=never) as client:
        with pytest.raises(ConnectError):
            await client.get("http://nowhere.invalid/")

    assert trio.current_time() == LIMITS.response_seconds + LIMITS.connect_seconds
