"""Solana's JSON-RPC, answered from the state after the last executed slot: requests in, answers out.

The methods stand in modules of their own, by subject; `docs/reference/rpc.md` lists them. Errors have Solana's own codes and words.
What a caller can make an answer cost is bounded: requests of a batch, accounts of a scan, and the bytes of a whole batch.
"""

from __future__ import annotations

from typing import cast, final

import msgspec

from .rpc_accounts import AccountMethods
from .rpc_bank import Bank, Method, Replayed
from .rpc_blocks import BlockMethods
from .rpc_history import HistoryMethods
from .rpc_params import Json, Params, Refused
from .rpc_sending import SendingMethods
from .rpc_tokens import TokenMethods

__all__ = ["RpcServer"]

_PARSE_ERROR, _INVALID_REQUEST, _METHOD_NOT_FOUND = -32700, -32600, -32601
_MOST_REQUESTS = 1_000
"""Of one batch."""
_MOST_VALUES = 1_000_000
"""Of JSON in one body, as far as brackets and commas tell: each takes memory."""
_MOST_BATCH_BYTES = 256 * 2**20
"""Of the answers to one batch; the requests after that are refused."""


@final
class RpcServer:
    """Answers JSON-RPC bodies from a replay.

    Args:
        replay: What has the state.
        only: The methods that its state is enough for; None: all.
    """

    def __init__(self, replay: Replayed, *, only: frozenset[str] | None = None) -> None:
        bank = Bank(replay)
        self._only = only
        self.methods: dict[str, Method] = {}
        """By name."""
        for group in (AccountMethods, BlockMethods, HistoryMethods, SendingMethods, TokenMethods):
            self.methods |= group(bank).methods

    def answer(self, body: bytes) -> bytes:
        """Answer one request, or a batch of them."""
        if body.count(b"[") + body.count(b"{") + body.count(b",") > _MOST_VALUES:
            return _written(_error(None, _INVALID_REQUEST, f"Invalid request: more than {_MOST_VALUES} values"))

        try:
            request: object = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return _written(_error(None, _PARSE_ERROR, f"Parse error: {error}"))

        batch = _batch_of(request)
        if not batch:
            return _written(self._one(request))
        if len(batch) > _MOST_REQUESTS:
            message = f"Invalid request: a batch of {len(batch)} requests, max {_MOST_REQUESTS}"
            return _written(_error(None, _INVALID_REQUEST, message))

        return self._batch(batch)

    def _batch(self, batch: list[object]) -> bytes:
        answers: list[bytes] = []
        size = 0
        for request in batch:
            if size > _MOST_BATCH_BYTES:
                message = f"Invalid request: the answers to this batch are over {_MOST_BATCH_BYTES} bytes; ask for less"
                answers.append(_written(_error(None, _INVALID_REQUEST, message)))
            else:
                answers.append(_written(self._one(request)))
            size += len(answers[-1])
        return b"[" + b",".join(answers) + b"]"

    def _one(self, request: object) -> Json:
        fields = cast("Json", request) if isinstance(request, dict) else {}
        name, request_id = fields.get("method"), _id_of(fields)
        if not isinstance(name, str):
            return _error(request_id, _INVALID_REQUEST, "Invalid request")

        method = self.methods.get(name)
        if method is None:
            return _error(request_id, _METHOD_NOT_FOUND, "Method not found")
        if self._only is not None and name not in self._only:
            return _error(request_id, _METHOD_NOT_FOUND, f"A recording cannot answer {name}; replay a bundle for that")

        try:
            return {"jsonrpc": "2.0", "result": method(Params(fields.get("params"))), "id": request_id}
        except Refused as refused:
            return {"jsonrpc": "2.0", "error": refused.error, "id": request_id}


def _batch_of(request: object) -> list[object]:
    """Return the requests of a batch; none where it is a single request."""
    return cast("list[object]", request) if isinstance(request, list) else []


def _id_of(request: Json) -> str | int | None:
    """Return a request's id; null where it is none that JSON-RPC allows."""
    found = request.get("id")
    return found if isinstance(found, str) or type(found) is int else None


def _error(request_id: object, code: int, message: str) -> Json:
    return {"jsonrpc": "2.0", "error": {"code": code, "message": message}, "id": request_id}


def _written(answer: Json) -> bytes:
    return msgspec.json.encode(answer)
