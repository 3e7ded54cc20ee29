"""The control plane of a parallel session, as a machine without I/O: one socket for all its sub-sessions.

Theory of operation: that of `plane`, with these differences.

- The create is answered by one `sessionCreated` per sub-session, each within its own time, and by `sessionsCreatedV2` at the end, which
  says their ranges; a server that does not say them is refused as too old. A create that drops half-way is sent again with the same
  token, and what it had announced is forgotten, but for how far those sub-sessions had come that are announced again.
- Events carry their sub-session and a sequence number of it; each is handed on once. An attach names the last number of each
  sub-session, and needs no resume.
- The events of a sub-session that has no room for more are left aside; when there is room again the socket is given up, free of charge,
  and the attach on the next one asks for what was left aside. So one sub-session that nobody reads holds up no other.
- What the server says to the control session as a whole concerns all sub-sessions that still run.
- A sub-session that fails leaves the others alone.

Source: protocol.md "A session's life"; `managed/parallel.rs` of simulator-client 0.28.0 for the order of the handshake.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import final

import attrs

from ..errors import RemoteError, RemoteProtocolError
from ..wire.failures import SessionNotFound
from ..wire.requests import (
    AttachParallelSession,
    Continue,
    ContinueSubSession,
    ContinueSubSessionTo,
    ContinueTo,
    ControlRequest,
    CreateSession,
)
from ..wire.responses import (
    Completed,
    ControlResponse,
    ParallelSessionAttached,
    SessionAttached,
    SessionCreated,
    SessionEvent,
    SessionsCreated,
    SessionsCreatedV2,
    SubSessionEvent,
)
from .commands import AskSlot, Command, Complete, Deliver, Fail, ForSubSession, OpenedParallel, Send, Withdraw
from .plane import ControlPlane, Phase
from .progress import SessionProgress

__all__ = ["ParallelMachine", "SubSession"]


@final
@attrs.define(eq=False)
class SubSession:
    """One sub-session, and how far it has come."""

    session_id: str
    progress: SessionProgress
    created: SessionCreated | None = None
    start_slot: int = 0
    end_slot: int = 0
    """Inclusive; the range is known once the parallel session is open."""
    has_room: bool = True
    is_behind: bool = False
    """Whether events were left aside for want of room."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to come of it."""
        return self.progress.is_complete or self.progress.has_failed

    def translate(self, commands: Iterable[Command]) -> list[Command]:
        """Say for which sub-session the commands of its progress are."""
        return [self._translated(command) for command in commands]

    def _translated(self, command: Command) -> Command:
        match command:
            case Send(Continue() as request):
                return Send(ContinueSubSession(session_id=self.session_id, request=request))
            case Send(ContinueTo() as request):
                return Send(ContinueSubSessionTo(session_id=self.session_id, request=request))
            case Deliver() | Withdraw() | Complete() | AskSlot() | Fail():
                return ForSubSession(self.session_id, command)
            case _:
                return command


