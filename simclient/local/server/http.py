"""HTTP/1.1 on one connection: requests in, answers out, until it closes or becomes something else.

h11 parses. Everything a client sends is bounded, in size and in time. A request that cannot be served is answered with a JSON body,
`{"error": {"kind": …, "message": …}}`; after one that could not be read the connection is closed.
"""

from __future__ import annotations

from typing import Final, final

import attrs
import h11
import msgspec
import trio

from .limits import SimulatorLimits
from .purse import Purse, PurseIsEmpty

__all__ = ["HttpAnswer", "HttpConnection", "HttpRefused", "HttpRequest", "json_answer", "refusal", "unasked"]

_READ_BYTES: Final = 64 * 2**10
"""One read of a socket: nearly every request fits."""
_SENT_BYTES: Final = 2**20
"""Sent at once, within the time that an idle connection has."""

_KINDS: Final = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "notFound",
    405: "methodNotAllowed",
    410: "gone",
    413: "tooLarge",
    426: "upgradeRequired",
    431: "tooLarge",
    502: "engineFailed",
    503: "notReady",
}


@attrs.frozen(kw_only=True)
class HttpRequest:
    """A whole request."""

    method: str
    path: str
    """Of the target, without the query."""
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    """Names in lower case."""
    body: bytes
    is_upgrade: bool
    """Whether the client asks to go on in another protocol."""


@attrs.frozen(kw_only=True)
class HttpAnswer:
    """A whole answer."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


class HttpRefused(Exception):
    """A request that is not served.

    Attributes:
        answer: What the client is told.
    """

    def __init__(self, answer: HttpAnswer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def json_answer(body: str | bytes) -> HttpAnswer:
    """Make the answer 200 of a JSON text."""
    return HttpAnswer(status=200, body=body.encode() if isinstance(body, str) else body)


def refusal(status: int, message: str, *, headers: tuple[tuple[str, str], ...] = ()) -> HttpAnswer:
    """Make the answer to a request that is not served."""
    error = {"error": {"kind": _KINDS[status], "message": message}}
    return HttpAnswer(status=status, body=msgspec.json.encode(error), headers=headers)


_TOO_MUCH: Final = refusal(503, "too much is being received and sent at once; try again")


def unasked(answer: HttpAnswer) -> bytes:
    """Return an answer as it is said to a client whose request was not read: the last words of a connection."""
    head = f"HTTP/1.1 {answer.status} \r\nconnection: close\r\ncontent-length: {len(answer.body)}\r\n"
    return f"{head}content-type: {answer.content_type}\r\n\r\n".encode() + answer.body


@final
class HttpConnection:
    """The server's side of one HTTP/1.1 connection."""

    def __init__(self, stream: trio.abc.Stream, limits: SimulatorLimits, purse: Purse) -> None:
        self._stream = stream
        self._limits = limits
        self._purse = purse
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.max_header_bytes)
        self._is_head = False
        self._taken_bytes = 0
        """Of the purse, for the body that is being received or answered, and for the answer."""

    async def next_request(self) -> HttpRequest | None:
        """Read the next request; None: the client has gone, or sends nothing.

        Raises:
            HttpRefused: It cannot be read; answer it, then `hang_up`.
        """
        self.release()
        try:
            with trio.move_on_after(self._limits.idle_seconds):
                return await self._read_request()
        except h11.RemoteProtocolError as error:
            raise HttpRefused(refusal(_status_of(error), f"not a request of HTTP/1.1: {error}")) from error
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            # The client has gone; there is nobody to tell.
            return None

        return None

    async def answer(self, answer: HttpAnswer) -> bool:
        """Send an answer; tell whether another request may follow."""
        headers = [("content-type", answer.content_type), ("content-length", str(len(answer.body))), *answer.headers]
        head = self._http.send(h11.Response(status_code=answer.status, headers=headers)) or b""
        body = b"" if self._is_head else self._http.send(h11.Data(data=answer.body)) or b""
        self._http.send(h11.EndOfMessage())  # nothing is written for it where the length was given
        try:
            if len(body) <= _SENT_BYTES:
                await self._send(head + body)
            else:
                await self._send(head)
                await self._send(body)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return False

        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False

        self._http.start_next_cycle()
        return True

    def charged(self, answer: bytes) -> HttpAnswer:
        """Return an answer that may be large: charged to the purse until the next request, or refused."""
        try:
            self._take(len(answer))
        except PurseIsEmpty:
            return _TOO_MUCH

        return json_answer(answer)

    def release(self) -> None:
        """Give back what was taken from the purse."""
        self._purse.give_back(self._taken_bytes)
        self._taken_bytes = 0

    async def hang_up(self) -> None:
        """End the connection so that the client can still read the answer: a socket closed with unread input is reset."""
        try:
            with trio.move_on_after(self._limits.close_seconds):
                if isinstance(self._stream, trio.abc.HalfCloseableStream):
                    await self._stream.send_eof()
                while await self._stream.receive_some(_READ_BYTES):
                    pass
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            # Gone already, which is what was wanted.
            return

    def leftover(self) -> bytes:
        """Return what came after a request for an upgrade: it belongs to the other protocol."""
        return self._http.trailing_data[0]

    async def _read_request(self) -> HttpRequest | None:
        event = await self._next_event()
        if not isinstance(event, h11.Request):
            return None

        self._is_head = event.method == b"HEAD"
        if self._http.they_are_waiting_for_100_continue:
            await self._stream.send_all(self._http.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
        body = await self._read_body()
        return HttpRequest(
            method=event.method.decode("ascii"),
            path=event.target.decode("latin-1").partition("?")[0],
            target=event.target,
            headers=tuple(event.headers),
            body=body,
            is_upgrade=any(name == b"upgrade" for name, _ in event.headers),
        )

    async def _read_body(self) -> bytes:
        body = bytearray()
        while True:
            event = await self._next_event()
            if not isinstance(event, h11.Data):
                return bytes(body)

            try:
                self._take(len(event.data))
            except PurseIsEmpty:
                raise HttpRefused(_TOO_MUCH) from None
            body += event.data
            if len(body) > self._limits.max_body_bytes:
                raise HttpRefused(refusal(413, f"the body is longer than {self._limits.max_body_bytes} bytes"))

    def _take(self, size: int) -> None:
        self._purse.take(size)
        self._taken_bytes += size

    async def _send(self, data: bytes) -> None:
        """Send, and give up on a client that takes nothing for a while.

        Raises:
            trio.BrokenResourceError: It is gone, or does not read.
        """
        rest = memoryview(data)
        while rest:
            with trio.move_on_after(self._limits.idle_seconds) as patience:
                await self._stream.send_all(rest[:_SENT_BYTES])
            if patience.cancelled_caught:
                raise trio.BrokenResourceError
            rest = rest[_SENT_BYTES:]

    async def _next_event(self) -> h11.Event | type[h11.PAUSED]:
        while True:
            event = self._http.next_event()
            if event is not h11.NEED_DATA:
                assert not isinstance(event, type) or event is h11.PAUSED
                return event
            self._http.receive_data(bytes(await self._stream.receive_some(_READ_BYTES)))


def _status_of(error: h11.RemoteProtocolError) -> int:
    return error.error_status_hint if error.error_status_hint in _KINDS else 400
