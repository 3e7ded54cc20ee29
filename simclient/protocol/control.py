"""The control plane of one session, as a machine without I/O: from create to close, over any number of sockets.

Theory of operation. A socket is either down, or in one of these phases:

    DOWN ──connected──► CREATING ──sessionCreated──► RUNNING
      ▲                                                 │ the socket breaks
      └─────────────────────────────────────────────────┘
    DOWN ──connected──► ATTACHING ──sessionAttached──► RESUMING ──success──► RUNNING
    any of them ──close()──► CLOSING ──success──► ENDED

- Session events may come in every phase, also between attach and resume; each is handed on once: an event whose sequence number was
  seen before is a replay and is dropped.
- An unsequenced error that answers create, attach or resume is a refusal: fatal, but for `sessionOwnershipBusy`, which is tried again.
  A sequenced error is an ordinary event. A terminal error ends the run.
- A `continue` is queued by the user and written only while control is RUNNING and all subscriptions are up. Its fate is unknown when the
  socket breaks before an event shows that the server took it. After the resume such an event may be replayed; if none comes within the
  grace, a plain request is written once more, and one that carries transactions or modifications fails the run: nothing with effects is
  ever sent twice, and nothing is forgotten.
- A create whose socket breaks before the answer is sent again, with the same token where there is one; without a token the server may
  hold an orphan until its disconnect timeout: `possible_orphans` counts them.
- A close whose socket ends before the answer may not have been read: the session is attached to once more to close it. A second such end
  counts as the answer.
- Final: ENDED, and a run that failed (`Fail`).

Source: protocol.md "A session's life"; `managed/control.rs` of simulator-client 0.9.0 for the order of the handshake.
"""

from __future__ import annotations

import enum

from ..errors import ConnectionLost, LocalProtocolError, RemoteError
from ..wire.failures import (
    InvalidAccountEncoding,
    InvalidAccountOwner,
    InvalidAccountPubkey,
    InvalidRequest,
    InvalidTransactionEncoding,
    InvalidTransactionFormat,
    SessionOwnershipBusy,
    describe_failure,
)
from ..wire.requests import AttachSession, CloseSession, Continue, ContinueTo, CreateSession, ResumeAttachedSession
from ..wire.responses import (
    Completed,
    DiscoveryBatch,
    ErrorEvent,
    ParallelSessionAttached,
    Paused,
    ReadyForContinue,
    SequencedResponse,
    SessionAttached,
    SessionCreated,
    SessionEvent,
    SessionsCreated,
    SessionsCreatedV2,
    SubSessionEvent,
    Success,
    UnknownResponse,
)
from .commands import Closed, Command, Complete, Deliver, Fail, Opened, Reconnect, Send

__all__ = ["REJECTIONS", "ControlMachine", "Phase"]

