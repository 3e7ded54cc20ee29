"""The embedded simulator as a whole: one port for control, data, RPC and `/available-ranges`.

It listens on 127.0.0.1 unless told otherwise, and then only with a key, and refuses requests that a web page could have made a browser
send (`guard.py`).
"""

from __future__ import annotations

import errno
import ipaddress
import itertools
import resource
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Final, final

import trio

from ...errors import ConnectionLost, InputError
from ...transport.endings import reset_stream
from ...transport.faults import FaultPlan
from ...transport.faulty import FaultyStream
from ...transport.outside_trio import require_trio
from ...wire.generation import NEWEST
from ...wire.ranges import AvailableRange, write_ranges
from ..bundle import shipped_bundle
from .bundles import ServedBundles, read_bundles, read_recordings
from .control import ControlConnection
from .data import DataConnection
from .guard import has_key, is_loopback_address, refusal_of
from .http import HttpAnswer, HttpConnection, HttpRefused, HttpRequest, json_answer, refusal, unasked
from .limits import DEFAULT_LIMITS, SimulatorLimits
from .purse import Purse
from .sessions import Client, Sessions
from .websocket import accept_websocket, converse

__all__ = ["LocalSimulator", "open_local_simulator"]

_LOOPBACK: Final = "127.0.0.1"
_CONTROL_PATH: Final = "/backtest"
_RANGES_PATH: Final = "/available-ranges"
_KEEPALIVE: Final = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 6}
"""After so many seconds of silence the system asks, again after so many more, and so often; not every system has these names."""
_LAST_WORDS_SECONDS: Final = 1.0
"""They go into the buffer of a socket that is empty: at once."""
_ACCOUNT_STATE: Final = b"include_account_state=true"


@asynccontextmanager
async def open_local_simulator(
    bundles: Path | str | Sequence[Path | str] = (),
    *,
    port: int = 0,
    split_slots: int | None = None,
    recordings: Path | str | Sequence[Path | str] = (),
    speed: float | None = None,
    faults: FaultPlan | None = None,
    host: str = _LOOPBACK,
    api_key: str | None = None,
    limits: SimulatorLimits = DEFAULT_LIMITS,
) -> AsyncGenerator[LocalSimulator]:
    """Serve bundles on loopback for the block; leaving it ends every session and its engine process.

    Args:
        bundles: The file or files to replay; by default, where there are no recordings either, the market that comes with the package.
        port: Where to listen; 0 takes any free port.
        split_slots: Offer each bundle also in pieces of so many slots: a parallel session has one sub-session per bundle or piece.
        recordings: Sessions that were recorded, to be given again; a folder stands for the recordings in it, as a parallel run makes them.
        speed: Of the recordings, as a multiple of the recorded one; None: as fast as clients take it.
        faults: What befalls each connection, in the order in which they are opened; such plans are made by `simclient.testing`.
        host: The address to listen on; other than loopback only with a key.
        api_key: What a client must send as `X-API-Key` to have a control socket; None: nothing.
        limits: What clients may ask of it.

    Raises:
        BundleError: A bundle or a recording cannot be read.
        LocalProtocolError: This is not a trio program.
        InputError: The port is taken, or is none; or `split_slots` is less than 1, or `speed` no speed.
    """
    require_trio("open_local_simulator")
    if split_slots is not None and split_slots < 1:
        raise InputError(f"split_slots is {split_slots}: a piece has at least one slot")
    recorded = read_recordings(_paths(recordings), speed=speed)
    paths = _paths(bundles) or ([] if recorded else [shipped_bundle()])
    served = ServedBundles((*recorded, *read_bundles(paths)), split_slots=split_slots)
    _check_host(host, api_key)
    [listener] = await _listen(host, port)
    error: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            simulator = LocalSimulator(served, listener, limits, nursery, host=host, key=api_key)
            handler = simulator.serve if faults is None else _FaultyService(simulator, faults).serve
            nursery.start_soon(partial(trio.serve_listeners, handler, [listener]), name="simulator")
            try:
                yield simulator
            finally:
                nursery.cancel_scope.cancel(reason="the simulator's block has ended")
    except BaseExceptionGroup as group:
        errors = list(group.exceptions)
        if len(errors) > 1:
            raise
        error = errors[0]
    if error is not None:
        raise error


