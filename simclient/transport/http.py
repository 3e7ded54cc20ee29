"""HTTP for the control host and a session's RPC, over httpx2.

Redirects are not followed and proxy variables are not read: a request, and a key in its headers, goes to the host it was meant for. Bodies
are bounded. What goes wrong is a ConnectError (no connection), a ConnectionLost (it broke), a RemoteProtocolError (an answer that cannot be
read or is too long), or an HttpError (a status other than success).
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import final

import httpx2
import trio

from ..errors import ConnectError, ConnectionLost, HttpError, InputError, RemoteProtocolError, SimClientError
from .endpoint import HTTP_SCHEMES, Concealed, check_headers, encode_headers, read_endpoint
from .handshake import MAX_BODY_BYTES, RETRYABLE_STATUSES, http_error
from .limits import DEFAULT_LIMITS, TransportLimits
from .streams import StreamOpener, default_ssl_context

__all__ = ["HttpClient", "is_temporary", "open_http"]


HttpHeaders = Mapping[str, str | Concealed]


@asynccontextmanager
async def open_http(
    *,
    limits: TransportLimits = DEFAULT_LIMITS,
    ssl_context: ssl.SSLContext | None = None,
    open_stream: StreamOpener | None = None,
) -> AsyncGenerator[HttpClient]:
    """Open a client for the block; connections are made when they are needed and kept while it lasts.

    Args:
        limits: How long to wait for a connection and for an answer, and how long an answer may be.
        ssl_context: For `https://`; None is the default context.
        open_stream: Replaces TCP; then each request has a connection of its own.
    """
    timeout = httpx2.Timeout(limits.response_seconds, connect=limits.connect_seconds)
    verify = ssl_context or default_ssl_context()
    transport = None if open_stream is None else _over(open_stream, verify)
    async with httpx2.AsyncClient(
        follow_redirects=False, trust_env=False, timeout=timeout, verify=verify, transport=transport
    ) as client:
        yield HttpClient(client, limits)


def _over(open_stream: StreamOpener, verify: ssl.SSLContext) -> httpx2.AsyncBaseTransport:
    from .http_streams import StreamTransport  # httpcore2 takes its time, and only this needs it at once

    return StreamTransport(open_stream, verify)


@final
class HttpClient:
    """Sends requests; made by `open_http`."""

    def __init__(self, client: httpx2.AsyncClient, limits: TransportLimits) -> None:
        self._client = client
        self._max_bytes = limits.max_message_bytes

    async def get(self, url: str, *, headers: HttpHeaders | None = None) -> bytes:
        """Return the body of a successful GET.

        Raises:
            InputError: The URL or a header cannot be used; nothing was sent.
            ConnectError, ConnectionLost: The host could not be reached, or the answer broke off or did not come in time.
            RemoteProtocolError: The answer is longer than `max_message_bytes`, or compressed wrongly.
            HttpError: The status is not a success; it keeps the status and the beginning of the body.
        """
        return await self._request("GET", url, None, headers or {})

    async def post(self, url: str, body: bytes, *, headers: HttpHeaders | None = None) -> bytes:
        """Return the body of a successful POST of JSON.

        Raises:
            InputError, ConnectError, ConnectionLost, RemoteProtocolError, HttpError: As for `get`.
        """
        return await self._request("POST", url, body, {"Content-Type": "application/json", **(headers or {})})

    async def delete(self, url: str, *, headers: HttpHeaders | None = None) -> bytes:
        """Return the body of a successful DELETE.

        Raises:
            InputError, ConnectError, ConnectionLost, RemoteProtocolError, HttpError: As for `get`.
        """
        return await self._request("DELETE", url, None, headers or {})

    async def _request(self, method: str, url: str, body: bytes | None, headers: HttpHeaders) -> bytes:
        endpoint = read_endpoint(url, schemes=HTTP_SCHEMES)
        check_headers(tuple(headers.items()))
        doing = f"{method} {endpoint.label}"
        try:
            async with self._client.stream(
                method, url, content=body, headers=encode_headers(tuple(headers.items()))
            ) as response:
                if response.is_success:
                    answer = await _read(response, self._max_bytes)
                else:
                    answer = await _read_refusal(response)
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise ConnectError(f"{doing}: {str(error) or 'no connection in time'}; check the address") from _bare(error)
        except httpx2.TransportError as error:
            raise ConnectionLost(f"{doing}: {str(error) or type(error).__name__}") from _bare(error)
        except httpx2.DecodingError as error:
            raise RemoteProtocolError(f"{doing}: the answer cannot be decompressed: {error}") from _bare(error)
        except httpx2.InvalidURL as error:
            raise InputError(f"{doing}: the URL cannot be used: {error}") from _bare(error)

        if not response.is_success:
            after = response.headers.get("retry-after")
            raise http_error(doing, status=response.status_code, retry_after=after, body=answer)
        if len(answer) > self._max_bytes:
            raise RemoteProtocolError(f"{doing}: the answer is longer than {self._max_bytes} bytes")

        return answer


def is_temporary(error: SimClientError) -> bool:
    """Tell whether an error speaks of now, so that asking again may help: no connection, one that broke, or a host that is busy."""
    match error:
        case ConnectError():
            return error.retryable
        case HttpError():
            return error.status in RETRYABLE_STATUSES
        case _:
            return isinstance(error, ConnectionLost)


def _bare(error: Exception) -> Exception:
    """Take from a library's error, and from what led to it, the frames that it went through: their locals hold the headers."""
    link: BaseException | None = error
    while link is not None:
        link.__traceback__ = None
        link = link.__cause__ or link.__context__
    return error


async def _read_refusal(response: httpx2.Response) -> bytes:
    """Read what is kept of a refusal; where its body breaks off the status is known nevertheless."""
    with suppress(httpx2.TransportError, httpx2.DecodingError):
        return await _read(response, MAX_BODY_BYTES)

    return b""


async def _read(response: httpx2.Response, most_bytes: int) -> bytes:
    """Return the body; more than `most_bytes` of it if there is more, but not all.

    Leaving the loop would leave a generator of httpx2 2.16 behind, which trio warns of; a cancellation ends all of them (seen).
    """
    answer = bytearray()
    with trio.CancelScope() as reading:
        async for chunk in response.aiter_bytes():
            answer += chunk
            if len(answer) > most_bytes:
                reading.cancel(reason="the answer is too long")
    return bytes(answer)
