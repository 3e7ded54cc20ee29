"""The control plane of one session, as a machine without I/O: from create to close, over any number of sockets.

Theory of operation. A socket is either down, or in one of these phases:

    DOWN ──connected──► CREATING ──sessionCreated──► RUNNING
      ▲                                                 │ the socket breaks
      └─────────────────────────────────────────────────┘
    DOWN ──connected──► ATTACHING ──sessionAttached──► RESUMING ──success──► RUNNING
    any of them ──close()──► CLOSING ──success──► ENDED

- Session events may come in every phase, also between attach and resume.
- An unsequenced error that answers create, attach or resume is a refusal: fatal, but for `sessionOwnershipBusy`, which is tried again.
  A sequenced error is an ordinary event.
- What the events mean, and what becomes of a `continue`, is decided by `progress`; here the link is up in RUNNING.
- A create whose socket breaks before the answer is sent again, with the same token where there is one; without a token the server may
  hold an orphan until its disconnect timeout: `possible_orphans` counts them.
- A close whose socket ends before the answer may not have been read: the session is attached to once more to close it. A second such end
  counts as the answer.
- Final: ENDED, and a run that failed (`Fail`).

Source: protocol.md "A session's life"; `managed/control.rs` of simulator-client 0.9.0 for the order of the handshake.
"""

from __future__ import annotations

import enum

from ..errors import RemoteError
from ..wire.failures import (
    SessionOwnershipBusy,
    describe_failure,
)
from ..wire.requests import AttachSession, CloseSession, CreateSession, ResumeAttachedSession
from ..wire.responses import (
    ErrorEvent,
    ParallelSessionAttached,
    SequencedResponse,
    SessionAttached,
    SessionCreated,
    SessionEvent,
    SessionsCreated,
    SessionsCreatedV2,
    SubSessionEvent,
    Success,
)
from .commands import Closed, Command, Complete, Moved, Opened, Reconnect, Send
from .progress import SessionProgress

__all__ = ["ControlMachine", "Phase"]


class Phase(enum.Enum):
    """Where the control plane is."""

    DOWN = "down"
    CREATING = "creating"
    ATTACHING = "attaching"
    RESUMING = "resuming"
    RUNNING = "running"
    CLOSING = "closing"
    ENDED = "ended"


