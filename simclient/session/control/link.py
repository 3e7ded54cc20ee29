"""The control socket of a block, one after another, and the machine that it feeds; for single and parallel sessions alike.

The link reads, feeds the machine and carries out what concerns the socket (write, reconnect, close); all else goes to its owner. Per
socket a child writes and another keeps it alive. Reading stops only while the owner has no room for more events.
"""

from __future__ import annotations

import math
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol, final

import trio

from ...errors import ConnectError, ConnectionLost, HttpError, RemoteProtocolError, SimClientError
from ...protocol.budget import ReconnectBudget
from ...protocol.commands import Closed, Command, Reconnect, Send
from ...transport.websocket import WebSocket
from ...wire.codec import read_response
from ...wire.requests import ControlRequest
from ...wire.responses import SequencedResponse
from ..connections import ConnectionChange, ConnectionObserver, ConnectionState
from ..limits import Limits
from ..tasks import Tasks, open_tasks
from .outbox import Outbox

__all__ = ["LATE_SECONDS", "ControlLink", "ControlRules", "OpenSocket"]

_FIRST_ATTEMPTS = 3
"""Connections tried before there is a session: enough for a server that is just starting, not a long silence for a wrong address."""
_UNREADABLE_IN_A_ROW = 2
"""A message that cannot be read may have been damaged on its way; one that cannot be read again, with no new event between, was sent so."""
_KEEPALIVE_GRACE_SECONDS = 1.0
"""After the deadline, before the verdict: lets the reader run first when the event loop itself was blocked."""

LATE_SECONDS = 1.0
"""A timer that fires later than this tells of a program that blocks the event loop, not of the network."""

OpenSocket = Callable[[], AbstractAsyncContextManager[WebSocket]]


class ControlRules(Protocol):
    """A machine of the control plane, as far as the link looks at it."""

    possible_orphans: int

    @property
    def deadline(self) -> float | None:
        """When `wake` must be called."""
        ...

    @property
    def is_running(self) -> bool:
        """Whether the current socket has been answered."""
        ...

    @property
    def is_over(self) -> bool:
        """Whether there is nothing to stay connected for."""
        ...

    @property
    def is_complete(self) -> bool:
        """Whether the run needs no control plane any more, but to be closed."""
        ...

    @property
    def has_session(self) -> bool:
        """Whether the server has ever given a session."""
        ...

    def connected(self, now: float) -> list[Command]:
        """A new socket is up."""
        ...

    def disconnected(self, unwritten: Sequence[ControlRequest]) -> list[Command]:
        """The socket is gone, and these requests were not written to it."""
        ...

    def receive(self, message: SequencedResponse, now: float) -> list[Command]:
        """The server said something."""
        ...

    def wake(self, now: float) -> list[Command]:
        """The deadline may have come."""
        ...

    def close(self) -> list[Command]:
        """End the session on the server."""
        ...