@final
class ParallelMachine(ControlPlane):
    """Decides what to write, what to hand on to whom and when to reconnect; see the module for the rules."""

    def __init__(
        self, create: CreateSession, *, response_seconds: float, create_seconds: float, grace_seconds: float
    ) -> None:
        """Start without a socket.

        Args:
            create: The request that opens the session.
            response_seconds: How long an attach may stay unanswered.
            create_seconds: How long each part of the answer to the create may take: the server may wait for a free place.
            grace_seconds: As for `SessionProgress`.
        """
        super().__init__(create, response_seconds=response_seconds, create_seconds=create_seconds)
        self._grace_seconds = grace_seconds
        self._control_session_id: str | None = None
        self.sub_sessions: dict[str, SubSession] = {}
        """By id, in the order in which the server announced them."""

    @property
    def has_session(self) -> bool:
        """Whether the server has ever given the session."""
        return self._control_session_id is not None

    def connected(self, now: float) -> list[Command]:
        """A new socket is up: introduce ourselves; what was left aside comes again on it."""
        for sub in self.sub_sessions.values():
            sub.is_behind = False
            if not self.has_session:
                sub.created = None
        return super().connected(now)

    def advance(self, session_id: str, request: Continue | ContinueTo) -> list[Command]:
        """Take a request of the user for one sub-session.

        Raises:
            LocalProtocolError: The sub-session is not waiting for a request; nothing was queued.
        """
        sub = self.sub_sessions[session_id]
        return sub.translate(sub.progress.advance(request))

    def data_up(self, session_id: str, is_up: bool) -> list[Command]:
        """All subscriptions of one sub-session are up, or one of them no longer is."""
        sub = self.sub_sessions[session_id]
        return sub.translate(sub.progress.data_up(is_up))

    def slot_is(self, session_id: str, slot: int | None) -> list[Command]:
        """The RPC of one sub-session was asked for its slot."""
        sub = self.sub_sessions[session_id]
        return sub.translate(sub.progress.slot_is(slot))

    def set_room(self, session_id: str, has_room: bool) -> bool:
        """Say whether a sub-session can take events; tell whether a new socket must bring those that were left aside."""
        sub = self.sub_sessions[session_id]
        sub.has_room = has_room
        return has_room and sub.is_behind

    # What a control plane says

    def _progresses(self) -> Iterable[SessionProgress]:
        return [sub.progress for sub in self.sub_sessions.values()]

    def wake(self, now: float) -> list[Command]:
        """The deadline may have come."""
        if self._answer_by is not None:
            return super().wake(now)

        return [command for sub in self.sub_sessions.values() for command in sub.translate(sub.progress.wake(now))]

    def _run(self, now: float) -> list[Command]:
        self.phase = Phase.RUNNING
        self._answer_by = None
        subs = self.sub_sessions.values()
        return [command for sub in subs for command in sub.translate(sub.progress.link_up(now))]

    def _attach_request(self) -> ControlRequest:
        assert self._control_session_id is not None
        seen = {sub.session_id: sub.progress.last_sequence for sub in self.sub_sessions.values()}
        return AttachParallelSession(
            control_session_id=self._control_session_id,
            last_sequences={session_id: last for session_id, last in seen.items() if last is not None},
        )

    def _refused(self, refusal: RemoteError) -> list[Command]:
        return [Fail(refusal)]

    def _not_written(self, request: ControlRequest) -> None:
        if isinstance(request, ContinueSubSession | ContinueSubSessionTo):
            self.sub_sessions[request.session_id].progress.not_written(request.request)

    def _receive(self, response: ControlResponse, seq_id: int | None, now: float) -> list[Command]:
        match response:
            case SessionCreated() if self.phase is Phase.CREATING:
                self._await(Phase.CREATING, now, self._create_seconds)
                self._sub_session(response.session_id).created = response
                return []
            case SessionsCreatedV2() if self.phase is Phase.CREATING:
                return self._created(response, now)
            case SessionsCreated() if self.phase is Phase.CREATING:
                return self._too_old("it answers a parallel create in the form of 0.9")
            case ParallelSessionAttached(session_ids=session_ids) if self.phase is Phase.ATTACHING:
                return self._attached(session_ids, now)
            case SubSessionEvent(session_id=session_id, event=event, seq_id=number):
                return self._event(session_id, event, number)
            case SessionCreated() | SessionsCreated() | SessionsCreatedV2():
                self.unexpected_responses += 1
                return []
            case SessionAttached() | ParallelSessionAttached():
                self.unexpected_responses += 1
                return []
            case event:
                return self._for_all(event)

    # Answers to our own requests

    def _created(self, created: SessionsCreatedV2, now: float) -> list[Command]:
        ids, starts, ends = created.session_ids, created.start_slots, created.end_slots
        if not len(ids) == len(starts) == len(ends):
            return self._too_old(f"for {len(ids)} sub-sessions it says {len(starts)} first and {len(ends)} last slots")

        announced = {sub.session_id: sub for sub in self.sub_sessions.values() if sub.created is not None}
        if any(session_id not in announced for session_id in ids):
            return self._too_old(f"it has said where {len(announced)} of {len(ids)} sub-sessions are served")

        self._control_session_id = created.control_session_id
        self.sub_sessions = {session_id: announced[session_id] for session_id in ids}
        for sub, start, end in zip(self.sub_sessions.values(), starts, ends, strict=True):
            sub.start_slot, sub.end_slot = start, end
        return self._say_goodbye() if self._wants_close else [OpenedParallel(created), *self._run(now)]

    def _attached(self, session_ids: Sequence[str], now: float) -> list[Command]:
        if self._wants_close:
            return self._say_goodbye()

        gone = [sub for sub in self.sub_sessions.values() if sub.session_id not in session_ids and not sub.is_over]
        failures = [command for sub in gone for command in sub.translate(sub.progress.fail(_gone(sub)))]
        return [*failures, *self._run(now)]

    def _too_old(self, why: str) -> list[Command]:
        error = RemoteProtocolError(
            f"cannot run a parallel session on this server: {why}; it is too old", path="$.params"
        )
        return [Fail(error), *self._end()]

    # Session events

    def _sub_session(self, session_id: str) -> SubSession:
        """Return a sub-session, which may be heard of before the create has been answered."""
        if session_id not in self.sub_sessions:
            progress = SessionProgress(grace_seconds=self._grace_seconds)
            self.sub_sessions[session_id] = SubSession(session_id, progress)
        return self.sub_sessions[session_id]

    def _event(self, session_id: str, event: SessionEvent, seq_id: int | None) -> list[Command]:
        if session_id not in self.sub_sessions and self.phase is not Phase.CREATING:
            self.unexpected_responses += 1
            return []

        sub = self._sub_session(session_id)
        if not sub.has_room or sub.is_behind:
            sub.is_behind = True
            return []

        return sub.translate(sub.progress.receive(event, seq_id))

    def _for_all(self, event: SessionEvent) -> list[Command]:
        if isinstance(event, Completed):  # each sub-session says so itself, after everything else
            self.unexpected_responses += 1
            return []

        running = [sub for sub in self.sub_sessions.values() if not sub.is_over]
        return [command for sub in running for command in sub.translate(sub.progress.receive(event, None))]


def _gone(sub: SubSession) -> RemoteError:
    failure = SessionNotFound(session_id=sub.session_id)
    return RemoteError("the server has the parallel session, but not this part of it any more", payload=failure)
