"""A Solana node that is asked over HTTP, patiently.

What speaks of now is asked again: a connection that failed or broke, a node that is busy, behind, or counts requests. No message shows
more of the node's URL than its host, since providers put keys into all its other parts.
"""

from __future__ import annotations

from typing import Final, NoReturn, cast, final

import attrs
import msgspec
import trio

from ...errors import ConnectionLost, HttpError, InputError, RemoteProtocolError, SimClientError
from ...transport.endpoint import HTTP_SCHEMES, read_endpoint
from ...transport.http import HttpClient, is_temporary

__all__ = ["DEFAULT_PATIENCE", "Exchange", "Node", "NodeRefused", "Patience"]

_TEMPORARY: Final = (-32603, -32005, -32016, 429)
"""Errors of an answer that speak of now: internal, behind or over the rate, a slot not reached; and the status that some say as a code."""
_Json = dict[str, object]


@attrs.frozen(kw_only=True)
class Patience:
    """How long a node is asked."""

    attempts: int = 8
    """For one answer."""
    first_attempts: int = 3
    """For the very first: a wrong address is an error in seconds."""
    first_wait_seconds: float = 0.5
    """Doubled after each attempt, unless the node says how long."""
    longest_wait_seconds: float = 30.0
    poll_seconds: float = 1.0
    """Between two questions for a block that is still to come."""
    block_seconds: float = 120.0
    """For one that does not come: a chain that stands still this long has a day that is in the newspapers."""


DEFAULT_PATIENCE: Final = Patience()


@attrs.frozen(kw_only=True)
class Exchange:
    """A request with its answer, as files hold them."""

    request: _Json
    response: _Json

    @property
    def result(self) -> object:
        """What was asked for."""
        return self.response.get("result")


class NodeRefused(InputError):
    """A node answered with an error.

    Attributes:
        code: The error's.
    """

    def __init__(self, message: str, *, code: object) -> None:
        super().__init__(message)
        self.code = code


@final
class Node:
    """Asks one node.

    Args:
        http: The client to ask by.
        url: The node's, with whatever key is in it.
        patience: How long to ask.

    Raises:
        InputError: The URL cannot be used.
    """

    def __init__(self, http: HttpClient, url: str, patience: Patience = DEFAULT_PATIENCE) -> None:
        self._http = http
        self._url = url
        self.host = _host_of(url)
        """For people."""
        self._patience = patience
        self._number = 0
        self._has_answered = False
        self.requests = 0
        """How many were sent, those included that were sent again."""

    def __repr__(self) -> str:
        return f"<Node {self.host}>"

    async def ask(self, method: str, *params: object) -> Exchange:
        """Return the node's answer.

        Raises:
            NodeRefused: It is an error that asking again does not mend.
            ConnectionLost: The node could not be asked, or says every time that it cannot now.
            RemoteProtocolError: The answer is none.
        """
        self._number += 1
        request: _Json = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": list(params)}
        wait, reason = self._patience.first_wait_seconds, ""
        attempts = self._patience.attempts if self._has_answered else self._patience.first_attempts
        for attempt in range(1, attempts + 1):
            found = await self._try(request)
            if isinstance(found, Exchange):
                return found

            reason = found.reason
            if attempt < attempts:
                await trio.sleep(min(found.wait_seconds or wait, self._patience.longest_wait_seconds))
                wait *= 2
        raise ConnectionLost(f"{self.host} was asked {attempts} times for {method}: {reason}")

    async def _try(self, request: _Json) -> Exchange | _NotNow:
        self.requests += 1
        try:
            body = await self._http.post(self._url, msgspec.json.encode(request))
        except SimClientError as error:
            if not is_temporary(error):
                self._fail(request, error)
            return _NotNow(
                reason=self._described(error),
                wait_seconds=error.retry_after_seconds if isinstance(error, HttpError) else None,
            )

        response = self._read(request, body)
        error_found = response.get("error")
        if error_found is None:
            return Exchange(request=request, response=response)

        fields = cast("_Json", error_found if isinstance(error_found, dict) else {"message": error_found})
        code, message = fields.get("code"), str(fields.get("message"))[:200]
        if code in _TEMPORARY:
            return _NotNow(reason=message)
        raise NodeRefused(f"{self.host} refused {request['method']}: {message}", code=code)

    def _read(self, request: _Json, body: bytes) -> _Json:
        try:
            response = msgspec.json.decode(body, type=_Json)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            response = {}
        if "result" not in response and "error" not in response:
            raise RemoteProtocolError(f"{self.host}: the answer to {request['method']} is not JSON-RPC")

        self._has_answered = True
        return response

    def _fail(self, request: _Json, error: SimClientError) -> NoReturn:
        """Raise an error as what it is, without the URL that is in its message, its cause and its frames."""
        if isinstance(error, RemoteProtocolError):
            raise RemoteProtocolError(f"{self.host}: the answer to {request['method']} cannot be read") from None
        raise ConnectionLost(
            f"{self.host} could not be asked for {request['method']}: {self._described(error)}"
        ) from None

    def _described(self, error: SimClientError) -> str:
        if isinstance(error, HttpError):
            return f"HTTP {error.status}" + ("; check the key in the URL" if error.status in (401, 403) else "")

        shown = str(error)
        for secret in (self._url, read_endpoint(self._url, schemes=HTTP_SCHEMES).label):
            shown = shown.replace(secret, self.host)
        return shown


@attrs.frozen(kw_only=True)
class _NotNow:
    """No answer, which may be another time."""

    reason: str
    wait_seconds: float | None = None


def _host_of(url: str) -> str:
    """Return the host of a URL; where it has none, say so without saying the URL, which may be a key in the wrong place."""
    try:
        return read_endpoint(url, schemes=HTTP_SCHEMES).authority
    except InputError:
        raise InputError(
            "the URL of the node cannot be used: give http://… or https://…, without user and password"
        ) from None
