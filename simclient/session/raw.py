"""The raw session: one control socket, and nothing managed. It never reconnects; for that there is the managed session.

Every method that waits reads the socket itself and takes what it waits for; everything else that comes meanwhile is kept, in order and
within a bound, for the iterator. So nothing is lost by waiting, and a wait that was cancelled can be repeated. One task reads at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import final

import trio

from ..errors import ConnectionLost, InputError, LocalProtocolError, RemoteError, SessionClosed
from ..protocol.coverage import CoverageReport
from ..protocol.raw import AdvanceProgress, RawMachine
from ..protocol.waits import (
    AttachWait,
    CloseWait,
    CreatedSession,
    CreateWait,
    ProgressWait,
    ResumeWait,
    StatusWait,
    Wait,
)
from ..rpc import SessionRpc
from ..transport.http import HttpClient
from ..transport.websocket import WebSocket
from ..wire.accounts import AccountData
from ..wire.codec import read_response, write_request
from ..wire.requests import (
    AttachSession,
    CloseSession,
    Continue,
    ContinueTo,
    ControlRequest,
    CreateSession,
    ResumeAttachedSession,
)
from ..wire.responses import Completed, ControlResponse, SequencedResponse
from ..wire.urls import rpc_urls
from .request import Address, continue_request, continue_to_request

__all__ = ["RawSession"]

OnEvent = Callable[[ControlResponse], None]


@final
class RawSession:
    """One control socket and the session on it; made by `SimulatorClient.open_session` and `attach_session`.

    It is an async iterator of everything that no other method has taken, in order; it ends after `Completed`.
    """

    def __init__(self, socket: WebSocket, machine: RawMachine, *, control_url: str, http: HttpClient) -> None:
        """Take an open socket on which nothing was said yet; the client does this."""
        self._socket = socket
        self._machine = machine
        self._control_url = control_url
        self._http = http
        self._is_read = False
        self._is_closed = False
        self._is_detached = False
        self._range: tuple[int, int] | None = None
        self.session_id: str = ""
        """The server's name for the session; of a parallel one for the whole, empty where the server (0.9) has none."""
        self.session_name: str | None = None
        self.task_id: str | None = None
        """The server's opaque name for the task that runs the session."""
        self.sessions: tuple[CreatedSession, ...] = ()
        """The sub-sessions of a parallel session; else the one session."""

    def __repr__(self) -> str:
        state = "closed" if self._is_closed else "ready" if self.is_ready else "open"
        return f"<RawSession {self.session_id[:16]} {state}>"

    # What is known

    @property
    def is_ready(self) -> bool:
        """Whether the session waits for a request."""
        return self._machine.is_ready

    @property
    def completed(self) -> Completed | None:
        """The end of the range, once it was received."""
        return self._machine.completed

    @property
    def last_sequence(self) -> int | None:
        """The sequence number up to which everything was handed to you: attach with it, and nothing is missing; None: there was none.

        What waits unread holds it back: `take_unread` before you store it.
        """
        return self._machine.last_sequence

    @property
    def progress(self) -> AdvanceProgress:
        """What has come since the last request to go on, however it was read; also after a cancelled `advance`."""
        return self._machine.progress

    @property
    def rpc_endpoint(self) -> str:
        """The URL of the session's RPC.

        Raises:
            LocalProtocolError: This is a parallel session, whose sub-sessions have one each: `rpc_of`.
        """
        return self._endpoint_of(self._only())

    @property
    def rpc(self) -> SessionRpc:
        """Solana JSON-RPC on the state after the last executed slot; may answer 503 before the first `ReadyForContinue`.

        Raises:
            LocalProtocolError: As for `rpc_endpoint`.
        """
        return self.rpc_of(self._only())

    def rpc_of(self, session: CreatedSession) -> SessionRpc:
        """Return the RPC of one of `sessions`.

        Raises:
            InputError: The server has not said where it is.
        """
        return SessionRpc(self._endpoint_of(session), self._http)

    def coverage(self, start_slot: int | None = None, end_slot: int | None = None) -> CoverageReport:
        """Compare the slots that were executed with a range, inclusive on both ends; by default with the one asked for.

        Raises:
            InputError: The session was attached to, so that its range is not known here, and none is given.
        """
        if start_slot is None or end_slot is None:
            if self._range is None:
                raise InputError(
                    "the range of a session that was attached to is not known: give start_slot and end_slot"
                )
            start_slot, end_slot = self._range
        return self._machine.coverage.report(
            start_slot, end_slot, is_complete=self._machine.has_completed(one.session_id for one in self.sessions)
        )

    # Events

    def __aiter__(self) -> RawSession:
        return self

    async def __anext__(self) -> ControlResponse:
        """Return the next event that no other method has taken.

        Raises:
            StopAsyncIteration: The run has completed, or the session was closed, and everything was given.
            ConnectionLost: The socket has ended, and everything was given.
            RemoteProtocolError: A message cannot be read.
            LocalProtocolError: Another task is reading.

        Cancellation: no event is lost.
        """
        waiting = self._machine.take()
        if waiting is not None:
            await trio.lowlevel.checkpoint()
            return waiting
        if self._is_closed or self._machine.is_over:
            raise StopAsyncIteration

        with self._reading_alone():
            return (await self._receive()).response

    def take_unread(self) -> list[ControlResponse]:
        """Return what no method has taken so far, in order, without waiting for more: what the last wait has left."""
        return self._machine.take_all()

    async def wait_ready(self) -> bool:
        """Wait until the session waits for a request.

        Returns:
            True; False where the run has completed, so that there is nothing to go on with.

        Raises:
            RemoteError: The server reported an error other than `simulationError`.
            ConnectionLost, RemoteProtocolError, LocalProtocolError: As for iteration; also where too many events wait unread.

        Cancellation: nothing is lost.
        """
        await self._wait(ProgressWait(self._machine, slots=0, takes_progress=False))
        return self._machine.completed is None

    async def wait_for_status(self, status: str) -> None:
        """Wait for a status, such as `decodedTransactions`; one that waits unread already counts.

        Raises:
            LocalProtocolError: The run has completed without it.
            RemoteError, ConnectionLost, RemoteProtocolError: As for `wait_ready`.

        Cancellation: nothing is lost.
        """
        wait = StatusWait(self._machine, status)
        await self._wait(wait)
        if not wait.has_come:
            raise LocalProtocolError(f"the run has completed, and the status {status!r} will not come any more")

    # Requests

    async def send(self, request: ControlRequest) -> None:
        """Send any request, and wait for nothing; what it leads to is read by iteration.

        Raises:
            InputError: It cannot be written.
            SessionClosed: The session was closed.
            ConnectionLost: The socket has ended; the request was not sent, or not wholly.

        Cancellation: the request is sent whole, or not at all; the session then counts as having taken it.
        """
        if self._is_closed:
            raise SessionClosed("the session is closed: nothing more can be asked of it")

        text = write_request(request)
        self._machine.requested(request)  # before its answer can be read by another task
        await self._socket.send(text)

    async def advance(
        self,
        slots: int = 1,
        *,
        transactions: Sequence[object] = (),
        modify_accounts: Mapping[Address, AccountData] | None = None,
        on_event: OnEvent | None = None,
    ) -> AdvanceProgress:
        """Execute the next `slots` slots, and wait until each was announced and the session is ready again, or has completed.

        Where slots of the range may have no block, use `continue_until_ready`: a skipped slot is not announced.

        Args:
            slots: How many, 1 or more, counted from the current slot (exclusive).
            transactions: Executed before the slot's own: signed transactions as bytes, or anything whose `bytes()` is one.
            modify_accounts: By address, set before the slot; 0 lamports delete an account.
            on_event: Called with each event as it comes, also with those that are kept for iteration.

        Returns:
            The slots, statuses and readiness, which are taken; other events, such as discoveries, are kept for iteration.

        Raises:
            InputError: A value cannot be used.
            LocalProtocolError: The session is not ready, or has completed; nothing was sent.
            RemoteError: The server reported an error other than `simulationError`; `payload` says which.
            ConnectionLost, RemoteProtocolError, SessionClosed: As for `send` and iteration.

        Cancellation: what had come is in `progress`; `wait_ready` waits for the rest.
        Source: method `continue`; `advance` of simulator-client 0.9.0.
        """
        request = continue_request(slots, transactions, modify_accounts or {})
        return await self._go_on(request, slots=slots, on_event=on_event)

    async def continue_until_ready(
        self,
        slots: int = 1,
        *,
        transactions: Sequence[object] = (),
        modify_accounts: Mapping[Address, AccountData] | None = None,
        on_event: OnEvent | None = None,
    ) -> AdvanceProgress:
        """Do as `advance`, but wait only until the session is ready again, or has completed, however many slots were announced."""
        request = continue_request(slots, transactions, modify_accounts or {})
        return await self._go_on(request, slots=0, on_event=on_event)

    async def advance_to(
        self, slot: int, *, batch_index: int | None = None, on_event: OnEvent | None = None
    ) -> AdvanceProgress:
        """Execute up to `slot`, or to just before batch `batch_index` of it, and wait until the session has stopped there or completed.

        Raises:
            InputError, LocalProtocolError, RemoteError, ConnectionLost, RemoteProtocolError, SessionClosed: As for `advance`.

        Source: method `continueTo`, simulator-api 0.9.0.
        """
        return await self._go_on(continue_to_request(slot, batch_index), slots=0, on_event=on_event)

    async def resume(self) -> None:
        """Let a session that was attached to run again; do so when its subscriptions are up.

        Raises:
            RemoteError: The server refused; after `SessionOwnershipBusy` it may be asked again.
            ConnectionLost, RemoteProtocolError, LocalProtocolError, SessionClosed: As for `send` and iteration.
        """
        await self.send(ResumeAttachedSession())
        await self._wait(ResumeWait())

    async def close(self) -> None:
        """End the session on the server and close the socket; of a parallel session all sub-sessions. What waits unread can still be taken.

        Raises:
            RemoteError: The server refused.

        A socket that ends before the answer counts as an answer. Cancellation: the socket is closed when the block is left.
        """
        if self._is_closed:
            return

        try:
            await self.send(CloseSession())
            await self._wait(CloseWait())
        except ConnectionLost:
            pass  # that is how some servers answer
        await self.detach()

    async def detach(self) -> None:
        """Close the socket, and let the session live on the server until its disconnect timeout; `attach_session` takes it up again."""
        self._is_closed = True
        await self._socket.aclose()

    # For the client

    async def create(
        self,
        request: CreateSession,
        *,
        response_seconds: float,
        on_created: Callable[[CreatedSession], None] | None = None,
    ) -> None:
        """Create the session; the client does this.

        Raises:
            RemoteError: The server refused.
            ConnectionLost: It did not answer.
        """
        self._range = (request.params.start_slot, request.params.end_slot)
        wait = CreateWait(is_parallel=request.parallel, on_created=on_created)
        await self._ask(request, wait, response_seconds)
        self.sessions = tuple(wait.created)
        if request.parallel:
            self.session_id = wait.control_session_id or ""
            self.session_name = wait.control_session_name
        else:
            self._name_after(self.sessions[0])

    async def attach(self, session_id: str, *, response_seconds: float) -> None:
        """Take up a session; the client does this.

        Raises:
            RemoteError: The server refused.
            ConnectionLost: It did not answer.
        """
        wait = AttachWait()
        request = AttachSession(session_id=session_id, last_sequence=self._machine.last_sequence)
        await self._ask(request, wait, response_seconds)
        assert wait.attached is not None
        attached = wait.attached
        self.sessions = (
            CreatedSession(
                session_id=attached.session_id,
                task_id=attached.task_id,
                session_name=attached.session_name,
                rpc_endpoint=attached.rpc_endpoint,
            ),
        )
        self._name_after(self.sessions[0])

    async def leave(self) -> None:
        """Close the session if that was not done; the client does this at the end of the block."""
        try:
            await self.close()
        except (RemoteError, LocalProtocolError):
            return  # refused, or another task is still reading: the block's own outcome is what counts

    # Helpers

    async def _go_on(self, request: Continue | ContinueTo, *, slots: int, on_event: OnEvent | None) -> AdvanceProgress:
        if self._machine.completed is not None:
            raise LocalProtocolError("cannot advance: the run has completed; open a new session for more slots")
        if not self._machine.is_ready:
            raise LocalProtocolError("cannot advance: the session is not ready; call wait_ready first")

        await self.send(request)
        await self._wait(ProgressWait(self._machine, slots=slots, takes_progress=True), on_event)
        return self._machine.progress

    async def _ask(self, request: ControlRequest, wait: Wait, response_seconds: float) -> None:
        """Send a request and wait for its answer, so long at most between two messages."""
        await self.send(request)
        with self._reading_alone():
            while not wait.is_over:
                with trio.move_on_after(response_seconds) as patience:
                    message = await self._receive()
                    if not wait.takes(message):
                        self._machine.keep(message)
                if patience.cancelled_caught:
                    raise ConnectionLost(f"no answer to {type(request).__name__} for {response_seconds:g} s")

    async def _wait(self, wait: Wait, on_event: OnEvent | None = None) -> None:
        """Read until the wait is over; keep what it does not take."""
        if wait.is_over:
            await trio.lowlevel.checkpoint()
            return

        with self._reading_alone():
            while not wait.is_over:
                message = await self._receive()
                if not wait.takes(message):
                    self._machine.keep(message)
                if on_event is not None:
                    on_event(message.response)

    async def _receive(self) -> SequencedResponse:
        """Return the next message that is no replay."""
        if self._is_closed:
            raise SessionClosed("the session is closed: nothing more is read from it")

        while True:
            self._machine.check_room()
            message = read_response(await self._socket.receive())
            if self._machine.receive(message):
                return message

    @contextmanager
    def _reading_alone(self) -> Iterator[None]:
        if self._is_read:
            raise LocalProtocolError("another task reads this session: only one may iterate or wait at a time")

        self._is_read = True
        try:
            yield
        finally:
            self._is_read = False

    def _name_after(self, session: CreatedSession) -> None:
        self.session_id = session.session_id
        self.session_name = session.session_name
        self.task_id = session.task_id

    def _only(self) -> CreatedSession:
        if len(self.sessions) != 1:
            raise LocalProtocolError(
                f"this parallel session has {len(self.sessions)} sub-sessions with an RPC each: use rpc_of(session.sessions[…])"
            )

        return self.sessions[0]

    def _endpoint_of(self, session: CreatedSession) -> str:
        if session.rpc_endpoint is None:
            raise InputError(f"the server has not said where the RPC of session {session.session_id} is; attach to it")

        return rpc_urls(self._control_url, session.rpc_endpoint)[0]
