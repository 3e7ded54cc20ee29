"""The client's side of a WebSocket opening handshake on a stream of our own.

Used by the notification feed, whose frames are read by hand; HTTP itself is h11's. The peer's answer is bounded in bytes and in time, and
what of a refusal had arrived when the peer or the time ran out still tells its status.
"""

from __future__ import annotations

from contextlib import suppress

import h11
import trio
import wsproto.utilities

from .endpoint import Endpoint
from .handshake import MAX_ANSWER_BYTES, explain_refusal

__all__ = ["upgrade"]

_READ_BYTES = 64 * 2**10
_GONE = (trio.BrokenResourceError, trio.ClosedResourceError)


async def upgrade(stream: trio.abc.Stream, endpoint: Endpoint, deadline: float) -> bytes:
    """Ask for a WebSocket; return what the server sent behind its answer, the beginning of its frames.

    Args:
        stream: Connected to the server; the caller closes it.
        endpoint: What to ask for.
        deadline: By `trio.current_time()`.

    Raises:
        ConnectError: The server refused, is not a WebSocket server, ended the connection, or took too long; `__cause__` is an HttpError
            where it answered with a status.
    """
    nonce = wsproto.utilities.generate_nonce()
    connection = h11.Connection(h11.CLIENT)
    answer = bytearray()
    accepted: h11.InformationalResponse | None = None
    with trio.move_on_at(deadline) as waiting:
        accepted = await _ask(stream, connection, _request(endpoint, nonce), answer)
    if accepted is None or not _is_ours(accepted, nonce):
        raise explain_refusal(endpoint, bytes(answer), is_over=not waiting.cancelled_caught)

    return connection.trailing_data[0]


def _request(endpoint: Endpoint, nonce: bytes) -> h11.Request:
    return h11.Request(
        method="GET",
        target=endpoint.target,
        headers=[
            (b"Host", endpoint.authority.encode()),
            (b"Upgrade", b"websocket"),
            (b"Connection", b"Upgrade"),
            (b"Sec-WebSocket-Key", nonce),
            (b"Sec-WebSocket-Version", b"13"),
        ],
    )


async def _ask(
    stream: trio.abc.Stream, connection: h11.Connection, request: h11.Request, answer: bytearray
) -> h11.InformationalResponse | None:
    """Send the request and read into `answer`; return the 101, or None at the end of any other answer."""
    data = (connection.send(request) or b"") + (connection.send(h11.EndOfMessage()) or b"")
    with suppress(*_GONE):  # who refuses without reading has answered already, and that is still to be read
        await stream.send_all(data)
    try:
        while len(answer) < MAX_ANSWER_BYTES:
            received = bytes(await stream.receive_some(_READ_BYTES))
            answer += received
            connection.receive_data(received)
            match _verdict(connection):
                case h11.InformationalResponse() as accepted:
                    return accepted
                case h11.NEED_DATA:
                    continue
                case _:
                    return None
    except (*_GONE, h11.RemoteProtocolError):
        # The answer ends here, or is not HTTP: what there is of it says why.
        return None

    return None


def _verdict(connection: h11.Connection) -> h11.Event | type[h11.NEED_DATA | h11.PAUSED]:
    """Read on until the 101, the end of a refusal, or the need of more bytes."""
    while True:
        event = connection.next_event()
        is_other_news = isinstance(event, h11.InformationalResponse) and event.status_code != 101
        if not (is_other_news or isinstance(event, h11.Response | h11.Data)):
            return event


def _is_ours(accepted: h11.InformationalResponse, nonce: bytes) -> bool:
    """Tell whether the answer is to our request (RFC 6455, 4.1)."""
    accept = next((value for name, value in accepted.headers if name == b"sec-websocket-accept"), b"")
    return accept == wsproto.utilities.generate_accept_token(nonce)
