"""The raw session: one control socket, and nothing managed. It never reconnects; for that there is the managed session.

Every method that waits reads the socket itself and takes what it waits for; everything else that comes meanwhile is kept, in order and
within a bound, for the iterator. So nothing is lost by waiting, and a wait that was cancelled can be repeated. One task reads at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import final

import trio

from ...errors import ConnectionLost, InputError, LocalProtocolError
from ...protocol.coverage import CoverageReport
from ...protocol.raw import AdvanceProgress
from ...protocol.waits import CloseWait, CreatedSession, ProgressWait, ResumeWait, StatusWait
from ...rpc import SessionRpc
from ...transport.http import HttpClient
from ...wire.accounts import AccountData
from ...wire.names import short_id
from ...wire.requests import CloseSession, Continue, ContinueTo, ControlRequest, ResumeAttachedSession
from ...wire.responses import Completed, ControlResponse
from ...wire.subscriptions import Subscription
from ...wire.urls import rpc_urls, websocket_url
from ..options import SessionOptions
from ..request import Address, continue_request, continue_to_request
from ..stream import NotificationStream
from .opening import RawIdentity
from .reader import OnEvent, RawReader
from .stream import open_raw_stream

__all__ = ["RawSession"]


@final
class RawSession:
    """One control socket and the session on it; made by `SimulatorClient.open_session` and `attach_session`.

    It is an async iterator of everything that no other method has taken, in order; it ends after `Completed`.
    """

    def __init__(
        self, reader: RawReader, identity: RawIdentity, *, control_url: str, http: HttpClient, options: SessionOptions
    ) -> None:
        """Take what the client made."""
        self._reader = reader
        self._machine = reader.machine
        self._control_url = control_url
        self._http = http
        self._options = options
        self._slots = identity.slots
        self._has_asked_to_close = False
        self.session_id: str = identity.session_id
        """The server's name for the session; of a parallel one for the whole, empty where the server (0.9) has none."""
        self.session_name: str | None = identity.session_name
        self.task_id: str | None = identity.task_id
        """The server's opaque name for the task that runs the session."""
        self.sessions: tuple[CreatedSession, ...] = identity.sessions
        """The sub-sessions of a parallel session; else the one session."""

    def __repr__(self) -> str:
        return f"<RawSession {short_id(self.session_id)} {self._state}>"

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
    def rpc_url(self) -> str:
        """The session's own endpoint for Solana's JSON-RPC over HTTP, which any Solana client can use; as secret as the session's id.

        Raises:
            LocalProtocolError: This is a parallel session, whose sub-sessions have one each: `rpc_of`.
        """
        return self._endpoint_of(self._only())

    @property
    def rpc(self) -> SessionRpc:
        """Solana JSON-RPC on the state after the last executed slot; may answer 503 before the first `ReadyForContinue`.

        Raises:
            LocalProtocolError: As for `rpc_url`.
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
            if self._slots is None:
                raise InputError(
                    "the range of a session that was attached to is not known: give start_slot and end_slot"
                )
            start_slot, end_slot = self._slots
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
        event = await self._reader.next_event()
        if event is None:
            raise StopAsyncIteration
        return event

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
        await self._reader.wait(ProgressWait(self._machine, slots=0, takes_progress=False))
        return self._machine.completed is None

    async def wait_for_status(self, status: str) -> None:
        """Wait for a status, such as `decodedTransactions`; one that waits unread already counts.

        Raises:
            LocalProtocolError: The run has completed without it.
            RemoteError, ConnectionLost, RemoteProtocolError: As for `wait_ready`.

        Cancellation: nothing is lost.
        """
        await trio.lowlevel.checkpoint_if_cancelled()  # before one that waits unread is taken
        wait = StatusWait(self._machine, status)
        await self._reader.wait(wait)
        if not wait.has_come:
            raise LocalProtocolError(f"the run has completed, and the status {status!r} will not come any more")

    def subscribe(
        self,
        subscription: Subscription,
        *,
        session: CreatedSession | None = None,
        replay_from_slot: int | None = None,
    ) -> AbstractAsyncContextManager[NotificationStream]:
        """Receive notifications while the block is open, over a data socket of their own that is not managed either.

            async with session.subscribe(Logs(mentions=program)) as logs:
                async for log in logs:
                    ...

        The block begins when the server has acknowledged the subscription. A socket that ends before the end marker ends the stream with
        `SubscriptionFailed`, after everything received; subscribe again with `replay_from_slot`, and know that its slot comes again. A
        stream that is not read holds its socket back, and nothing else.

        Args:
            subscription: What to receive.
            session: Of a parallel session: one of `sessions`.
            replay_from_slot: Begin with what happened from this slot on (inclusive); None: with the first slot of the session.

        Raises:
            InputError: `replay_from_slot` is not a slot, or the server has not said where the data plane is.
            LocalProtocolError: This is a parallel session, and `session` is not given.
            SubscriptionFailed: The server refused, or could not be reached; the cause says why.
        """
        url = websocket_url(self._endpoint_of(session or self._only()))
        return open_raw_stream(url, subscription, self._options, replay_from_slot=replay_from_slot)

    # Requests

    async def send(self, request: ControlRequest) -> None:
        """Send any request, and wait for nothing; what it leads to is read by iteration.

        Raises:
            InputError: It cannot be written.
            SessionClosed: The session was closed.
            ConnectionLost: The socket has ended; the request was not sent, or not wholly.

        Cancellation: the request is sent whole, or not at all; the session then counts as having taken it.
        """
        await self._reader.send(request)

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
        await self._reader.wait(ResumeWait())

    async def close(self) -> None:
        """End the session on the server and close the socket; of a parallel session all sub-sessions. What waits unread can still be taken.

        Raises:
            RemoteError: The server refused.

        A socket that ends before the answer counts as an answer. Cancellation: call it again, or leave the block.
        """
        if self._reader.is_closed:
            return

        try:
            if not self._has_asked_to_close:
                self._has_asked_to_close = True
                await self.send(CloseSession())
            await self._reader.wait(CloseWait())
        except ConnectionLost:
            pass  # that is how some servers answer
        await self.detach()

    async def detach(self) -> None:
        """Close the socket, and let the session live on the server until its disconnect timeout; `attach_session` takes it up again."""
        await self._reader.aclose()

    # Helpers

    async def _go_on(self, request: Continue | ContinueTo, *, slots: int, on_event: OnEvent | None) -> AdvanceProgress:
        if self._machine.completed is not None:
            raise LocalProtocolError("cannot advance: the run has completed; open a new session for more slots")
        if not self._machine.is_ready:
            raise LocalProtocolError("cannot advance: the session is not ready; call wait_ready first")

        await self.send(request)
        await self._reader.wait(ProgressWait(self._machine, slots=slots, takes_progress=True), on_event)
        return self._machine.progress

    @property
    def _state(self) -> str:
        if self._reader.is_closed:
            return "closed"
        if self.completed is not None:
            return "completed"
        return "ready" if self.is_ready else "running"

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
