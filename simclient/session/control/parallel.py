"""The control plane of a parallel session: one link, the parallel machine, and a lane per sub-session between them and the user.

A lane is what a sub-session sees of the shared connection. Events that arrive before the parallel session is open are kept in their lane.
A lane whose backlog is full gets nothing more, and holds up nobody: what it missed is asked for again when it is half empty.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import final

import trio

from ...errors import SimClientError
from ...protocol.commands import AskSlot, Command, Complete, Deliver, Fail, ForSubSession, OpenedParallel, Withdraw
from ...protocol.parallel import ParallelMachine
from ...protocol.progress import SessionProgress
from ...wire.requests import Continue, ContinueTo
from ...wire.responses import SessionCreated, SessionsCreatedV2, SlotNotification
from ..connections import ConnectionObserver
from ..limits import Limits
from ..parts import SessionParts
from ..tasks import Tasks
from .link import ControlLink, OpenSocket

__all__ = ["Lane", "ParallelControl"]


@final
class Lane:
    """One sub-session's part of the control plane."""

    is_shared = True

    def __init__(self, session_id: str, control: ParallelControl, limits: Limits) -> None:
        """Belong to `control`."""
        self.session_id = session_id
        self._control = control
        self.parts = SessionParts(limits)
        self.ended = control.ended
        self.events = 0
        self.last_slot: int | None = None
        self.is_full = False
        """Whether it gets nothing more until it is half empty."""

    @property
    def created(self) -> SessionCreated:
        """What the server said when it made the sub-session."""
        created = self._control.machine.sub_sessions[self.session_id].created
        assert created is not None
        return created

    @property
    def progress(self) -> SessionProgress:
        """How far the sub-session has come."""
        return self._control.machine.sub_sessions[self.session_id].progress

    @property
    def slots(self) -> tuple[int, int]:
        """The first and the last slot, inclusive, as the server gave them."""
        sub = self._control.machine.sub_sessions[self.session_id]
        return sub.start_slot, sub.end_slot

    @property
    def phase(self) -> str:
        """Where the connection is, in a word."""
        return self._control.machine.phase.value

    @property
    def reconnects(self) -> int:
        """How often another socket was needed."""
        return self._control.reconnects

    @property
    def possible_orphans(self) -> int:
        """Creates whose answer was lost."""
        return self._control.machine.possible_orphans

    def advance(self, request: Continue | ContinueTo) -> None:
        """Queue a request; it is written when control and all subscriptions of the sub-session are up.

        Raises:
            LocalProtocolError: The sub-session is not waiting for a request.
        """
        self._control.perform(self._control.machine.advance(self.session_id, request))

    def set_data_up(self, is_up: bool) -> None:
        """All subscriptions are up, or one of them no longer is."""
        self._control.perform(self._control.machine.data_up(self.session_id, is_up))

    def leave(self) -> None:
        """Nobody leaves alone."""
        raise AssertionError("a lane is shared: it cannot be left alone")

    def give_up(self, error: SimClientError) -> None:
        """The sub-session has failed: nothing more of it is handed on."""
        self.progress.fail(error)
        self.parts.run.fail(error)

    def carry_out(self, news: Deliver | Complete) -> None:
        """Hand an event to the user, or to the drain."""
        self.events += 1
        match news:
            case Deliver(event):
                if isinstance(event, SlotNotification):
                    self.last_slot = max(self.last_slot or 0, event.slot)
                self.parts.inbox.put_event(event)
            case Complete(event):
                self.parts.drain.completed(event)


