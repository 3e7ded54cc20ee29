"""JSON-RPC 2.0 on the data plane as its server sees it: requests in; acknowledgements, errors and notifications out.

Notifications carry results that somebody else made: their bytes are put into the envelope as they are.
"""

from __future__ import annotations

import attrs

from ..errors import RemoteProtocolError
from .json_text import JsonValue, describe, dump, parse
from .subscriptions import ACCOUNT_DIFFS, ADDRESSED, SESSION_WIDE, SubscriptionKey

__all__ = [
    "INTERNAL_ERROR",
    "INVALID_PARAMS",
    "INVALID_REQUEST",
    "METHOD_NOT_FOUND",
    "PARSE_ERROR",
    "RpcRequest",
    "SubscribeRequest",
    "UnsubscribeRequest",
    "read_rpc_request",
    "read_subscribe",
    "write_acknowledgement",
    "write_error",
    "write_notification",
    "write_result",
    "write_subscription_complete",
]

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603

RequestId = int | str | None


@attrs.frozen(kw_only=True)
class SubscribeRequest:
    """A request to subscribe to one key."""

    request_id: RequestId
    key: SubscriptionKey
    replay_from_slot: int | None
    """Inclusive; None: only what is to come."""
    compress: bool
    commitment: str | None


@attrs.frozen(kw_only=True)
class UnsubscribeRequest:
    """A request to end a subscription."""

    request_id: RequestId
    method: str
    """For instance `logsUnsubscribe`."""
    subscription_id: int


@attrs.frozen(kw_only=True)
class RpcRequest:
    """Any other request."""

    request_id: RequestId
    method: str
    params_raw: str
    """The `params` as JSON text; `null` where there were none."""


def read_rpc_request(payload: str | bytes) -> RpcRequest | SubscribeRequest | UnsubscribeRequest:
    """Read one request of the data socket.

    Raises:
        RemoteProtocolError: It is not JSON-RPC, or a subscription without a readable target or options. (The real server takes
            unreadable options for none; here they are an error, so that a mistake does not pass for a choice.)
    """
    request = parse(payload)
    if not isinstance(request, dict):
        raise _unreadable("$", "an object", request)

    method, request_id, params = request.get("method"), request.get("id"), request.get("params")
    if not isinstance(method, str):
        raise _unreadable("$.method", "a string", method)
    if isinstance(request_id, bool) or not isinstance(request_id, int | str | None):
        raise _unreadable("$.id", "an integer, a string or null", request_id)

    if method in ADDRESSED or method in SESSION_WIDE:
        return _subscribe_request(method, request_id, params)
    if method.endswith("Unsubscribe"):
        return _unsubscribe_request(method, request_id, params)
    return RpcRequest(request_id=request_id, method=method, params_raw=dump(params))


read_subscribe = read_rpc_request
"""The same by the name under which scripted servers of tests know it."""


def write_acknowledgement(request_id: RequestId, subscription_id: int) -> str:
    """Write the answer to a subscribe request; it is always a text frame."""
    return dump({"jsonrpc": "2.0", "id": request_id, "result": subscription_id})


def write_result(request_id: RequestId, result: bytes) -> bytes:
    """Write the answer to any request; `result` is JSON."""
    return b'{"jsonrpc":"2.0","id":' + dump(request_id).encode() + b',"result":' + result + b"}"


def write_error(request_id: RequestId, code: int, message: str) -> str:
    """Write the refusal of a request."""
    return dump({"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": message}})


def write_notification(method: str, subscription_id: int, result: bytes) -> bytes:
    """Write a notification around `result`, which is JSON; `method` is for instance `logsNotification`."""
    head = f'{{"jsonrpc":"2.0","method":"{method}","params":{{"subscription":{subscription_id},"result":'
    return head.encode() + result + b"}}"


def write_subscription_complete(subscription_id: int) -> bytes:
    """Write the end marker of a subscription, which comes after its last notification."""
    return b'{"jsonrpc":"2.0","method":"subscriptionComplete","params":{"subscription":%d}}' % subscription_id


def _subscribe_request(method: str, request_id: RequestId, params: JsonValue) -> SubscribeRequest:
    target, options = _target_and_options(params)
    replay, compression = options.get("replayFromSlot"), options.get("compression")
    commitment = options.get("commitment")
    if replay is not None and (type(replay) is not int or not -(2**63) <= replay < 2**63):
        raise _unreadable("$.params[1].replayFromSlot", "an i64", replay)
    if compression not in (None, "zstd"):
        raise _unreadable("$.params[1].compression", "zstd", compression)

    return SubscribeRequest(
        request_id=request_id,
        key=_key_of(method, target, is_program=options.get("address_type") == "program"),
        replay_from_slot=None if replay is None else max(replay, 0),
        compress=compression == "zstd",
        commitment=commitment if isinstance(commitment, str) else None,
    )


def _target_and_options(params: JsonValue) -> tuple[JsonValue, dict[str, JsonValue]]:
    if not isinstance(params, list) or not params:
        raise _unreadable("$.params", "an array with the target first", params)

    options = params[1] if len(params) > 1 else None
    if options is not None and not isinstance(options, dict):
        raise _unreadable("$.params[1]", "an object of options", options)

    return params[0], options or {}


def _key_of(method: str, target: JsonValue, *, is_program: bool) -> SubscriptionKey:
    if method in SESSION_WIDE:
        if target is not None:
            raise _unreadable("$.params[0]", "null", target)
        return SubscriptionKey(method, "")
    if method == ACCOUNT_DIFFS:
        if not isinstance(target, str):
            raise _unreadable("$.params[0]", "an address", target)
        return SubscriptionKey(method, target, is_program)

    mentions = target.get("mentions") if isinstance(target, dict) else None
    if not isinstance(mentions, list) or len(mentions) != 1 or not isinstance(mentions[0], str):
        raise _unreadable("$.params[0].mentions", "an array of one address", target)

    return SubscriptionKey(method, mentions[0])


def _unsubscribe_request(method: str, request_id: RequestId, params: JsonValue) -> UnsubscribeRequest:
    subscription = params[0] if isinstance(params, list) and params else None
    if type(subscription) is not int:
        raise _unreadable("$.params[0]", "a subscription id", params)

    return UnsubscribeRequest(request_id=request_id, method=method, subscription_id=subscription)


def _unreadable(path: str, expected: str, found: JsonValue) -> RemoteProtocolError:
    return RemoteProtocolError(
        f"JSON-RPC request cannot be read: {path}: expected {expected}, found {describe(found)}",
        path=path,
        excerpt=describe(found),
    )
