"""What the control planes of a single and of a parallel session have in common: sockets that come and go, deadlines, and the goodbye.

Theory of operation. A socket is either down, or in one of these phases:

    DOWN ──connected──► CREATING ──answered──► RUNNING
      ▲                                           │ the socket breaks
      └───────────────────────────────────────────┘
    DOWN ──connected──► ATTACHING ──answered──► RUNNING, a single session by way of RESUMING
    any of them ──close()──► CLOSING ──success──► ENDED

- An unsequenced error that answers create, attach or resume is a refusal: fatal, but for `sessionOwnershipBusy`, which is tried again.
  A `simulationError` answers nothing.
- A create whose socket breaks before the answer is sent again, with the same token where there is one; without a token the server may
  hold an orphan until its disconnect timeout: `possible_orphans` counts them.
- A close whose socket ends before the answer may not have been read: the session is attached to once more to close it. A second such end
  counts as the answer.
- What the events mean, and what becomes of a `continue`, is decided by `progress`; its link is up in RUNNING.
- Final: ENDED, and a run that failed (`Fail`).

Source: protocol.md "A session's life"; `managed/control.rs` of simulator-client 0.9.0 for the order of the handshake.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

from ..errors import RemoteError
from ..wire.failures import SessionOwnershipBusy, SimulationError, describe_failure
from ..wire.requests import CloseSession, ControlRequest, CreateSession
from ..wire.responses import ControlResponse, ErrorEvent, SequencedResponse, Success
from .commands import Closed, Command, Reconnect, Send
from .progress import SessionProgress

__all__ = ["ControlPlane", "Phase"]


class Phase(enum.Enum):
    """Where the control plane is."""

    DOWN = "down"
    CREATING = "creating"
    ATTACHING = "attaching"
    RESUMING = "resuming"
    RUNNING = "running"
    CLOSING = "closing"
    ENDED = "ended"


_HANDSHAKES = {
    Phase.CREATING: "to create the session",
    Phase.ATTACHING: "to attach to the session again",
    Phase.RESUMING: "to resume the session",
}


class ControlPlane(ABC):
    """Decides what to write and when to reconnect; what is created and attached to, its subclasses say."""

    def __init__(self, create: CreateSession | None, *, response_seconds: float, create_seconds: float) -> None:
        """Start without a socket.

        Args:
            create: The request that opens the session; None: there is one already.
            response_seconds: How long attach and resume may stay unanswered.
            create_seconds: How long each part of the answer to the create may take.
        """
        self._create = create
        self._response_seconds = response_seconds
        self._create_seconds = create_seconds
        self._answer_by: float | None = None
        self._patience_seconds = response_seconds
        self._wants_close = False
        self._has_lost_a_close = False
        self.phase = Phase.DOWN
        self.possible_orphans = 0
        self.unexpected_responses = 0

    # What a subclass says

    @property
    @abstractmethod
    def has_session(self) -> bool:
        """Whether the server has ever given the session."""

    @abstractmethod
    def _progresses(self) -> Iterable[SessionProgress]:
        """Return how far each session has come."""

    @abstractmethod
    def _attach_request(self) -> ControlRequest:
        """Return what takes the session up again on a new socket."""

    @abstractmethod
    def _not_written(self, request: ControlRequest) -> None:
        """A request was not written to the socket that is gone."""

    @abstractmethod
    def _receive(self, response: ControlResponse, seq_id: int | None, now: float) -> list[Command]:
        """Take what is not about the handshake's refusal or the goodbye."""

    @abstractmethod
    def _refused(self, refusal: RemoteError) -> list[Command]:
        """The server will not give the session."""

    # What the link asks

    @property
    def deadline(self) -> float | None:
        """When `wake` must be called, unless something is received before."""
        if self._answer_by is not None:
            return self._answer_by

        return min((p.deadline for p in self._progresses() if p.deadline is not None), default=None)

    @property
    def is_complete(self) -> bool:
        """Whether nothing more is to come: the control plane is only needed to close."""
        return self.has_session and all(p.is_complete or p.has_failed for p in self._progresses())

    @property
    def is_running(self) -> bool:
        """Whether the current socket has been answered: requests and events flow."""
        return self.phase is Phase.RUNNING

    @property
    def is_over(self) -> bool:
        """Whether there is nothing to stay connected for."""
        return self.phase is Phase.ENDED

    def connected(self, now: float) -> list[Command]:
        """A new socket is up: introduce ourselves, if there is still a reason to."""
        if self.phase is Phase.ENDED:
            return [Closed()]

        if self.has_session:
            self._await(Phase.ATTACHING, now, self._response_seconds)
            return [Send(self._attach_request())]

        assert self._create is not None
        self._await(Phase.CREATING, now, self._create_seconds)
        return [Send(self._create)]

    def disconnected(self, unwritten: Sequence[ControlRequest] = ()) -> list[Command]:
        """The socket is gone.

        Args:
            unwritten: Requests that were not written to it, so that the server cannot have read them.
        """
        self._answer_by = None
        self._links_down()
        for request in unwritten:
            self._not_written(request)
        if self.phase is Phase.ENDED:
            return []

        if self.phase is Phase.CLOSING and self._has_lost_a_close:
            return self._end()

        self._has_lost_a_close = self.phase is Phase.CLOSING
        if self.phase is Phase.CREATING and self._create is not None and self._create.create_token is None:
            self.possible_orphans += self._create not in unwritten
            if self._wants_close:
                return self._end()  # another create would only be closed again
        self.phase = Phase.DOWN
        return []

    def receive(self, message: SequencedResponse, now: float) -> list[Command]:
        """The server said something."""
        if self.phase is Phase.ENDED:
            return []

        match message.response:
            case Success() if self.phase is Phase.CLOSING:
                return self._end()
            case ErrorEvent() as error if self._is_refusal(error, message.seq_id):
                return self._judge_refusal(error)
            case response:
                return self._receive(response, message.seq_id, now)

    def wake(self, now: float) -> list[Command]:
        """The deadline may have come."""
        if self._answer_by is None:
            return [command for progress in self._progresses() for command in progress.wake(now)]
        if now < self._answer_by:
            return []

        self._answer_by = None
        return [Reconnect(f"no answer while {self.phase.value} for {self._patience_seconds:g} s")]

    def close(self) -> list[Command]:
        """The user leaves: end the session on the server."""
        self._wants_close = True
        match self.phase:
            case Phase.RUNNING:
                return self._say_goodbye()
            case Phase.DOWN if not self.has_session:
                return self._end()
            case _:  # creating, attaching or resuming: when that is answered; down: when the next socket is up
                return []

    def leave(self) -> list[Command]:
        """The user leaves, and the session stays on the server until its disconnect timeout."""
        return self._end()

    # Steps of the subclasses

    def _run(self, now: float) -> list[Command]:
        """The handshake is over, and the user still wants the session."""
        self.phase = Phase.RUNNING
        self._answer_by = None
        return [command for progress in self._progresses() for command in progress.link_up(now)]

    def _await(self, phase: Phase, now: float, seconds: float) -> None:
        """The next step of a handshake is up to the server."""
        self.phase = phase
        self._patience_seconds = seconds
        self._answer_by = now + seconds

    def _say_goodbye(self) -> list[Command]:
        self.phase = Phase.CLOSING
        self._answer_by = None
        self._links_down()
        return [Send(CloseSession())]

    def _end(self) -> list[Command]:
        self.phase = Phase.ENDED
        self._answer_by = None
        self._links_down()
        return [Closed()]

    def _is_refusal(self, error: ErrorEvent, seq_id: int | None) -> bool:
        """Whether it answers our part of the handshake; a transaction that cannot be simulated never does."""
        return self.phase in _HANDSHAKES and seq_id is None and not isinstance(error.failure, SimulationError)

    def _judge_refusal(self, error: ErrorEvent) -> list[Command]:
        if self._wants_close:
            return self._end()  # what cannot be taken up again need not be closed
        if self.phase is not Phase.CREATING and isinstance(error.failure, SessionOwnershipBusy):
            return [Reconnect(describe_failure(error.failure))]

        why = f"the server refused {_HANDSHAKES[self.phase]}: {describe_failure(error.failure)}"
        return [*self._refused(RemoteError(why, payload=error.failure)), *self._end()]

    def _links_down(self) -> None:
        for progress in self._progresses():
            progress.link_down()