@final
class ParallelControl:
    """Owns the control plane of one parallel session."""

    def __init__(
        self,
        machine: ParallelMachine,
        *,
        tasks: Tasks,
        open_socket: OpenSocket,
        is_local: bool,
        limits: Limits,
        ask_slot: Callable[[str], Awaitable[int | None]],
        on_failure: Callable[[SimClientError], None],
        on_lane_failure: Callable[[Lane, SimClientError], None],
        observe: ConnectionObserver,
    ) -> None:
        """Take what the control plane works with.

        Args:
            machine: The rules.
            tasks: Owns the watchers of full lanes.
            open_socket: Opens a new control socket.
            is_local: Whether the server is on this machine.
            limits: Deadlines.
            ask_slot: Asks the RPC at an endpoint for its slot; None: it gives none.
            on_failure: Told once, when the whole run cannot go on.
            on_lane_failure: Told when one sub-session cannot go on.
            observe: Told of every change of the connection.
        """
        self.machine = machine
        self._tasks = tasks
        self._limits = limits
        self._ask_slot = ask_slot
        self._on_failure = on_failure
        self._on_lane_failure = on_lane_failure
        self._link = ControlLink(
            machine,
            open_socket=open_socket,
            is_local=is_local,
            limits=limits,
            carry_out=self._carry_out,
            wait_for_room=trio.lowlevel.checkpoint,
            on_failure=on_failure,
            observe=observe,
        )
        self._lanes: dict[str, Lane] = {}
        self._early_failures: dict[str, SimClientError] = {}
        self.session: SessionsCreatedV2 | None = None
        self.opened = trio.Event()
        """Set when the session exists, and when it never will."""
        self.ended = self._link.ended
        """Set when nothing more will come from the control plane."""

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """The sub-sessions, in the server's order; those of a create that was lost are not among them."""
        return tuple(self._lane(session_id) for session_id in self.machine.sub_sessions)

    @property
    def reconnects(self) -> int:
        """How often another socket was needed."""
        return self._link.reconnects

    async def run(self) -> None:
        """Keep the control plane up until the session is closed, or fails."""
        try:
            await self._link.run()
        finally:
            self.opened.set()

    def perform(self, commands: list[Command]) -> None:
        """Carry out what the machine decided."""
        self._link.perform(commands)

    def close(self) -> None:
        """End the session on the server, if it can be reached; `ended` is set when that is done and the socket is closed."""
        self._link.close()

    def _lane(self, session_id: str) -> Lane:
        if session_id not in self._lanes:
            self._lanes[session_id] = Lane(session_id, self, self._limits)
        return self._lanes[session_id]

    def _carry_out(self, command: Command) -> None:
        match command:
            case OpenedParallel(session):
                self.session = session
                self.opened.set()
                for lane in self.lanes:
                    if (error := self._early_failures.get(lane.session_id)) is not None:
                        self._on_lane_failure(lane, error)
            case ForSubSession(session_id, AskSlot()):
                lane = self._lane(session_id)
                self._link.start_beside(lambda: self._probe(lane), name="slot probe")
            case ForSubSession(session_id, Fail(error)) if self.session is None:
                self._early_failures[session_id] = error  # whether it is part of the session is not known yet
            case ForSubSession(session_id, Fail(error)):
                self._on_lane_failure(self._lane(session_id), error)
            case ForSubSession(session_id, Withdraw(event)):
                self._lane(session_id).parts.inbox.withdraw(event)
            case ForSubSession(session_id, Deliver() | Complete() as news):
                self._deliver(self._lane(session_id), news)
            case Fail(error):
                self._link.fail()
                self._on_failure(error)
            case _:
                raise AssertionError(f"nobody carries out {command}")

    def _deliver(self, lane: Lane, news: Deliver | Complete) -> None:
        lane.carry_out(news)
        if lane.parts.inbox.is_full and not lane.is_full:
            lane.is_full = True
            self.machine.set_room(lane.session_id, False)
            self._tasks.start_soon(self._wait_for_room, lane, name="full lane")

    async def _wait_for_room(self, lane: Lane) -> None:
        await lane.parts.inbox.wait_until_half_empty()
        lane.is_full = False
        if self.machine.set_room(lane.session_id, True):
            self._link.lose("a sub-session has room again for events that were left aside", is_free_of_charge=True)

    async def _probe(self, lane: Lane) -> None:
        slot = await self._ask_slot(lane.created.rpc_endpoint)
        self.perform(self.machine.slot_is(lane.session_id, slot))