@final
class ControlLink:
    """Keeps one machine connected."""

    def __init__(
        self,
        rules: ControlRules,
        *,
        open_socket: OpenSocket,
        is_local: bool,
        limits: Limits,
        carry_out: Callable[[Command], None],
        wait_for_room: Callable[[], Awaitable[None]],
        on_failure: Callable[[SimClientError], None],
        observe: ConnectionObserver,
    ) -> None:
        """Take what the link works with.

        Args:
            rules: The machine.
            open_socket: Opens a new control socket.
            is_local: Whether the server is on this machine.
            limits: Deadlines.
            carry_out: Does what a command says that does not concern the socket.
            wait_for_room: Returns when there is room for another event.
            on_failure: Told once, when the link cannot be kept up.
            observe: Told of every change of the connection.
        """
        self._rules = rules
        self._open_socket = open_socket
        self._is_local = is_local
        self._limits = limits
        self._carry_out = carry_out
        self._wait_for_room = wait_for_room
        self._on_failure = on_failure
        self._observe = observe
        self._budget = ReconnectBudget(limits.reconnect, random.random)
        self._unconnected = 0
        self._outbox: Outbox | None = None
        self._beside: Tasks | None = None
        self._backoff = trio.CancelScope()
        self._attempt = trio.CancelScope()
        self._is_connecting = False
        self._reading = trio.CancelScope()
        self._lost: ConnectionLost | None = None
        self._is_free_of_charge = False
        self._reading_since = math.inf
        self._is_up = False
        self._unreadable = 0
        self._has_given_up = False
        self._is_needed_to_close_only = False
        self._news = 0
        self._close_asked = trio.Event()
        self._has_come_back_to_close = False
        self.ended = trio.Event()
        """Set when nothing more will come from the control plane."""
        self.reconnects = 0

    async def run(self) -> None:
        """Keep the control plane up until the session is closed, or fails.

        A run that has completed or failed needs no control plane: a socket lost after that is only replaced to close the session.
        """
        try:
            while not self._is_over:
                self._tell(ConnectionState.CONNECTING)
                error = await self._one_socket()
                self._tell(ConnectionState.DOWN, error)
                if self._is_over or (self._close_asked.is_set() and isinstance(error, ConnectError)):
                    return
                if self._close_asked.is_set() and not self._has_come_back_to_close:
                    self._has_come_back_to_close = True  # at once: leaving is short
                elif self._rules.is_complete or self._is_needed_to_close_only:
                    await self._close_asked.wait()
                elif self._is_free_of_charge:
                    self.reconnects += 1
                else:
                    await self._wait_for_the_next_attempt(error)
        finally:
            self.ended.set()

    def perform(self, commands: Iterable[Command]) -> None:
        """Carry out what the machine decided."""
        for command in commands:
            match command:
                case Send(request):
                    if self._outbox is not None:
                        self._outbox.put(request)
                case Reconnect(reason):
                    self.lose(reason)
                case Closed():
                    self._reading.cancel(reason="the session is closed")
                case _:
                    self._news += 1
                    self._carry_out(command)

    def lose(self, reason: str, *, is_free_of_charge: bool = False) -> None:
        """Drop the socket and open another; free of charge: at once and without using up the budget."""
        self._is_free_of_charge = is_free_of_charge
        self._lost = ConnectionLost(f"the control connection was given up: {reason}")
        self._reading.cancel(reason=reason)

    def close(self) -> None:
        """End the session on the server, if it can be reached; `ended` is set when that is done and the socket is closed."""
        self._close_asked.set()
        self.perform(self._rules.close())
        self._stop_trying("the session is being closed")

    def leave(self, commands: Iterable[Command]) -> None:
        """Close the socket and leave the session to the server; `commands` are what the machine says to that."""
        self._close_asked.set()
        self.perform(commands)
        self._stop_trying("the session is left to the server")

    def start_beside(self, task: Callable[[], Awaitable[None]], *, name: str) -> None:
        """Run a task for as long as the current socket lasts; not at all if there is none."""
        if self._beside is not None:
            self._beside.start_soon(task, name=name)

    def fail(self) -> None:
        """The run has failed: the connection is only needed to close the session."""
        self._is_needed_to_close_only = True

    # One socket after another

    @property
    def _is_over(self) -> bool:
        return self._has_given_up or self._rules.is_over

    def _stop_trying(self, reason: str) -> None:
        """Do not wait for the next attempt, nor for one that nobody needs."""
        self._backoff.cancel(reason=reason)
        if self._is_connecting and self._rules.is_over:
            self._attempt.cancel(reason=reason)

    async def _one_socket(self) -> SimClientError:
        """Connect, converse until the socket or the session ends; return why it ended."""
        self._is_free_of_charge = False
        self._is_connecting = True
        try:
            with trio.CancelScope() as self._attempt:
                async with self._open_socket() as socket:
                    self._is_connecting = False
                    self._unconnected = 0
                    await self._converse(socket)
        except (ConnectError, ConnectionLost, RemoteProtocolError) as error:
            self._unconnected += isinstance(error, ConnectError) and not isinstance(error.__cause__, HttpError)
            return error

        return ConnectionLost("the control connection was closed")

    async def _wait_for_the_next_attempt(self, error: SimClientError) -> None:
        retry_at = self._budget.failed(trio.current_time())
        if retry_at is None or self._is_hopeless(error):
            self._has_given_up = True
            self._on_failure(self._verdict(error))
            return

        self.reconnects += 1
        with trio.CancelScope() as self._backoff:
            await trio.sleep_until(retry_at)

    def _is_hopeless(self, error: SimClientError) -> bool:
        match error:
            case ConnectError(retryable=False):
                return True
            case ConnectError() if not self._rules.has_session and self._rules.possible_orphans == 0:
                return self._budget.failures >= _FIRST_ATTEMPTS
            case ConnectError() if self._is_gone:
                return True
            case RemoteProtocolError():
                return not self._rules.has_session or self._unreadable >= _UNREADABLE_IN_A_ROW
            case _:
                return False

    @property
    def _is_gone(self) -> bool:
        """Whether a server of this machine has not answered at all often enough."""
        return self._is_local and self._unconnected >= self._limits.local_attempts

    def _verdict(self, error: SimClientError) -> SimClientError:
        """Say what the run ends with: the error itself, or that the budget is spent."""
        if self._is_gone and self._rules.has_session:
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
        outbox = Outbox()
        async with open_tasks() as tasks:
            self._outbox, self._beside = outbox, tasks
            try:
                tasks.start_soon(outbox.write_to, socket, name="control writer")
                tasks.start_soon(self._keep_alive, socket, name="control keepalive")
                self.perform(self._rules.connected(trio.current_time()))
                await self._read(socket)
                await outbox.flush()  # the goodbye too, where `completed` came first and counted as its answer
            finally:
                # At once, not when the socket is closed, which takes its time: what is asked for meanwhile waits for the next one.
                self._outbox = self._beside = None
                self.perform(self._rules.disconnected(outbox.take_back()))

    async def _read(self, socket: WebSocket) -> None:
        """Read until the session is closed; raise when the socket is lost."""
        while not self._rules.is_over:
            text = await self._next_message(socket)
            if self._lost is None:
                self._receive(text)
            if self._lost is not None:
                raise self._lost

    async def _next_message(self, socket: WebSocket) -> str | bytes | None:
        """Return the next message; None when the machine's deadline came first, or the reading was cancelled with a reason."""
        try:
            with trio.CancelScope() as self._reading:
                await self._wait_for_room()
                deadline = self._rules.deadline
                self._reading.deadline = math.inf if deadline is None else deadline
                self._reading_since = trio.current_time()
                return await socket.receive()
        finally:
            self._reading_since = math.inf
        return None

    def _receive(self, text: str | bytes | None) -> None:
        now = trio.current_time()
        if text is None:
            self.perform(self._rules.wake(now))
            return

        message = self._readable(text)
        news = self._news
        self.perform(self._rules.receive(message, now))
        if self._news != news:
            self._unreadable = 0
        if self._rules.is_running and not self._is_up:
            self._is_up = True
            self._budget.connected(now)
            self._tell(ConnectionState.UP)

    def _readable(self, text: str | bytes) -> SequencedResponse:
        try:
            return read_response(text)
        except RemoteProtocolError:
            self._unreadable += 1
            raise

    async def _keep_alive(self, socket: WebSocket) -> None:
        limits = self._limits
        while True:
            try:
                await socket.ping()
            except ConnectionLost:
                return  # the reader notices by itself
            due = trio.current_time() + limits.keepalive_interval_seconds
            await trio.sleep_until(due)
            if trio.current_time() - due > LATE_SECONDS:
                continue  # the event loop was blocked, so that nobody asked and nobody could hear: ask again first
            if self._is_silent(socket):
                await trio.sleep(_KEEPALIVE_GRACE_SECONDS)
                if self._is_silent(socket):
                    self.lose(f"no traffic for {limits.keepalive_deadline_seconds:g} s")

    def _is_silent(self, socket: WebSocket) -> bool:
        """Silence counts only while we were reading: a user who sleeps causes no false alarm."""
        since = max(socket.last_inbound, self._reading_since)
        return trio.current_time() - since > self._limits.keepalive_deadline_seconds

    def _tell(self, state: ConnectionState, reason: SimClientError | None = None) -> None:
        self._observe(ConnectionChange(connection="control", state=state, reason=reason, at=trio.current_time()))
