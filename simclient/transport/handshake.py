"""What a server's answer to a WebSocket upgrade means when it is not an upgrade.

Each refusal is a `ConnectError` whose `__cause__` is the `HttpError` with status, body and `Retry-After`. Retryable
are the statuses that speak of now (408, 425, 429 and all 5xx), the answers that are cut short and those that are not
HTTP, since a broken byte stream looks like that; every other status speaks of the request, and asking again will not
change it. Redirects are not followed: the key was meant for this server.
"""

from __future__ import annotations

import h11

from ..errors import ConnectError, HttpError
from .endpoint import Endpoint

__all__ = ["MAX_ANSWER_BYTES", "RETRYABLE_STATUSES", "explain_refusal", "http_error"]

MAX_BODY_BYTES = 64 * 2**10
"""Kept of the body of a refusal: more than any error page, and a bound on an endless one."""
MAX_ANSWER_BYTES = MAX_BODY_BYTES + 16 * 2**10
"""The body and h11's own bound on the head."""
RETRYABLE_STATUSES = frozenset({408, 425, 429, *range(500, 600)})
_KEY_STATUSES = frozenset({401, 403})


def explain_refusal(endpoint: Endpoint, answer: bytes, *, is_over: bool = True) -> ConnectError:
    """Turn what a server answered instead of an upgrade into the error to raise.

    Args:
        endpoint: Who answered.
        answer: All bytes received, at most `MAX_ANSWER_BYTES` of them.
        is_over: Whether the server had ended its answer, rather than us our patience.
    """
    doing = f"opening a WebSocket to {endpoint.label}"
    refusal = _read_refusal(answer)
    if refusal is None and not is_over:
        return ConnectError(
            f"{doing}: no whole answer in time; try again later, or check that a WebSocket server listens there"
        )
    if refusal is None and not answer:
        return ConnectError(f"{doing}: the server closed the connection without an answer; try again")
    if refusal is None:
        return ConnectError(f"{doing}: the answer is not that of a WebSocket server; check the address and the port")

    error = ConnectError(
        f"{doing}: HTTP {refusal.status}; {_advice(refusal.status)}", retryable=refusal.status in RETRYABLE_STATUSES
    )
    error.__cause__ = refusal
    return error


def http_error(doing: str, *, status: int, retry_after: str | None, body: bytes) -> HttpError:
    """Make the typed error of an HTTP status."""
    return HttpError(
        f"{doing}: HTTP {status}; {_advice(status)}",
        status=status,
        body=body[:MAX_BODY_BYTES].decode("utf-8", "replace"),
        retry_after_seconds=_seconds(retry_after),
    )


def _read_refusal(answer: bytes) -> HttpError | None:
    """Read an HTTP answer, whole or cut; None if it is not one, or claims to be an upgrade."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "server")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(answer)
    head: h11.Response | None = None
    body = bytearray()
    try:
        while True:
            match connection.next_event():
                case h11.InformationalResponse():
                    continue
                case h11.Response() as head:
                    continue
                case h11.Data(data=data):
                    body += data
                case _:
                    break
    except h11.RemoteProtocolError:
        # A body that breaks off or is not as its head says does not change what the head said.
        pass

    if head is None:
        return None
    after = next((value for name, value in head.headers if name == b"retry-after"), None)
    return http_error(
        "the server refused the upgrade",
        status=head.status_code,
        retry_after=None if after is None else after.decode("latin-1"),
        body=bytes(body),
    )


def _seconds(retry_after: str | None) -> float | None:
    """Read a `Retry-After` in seconds; dates, which servers of APIs do not send, count as absent."""
    if retry_after is None or not retry_after.isdecimal() or not retry_after.isascii():
        return None
    return float(retry_after)


def _advice(status: int) -> str:
    if status in _KEY_STATUSES:
        return "check the API key"
    if status in RETRYABLE_STATUSES:
        return "the server cannot now, try again later"
    if 300 <= status < 400:
        return "redirects are not followed, use the address it has moved to"
    return "check the address and its path"