class ControlMachine:
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
        self._create = create
        self._response_seconds = response_seconds
        self._session_id = session_id
        self._endpoint: str | None = None
        self._wants_close = False
        self._has_lost_a_close = False
        self.progress = progress
        self.phase = Phase.DOWN
        self._answer_by: float | None = None
        self.possible_orphans = 0
        self.unexpected_responses = 0

    @property
    def deadline(self) -> float | None:
        """When `wake` must be called, unless something is received before."""
        return self._answer_by if self._answer_by is not None else self.progress.deadline

    @property
    def is_complete(self) -> bool:
        """Whether the range is at its end."""
        return self.progress.is_complete

    @property
    def is_running(self) -> bool:
        """Whether the current socket has been answered: requests and events flow."""
        return self.phase is Phase.RUNNING

    @property
    def is_over(self) -> bool:
        """Whether there is nothing to stay connected for."""
        return self.phase is Phase.ENDED

    @property
    def has_session(self) -> bool:
        """Whether the server knows of the session, as far as was heard."""
        return self._session_id is not None

    def connected(self, now: float) -> list[Command]:
        """A new socket is up: introduce ourselves."""
        self._answer_by = now + self._response_seconds
        if self._session_id is None:
            assert self._create is not None
            self.phase = Phase.CREATING
            return [Send(self._create)]

        self.phase = Phase.ATTACHING
        return [Send(AttachSession(session_id=self._session_id, last_sequence=self.progress.last_sequence))]

    def disconnected(self) -> list[Command]:
        """The socket is gone."""
        self._answer_by = None
        self.progress.link_down()
        if self.phase is Phase.ENDED:
            return []

        if self.phase is Phase.CLOSING and self._has_lost_a_close:
            return self._end()

        self._has_lost_a_close = self.phase is Phase.CLOSING
        if self.phase is Phase.CREATING and self._create is not None and self._create.create_token is None:
            self.possible_orphans += 1
        self.phase = Phase.DOWN
        return []

    def receive(self, message: SequencedResponse, now: float) -> list[Command]:
        """The server said something."""
        if self.phase is Phase.ENDED or (self.progress.has_failed and self.phase is not Phase.CLOSING):
            return []

        match message.response:
            case SessionCreated() as created if self.phase is Phase.CREATING:
                return self._created(created, now)
            case SessionAttached() as attached if self.phase is Phase.ATTACHING:
                return self._attached(attached, now)
            case Success() if self.phase is Phase.RESUMING:
                return self._resumed(now)
            case Success() if self.phase is Phase.CLOSING:
                return self._end()
            case ErrorEvent() as error if self._answers_the_handshake(message):
                return self._refused(error)
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
                return self._event(event, message.seq_id)

    def wake(self, now: float) -> list[Command]:
        """The deadline may have come."""
        if self._answer_by is None:
            return self.progress.wake(now)
        if now < self._answer_by:
            return []

        self._answer_by = None
        return [Reconnect(f"no answer while {self.phase.value} for {self._response_seconds:g} s")]

    def close(self) -> list[Command]:
        """The user leaves: end the session on the server."""
        self._wants_close = True
        match self.phase:
            case Phase.RUNNING:
                return self._say_goodbye()
            case Phase.DOWN if self._session_id is None:
                return self._end()
            case _:  # creating, attaching or resuming: when that is answered; down: when the next socket is up
                return []

    def leave(self) -> list[Command]:
        """The user leaves, and the session stays on the server until its disconnect timeout."""
        return self._end()

    # Answers to our own requests

    def _created(self, created: SessionCreated, now: float) -> list[Command]:
        self._session_id = created.session_id
        self._endpoint = created.rpc_endpoint
        self._answer_by = None
        if self._wants_close:
            return self._say_goodbye()

        self.phase = Phase.RUNNING
        return [Opened(created), *self.progress.link_up(now)]

    def _attached(self, attached: SessionAttached, now: float) -> list[Command]:
        if self._wants_close:
            return self._say_goodbye()

        before, self._endpoint = self._endpoint, attached.rpc_endpoint
        self.phase = Phase.RESUMING
        self._answer_by = now + self._response_seconds
        news: list[Command] = []
        if before is None:
            news = [Opened(attached)]
        elif before != attached.rpc_endpoint:
            news = [Moved(attached)]
        return [*news, Send(ResumeAttachedSession())]

    def _resumed(self, now: float) -> list[Command]:
        if self._wants_close:
            return self._say_goodbye()

        self.phase = Phase.RUNNING
        self._answer_by = None
        return self.progress.link_up(now)

    def _answers_the_handshake(self, message: SequencedResponse) -> bool:
        shaking_hands = self.phase in (Phase.CREATING, Phase.ATTACHING, Phase.RESUMING)
        return shaking_hands and message.seq_id is None

    def _refused(self, error: ErrorEvent) -> list[Command]:
        if self._wants_close:
            return self._end()  # what cannot be taken up again need not be closed
        if self.phase is not Phase.CREATING and isinstance(error.failure, SessionOwnershipBusy):
            return [Reconnect(describe_failure(error.failure))]

        asked = {
            Phase.CREATING: "to create the session",
            Phase.ATTACHING: "to attach to the session again",
            Phase.RESUMING: "to resume the session",
        }[self.phase]
        refusal = RemoteError(f"the server refused {asked}: {describe_failure(error.failure)}", payload=error.failure)
        return [*self.progress.fail(refusal), *self._end()]

    def _event(self, event: SessionEvent, seq_id: int | None) -> list[Command]:
        commands = self.progress.receive(event, seq_id)
        if self.phase is Phase.CLOSING and any(isinstance(command, Complete) for command in commands):
            return [*commands, *self._end()]  # it answers the close too

        return commands

    def _say_goodbye(self) -> list[Command]:
        self.phase = Phase.CLOSING
        self._answer_by = None
        self.progress.link_down()
        return [Send(CloseSession())]

    def _end(self) -> list[Command]:
        self.phase = Phase.ENDED
        self._answer_by = None
        self.progress.link_down()
        return [Closed()]
