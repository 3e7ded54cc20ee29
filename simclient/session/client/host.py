"""The control host's HTTP, typed: a path, a query and a wire value go out, a wire value comes back; the key goes to that host only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar, cast, final
from urllib.parse import quote, urlencode

from ...errors import InputError, RemoteProtocolError
from ...transport.http import HttpClient
from ...wire.codec import read_value, write_value
from ...wire.urls import http_base
from ..credentials import KEY_VARIABLE, Secret, control_headers, is_loopback

__all__ = ["ControlHost", "Query", "path_of"]

Query = Sequence[tuple[str, object]]
"""Names and values; one that is None is left out."""
_Value = TypeVar("_Value")


@final
class ControlHost:
    """Asks one control host."""

    def __init__(self, control_url: str, secret: Secret | None, user_agent: str, http: HttpClient) -> None:
        self._base = http_base(control_url)
        self._is_local = is_loopback(control_url)
        self._secret = secret
        self._user_agent = user_agent
        self._http = http

    def require_key(self) -> None:
        """Make sure that there is a key, or that none is needed.

        Raises:
            InputError: The host is remote, and there is none.
        """
        if self._secret is None and not self._is_local:
            raise InputError(f"no API key for {self._base}: set {KEY_VARIABLE} or pass api_key")

    async def get(self, path: str, kind: type[_Value], query: Query = ()) -> _Value:
        """Return what a GET answers.

        Raises:
            InputError: There is no key, or a value cannot be sent.
            ConnectError, ConnectionLost: The host could not be reached, or did not answer in time.
            HttpError: It refused; `status`, `body` and `retry_after_seconds` say how.
            RemoteProtocolError: The answer cannot be read.
        """
        self.require_key()
        return _read(path, await self.get_text(path, query), kind)

    async def get_text(self, path: str, query: Query = ()) -> bytes:
        """Return the body of a GET for which no key is needed; one that is there goes along."""
        return await self._http.get(self._url(path, query), headers=self._headers())

    async def post(self, path: str, kind: type[_Value], body: object = None) -> _Value:
        """Return what a POST of a wire value answers.

        Raises:
            InputError, ConnectError, ConnectionLost, HttpError, RemoteProtocolError: As for `get`.
        """
        self.require_key()
        text = b"" if body is None else write_value(body).encode()
        return _read(path, await self._http.post(self._url(path), text, headers=self._headers()), kind)

    async def delete(self, path: str, kind: type[_Value], query: Query) -> _Value:
        """Return what a DELETE answers.

        Raises:
            InputError, ConnectError, ConnectionLost, HttpError, RemoteProtocolError: As for `get`.
        """
        self.require_key()
        return _read(path, await self._http.delete(self._url(path, query), headers=self._headers()), kind)

    def _url(self, path: str, query: Query = ()) -> str:
        given = urlencode([(name, value) for name, value in query if value is not None])
        return f"{self._base}{path}?{given}" if given else f"{self._base}{path}"

    def _headers(self) -> dict[str, str | Secret]:
        return dict(control_headers(self._secret, self._user_agent))


def path_of(folder: str, name: str) -> str:
    """Return the path of something that the server has named.

    Raises:
        InputError: The name is empty.
    """
    if not name:
        raise InputError(f"{folder} needs the id that the server gave, not an empty text")

    return f"{folder}/{quote(name, safe='')}"


def _read(path: str, body: bytes, kind: type[_Value]) -> _Value:
    try:
        return cast("_Value", read_value(kind, body))
    except RemoteProtocolError as error:
        error.add_note(f"it was the answer of {path}")
        raise
