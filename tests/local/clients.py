"""A client that owes nothing to ours: trio-websocket and httpx2 against the simulator's socket."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

import httpx2
import pytest
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

HANG_SECONDS = 30.0
"""Nothing here takes long; this only catches a hang."""

Message = dict[str, Any]


class Listening(Protocol):
    """A simulator, of this process or of another."""

    @property
    def port(self) -> int: ...


class Control:
    """A control socket, one message at a time."""

    def __init__(self, socket: WebSocketConnection) -> None:
        self.socket = socket
        self.session_id = ""
        self.endpoint = ""
        self.last_sequence = 0

    async def send(self, method: str, params: object = None) -> None:
        message = {"method": method} if params is None else {"method": method, "params": params}
        await self.socket.send_message(json.dumps(message))

    async def receive(self) -> Message:
        with trio.fail_after(HANG_SECONDS):
            message: Message = json.loads(await self.socket.get_message())
        if "seqId" in message:
            self.last_sequence = message["seqId"]
        return message

    async def until(self, *methods: str) -> list[Message]:
        """Return what comes, up to the first message of these methods, inclusive."""
        seen = [await self.receive()]
        while seen[-1]["method"] not in methods:
            seen.append(await self.receive())
        return seen

    async def ask(self, method: str, params: object = None) -> Message:
        """Send a request and return the next message that has no sequence number: its answer."""
        await self.send(method, params)
        while "seqId" in (answer := await self.receive()):
            pass
        return answer

    async def create(self, start_slot: int, end_slot: int, **params: object) -> None:
        """Create a session and wait until it is ready."""
        created = await self.ask("createBacktestSession", {**creation(start_slot, end_slot), **params})
        assert created["method"] == "sessionCreated", created
        self.session_id, self.endpoint = created["params"]["session_id"], created["params"]["rpc_endpoint"]
        await self.until("readyForContinue", "error")

    async def advance(self, slots: int = 1, **params: object) -> list[Message]:
        """Go on, and return everything up to the end of it."""
        await self.send("continue", going_on(slots, **params))
        return await self.until("readyForContinue", "completed")


class Data:
    """A data socket."""

    def __init__(self, socket: WebSocketConnection) -> None:
        self.socket = socket

    async def receive(self) -> str | bytes:
        with trio.fail_after(HANG_SECONDS):
            message: str | bytes = await self.socket.get_message()
        return message

    async def subscribe(self, request_id: int, method: str, target: object, **options: object) -> Message:
        """Subscribe, and return the answer; what else came before it is dropped."""
        request = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": [target, options]}
        await self.socket.send_message(json.dumps(request))
        while (answer := json.loads(await self.receive())).get("id") != request_id:
            pass
        return dict(answer)

    async def until_complete(self, count: int = 1) -> list[Message]:
        """Return the text notifications up to so many end markers, inclusive."""
        seen: list[Message] = []
        while [m["method"] for m in seen].count("subscriptionComplete") < count:
            seen.append(json.loads(await self.receive()))
        return seen


def slots(messages: list[Message]) -> list[int]:
    """Return the slots that were told of."""
    return [message["params"] for message in messages if message["method"] == "slotNotification"]


def failure(message: Message) -> object:
    """Return what an error says."""
    assert message["method"] == "error", message
    return message["params"]


async def closing_code(socket: WebSocketConnection) -> int:
    """Return the code that the server closes a socket with, once everything before it was read."""
    with trio.fail_after(HANG_SECONDS), pytest.raises(ConnectionClosed) as closed:
        while True:
            await socket.get_message()
    assert closed.value.reason is not None
    return int(closed.value.reason.code)


def creation(start_slot: int, end_slot: int) -> Message:
    """Return the parameters of a session as 0.28 writes them."""
    return {"startSlot": start_slot, "endSlot": end_slot, "sendSummary": False, "replayAccountState": False}


def old_creation(start_slot: int, end_slot: int) -> Message:
    """Return the parameters of a session as 0.9 writes them."""
    return {"startSlot": start_slot, "endSlot": end_slot, "signerFilter": [], "sendSummary": False, "agents": []}


def going_on(slots: int = 1, **params: object) -> Message:
    """Return the parameters of `continue`."""
    return {"advanceCount": slots, "transactions": [], "modifyAccountStates": {}, **params}


@asynccontextmanager
async def open_control(simulator: Listening, key: str = "") -> AsyncGenerator[Control]:
    """Open a control socket, with an API key or without."""
    headers = [("x-api-key", key)] if key else []
    async with open_socket(simulator, "/backtest", headers) as socket:
        yield Control(socket)


@asynccontextmanager
async def open_data(simulator: Listening, control: Control) -> AsyncGenerator[Data]:
    """Open a data socket of the session that `control` holds."""
    async with open_socket(simulator, control.endpoint) as socket:
        yield Data(socket)


@asynccontextmanager
async def open_socket(
    simulator: Listening, path: str, headers: Sequence[tuple[str, str]] = ()
) -> AsyncGenerator[WebSocketConnection]:
    """Open a WebSocket, and close its stream too: trio-websocket leaves it open where the server closed first."""
    async with await trio.open_tcp_stream("127.0.0.1", simulator.port) as stream, trio.open_nursery() as nursery:
        host = f"127.0.0.1:{simulator.port}"
        yield await wrap_client_stream(
            nursery, stream, host, path, extra_headers=[(n.encode(), v.encode()) for n, v in headers]
        )
        nursery.cancel_scope.cancel(reason="the test has ended")


async def post(simulator: Listening, endpoint: str, method: str, *params: object) -> httpx2.Response:
    """Post a JSON-RPC request to an endpoint."""
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    async with httpx2.AsyncClient(trust_env=False, timeout=HANG_SECONDS) as http:
        return await http.post(f"http://127.0.0.1:{simulator.port}{endpoint}", json=body)


async def get(simulator: Listening, path: str, headers: Mapping[str, str] | None = None) -> httpx2.Response:
    """Get a path."""
    async with httpx2.AsyncClient(trust_env=False, timeout=HANG_SECONDS) as http:
        return await http.get(f"http://127.0.0.1:{simulator.port}{path}", headers=headers)


async def handshake_status(simulator: Listening, path: str) -> int:
    """Return the status that a WebSocket handshake is answered with."""
    with trio.fail_after(HANG_SECONDS):
        async with await trio.open_tcp_stream("127.0.0.1", simulator.port) as stream:
            await stream.send_all(
                f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
            )
            return int((await stream.receive_some()).split()[1])
