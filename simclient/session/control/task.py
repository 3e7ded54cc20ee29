"""The control plane of a single session: the link, the control machine, and the inbox between them and the user."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import final

import trio

from ...errors import SimClientError
from ...protocol.commands import AskSlot, Command, Complete, Deliver, Fail, Moved, Opened, Withdraw
from ...protocol.control import ControlMachine
from ...protocol.progress import SessionProgress
from ...wire.requests import Continue, ContinueTo
from ...wire.responses import Completed, SessionAttached, SessionCreated, SlotNotification
from ..connections import ConnectionObserver
from ..inbox import Inbox
from ..limits import Limits
from .link import ControlLink, OpenSocket

__all__ = ["ControlTask"]


@final
class ControlTask:
    """Owns the control plane of one session."""

    def __init__(
        self,
        machine: ControlMachine,
        *,
        open_socket: OpenSocket,
        is_local: bool,
        inbox: Inbox,
        limits: Limits,
        ask_slot: Callable[[str], Awaitable[int | None]],
        on_moved: Callable[[str], None],
        on_completed: Callable[[Completed], None],
        on_failure: Callable[[SimClientError], None],
        observe: ConnectionObserver,
    ) -> None:
        """Take what the task works with.

        Args:
            machine: The rules.
            open_socket: Opens a new control socket.
            is_local: Whether the server is on this machine.
            inbox: Where events go.
            limits: Deadlines.
            ask_slot: Asks the RPC at an endpoint for its slot; None: it gives none.
            on_moved: Told of the new endpoint when the session is served elsewhere.
            on_completed: Told of `completed`, which the drain holds back.
            on_failure: Told once, when the run cannot go on.
            observe: Told of every change of the connection.
        """
        self.machine = machine
        self.is_shared = False
        self._inbox = inbox
        self._ask_slot = ask_slot
        self._on_moved = on_moved
        self._on_completed = on_completed
        self._on_failure = on_failure
        self._link = ControlLink(
            machine,
            open_socket=open_socket,
            is_local=is_local,
            limits=limits,
            carry_out=self._carry_out,
            wait_for_room=inbox.wait_for_room,
            on_failure=on_failure,
            observe=observe,
        )
        self.session: SessionCreated | SessionAttached | None = None
        """The newest answer to create or attach."""
        self.opened = trio.Event()
        """Set when the session exists, and when it never will."""
        self.ended = self._link.ended
        """Set when nothing more will come from the control plane."""
        self.events = 0
        self.last_slot: int | None = None

    @property
    def reconnects(self) -> int:
        """How often another socket was needed."""
        return self._link.reconnects

    @property
    def possible_orphans(self) -> int:
        """Creates whose answer was lost."""
        return self.machine.possible_orphans

    @property
    def phase(self) -> str:
        """Where the connection is, in a word."""
        return self.machine.phase.value

    @property
    def rpc_endpoint(self) -> str:
        """Where the session's data plane is, as the server says it; only once the session exists."""
        assert self.session is not None
        return self.session.rpc_endpoint

    @property
    def progress(self) -> SessionProgress:
        """How far the session has come."""
        return self.machine.progress

    async def run(self) -> None:
        """Keep the control plane up until the session is closed, or fails."""
        try:
            await self._link.run()
        finally:
            self.opened.set()

    def advance(self, request: Continue | ContinueTo) -> None:
        """Queue a request; it is written when control and all subscriptions are up.

        Raises:
            LocalProtocolError: The session is not waiting for a request.
        """
        self._link.perform(self.machine.progress.advance(request))

    def set_data_up(self, is_up: bool) -> None:
        """All subscriptions are up, or one of them no longer is."""
        self._link.perform(self.machine.progress.data_up(is_up))

    def close(self) -> None:
        """End the session on the server, if it can be reached; `ended` is set when that is done and the socket is closed."""
        self._link.close()

    def leave(self) -> None:
        """Close the socket and leave the session to the server."""
        self._link.leave(self.machine.leave())

    def _carry_out(self, command: Command) -> None:
        match command:
            case Opened(session):
                self.session = session
                self.opened.set()
            case Moved(session):
                self.session = session
                self._on_moved(session.rpc_endpoint)
            case Deliver(event):
                self.events += 1
                if isinstance(event, SlotNotification):
                    self.last_slot = max(self.last_slot or 0, event.slot)
                self._inbox.put_event(event)
            case Withdraw(event):
                self._inbox.withdraw(event)
            case Complete(event):
                self.events += 1
                self._on_completed(event)
            case AskSlot():
                self._link.start_beside(self._probe, name="slot probe")
            case Fail(error):
                self._link.fail()
                self._on_failure(error)
            case _:
                raise AssertionError(f"nobody carries out {command}")

    async def _probe(self) -> None:
        slot = await self._ask_slot(self.rpc_endpoint)
        self._link.perform(self.machine.progress.slot_is(slot))
