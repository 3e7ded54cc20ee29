"""The client's side of a WebSocket opening handshake on a stream of our own.

Used by the notification feed, whose frames are read by hand; HTTP itself is h11's. The peer's answer is bounded in bytes, the caller bounds
the time.
"""

from __future__ import annotations

from collections.abc import Sequence

import h11
import trio
import wsproto.utilities

from ..errors import ConnectError
from .endpoint import Endpoint
from .handshake import MAX_ANSWER_BYTES, explain_refusal

__all__ = ["upgrade"]

_READ_BYTES = 64 * 2**10


async def upgrade(stream: trio.abc.Stream, endpoint: Endpoint, headers: Sequence[tuple[bytes, bytes]] = ()) -> bytes:
    """Ask for a WebSocket; return what the server sent behind its answer, the beginning of its frames.

    Raises:
        ConnectError: The server refused, is not a WebSocket server, or closed the connection.
    """
    nonce = wsproto.utilities.generate_nonce()
    connection = h11.Connection(h11.CLIENT)
    request = h11.Request(method="GET", target=endpoint.target, headers=_headers(endpoint, nonce, headers))
    data = connection.send(request)
    assert data is not None
    answer = bytearray()
    try:
        await stream.send_all(data + (connection.send(h11.EndOfMessage()) or b""))
        while len(answer) < MAX_ANSWER_BYTES:
            received = bytes(await stream.receive_some(_READ_BYTES))
            answer += received
            connection.receive_data(received)
            event = connection.next_event()
            if isinstance(event, h11.InformationalResponse) and event.status_code == 101:
                _check(event, nonce, endpoint, bytes(answer))
                return connection.trailing_data[0]
            if not received:
                break
    except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
        raise ConnectError(f"opening a WebSocket to {endpoint.label}: the connection broke; try again") from error
    except h11.RemoteProtocolError as error:
        raise explain_refusal(endpoint, bytes(answer)) from error

    raise explain_refusal(endpoint, bytes(answer))


def _headers(endpoint: Endpoint, nonce: bytes, more: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [
        (b"Host", endpoint.authority.encode()),
        (b"Upgrade", b"websocket"),
        (b"Connection", b"Upgrade"),
        (b"Sec-WebSocket-Key", nonce),
        (b"Sec-WebSocket-Version", b"13"),
        *more,
    ]


def _check(event: h11.InformationalResponse, nonce: bytes, endpoint: Endpoint, answer: bytes) -> None:
    accept = next((value for name, value in event.headers if name == b"sec-websocket-accept"), b"")
    if accept != wsproto.utilities.generate_accept_token(nonce):
        raise explain_refusal(endpoint, answer)
