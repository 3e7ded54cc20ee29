"""HTTP for the control host and a session's RPC, over httpx2.

Redirects are not followed and proxy variables are not read: a request, and a key in its headers, goes to the host it was meant for. Bodies
are bounded. What goes wrong is a ConnectError (no connection), a ConnectionLost (it broke), or an HttpError (a status other than success).
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import final

import httpx2

from ..errors import ConnectError, ConnectionLost, HttpError, InputError
from .endpoint import HTTP_SCHEMES, read_endpoint
from .handshake import http_error
from .limits import DEFAULT_LIMITS, TransportLimits

__all__ = ["HttpClient", "open_http"]


@asynccontextmanager
async def open_http(
    *, limits: TransportLimits = DEFAULT_LIMITS, ssl_context: ssl.SSLContext | None = None
) -> AsyncGenerator[HttpClient]:
    """Open a client for the block; connections are made when they are needed and kept while it lasts.

    Args:
        limits: How long to wait for a connection and for an answer, and how long an answer may be.
        ssl_context: For `https://`; None is the default context.
    """
    timeout = httpx2.Timeout(limits.response_seconds, connect=limits.connect_seconds)
    verify = True if ssl_context is None else ssl_context
    async with httpx2.AsyncClient(follow_redirects=False, trust_env=False, timeout=timeout, verify=verify) as client:
        yield HttpClient(client, limits)


@final
class HttpClient:
    """Sends requests; made by `open_http`."""

    def __init__(self, client: httpx2.AsyncClient, limits: TransportLimits) -> None:
        self._client = client
        self._max_bytes = limits.max_message_bytes

    async def get(self, url: str, *, headers: Mapping[str, str] | None = None) -> bytes:
        """Return the body of a successful GET.

        Raises:
            InputError: The URL cannot be used.
            ConnectError, ConnectionLost: The host could not be reached, or the answer broke off.
            HttpError: The status is not a success; it keeps the status and the body.
        """
        return await self._request("GET", url, None, headers or {})

    async def post(self, url: str, body: bytes, *, headers: Mapping[str, str] | None = None) -> bytes:
        """Return the body of a successful POST of JSON.

        Raises:
            InputError, ConnectError, ConnectionLost, HttpError: As for `get`.
        """
        return await self._request("POST", url, body, {"Content-Type": "application/json", **(headers or {})})

    async def _request(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> bytes:
        endpoint = read_endpoint(url, schemes=HTTP_SCHEMES)
        doing = f"{method} {endpoint.label}"
        try:
            async with self._client.stream(method, url, content=body, headers=dict(headers)) as response:
                answer = await self._read(response, doing)
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise ConnectError(f"{doing}: {error or 'no connection in time'}; check the address") from error
        except httpx2.TransportError as error:
            raise ConnectionLost(f"{doing}: {error or type(error).__name__}") from error
        except httpx2.InvalidURL as error:
            raise InputError(f"{doing}: the URL cannot be used: {error}") from error

        if response.is_success:
            return answer

        raise http_error(
            doing, status=response.status_code, retry_after=response.headers.get("retry-after"), body=answer
        )

    async def _read(self, response: httpx2.Response, doing: str) -> bytes:
        chunks = bytearray()
        async for chunk in response.aiter_bytes():
            chunks += chunk
            if len(chunks) > self._max_bytes:
                raise HttpError(
                    f"{doing}: the answer is longer than {self._max_bytes} bytes", status=response.status_code, body=""
                )
        return bytes(chunks)
