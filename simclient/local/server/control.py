"""The control plane of one connection: requests in, answers and the events of what it holds out.

- An answer to a request has no sequence number, and is written in between the events.
- What is wrong with a request for one sub-session is an event of that sub-session: the bare `error` would not say whose it is.
- A creation that waits for a free place is carried out beside the listening, so that pings are answered meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import final

import attrs
import trio

from ...errors import RemoteProtocolError
from ...transport.frames import encode_frames
from ...wire.codec import write_response
from ...wire.failures import BacktestFailure, InvalidRequest, NoMoreBlocks, SessionNotFound
from ...wire.requests import (
    AttachParallelSession,
    AttachSession,
    CloseSession,
    CloseSubSession,
    Continue,
    ContinueSubSession,
    ContinueSubSessionTo,
    ContinueTo,
    ControlRequest,
    CreateSession,
    ResumeAttachedSession,
)
from ...wire.responses import (
    ControlResponse,
    ErrorEvent,
    ParallelSessionAttached,
    SessionAttached,
    SessionCreated,
    SessionsCreatedV2,
    Success,
)
from .advance import Advance
from .control_session import ControlSession, Envelope
from .refusals import Refused, for_generation
from .replay_log import Reader
from .requests import check_continue, check_continue_to, read_control
from .session import ServedSession
from .sessions import Client, Sessions
from .websocket import Farewell, ServerSocket

__all__ = ["ControlConnection"]

_BATCH_EVENTS = 256
"""Events written at once; more would only delay the first of them, and the other sub-sessions'."""
_NORMAL, _SUPERSEDED = 1000, 4001


@attrs.define(eq=False)
class _Stream:
    """The events of one session on this connection."""

    session: ServedSession
    reader: Reader
    envelope: Envelope