REJECTIONS = (
    InvalidTransactionEncoding,
    InvalidTransactionFormat,
    InvalidAccountEncoding,
    InvalidAccountOwner,
    InvalidAccountPubkey,
    InvalidRequest,
)
"""Errors that answer a `continue` which the server then did not carry out."""


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

    def __init__(self, create: CreateSession, *, response_seconds: float, grace_seconds: float) -> None:
        """Start without a socket.

        Args:
            create: The request that opens the session.
            response_seconds: How long create, attach and resume may stay unanswered.
            grace_seconds: How long after a resume to wait for a sign of a `continue` whose fate is unknown.
        """
        self._create = create
        self._response_seconds = response_seconds
        self._grace_seconds = grace_seconds
        self._session_id: str | None = None
        self._queued: Continue | ContinueTo | None = None
        self._in_flight: Continue | ContinueTo | None = None
        self._is_ready = False
        self._data_is_up = False
        self._wants_close = False
        self._has_lost_a_close = False
        self._has_failed = False
        self.phase = Phase.DOWN
        self.deadline: float | None = None
        """When `wake` must be called, unless something is received before."""
        self.last_sequence: int | None = None
        self.is_complete = False
        self.possible_orphans = 0
        self.replays_dropped = 0
        self.continues_resent = 0
        self.unexpected_responses = 0

    def connected(self, now: float) -> list[Command]:
        """A new socket is up: introduce ourselves."""
        self.deadline = now + self._response_seconds
        if self._session_id is None:
            self.phase = Phase.CREATING
            return [Send(self._create)]

        self.phase = Phase.ATTACHING
        return [Send(AttachSession(session_id=self._session_id, last_sequence=self.last_sequence))]

    def disconnected(self) -> list[Command]:
        """The socket is gone."""
        self.deadline = None
        if self.phase is Phase.ENDED:
            return []

        if self.phase is Phase.CLOSING and self._has_lost_a_close:
            return self._end()

        self._has_lost_a_close = self.phase is Phase.CLOSING
        if self.phase is Phase.CREATING and self._create.create_token is None:
            self.possible_orphans += 1
        self.phase = Phase.DOWN
        return []

    def receive(self, message: SequencedResponse, now: float) -> list[Command]:
        """The server said something."""
        if self.phase is Phase.ENDED or (self._has_failed and self.phase is not Phase.CLOSING):
            return []

        match message.response:
            case SessionCreated() as created if self.phase is Phase.CREATING:
                return self._created(created)
            case SessionAttached() if self.phase is Phase.ATTACHING:
                return self._attached(now)
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
        """The deadline has come."""
        if self.deadline is None or now < self.deadline:
            return []

        self.deadline = None
        if self.phase is not Phase.RUNNING:
            return [Reconnect(f"no answer while {self.phase.value} for {self._response_seconds:g} s")]

        return self._send_again_or_fail()

    def advance(self, request: Continue | ContinueTo) -> list[Command]:
        """The user wants the session to go on.

        Raises:
            LocalProtocolError: The session is not waiting for a request; nothing was queued.
        """
        if self.is_complete:
            raise LocalProtocolError("cannot advance: the run has completed; open a new session for more slots")
        if not self._is_ready:
            raise LocalProtocolError("cannot advance: the session is not ready; wait for ReadyForContinue or Paused")

        self._is_ready = False
        self._queued = request
        return self._flush()

    def data_up(self, is_up: bool) -> list[Command]:
        """All subscriptions are up, or one of them no longer is."""
        self._data_is_up = is_up
        return self._flush()

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

    # Answers to our own requests

    def _created(self, created: SessionCreated) -> list[Command]:
        self._session_id = created.session_id
        self.deadline = None
        if self._wants_close:
            return self._say_goodbye()

        self.phase = Phase.RUNNING
        return [Opened(created)]

    def _attached(self, now: float) -> list[Command]:
        if self._wants_close:
            return self._say_goodbye()

        self.phase = Phase.RESUMING
        self.deadline = now + self._response_seconds
        return [Send(ResumeAttachedSession())]

    def _resumed(self, now: float) -> list[Command]:
        if self._wants_close:
            return self._say_goodbye()

        self.phase = Phase.RUNNING
        self.deadline = None if self._in_flight is None else now + self._grace_seconds
        return self._flush()

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
        return [*self._fail(refusal), *self._end()]

    def _say_goodbye(self) -> list[Command]:
        self.phase = Phase.CLOSING
        self.deadline = None
        return [Send(CloseSession())]

    def _end(self) -> list[Command]:
        self.phase = Phase.ENDED
        self.deadline = None
        return [Closed()]

    def _fail(self, error: RemoteError | ConnectionLost) -> list[Command]:
        self._has_failed = True
        self.deadline = None
        return [Fail(error)]

    # Session events

    def _event(self, event: SessionEvent, seq_id: int | None) -> list[Command]:
        if seq_id is not None:
            if self.last_sequence is not None and seq_id <= self.last_sequence:
                self.replays_dropped += 1
                return []
            self.last_sequence = seq_id

        if self._shows_that_the_request_was_taken(event):
            self._forget_in_flight()

        match event:
            case Completed():
                return self._completed(event)
            case ErrorEvent(failure=failure) if failure.is_terminal:
                return self._fail(RemoteError(f"the run ended: {describe_failure(failure)}", payload=failure))
            case ErrorEvent(failure=failure) if isinstance(failure, REJECTIONS):
                self._is_ready = True
            case ReadyForContinue() | Paused():
                self._is_ready = True
            case _:
                pass
        return [Deliver(event)]

    def _completed(self, event: Completed) -> list[Command]:
        if self.is_complete:
            self.replays_dropped += 1
            return []

        self.is_complete = True
        self._is_ready = False
        closing = self._end() if self.phase is Phase.CLOSING else []
        return [Complete(event), *closing]

    # The fate of a `continue`

    def _flush(self) -> list[Command]:
        """Write the queued request if everything that must receive its results is up."""
        if self._queued is None or self.phase is not Phase.RUNNING or not self._data_is_up:
            return []

        self._in_flight, self._queued = self._queued, None
        return [Send(self._in_flight)]

    @staticmethod
    def _shows_that_the_request_was_taken(event: SessionEvent) -> bool:
        """Discoveries come on their own; what is unknown shows nothing."""
        return not isinstance(event, (DiscoveryBatch, UnknownResponse, Success))

    def _forget_in_flight(self) -> None:
        self._in_flight = None
        if self.phase is Phase.RUNNING:
            self.deadline = None

    def _send_again_or_fail(self) -> list[Command]:
        request = self._in_flight
        if request is None:
            return []

        if isinstance(request, Continue) and (request.transactions or request.modify_account_states):
            return self._fail(
                ConnectionLost(
                    f"the connection broke just after a continue with {len(request.transactions)} transactions and"
                    f" {len(request.modify_account_states)} account modifications was written, and nothing shows whether"
                    " the server took it; it is not sent twice, so start the run again"
                )
            )

        self.continues_resent += 1
        return [Send(request)]
