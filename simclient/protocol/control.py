"""The control plane of one session, as a machine without I/O: from create to close, over any number of sockets.

Theory of operation: that of `plane`. An attach is followed by a resume, between which the server may replay what was missed. Session events
may come in every phase; `completed` answers a close too.

Source: protocol.md "A session's life"; `managed/control.rs` of simulator-client 0.9.0 for the order of the handshake.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import RemoteError
from ..wire.requests import (
    AttachSession,
    Continue,
    ContinueTo,
    ControlRequest,
    CreateSession,
    ResumeAttachedSession,
)
from ..wire.responses import (
    ControlResponse,
    ParallelSessionAttached,
    SessionAttached,
    SessionCreated,
    SessionEvent,
    SessionsCreated,
    SessionsCreatedV2,
    SubSessionEvent,
    Success,
)
from .commands import Command, Complete, Moved, Opened, Send
from .plane import ControlPlane, Phase
from .progress import SessionProgress

__all__ = ["ControlMachine"]


class ControlMachine(ControlPlane):
    """Decides what to write, what to hand on and when to reconnect; see the module for the rules."""

    def __init__(
        self,
        create: CreateSession | None,
        *,
        response_seconds: float,
        progress: SessionProgress,
        session_id: str | None = None,
    ) -> None:
        """Start without a socket.

        Args:
            create: The request that opens the session; None: there is one already.
            response_seconds: How long create, attach and resume may stay unanswered.
            progress: What decides about events and requests.
            session_id: The session to take up, in place of `create`.
        """
        assert (create is None) != (session_id is None)
        super().__init__(create, response_seconds=response_seconds, create_seconds=response_seconds)
        self._session_id = session_id
        self._endpoint: str | None = None
        self._attached_as: SessionAttached | None = None
        self.progress = progress

    @property
    def has_session(self) -> bool:
        """Whether the server has ever given the session."""
        return self._session_id is not None

    def _progresses(self) -> Iterable[SessionProgress]:
        return (self.progress,)

    def _attach_request(self) -> ControlRequest:
        assert self._session_id is not None
        return AttachSession(session_id=self._session_id, last_sequence=self.progress.last_sequence)

    def _not_written(self, request: ControlRequest) -> None:
        if isinstance(request, Continue | ContinueTo):
            self.progress.not_written(request)

    def _receive(self, response: ControlResponse, seq_id: int | None, now: float) -> list[Command]:
        match response:
            case SessionCreated() if self.phase is Phase.CREATING:
                return self._created(response, now)
            case SessionAttached() if self.phase is Phase.ATTACHING:
                return self._attached(response, now)
            case Success() if self.phase is Phase.RESUMING:
                return self._say_goodbye() if self._wants_close else self._resumed(now)
            case (
                SessionCreated()
                | SessionAttached()
                | SessionsCreated()
                | SessionsCreatedV2()
                | ParallelSessionAttached()
                | SubSessionEvent()
            ):
                self.unexpected_responses += 1
                return []
            case event:
                return self._event(event, seq_id)

    def _created(self, created: SessionCreated, now: float) -> list[Command]:
        self._session_id = created.session_id
        self._endpoint = created.rpc_endpoint
        return self._say_goodbye() if self._wants_close else [Opened(created), *self._run(now)]

    def _attached(self, attached: SessionAttached, now: float) -> list[Command]:
        if self._wants_close:
            return self._say_goodbye()

        self._await(Phase.RESUMING, now, self._response_seconds)
        self._attached_as = attached
        return [Send(ResumeAttachedSession())]

    def _resumed(self, now: float) -> list[Command]:
        """What was missed has been replayed; the session is where the server said when it was attached to."""
        assert self._attached_as is not None
        before, self._endpoint = self._endpoint, self._attached_as.rpc_endpoint
        news: list[Command] = []
        if before is None:
            news = [Opened(self._attached_as)]
        elif before != self._endpoint:
            news = [Moved(self._attached_as)]
        return [*news, *self._run(now)]

    def _refused(self, refusal: RemoteError) -> list[Command]:
        return self.progress.fail(refusal)

    def _event(self, event: SessionEvent, seq_id: int | None) -> list[Command]:
        commands = self.progress.receive(event, seq_id)
        if self.phase is Phase.CLOSING and any(isinstance(command, Complete) for command in commands):
            return [*commands, *self._end()]  # it answers the close too

        return commands
