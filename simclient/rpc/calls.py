"""One JSON-RPC call over HTTP: the envelope, and its errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec
from msgspec import Raw, Struct

from ..errors import InputError, RemoteProtocolError, RpcError
from ..transport.http import HttpClient

__all__ = ["call", "decode_answer", "unreadable"]

_Result = TypeVar("_Result")
_EXCERPT_CHARACTERS = 200
"""Enough to recognise what came, and what `RemoteProtocolError` promises."""


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
        InputError: A text among `params` has lone surrogates, which JSON cannot say; nothing was sent.
        RpcError: The answer is an error object.
        RemoteProtocolError: The answer is not JSON-RPC, or its result not what the method gives.
        ConnectError, ConnectionLost, HttpError: There was no answer of success.
    """
    answer = await http.post(url, _request(method, params))
    envelope = decode_answer(method, answer, _ENVELOPE)
    if envelope.error is not None:
        raise _rpc_error(method, envelope.error)
    if not envelope.result:
        raise unreadable(method, answer, "neither result nor error")

    return decode_answer(method, envelope.result, decoder)


def _request(method: str, params: Sequence[object]) -> bytes:
    try:
        return msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    except UnicodeEncodeError as error:
        raise InputError(
            f"{method} cannot be asked for: a text in it has lone surrogates; send valid Unicode"
        ) from error


def decode_answer(method: str, data: bytes | Raw, decoder: msgspec.json.Decoder[_Result]) -> _Result:
    """Decode an answer to `method`, or a part of it.

    Raises:
        RemoteProtocolError: It is not what it should be.
    """
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise unreadable(method, bytes(data), str(error)) from error


def unreadable(method: str, answer: bytes, why: str) -> RemoteProtocolError:
    """Make the error for an answer to `method` that cannot be used."""
    excerpt = answer[:_EXCERPT_CHARACTERS].decode("utf-8", "replace")
    return RemoteProtocolError(f"cannot read the answer to {method}: {why}", excerpt=excerpt)


def _rpc_error(method: str, error: _ErrorObject) -> RpcError:
    return RpcError(
        f"{method} failed: {error.message} (code {error.code})",
        method=method,
        code=error.code,
        data=bytes(error.data).decode("utf-8", "replace") if error.data else None,
    )
