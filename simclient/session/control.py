"""The control task: one control socket after another, and the control machine between the socket and the user.

The task reads, feeds the machine and carries out its commands; a child per socket writes, another keeps it alive. Reading stops only
while more control events wait for the user than the inbox may hold.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager

import trio

from ..errors import ConnectError, ConnectionLost, RemoteProtocolError, SimClientError
from ..protocol.budget import ReconnectBudget
from ..protocol.commands import Closed, Command, Complete, Deliver, Fail, Opened, Reconnect, Send
from ..protocol.control import ControlMachine, Phase
from ..transport.websocket import WebSocket
from ..wire.codec import read_response, write_request
from ..wire.requests import Continue, ContinueTo, CreateSession
from ..wire.responses import Completed, SessionAttached, SessionCreated, SlotNotification
from .inbox import Inbox
from .limits import Limits
from .tasks import open_tasks

__all__ = ["ControlTask"]

_UNWRITTEN_REQUESTS = 16
"""Requests waiting for the writer; the machine never has more than a handful on their way."""
_FIRST_ATTEMPTS = 3
"""Connections tried before there is a session: enough for a server that is just starting, not a long silence for a wrong address."""
_UNREADABLE_IN_A_ROW = 2
"""A message that cannot be read may have been damaged on its way; one that cannot be read again, with no new event between, was sent so."""
_KEEPALIVE_GRACE_SECONDS = 1.0
"""After the deadline, before the verdict: lets the reader run first when the event loop itself was blocked."""

OpenSocket = Callable[[], AbstractAsyncContextManager[WebSocket]]


class ControlTask:
    """Owns the control plane of one session."""

    def __init__(
        self,
        create: CreateSession,
        *,
        open_socket: OpenSocket,
        is_local: bool,
        inbox: Inbox,
        limits: Limits,
        on_completed: Callable[[Completed], None],
        on_failure: Callable[[SimClientError], None],
    ) -> None:
        self._machine = ControlMachine(
            create, response_seconds=limits.response_seconds, grace_seconds=limits.continue_grace_seconds
        )
        self._open_socket = open_socket
        self._is_local = is_local
        self._unconnected = 0
        self._inbox = inbox
        self._limits = limits
        self._on_completed = on_completed
        self._on_failure = on_failure
        self._budget = ReconnectBudget(limits.reconnect, random.random)
        self._outbox: trio.MemorySendChannel[str] | None = None
        self._backoff = trio.CancelScope()
        self._reading = trio.CancelScope()
        self._lost: ConnectionLost | None = None
        self._reading_since = math.inf
        self._is_up = False
        self._unreadable = 0
        self._has_failed = False
        self.session: SessionCreated | SessionAttached | None = None
        self._close_asked = trio.Event()
        self._has_come_back_to_close = False
        self.opened = trio.Event()
        """Set when the session exists, and when it never will."""
        self.ended = trio.Event()
        """Set when nothing more will come from the control plane."""
        self.events = 0
        self.reconnects = 0
        self.last_slot: int | None = None

    @property
    def machine(self) -> ControlMachine:
        """The rules, for their counts."""
        return self._machine

    async def run(self) -> None:
        """Keep the control plane up until the session is closed, or fails.

        A completed run needs no control plane: a socket lost after that is only replaced to close the session.
        """
        try:
            while not self._is_over:
                error = await self._one_socket()
                self._perform(self._machine.disconnected())
                if self._is_over or (self._close_asked.is_set() and isinstance(error, ConnectError)):
                    return
                if self._machine.is_complete:
                    await self._close_asked.wait()
                elif self._close_asked.is_set() and not self._has_come_back_to_close:
                    self._has_come_back_to_close = True  # at once: leaving is short
                else:
                    await self._wait_for_the_next_attempt(error)
        finally:
            self.opened.set()
            self.ended.set()

    def advance(self, request: Continue | ContinueTo) -> None:
        """Queue a request; it is written when control and all subscriptions are up.

        Raises:
            LocalProtocolError: The session is not waiting for a request.
        """
        self._perform(self._machine.advance(request))

    def set_data_up(self, is_up: bool) -> None:
        """All subscriptions are up, or one of them no longer is."""
        self._perform(self._machine.data_up(is_up))

    def close(self) -> None:
        """End the session on the server, if it can be reached; `ended` is set when that is done and the socket is closed."""
        self._close_asked.set()
        self._perform(self._machine.close())
        self._backoff.cancel(reason="the session is being closed")

    # One socket after another

    @property
    def _is_over(self) -> bool:
        return self._has_failed or self._machine.phase is Phase.ENDED

    async def _one_socket(self) -> SimClientError:
        """Connect, converse until the socket or the session ends; return why it ended."""
        try:
            async with self._open_socket() as socket:
                self._unconnected = 0
                await self._converse(socket)
        except (ConnectError, ConnectionLost, RemoteProtocolError) as error:
            self._unconnected += isinstance(error, ConnectError)
            return error

        return ConnectionLost("the control connection was closed")

    async def _wait_for_the_next_attempt(self, error: SimClientError) -> None:
        retry_at = self._budget.failed(trio.current_time())
        if retry_at is None or self._is_hopeless(error):
            self._fail(self._verdict(error))
            return

        self.reconnects += 1
        with trio.CancelScope() as self._backoff:
            await trio.sleep_until(retry_at)

    def _is_hopeless(self, error: SimClientError) -> bool:
        match error:
            case ConnectError(retryable=False):
                return True
            case ConnectError() if self.session is None and self._machine.possible_orphans == 0:
                return self._budget.failures >= _FIRST_ATTEMPTS
            case ConnectError() if self._is_local:
                return self._unconnected >= self._limits.local_attempts
            case RemoteProtocolError():
                return self.session is None or self._unreadable >= _UNREADABLE_IN_A_ROW
            case _:
                return False

    def _verdict(self, error: SimClientError) -> SimClientError:
        """Say what the run ends with: the error itself, or that the budget is spent."""
        if self._is_local and self.session is not None and isinstance(error, ConnectError):
            gone = ConnectionLost(f"the simulator has gone, and the session with it: {error}")
            gone.__cause__ = error
            return gone
        if self._is_hopeless(error):
            return error

        spent = self._budget.describe(trio.current_time())
        verdict = ConnectionLost(f"the control connection could not be kept up ({spent}); the last error was: {error}")
        verdict.__cause__ = error
        return verdict

    # One socket

    async def _converse(self, socket: WebSocket) -> None:
        self._lost = None
        self._is_up = False
        async with open_tasks() as tasks:
            outbox, requests = trio.open_memory_channel[str](_UNWRITTEN_REQUESTS)
            self._outbox = outbox
            try:
                tasks.start_soon(_write, socket, requests, name="control writer")
                tasks.start_soon(self._keep_alive, socket, name="control keepalive")
                self._perform(self._machine.connected(trio.current_time()))
                await self._read(socket)
            finally:
                self._outbox = None
                outbox.close()

    async def _read(self, socket: WebSocket) -> None:
        """Read until the session is closed; raise when the socket is lost."""
        while self._machine.phase is not Phase.ENDED:
            await self._inbox.wait_for_room()
            text = await self._next_message(socket)
            if self._lost is None:
                self._receive(text)
            if self._lost is not None:
                raise self._lost

    async def _next_message(self, socket: WebSocket) -> str | bytes | None:
        """Return the next message; None when the machine's deadline came first, or the reading was cancelled with a reason."""
        deadline = self._machine.deadline
        self._reading_since = trio.current_time()
        try:
            with trio.CancelScope(deadline=math.inf if deadline is None else deadline) as self._reading:
                return await socket.receive()
        finally:
            self._reading_since = math.inf
        return None

    def _receive(self, text: str | bytes | None) -> None:
        now = trio.current_time()
        if text is None:
            self._perform(self._machine.wake(now))
            return

        self._unreadable += 1
        message = read_response(text)
        events = self.events
        if isinstance(message.response, SlotNotification):
            self.last_slot = max(self.last_slot or 0, message.response.slot)
        self._perform(self._machine.receive(message, now))
        if self.events != events:
            self._unreadable = 0
        if self._machine.phase is Phase.RUNNING and not self._is_up:
            self._is_up = True
            self._budget.connected(now)

    async def _keep_alive(self, socket: WebSocket) -> None:
        limits = self._limits
        while True:
            try:
                await socket.ping()
            except ConnectionLost:
                return  # the reader notices by itself
            await trio.sleep(limits.keepalive_interval_seconds)
            if self._is_silent(socket):
                await trio.sleep(_KEEPALIVE_GRACE_SECONDS)
                if self._is_silent(socket):
                    self._lose(f"no traffic for {limits.keepalive_deadline_seconds:g} s")

    def _is_silent(self, socket: WebSocket) -> bool:
        """Silence counts only while we were reading: a user who sleeps causes no false alarm."""
        since = max(socket.last_inbound, self._reading_since)
        return trio.current_time() - since > self._limits.keepalive_deadline_seconds

    def _lose(self, reason: str) -> None:
        self._lost = ConnectionLost(f"the control connection was given up: {reason}")
        self._reading.cancel(reason=reason)

    # What the machine decided

    def _perform(self, commands: Iterable[Command]) -> None:
        for command in commands:
            match command:
                case Send(request):
                    if self._outbox is not None:
                        self._outbox.send_nowait(write_request(request))
                case Opened(session):
                    self.session = session
                    self.opened.set()
                case Deliver(event):
                    self.events += 1
                    self._inbox.put_event(event)
                case Complete(event):
                    self.events += 1
                    self._on_completed(event)
                case Reconnect(reason):
                    self._lose(reason)
                case Fail(error):
                    self._fail(error)
                case Closed():
                    self._reading.cancel(reason="the session is closed")

    def _fail(self, error: SimClientError) -> None:
        self._has_failed = True
        self._on_failure(error)


async def _write(socket: WebSocket, requests: trio.MemoryReceiveChannel[str]) -> None:
    """Write requests in order until the socket is lost, which the reader notices by itself."""
    with requests:
        try:
            async for text in requests:
                await socket.send(text)
        except ConnectionLost:
            return