@final
class LocalSimulator:
    """A simulator that serves; made by `open_local_simulator`."""

    def __init__(
        self,
        bundles: ServedBundles,
        listener: trio.SocketListener,
        limits: SimulatorLimits,
        nursery: trio.Nursery,
        *,
        host: str,
        key: str | None,
    ) -> None:
        self._limits = limits
        self._is_public = not is_loopback_address(host)
        self._key = None if key is None else key.encode()
        self._purse = Purse(limits.max_unfinished_bytes)
        self._connections = 0
        self._most_connections = min(limits.max_connections, _connections_of_process() or limits.max_connections)
        self._sessions = Sessions(bundles, limits, nursery)
        self.port: int = listener.socket.getsockname()[1]
        self.url: str = f"ws://{f'[{host}]' if ':' in host else host}:{self.port}{_CONTROL_PATH}"
        """The control socket's."""
        self.ranges: tuple[AvailableRange, ...] = bundles.ranges
        """What can be replayed."""
        self._account_state = bundles.account_state_ranges

    def __repr__(self) -> str:
        return f"<LocalSimulator {self.url}>"

    async def serve(self, stream: trio.abc.Stream) -> None:
        """Serve one connection."""
        if self._connections >= self._most_connections:
            await _turn_away(stream, self._most_connections)
            return

        self._connections += 1
        try:
            await self._serve(stream)
        finally:
            self._connections -= 1

    async def _serve(self, stream: trio.abc.Stream) -> None:
        connection = HttpConnection(stream, self._limits, self._purse)
        async with stream:
            try:
                while (request := await connection.next_request()) is not None:
                    if request.is_upgrade:
                        await self._upgrade(stream, connection, request)
                        return
                    if not await connection.answer(await self._answer(connection, request)):
                        break
                await connection.hang_up()
            except HttpRefused as refused:
                await connection.answer(refused.answer)
                await connection.hang_up()
            except ConnectionLost:
                return  # the client has gone: for a server the end of a connection is no failure
            finally:
                connection.release()

    async def _answer(self, connection: HttpConnection, request: HttpRequest) -> HttpAnswer:
        refused = refusal_of(request.headers, is_public=self._is_public)
        if refused is not None:
            return refusal(403, refused)

        if request.path == _RANGES_PATH:
            if request.method not in ("GET", "HEAD"):
                return refusal(405, f"{request.method} is not served here", headers=(("allow", "GET, HEAD"),))
            has_account_state = _ACCOUNT_STATE in request.target.partition(b"?")[2].split(b"&")
            return json_answer(write_ranges((*self.ranges, *(self._account_state if has_account_state else ()))))
        if request.path.startswith(f"{_CONTROL_PATH}/"):
            return await self._rpc(connection, request)
        if request.path == _CONTROL_PATH:
            return refusal(426, "this is a WebSocket endpoint", headers=(("upgrade", "websocket"),))
        return refusal(404, f"nothing is served at {request.path[:100]}")

    async def _rpc(self, connection: HttpConnection, request: HttpRequest) -> HttpAnswer:
        session = self._sessions.get(request.path.removeprefix(f"{_CONTROL_PATH}/"))
        if session is None:
            return refusal(404, "there is no such session; it may have ended")
        if request.method != "POST":
            return refusal(405, f"{request.method} is not served here", headers=(("allow", "POST"),))
        if session.has_ended:
            return refusal(410, "the session has failed; its control connection says why")
        if session.engine is None:
            return refusal(503, "the session is not ready", headers=(("retry-after", "1"),))

        try:
            return connection.charged(await session.engine.rpc(request.body))
        except ConnectionLost as error:
            return refusal(502, str(error))

    async def _upgrade(self, stream: trio.abc.Stream, connection: HttpConnection, request: HttpRequest) -> None:
        """Serve a WebSocket on either plane.

        Raises:
            HttpRefused: There is none at that path, or not for this client.
            ConnectionLost: The client has gone.
        """
        refused = refusal_of(request.headers, is_public=self._is_public)
        if refused is not None:
            raise HttpRefused(refusal(403, refused))

        path = request.path.rstrip("/")
        session = self._sessions.get_with_data(path.removeprefix(f"{_CONTROL_PATH}/"))
        if path != _CONTROL_PATH and session is None:
            raise HttpRefused(refusal(404, "there is no such session; it may have ended"))

        if session is None and not has_key(request.headers, self._key):
            raise HttpRefused(refusal(401, "the X-API-Key header does not have this simulator's key"))

        websocket = await accept_websocket(stream, connection, request, self._limits, self._purse)
        plane: ControlConnection | DataConnection
        if session is None:
            plane = ControlConnection(websocket, self._sessions, _client_of(request), _CONTROL_PATH)
        else:
            plane = DataConnection(websocket, session, self._sessions.reading, self._limits)
        try:
            await converse(websocket, listen=plane.listen, speak=plane.speak, close_seconds=self._limits.close_seconds)
        finally:
            websocket.release()
            plane.leave()


