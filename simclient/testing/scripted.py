"""A scripted backtest service on loopback: real sockets, real WebSockets, and a script for every connection.

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue())
        await peer.expect(Continue)
        await peer.send(Completed())
        await peer.accept_close()

    async with open_scripted_server(control=[control]) as server:
        async with open_backtest_session(server.url, start_slot=100, slot_count=5) as session:
            ...

Rules:
- The first control connection runs the first control script, the second the second, and so on; data connections likewise, in the order
  in which the client opens them. A connection for which no script is left is refused and fails the test.
- What a script raises comes out of the block, and ends its body at once. A script that is still running when the body has ended gets
  `exit_seconds`: a client that keeps a connection open longer fails the test. So does a script that was never reached.
- If a script failed, its error comes out; what the body raised meanwhile is that error's context.
- The API key is checked if the server was given one; a key on the data plane, where none belongs, always fails the test.

The server says values of `simclient.wire`; it knows no rule of the protocol beyond what a script says.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Generic, TypeVar, final

import trio

from ..wire.codec import read_request
from ..wire.generation import NEWEST, Generation
from ..wire.requests import ControlRequest
from .connection import Connection, HttpAnswer, HttpRequest, ScriptFailure, read_http_request
from .memory import AnyListener, MemoryNetwork, listen
from .peer import ControlPeer, DataPeer

__all__ = ["ControlScript", "DataScript", "HttpHandler", "ScriptedServer", "open_scripted_server"]

ControlScript = Callable[[ControlPeer], Awaitable[None]]
DataScript = Callable[[DataPeer], Awaitable[None]]
HttpHandler = Callable[[HttpRequest], HttpAnswer]

Script = TypeVar("Script")
EndOfPeer = TypeVar("EndOfPeer", ControlPeer, DataPeer)

_CONTROL_PATH = "/backtest"
_KEY_HEADER = "x-api-key"
_UNAVAILABLE = HttpAnswer(status=503)
"""The answer to what nobody scripted; RPC answers so before the first `readyForContinue`."""


def _no_http(request: HttpRequest) -> HttpAnswer:
    return _UNAVAILABLE


@asynccontextmanager
async def open_scripted_server(
    *,
    control: Iterable[ControlScript] = (),
    data: Iterable[DataScript] = (),
    api_key: str | None = None,
    http: HttpHandler = _no_http,
    generation: Generation = NEWEST,
    exit_seconds: float = 5.0,
    network: MemoryNetwork | None = None,
) -> AsyncIterator[ScriptedServer]:
    """Serve scripts on a free port of 127.0.0.1, or of a network in memory, while the block is open.

    Args:
        control: A script for each control connection. One that never ends, such as `itertools.repeat(script)`, need not be used up.
        data: A script for each data connection.
        api_key: Refuse control connections that do not carry this key with 401.
        http: Answers what is not a request for a WebSocket: RPC, ranges; 503 by default.
        generation: Whose spelling to use for responses.
        exit_seconds: How long scripts may go on after the end of the block.
        network: Where to listen in place of TCP; clients connect with its `open_stream`.

    Raises:
        ScriptFailure: The client did not do what a script says.
        Exception: Whatever else a script raised, or the body.
    """
    listener, port = await listen(network)
    server = ScriptedServer(
        listener,
        port,
        control=_Scripts("control", control),
        data=_Scripts("data", data),
        api_key=api_key,
        http=http,
        generation=generation,
    )
    body_error: BaseException | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server._serve, name=f"scripted server {server.port}")
        with server._body:
            try:
                yield server
            except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  # raised below, outside of the nursery's group
                body_error = error
        if body_error is None:
            await server._wait_for_scripts(exit_seconds)
        nursery.cancel_scope.cancel(reason="the block has ended")

    if server._failures:
        raise server._failures[0] from body_error
    if body_error is not None:
        raise body_error


@final
class ScriptedServer:
    """What a test sees of the server.

    Attributes:
        port: Where it listens.
        url: The control endpoint, for `open_backtest_session`.
    """

    def __init__(
        self,
        listener: AnyListener,
        port: int,
        *,
        control: _Scripts[ControlScript],
        data: _Scripts[DataScript],
        api_key: str | None,
        http: HttpHandler,
        generation: Generation,
    ) -> None:
        """Take what `open_scripted_server` made."""
        self.port = port
        self.url = f"ws://127.0.0.1:{self.port}{_CONTROL_PATH}"
        self._listener = listener
        self._control = control
        self._data = data
        self._api_key = api_key
        self._http = http
        self._generation = generation
        self._body = trio.CancelScope()
        self._failures: list[Exception] = []
        self._running: set[Connection] = set()
        self._one_ended = trio.Event()
        self._said: list[str | bytes] = []

    def __repr__(self) -> str:
        return f"<ScriptedServer {self.url}>"

    @property
    def requests(self) -> tuple[ControlRequest, ...]:
        """Everything that was asked on control connections so far, in order, whether a script took it or not."""
        return tuple(read_request(message) for message in self._said)

    @property
    def control_connections(self) -> int:
        """How many control connections were opened so far."""
        return self._control.used

    @property
    def data_connections(self) -> int:
        """How many data connections were opened so far."""
        return self._data.used

    async def _serve(self) -> None:
        await trio.serve_listeners(self._serve_connection, [self._listener])

    async def _serve_connection(self, stream: trio.abc.Stream) -> None:
        """Serve one connection; no failure of it ends the others."""
        async with stream:
            try:
                await self._answer(stream)
            except Exception as error:  # noqa: BLE001  # whatever a script raises belongs to the test, which gets it
                self._fail(error)

    async def _answer(self, stream: trio.abc.Stream) -> None:
        request = await read_http_request(stream)
        if request is None:
            return

        if not request.is_upgrade:
            await stream.send_all(self._http(request).encode())
        elif request.path != _CONTROL_PATH:
            await self._run_data(stream, request)
        elif self._api_key not in (None, request.headers.get(_KEY_HEADER)):
            await stream.send_all(HttpAnswer(status=401).encode())
        else:
            await self._run_control(stream, request)

    async def _run_control(self, stream: trio.abc.Stream, request: HttpRequest) -> None:
        label, script = self._control.take()
        connection = Connection(stream, request, label=label, on_message=self._said.append)
        peer = ControlPeer(connection, rpc_endpoint=_CONTROL_PATH, generation=self._generation)
        await self._run(connection, script, peer)

    async def _run_data(self, stream: trio.abc.Stream, request: HttpRequest) -> None:
        label, script = self._data.take()
        if _KEY_HEADER in request.headers:
            raise ScriptFailure(f"{label}: the client sent its API key to the data plane")

        connection = Connection(stream, request, label=label, on_message=_ignore)
        await self._run(connection, script, DataPeer(connection))

    async def _run(
        self, connection: Connection, script: Callable[[EndOfPeer], Awaitable[None]], peer: EndOfPeer
    ) -> None:
        """Run one script, with the pump beside it, and end the connection when it returns."""
        self._running.add(connection)
        failure: Exception | None = None
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(connection.pump, name=f"pump of {connection.label}")
                try:
                    await script(peer)
                except Exception as error:  # noqa: BLE001  # raised below, outside of the nursery's group
                    failure = error
                connection.cut()
                nursery.cancel_scope.cancel(reason="the script has ended")
        finally:
            self._running.discard(connection)
            self._one_ended.set()
        if failure is not None:
            raise failure

    def _fail(self, error: Exception) -> None:
        self._failures.append(error)
        self._body.cancel(reason="a script failed")

    async def _wait_for_scripts(self, exit_seconds: float) -> None:
        """Let the scripts finish; report those that do not, and those that were never reached."""
        with trio.move_on_after(exit_seconds):
            while any(not connection.is_frozen for connection in self._running):
                self._one_ended = trio.Event()
                await self._one_ended.wait()
        if self._failures:
            return

        late = sorted(connection.label for connection in self._running if not connection.is_frozen)
        if late:
            self._failures.append(
                ScriptFailure(f"{exit_seconds:g} s after the end of the block these go on: {', '.join(late)}")
            )
        missed = [text for text in (self._control.describe_missed(), self._data.describe_missed()) if text]
        if missed:
            self._failures.append(ScriptFailure(f"the client never came for {' and '.join(missed)}"))


class _Scripts(Generic[Script]):
    """The scripts of one plane, to be taken in turn."""

    def __init__(self, plane: str, scripts: Iterable[Script]) -> None:
        self._plane = plane
        self._count = len(scripts) if isinstance(scripts, Sequence) else None
        self._left = iter(scripts)
        self.used = 0

    def take(self) -> tuple[str, Script]:
        """Return a name for the next connection, and its script."""
        self.used += 1
        label = f"{self._plane} connection {self.used}"
        for script in self._left:
            return label, script

        raise ScriptFailure(f"{label}: the client opened it, but there is no script for it")

    def describe_missed(self) -> str:
        """Return which scripts were not taken; nothing if all were, or if their number is not known."""
        missed = 0 if self._count is None else self._count - self.used
        return f"{missed} of the {self._count} {self._plane} scripts" if missed > 0 else ""


def _ignore(message: str | bytes) -> None:
    """Keep no record of what is said on the data plane: it is the script that reads it."""
