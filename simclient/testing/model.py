"""A backtest service that keeps all its promises, in memory or on loopback, and knows everything that it ever said.

Unlike a scripted server it can be connected to in any order and any number of times, and its sessions live on when connections break:
- Control: create (the same token gives the same session), numbered events, attach with replay, resume, `continue`, `continueTo`, close.
- Data: the numbered notifications of several keys, `replayFromSlot`, zstd where it is asked for, end markers; `getSlot` over HTTP.
- Out of a seed it takes the liberties that a service may take (`Manners`), and lets time pass between everything.

It is patient with what arrives damaged: it ends that connection. `problems` lists what a client did that no client may do.
"""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import final

import h11
import trio
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from ..wire.failures import SessionNotFound, SessionOwnershipBusy
from ..wire.requests import AttachSession, CloseSession, Continue, ContinueTo, CreateSession, ResumeAttachedSession
from ..wire.responses import ErrorEvent, SessionAttached, SessionCreated, Success
from .connection import Connection, HttpAnswer, HttpRequest, ScriptFailure, read_http_request
from .ground_truth import GroundTruth, NumberedDiff
from .memory import MemoryNetwork, listen
from .model_session import Manners, ModelSession
from .peer import ControlPeer, DataPeer, Peer

__all__ = ["ModelServer", "open_model_server"]

_CONTROL_PATH = "/backtest"
_CLOSURES = 0.05
"""How likely a connection is ended before a message, by a server whose manners are so."""
_MOST_CLOSURES = 6
_DAMAGED = (
    ScriptFailure,
    LocalProtocolError,
    RemoteProtocolError,
    h11.ProtocolError,
    UnicodeError,
    trio.BrokenResourceError,
)
"""What it means that something arrived damaged, or that the client has gone."""


@asynccontextmanager
async def open_model_server(
    truths: Mapping[str, GroundTruth],
    *,
    seed: int = 0,
    manners: Manners = Manners(),  # noqa: B008  # frozen
    network: MemoryNetwork | None = None,
) -> AsyncIterator[ModelServer]:
    """Serve while the block is open, on a free port of 127.0.0.1 or of a network in memory.

    Args:
        truths: By address, what happens on each key; the notifications of a slot are there when it has been executed.
        seed: For the liberties, and for the time that passes.
        manners: Which liberties.
        network: Where to listen in place of TCP.
    """
    listener, port = await listen(network)
    async with trio.open_nursery() as nursery:
        model = ModelServer(truths, port, seed, manners, nursery)
        nursery.start_soon(trio.serve_listeners, model._serve, [listener])
        try:
            yield model
        finally:
            nursery.cancel_scope.cancel(reason="the block has ended")