def _client_of(request: HttpRequest) -> Client:
    """Tell who asks by a digest of the key: the key itself is kept nowhere."""
    key = next((value for name, value in request.headers if name == b"x-api-key"), None)
    return Client(generation=NEWEST, key=None if key is None else sha256(key).digest())


@final
class _FaultyService:
    """Serves connections with the faults of a plan."""

    def __init__(self, simulator: LocalSimulator, plan: FaultPlan) -> None:
        self._simulator = simulator
        self._plan = plan
        self._numbers = itertools.count()

    async def serve(self, stream: trio.SocketStream) -> None:
        """Serve one connection."""
        faults = self._plan(next(self._numbers))
        if faults.is_refused:
            reset_stream(stream)
            return

        await self._simulator.serve(FaultyStream(stream, faults, is_server=True))


def _connections_of_process() -> int | None:
    """Return how many sockets may be taken of the files that this process may open: half, since sessions need files too; None: any."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if most == resource.RLIM_INFINITY else most // 2


async def _turn_away(stream: trio.abc.Stream, most: int) -> None:
    """Say why and close, whatever the client has asked."""
    answer = refusal(503, f"there are {most} connections already; close one first")
    with trio.move_on_after(_LAST_WORDS_SECONDS), suppress(trio.BrokenResourceError):
        await stream.send_all(unasked(answer))
    await trio.aclose_forcefully(stream)


async def _listen(host: str, port: int) -> list[trio.SocketListener]:
    if not 0 <= port < 2**16:
        raise InputError(f"{port} is not a port: give 1 to 65535, or 0 for any free one")

    try:
        listeners = await trio.open_tcp_listeners(port, host=host)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise InputError(f"port {port} is taken: give another one, or 0 for any free one") from error
        raise InputError(f"cannot listen on port {port} of {host}: {error}") from error

    for listener in listeners:
        # What is accepted inherits it: a client that has vanished without a word is noticed after two minutes or so.
        listener.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE.items():
            if hasattr(socket, option):
                listener.socket.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return listeners


def _paths(given: Path | str | Sequence[Path | str]) -> list[Path]:
    return [Path(given)] if isinstance(given, Path | str) else [Path(path) for path in given]


def _check_host(host: str, key: str | None) -> None:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise InputError(
            f"{host!r} is not an address to listen on: give one of this machine's, such as {_LOOPBACK}"
        ) from None

    if not is_loopback_address(host) and not key:
        raise InputError(f"{host} can be reached by other machines: that takes a key, which clients send as X-API-Key")