@final
class ControlConnection:
    """One control socket and what it holds."""

    def __init__(self, socket: ServerSocket, sessions: Sessions, client: Client, rpc_path: str) -> None:
        """Take a socket; `rpc_path` is what comes before the session id in `rpcEndpoint`."""
        self._socket = socket
        self._sessions = sessions
        self._client = client
        self._rpc_path = rpc_path
        self._control: ControlSession | None = None
        self._streams: list[_Stream] = []
        self._is_closed = False
        self._creation: CreateSession | None = None
        self._may_begin = trio.Event()

    async def listen(self) -> None:
        """Serve the client's requests until it has gone."""
        while True:
            text = await self._socket.receive()
            try:
                request, generation = await self._sessions.reading.read(text, read_control)
                if generation is not None:
                    self._client = attrs.evolve(self._client, generation=generation)
                await self._serve(request, len(text))
            except RemoteProtocolError as error:
                await self._refuse(InvalidRequest(error=str(error)))
            except Refused as refused:
                await self._refuse(refused.failure)

    async def speak(self) -> Farewell:
        """Send the events of what is held until that or the connection is to end."""
        control = await self._taken_up()
        while not self._is_closed:
            if control.owner is not self:
                return Farewell(code=_SUPERSEDED, reason="another connection has attached to the session")
            has_sent = False
            for stream in [one for one in self._streams if one.session.session_id in control.members]:
                has_sent |= await self._send_events(stream)
            if not has_sent:
                await control.bell.wait()
        return Farewell(code=_NORMAL, reason="the session was closed")

    def leave(self) -> None:
        """The socket has gone."""
        for stream in self._streams:
            stream.session.events.remove_reader(stream.reader)
        if self._control is not None and not self._is_closed:
            self._sessions.abandon(self._control, self)

    async def _taken_up(self) -> ControlSession:
        """Carry out creations until one succeeds, or wait until something is attached."""
        while True:
            await self._may_begin.wait()
            request, self._creation = self._creation, None
            if request is None:
                return self._held()

            try:
                await self._create(request)
            except Refused as refused:
                self._may_begin = trio.Event()
                await self._refuse(refused.failure)

    async def _send_events(self, stream: _Stream) -> bool:
        """Send a batch of events; False: there is none, and nothing was awaited."""
        reader = stream.reader
        first = reader.position
        texts = stream.session.events.read(first, _BATCH_EVENTS)
        if not texts:
            return False

        frames = [(False, stream.envelope(number, text)) for number, text in enumerate(texts, first + 1)]
        reader.position += len(texts)
        stream.session.bell.ring()  # there may be room again
        await self._socket.send(encode_frames(frames))
        return True

    async def _serve(self, request: ControlRequest, size: int) -> None:
        match request:
            case CreateSession():
                self._check_free()
                self._creation = request
                self._may_begin.set()
            case AttachSession(session_id=session_id, last_sequence=last):
                start = last or 0
                await self._attach(lambda: self._sessions.attach(session_id, start, self._client), {session_id: start})
            case AttachParallelSession(control_session_id=control_id, last_sequences=cursors):
                await self._attach(lambda: self._sessions.attach_parallel(control_id, self._client), dict(cursors))
            case ResumeAttachedSession():
                self._held()
                await self._answer(Success())
            case Continue():
                self._only()  # before work is spent on it
                advance = await self._sessions.reading.work(size, partial(check_continue, request))
                self._go(self._only(), advance)
            case ContinueTo():
                session = self._only()
                self._go(session, check_continue_to(request, session.position))
            case CloseSession():
                await self._close()
            case _:
                await self._serve_member(request, size)

    async def _serve_member(
        self, request: ContinueSubSession | ContinueSubSessionTo | CloseSubSession, size: int
    ) -> None:
        """Serve a request for one sub-session; what is wrong with it is said by that sub-session."""
        control = self._held()
        session = self._sessions.get(request.session_id)
        if session is None or request.session_id not in control.members:
            raise Refused(SessionNotFound(session_id=request.session_id))

        try:
            match request:
                case ContinueSubSession(request=going_on):
                    advance = await self._sessions.reading.work(size, partial(check_continue, going_on))
                    self._go(session, advance)
                case ContinueSubSessionTo(request=going_to):
                    self._go(session, check_continue_to(going_to, session.position))
                case CloseSubSession():
                    session.say_closed()
                    self._sessions.end_member(request.session_id)
        except Refused as refused:
            session.fail(refused.failure)

    async def _create(self, request: CreateSession) -> None:
        control = await self._sessions.create(request, self._client)
        self._hold(control, {})
        for session_id in control.members:
            await self._answer(
                SessionCreated(
                    session_id=session_id,
                    rpc_endpoint=f"{self._rpc_path}/{session_id}",
                    session_name=None if control.is_parallel else control.name,
                )
            )
        if control.is_parallel:
            members = control.members.values()
            await self._answer(
                SessionsCreatedV2(
                    control_session_id=control.control_id,
                    session_ids=tuple(control.members),
                    task_ids=(None,) * len(members),
                    start_slots=tuple(member.params.start_slot for member in members),
                    end_slots=tuple(member.params.end_slot for member in members),
                    control_session_name=control.name,
                )
            )

    async def _attach(self, find: Callable[[], ControlSession], cursors: dict[str, int]) -> None:
        self._check_free()
        control = find()
        self._client = attrs.evolve(self._client, generation=control.generation)
        self._hold(control, cursors)
        if control.is_parallel:
            ids = tuple(control.members)
            await self._answer(
                ParallelSessionAttached(
                    control_session_id=control.control_id, session_ids=ids, task_ids=(None,) * len(ids)
                )
            )
        else:
            [session_id] = control.members
            await self._answer(
                SessionAttached(
                    session_id=session_id, rpc_endpoint=f"{self._rpc_path}/{session_id}", session_name=control.name
                )
            )
        self._may_begin.set()

    def _check_free(self) -> None:
        if self._control is not None:
            raise Refused(InvalidRequest(error="this connection has a session already; open another connection"))
        if self._creation is not None or self._may_begin.is_set():
            raise Refused(InvalidRequest(error="this connection is creating a session already"))

    def _hold(self, control: ControlSession, cursors: dict[str, int]) -> None:
        """Take up a session; before anything is awaited, so that neither it nor its events are gone by then.

        Raises:
            Refused: What comes after a cursor is not kept; nothing has changed.
        """
        starts = control.cursors(cursors)
        for session_id, start in starts.items():
            control.members[session_id].check_kept(start)
        for session_id, start in starts.items():
            session = control.members[session_id]
            self._streams.append(_Stream(session, session.events.add_reader(start), control.envelope_of(session)))
        self._control = control
        control.owner = self
        control.bell.ring()  # whoever held it before leaves

    def _held(self) -> ControlSession:
        if self._control is None:
            raise Refused(InvalidRequest(error="this connection has no session; create one or attach first"))
        if self._control.owner is not self:
            raise Refused(InvalidRequest(error="another connection has attached to the session"))

        return self._control

    def _only(self) -> ServedSession:
        control = self._held()
        if control.is_parallel:
            raise Refused(
                InvalidRequest(error="a parallel session goes on by continueSessionV1 or continueToSessionV1")
            )

        [session] = control.members.values()
        return session

    def _go(self, session: ServedSession, advance: Advance) -> None:
        if session.has_completed:
            raise Refused(NoMoreBlocks())
        if not session.ask(advance):
            raise Refused(InvalidRequest(error="the session is not ready; wait for readyForContinue"))

    async def _close(self) -> None:
        control = self._held()
        self._sessions.end(control)
        await self._answer(Success())
        self._is_closed = True
        control.bell.ring()

    async def _refuse(self, failure: BacktestFailure) -> None:
        await self._answer(ErrorEvent(failure=for_generation(failure, self._client.generation)))

    async def _answer(self, response: ControlResponse) -> None:
        await self._socket.send_text(write_response(response, generation=self._client.generation))
