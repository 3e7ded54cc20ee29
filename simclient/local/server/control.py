"""The control plane of one connection: requests in, answers and the events of its session out."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from typing import final

import trio

from ...errors import RemoteProtocolError
from ...transport.frames import encode_frames
from ...wire.accounts import AccountData
from ...wire.addresses import is_address
from ...wire.codec import read_request, write_response
from ...wire.failures import (
    BacktestFailure,
    InvalidAccountEncoding,
    InvalidAccountOwner,
    InvalidAccountPubkey,
    InvalidRequest,
    InvalidTransactionEncoding,
    SessionNotFound,
)
from ...wire.requests import (
    AttachSession,
    CloseSession,
    Continue,
    ContinueTo,
    ControlRequest,
    CreateSession,
    ResumeAttachedSession,
)
from ...wire.responses import ControlResponse, ErrorEvent, SessionAttached, SessionCreated, Success
from .replay_log import Reader
from .session import Advance, ServedSession
from .sessions import Refused, Sessions
from .websocket import Farewell, ServerSocket

__all__ = ["ControlConnection"]

_BATCH_EVENTS = 256
"""Events written at once; more would only delay the first of them."""
_NORMAL, _SUPERSEDED = 1000, 4001


@final
class ControlConnection:
    """One control socket and the session it holds."""

    def __init__(self, socket: ServerSocket, sessions: Sessions, rpc_path: str) -> None:
        """Take a socket; `rpc_path` is what comes before the session id in `rpcEndpoint`."""
        self._socket = socket
        self._sessions = sessions
        self._rpc_path = rpc_path
        self._session: ServedSession | None = None
        self._reader: Reader | None = None
        self._next_event = 0
        self._is_closed = False
        self._may_speak = trio.Event()

    async def listen(self) -> None:
        """Serve the client's requests until it has gone."""
        while True:
            text = await self._socket.receive()
            try:
                await self._serve(read_request(text))
            except RemoteProtocolError as error:
                await self._refuse(InvalidRequest(error=str(error)))
            except Refused as refused:
                await self._refuse(refused.failure)

    async def speak(self) -> Farewell:
        """Send the session's events until the session or the connection is to end."""
        await self._may_speak.wait()
        session = self._held()
        while not self._is_closed:
            if session.owner is not self:
                return Farewell(code=_SUPERSEDED, reason="another connection has attached to the session")
            if not await self._send_events(session):
                await session.bell.wait()
        return Farewell(code=_NORMAL, reason="the session was closed")

    def leave(self) -> None:
        """The socket has gone."""
        if self._session is None:
            return

        if self._reader is not None:
            self._session.events.remove_reader(self._reader)
        if not self._is_closed:
            self._sessions.abandon(self._session, self)

    async def _send_events(self, session: ServedSession) -> bool:
        """Send a batch of events; False: there is none."""
        end = min(session.events.end, self._next_event + _BATCH_EVENTS)
        if self._next_event == end:
            return False

        texts = [session.events[position] for position in range(self._next_event, end)]
        self._next_event = end
        if self._reader is not None:
            self._reader.position = end
        session.bell.ring()  # there may be room again
        await self._socket.send(encode_frames((False, text.encode()) for text in texts))
        return True

    async def _serve(self, request: ControlRequest) -> None:
        match request:
            case CreateSession(parallel=True):
                raise Refused(
                    InvalidRequest(error="this simulator does not serve parallel sessions; open several single ones")
                )
            case CreateSession():
                await self._create(request)
            case AttachSession():
                await self._attach(request)
            case ResumeAttachedSession():
                self._held()
                await self._answer(Success())
            case Continue():
                self._go(_checked(request))
            case ContinueTo(slot=slot, batch_index=None):
                self._go_to(slot)
            case ContinueTo():
                raise Refused(
                    InvalidRequest(error="this simulator stops at block boundaries only; leave batchIndex out")
                )
            case CloseSession():
                await self._close()
            case _:
                raise Refused(InvalidRequest(error=f"{type(request).__name__} is only for parallel sessions"))

    async def _create(self, request: CreateSession) -> None:
        self._check_free()
        session = self._sessions.create(request.params)
        self._hold(session, 0)
        await self._answer(
            SessionCreated(
                session_id=session.session_id,
                rpc_endpoint=f"{self._rpc_path}/{session.session_id}",
                session_name=request.name,
            )
        )
        self._may_speak.set()

    async def _attach(self, request: AttachSession) -> None:
        self._check_free()
        session = self._sessions.get(request.session_id)
        if session is None:
            raise Refused(SessionNotFound(session_id=request.session_id))

        last = request.last_sequence or 0
        if not session.events.oldest <= last <= session.events.end:
            raise Refused(
                InvalidRequest(
                    error=f"events after {last} are not kept; there are {session.events.oldest + 1} to {session.events.end}"
                )
            )

        self._hold(session, last)
        await self._answer(
            SessionAttached(session_id=session.session_id, rpc_endpoint=f"{self._rpc_path}/{session.session_id}")
        )
        self._may_speak.set()

    def _check_free(self) -> None:
        if self._session is not None:
            raise Refused(InvalidRequest(error="this connection has a session already; open another connection"))

    def _hold(self, session: ServedSession, next_event: int) -> None:
        """Take a session; before anything is awaited, so that neither it nor its events are gone by then."""
        self._session, self._next_event = session, next_event
        self._reader = session.events.add_reader(next_event)
        session.owner = self
        session.bell.ring()  # whoever held it before leaves

    def _held(self) -> ServedSession:
        if self._session is None:
            raise Refused(InvalidRequest(error="this connection has no session; create one or attach first"))
        if self._session.owner is not self:
            raise Refused(InvalidRequest(error="another connection has attached to the session"))

        return self._session

    def _go_to(self, slot: int) -> None:
        session = self._held()
        if slot <= session.slot:
            raise Refused(InvalidRequest(error=f"slot {slot} is behind: the session has executed slot {session.slot}"))

        self._go(Advance(pause_after=slot))

    def _go(self, advance: Advance) -> None:
        if not self._held().ask(advance):
            raise Refused(InvalidRequest(error="the session is not ready; wait for readyForContinue"))

    async def _close(self) -> None:
        session = self._held()
        self._sessions.end(session)
        await self._answer(Success())
        self._is_closed = True
        session.bell.ring()

    async def _refuse(self, failure: BacktestFailure) -> None:
        await self._answer(ErrorEvent(failure=failure))

    async def _answer(self, response: ControlResponse) -> None:
        await self._socket.send_text(write_response(response))


def _checked(request: Continue) -> Advance:
    """Decode what a `continue` carries.

    Raises:
        Refused: With the index or the address of the first bad part.
    """
    if not request.advance_count:
        raise Refused(InvalidRequest(error="advanceCount is 0; give at least 1"))

    return Advance(
        slots=request.advance_count,
        transactions=tuple(_transaction(text, index) for index, text in enumerate(request.transactions)),
        modifications=_modifications(request.modify_account_states),
    )


def _transaction(text: str, index: int) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError as error:
        raise Refused(InvalidTransactionEncoding(index=index, error=str(error))) from error


def _modifications(accounts: Mapping[str, AccountData]) -> Mapping[str, AccountData]:
    for address, account in accounts.items():
        if not is_address(address):
            raise Refused(InvalidAccountPubkey(address=address, error="not base58 of 32 bytes"))
        if not is_address(account.owner):
            raise Refused(InvalidAccountOwner(address=address, error="not base58 of 32 bytes"))
        try:
            account.data.decode()
        except ValueError as error:
            encoding = account.data.encoding
            raise Refused(InvalidAccountEncoding(address=address, encoding=encoding, error=str(error))) from error
    return accounts
