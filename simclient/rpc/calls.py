"""One JSON-RPC call over HTTP: the envelope, and its errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec
from msgspec import Raw, Struct

from ..errors import RemoteProtocolError, RpcError
from ..transport.http import HttpClient

__all__ = ["call"]

_Result = TypeVar("_Result")
_EXCERPT_CHARACTERS = 200


class _ErrorObject(Struct, frozen=True):
    code: int
    message: str
    data: Raw = msgspec.field(default_factory=Raw)


class _Envelope(Struct, frozen=True):
    result: Raw = msgspec.field(default_factory=Raw)
    error: _ErrorObject | None = None


_ENVELOPE = msgspec.json.Decoder(_Envelope)


async def call(
    http: HttpClient, url: str, method: str, params: Sequence[object], decoder: msgspec.json.Decoder[_Result]
) -> _Result:
    """Call `method` and decode its result.

    Raises:
        RpcError: The answer is an error object.
        RemoteProtocolError: The answer is not JSON-RPC, or its result not what the method gives.
        ConnectError, ConnectionLost, HttpError: There was no answer of success.
    """
    body = msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    answer = await http.post(url, body)
    try:
        envelope = _ENVELOPE.decode(answer)
        if envelope.error is None and envelope.result:
            return decoder.decode(envelope.result)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise _unreadable(method, answer, str(error)) from error

    if envelope.error is None:
        raise _unreadable(method, answer, "neither result nor error")

    data = bytes(envelope.error.data).decode() if envelope.error.data else None
    raise RpcError(
        f"{method} failed: {envelope.error.message} (code {envelope.error.code})",
        method=method,
        code=envelope.error.code,
        data=data,
    )


def _unreadable(method: str, answer: bytes, why: str) -> RemoteProtocolError:
    excerpt = answer[:_EXCERPT_CHARACTERS].decode("utf-8", "replace")
    return RemoteProtocolError(f"cannot read the answer to {method}: {why}", excerpt=excerpt)
