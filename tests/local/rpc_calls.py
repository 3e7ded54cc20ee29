"""Calls of an engine's RPC, for tests."""

from __future__ import annotations

from typing import Any

import msgspec

from simclient.local.engine import Engine

Json = dict[str, Any]


async def raw(engine: Engine, body: object) -> Any:
    """Send a body, and return the answer decoded."""
    return msgspec.json.decode(await engine.rpc(body if isinstance(body, bytes) else msgspec.json.encode(body)))


async def call(engine: Engine, method: str, *params: object) -> Any:
    """Call a method, and return its result."""
    answer = await raw(engine, {"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    assert "error" not in answer, answer
    return answer["result"]


async def error(engine: Engine, method: str, *params: object) -> Json:
    """Call a method, and return the error it is refused with."""
    found: Json = (await raw(engine, {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))["error"]
    return found


async def balance(engine: Engine, address: str) -> int:
    """Return the lamports of an account."""
    value: int = (await call(engine, "getBalance", address))["value"]
    return value
