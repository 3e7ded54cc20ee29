"""How a raw session reads and writes its socket: one task reads at a time, and what a wait does not take is kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import final

import trio

from ...errors import ConnectionLost, LocalProtocolError, SessionClosed
from ...protocol.raw import RawMachine
from ...protocol.waits import Wait
from ...transport.websocket import WebSocket
from ...wire.codec import read_response, write_request
from ...wire.requests import ControlRequest
from ...wire.responses import ControlResponse, SequencedResponse

__all__ = ["OnEvent", "RawReader"]

OnEvent = Callable[[ControlResponse], None]


@final
class RawReader:
    """One socket, and the machine that notes what is said on it."""

    def __init__(self, socket: WebSocket, machine: RawMachine) -> None:
        self._socket = socket
        self._is_reading = False
        self.machine = machine
        self.is_closed = False

    async def send(self, request: ControlRequest) -> None:
        """Send a request.

        Raises:
            InputError: It cannot be written.
            SessionClosed: The socket was closed by us.
            ConnectionLost: The socket has ended.
        """
        if self.is_closed:
            raise SessionClosed("the session is closed: nothing more can be asked of it")

        text = write_request(request)
        self.machine.requested(request)  # before its answer can be read by another task
        await self._socket.send(text)

    async def next_event(self) -> ControlResponse | None:
        """Return the oldest event that nobody took, or the next one to come; None: there will be none.

        Raises:
            ConnectionLost, RemoteProtocolError, LocalProtocolError: As for `wait`.
        """
        await trio.lowlevel.checkpoint()
        waiting = self.machine.take()
        if waiting is not None or self.is_closed or self.machine.is_over:
            return waiting

        with self._reading_alone():
            return (await self._receive()).response

    async def wait(self, wait: Wait, on_event: OnEvent | None = None, *, patience_seconds: float = math.inf) -> None:
        """Read until the wait is over; keep what it does not take.

        Args:
            wait: What to wait for.
            on_event: Called with each event as it comes.
            patience_seconds: How long to wait for each message.

        Raises:
            RemoteError: What the wait raises.
            ConnectionLost: The socket has ended, or nothing came.
            RemoteProtocolError: A message cannot be read.
            LocalProtocolError: Another task is reading, or too much waits unread.
            SessionClosed: The socket was closed by us.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        with self._reading_alone():
            while not wait.is_over:
                message = await self._receive(patience_seconds)
                if not wait.takes(message):
                    self.machine.keep(message)
                if on_event is not None:
                    on_event(message.response)
        await trio.lowlevel.cancel_shielded_checkpoint()

    async def aclose(self) -> None:
        """Close the socket; what was read can still be taken."""
        self.is_closed = True
        await self._socket.aclose()

    async def _receive(self, patience_seconds: float = math.inf) -> SequencedResponse:
        """Return the next message that is no replay."""
        if self.is_closed:
            raise SessionClosed("the session is closed: nothing more is read from it")

        while True:
            self.machine.check_room()
            message = read_response(await self._next_text(patience_seconds))
            if self.machine.receive(message):
                return message

    async def _next_text(self, patience_seconds: float) -> str | bytes:
        with trio.move_on_after(patience_seconds):
            return await self._socket.receive()

        raise ConnectionLost(f"the server said nothing for {patience_seconds:g} s, where an answer was due")

    @contextmanager
    def _reading_alone(self) -> Iterator[None]:
        if self._is_reading:
            raise LocalProtocolError("another task reads this session: only one may iterate or wait at a time")

        self._is_reading = True
        try:
            yield
        finally:
            self._is_reading = False