@final
class ModelServer:
    """A service that is running; made by `open_model_server`.

    Attributes:
        url: The control endpoint, for `open_backtest_session`.
        sessions: All that were ever created, by id.
        problems: What a client did that no client may do.
        connections: How many are open now.
    """

    def __init__(
        self, truths: Mapping[str, GroundTruth], port: int, seed: int, manners: Manners, nursery: trio.Nursery
    ) -> None:
        """Take what `open_model_server` made."""
        self.url = f"ws://127.0.0.1:{port}{_CONTROL_PATH}"
        self.sessions: dict[str, ModelSession] = {}
        self.problems: list[str] = []
        self.connections = 0
        self._truths = truths
        self._dice = random.Random(seed)  # noqa: S311  # reproducible on purpose
        self._manners = manners
        self._nursery = nursery
        self._closures_left = _MOST_CLOSURES
        self._by_token: dict[str, ModelSession] = {}

    def __repr__(self) -> str:
        return f"<ModelServer {self.url} sessions={len(self.sessions)}>"

    async def _serve(self, stream: trio.abc.Stream) -> None:
        self.connections += 1
        try:
            async with stream:
                await self._answer(stream)
        except* _DAMAGED:
            pass  # its client comes back, or does not
        finally:
            self.connections -= 1

    async def _answer(self, stream: trio.abc.Stream) -> None:
        request = await read_http_request(stream)
        if request is None:
            return

        session = self.sessions.get(request.path.rsplit("/", 1)[-1])
        if not request.is_upgrade:
            await stream.send_all(_answer_rpc(session, request).encode())
        elif request.path == _CONTROL_PATH:
            await self._converse(stream, request)
        elif session is None:
            await stream.send_all(HttpAnswer(status=404).encode())
        else:
            await self._stream(stream, request, session)

    # Control

    async def _converse(self, stream: trio.abc.Stream, request: HttpRequest) -> None:
        connection = Connection(stream, request, label="control", on_message=_ignore)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(connection.pump)
            await self._control(ControlPeer(connection, rpc_endpoint=_CONTROL_PATH), nursery)
            nursery.cancel_scope.cancel(reason="the conversation has ended")

    async def _control(self, peer: ControlPeer, nursery: trio.Nursery) -> None:
        opening = await peer.receive_request()
        if isinstance(opening, CreateSession):
            session = self._create(opening)
        elif isinstance(opening, AttachSession):
            found = self.sessions.get(opening.session_id)
            if found is None or found.is_closed or self._manners.forgets_sessions:
                await peer.send(ErrorEvent(failure=SessionNotFound(session_id=opening.session_id)))
                return
            if self._dice.random() < self._manners.is_busy_at_attach:
                await peer.send(ErrorEvent(failure=SessionOwnershipBusy(reason="it is being moved")))
                return
            session = found
        else:
            self.problems.append(f"a conversation began with {type(opening).__name__}")
            return

        with session.own():
            await session.pause()
            said = await self._introduce(peer, session, opening)
            if said is not None:
                nursery.start_soon(self._report, peer, session, said)
                await self._obey(peer, session)

    def _create(self, request: CreateSession) -> ModelSession:
        token = request.create_token
        if token is not None and token in self._by_token:
            return self._by_token[token]

        dice = random.Random(self._dice.getrandbits(32))  # noqa: S311  # reproducible on purpose
        session = ModelSession(f"s{len(self.sessions) + 1}", request, dice, self._manners)
        self.sessions[session.session_id] = session
        if token is not None:
            self._by_token[token] = session
        return session

    async def _introduce(
        self, peer: ControlPeer, session: ModelSession, opening: CreateSession | AttachSession
    ) -> int | None:
        """Answer the first request; return how many events the client has now, or None if the session was closed."""
        endpoint = peer.rpc_endpoint(session.session_id)
        if isinstance(opening, CreateSession):
            await peer.send(SessionCreated(session_id=session.session_id, rpc_endpoint=endpoint))
            return 0

        await peer.send(SessionAttached(session_id=session.session_id, rpc_endpoint=endpoint))
        start, said = session.replay_start(opening.last_sequence), len(session.log)
        await peer.send(*session.log[start:said], seq_id=start + 1)
        request = await peer.receive_request()
        if isinstance(request, CloseSession):
            await _close(peer, session)
            return None
        if not isinstance(request, ResumeAttachedSession):
            self.problems.append(f"an attach was followed by {type(request).__name__}")
            return None

        await session.pause()
        await peer.send(Success())
        return said

    async def _obey(self, peer: ControlPeer, session: ModelSession) -> None:
        while True:
            request = await peer.receive_request()
            if isinstance(request, CloseSession):
                await _close(peer, session)
                return
            if not isinstance(request, Continue | ContinueTo):
                self.problems.append(f"a running session was sent {type(request).__name__}")
            elif session.take(request):
                self._nursery.start_soon(session.execute, request)
            else:
                self.problems.append(f"a session that was not waiting was sent {type(request).__name__}")

    async def _report(self, peer: ControlPeer, session: ModelSession, said: int) -> None:
        """Tell what happens, from the event after `said` on."""
        while True:
            await session.wait_for_events(said)
            await self._close_perhaps(peer)
            await peer.send(session.log[said], seq_id=said + 1)
            said += 1

    async def _close_perhaps(self, peer: Peer) -> None:
        """End the connection now and then, if those are the manners; whoever goes on sending finds it ended."""
        code = self._manners.closes_with
        if code is not None and self._closures_left and self._dice.random() < _CLOSURES:
            self._closures_left -= 1
            await peer.close(code, "so it goes")
            await peer.hold_until_gone()

    # Data

    async def _stream(self, stream: trio.abc.Stream, request: HttpRequest, session: ModelSession) -> None:
        connection = Connection(stream, request, label="data", on_message=_ignore)
        peer = DataPeer(connection)
        compresses = self._dice.random() < self._manners.compresses
        async with trio.open_nursery() as nursery:
            nursery.start_soon(connection.pump)
            for subscription_id in count(self._dice.randint(1, 1000)):
                subscribe = await peer.receive_subscribe()
                truth = self._truths.get(subscribe.key.address or "")
                if truth is None:
                    await peer.refuse_subscribe(subscribe, -32602, "nothing happens on this key")
                    continue

                diffs = session.stream_from(truth, subscribe.replay_from_slot)
                await session.pause()
                await peer.acknowledge(subscribe, subscription_id)
                if subscribe.compress and compresses:
                    peer.start_compressing()
                    compresses = False
                nursery.start_soon(self._feed, peer, session, diffs, subscription_id)

    async def _feed(
        self, peer: DataPeer, session: ModelSession, diffs: Sequence[NumberedDiff], subscription_id: int
    ) -> None:
        """Give one subscription its notifications and its end marker."""
        for diff in diffs:
            await session.wait_for_slot(diff.slot)
            if session.is_closed:
                return
            await self._close_perhaps(peer)
            await peer.notify(diff.result, subscription_id=subscription_id)
        await session.wait_for_the_end_of_data()
        if not (session.is_closed or self._manners.never_ends_streams):
            await peer.complete(subscription_id)


async def _close(peer: ControlPeer, session: ModelSession) -> None:
    session.close()
    await peer.send(Success())
    await peer.hold()


def _answer_rpc(session: ModelSession | None, request: HttpRequest) -> HttpAnswer:
    """Answer `getSlot`, the one method there is."""
    if session is None:
        return HttpAnswer(status=404)

    try:
        asked = json.loads(request.body)
        answer = {"jsonrpc": "2.0", "id": asked["id"], "result": session.slot}
        if asked["method"] != "getSlot":
            answer = {"jsonrpc": "2.0", "id": asked["id"], "error": {"code": -32601, "message": "Method not found"}}
    except (ValueError, KeyError, TypeError):
        return HttpAnswer(status=400)

    return HttpAnswer(body=json.dumps(answer).encode(), headers={"Content-Type": "application/json"})


def _ignore(message: str | bytes) -> None:
    """Keep no record of what is said."""
