"""How far one session has come, as a machine without I/O: its events, each once, and the one request that is on its way.

A single session has one, a parallel session one per sub-session; how the socket is opened, attached and closed is not its business.

Theory of operation. The link is down, or up; up means that the server has answered the create or the resume.

- An event whose sequence number was seen before is a replay and is dropped. Every other one is handed on, whether the link counts as up
  or not: the server may replay before it answers.
- A terminal error ends the session, and so does `completed`; after either there is nothing to ask for.
- A request is queued by the user when the session is ready, and written only while the link is up and all subscriptions are. A stop
  before a batch (`continueTo`) may be asked for as soon as one was announced, also while the session runs.
- Announced batches are kept until execution has passed them, so that a discovery can be acted upon whenever it came; once somebody steps
  from one to the next (`stepping`), until that has taken them.
- Its fate is unknown when the link goes down before an event shows that the server took it. When the link is up again such an event may
  be replayed. If none comes within the grace, and the slot that the session's RPC gives does not move meanwhile either, a plain request is
  written once more, and one that carries transactions or modifications fails the session: nothing with effects is ever sent twice, and
  nothing is forgotten.

Source: protocol.md "A session's life"; the rule for the request of unknown fate is ours.
"""

from __future__ import annotations

from bisect import insort

from ..errors import ConnectionLost, LocalProtocolError, RemoteError, SimClientError
from ..wire.failures import (
    InvalidAccountEncoding,
    InvalidAccountOwner,
    InvalidAccountPubkey,
    InvalidRequest,
    InvalidTransactionEncoding,
    InvalidTransactionFormat,
    describe_failure,
)
from ..wire.requests import Continue, ContinueTo
from ..wire.responses import (
    Completed,
    DiscoveryBatch,
    ErrorEvent,
    Paused,
    ReadyForContinue,
    SessionEvent,
    SlotNotification,
    Success,
    UnknownResponse,
)
from .commands import AskSlot, Command, Complete, Deliver, Fail, Send

__all__ = ["REJECTIONS", "SessionProgress"]

REJECTIONS = (
    InvalidTransactionEncoding,
    InvalidTransactionFormat,
    InvalidAccountEncoding,
    InvalidAccountOwner,
    InvalidAccountPubkey,
    InvalidRequest,
)
"""Errors that answer a `continue` which the server then did not carry out."""


class SessionProgress:
    """Decides what to hand on, and what becomes of a request; see the module for the rules."""

    def __init__(
        self,
        *,
        grace_seconds: float,
        last_sequence: int | None = None,
        is_ready: bool = False,
        request: Continue | ContinueTo | None = None,
    ) -> None:
        """Start with the link down.

        Args:
            grace_seconds: How long to wait, on a new link, for a sign of a request whose fate is unknown.
            last_sequence: Of a session that another process has left: the last event that was handed on there.
            is_ready: Of such a session: whether it was waiting for a request.
            request: Of such a session: a request whose fate was unknown when it was left.
        """
        self._grace_seconds = grace_seconds
        self._queued: Continue | ContinueTo | None = None
        self._in_flight = request
        self._is_ready = is_ready
        self._may_redirect = False
        self._is_linked = False
        self._data_is_up = False
        self._slot_before: int | None = None
        self._grace_is_over = False
        self.deadline: float | None = None
        """When `wake` must be called, unless something is received before."""
        self.last_sequence = last_sequence
        self.ahead: list[DiscoveryBatch] = []
        """Announced batches that nobody has acted upon and execution has not passed, in the order of execution."""
        self.is_stepping = False
        """Whether somebody takes from `ahead`: then nothing is dropped from it."""
        self.last_slot: int | None = None
        """The newest slot that was executed, as far as was heard."""
        self.paused_at: Paused | None = None
        """Where the session waits, if it does so since a `paused`."""
        self.is_complete = False
        self.has_failed = False
        self.replays_dropped = 0
        self.continues_resent = 0

    @property
    def is_ready(self) -> bool:
        """Whether the user may ask for more."""
        return self._is_ready

    @property
    def unwritten(self) -> Continue | ContinueTo | None:
        """A request that waits for the link or the subscriptions."""
        return self._queued

    @property
    def unconfirmed(self) -> Continue | ContinueTo | None:
        """A request that was written and of which nothing shows yet that the server took it."""
        return self._in_flight

    # The link and the data plane

    def link_up(self, now: float) -> list[Command]:
        """The server has answered the create, or the resume."""
        self._is_linked = True
        if self._in_flight is None:
            return self._flush()

        self._slot_before = None
        self._grace_is_over = False
        self.deadline = now + self._grace_seconds
        return [AskSlot()]

    def link_down(self) -> None:
        """The socket is gone, or the server has not answered yet."""
        self._is_linked = False
        self.deadline = None

    def data_up(self, is_up: bool) -> list[Command]:
        """All subscriptions are up, or one of them no longer is."""
        self._data_is_up = is_up
        return self._flush()

    # What the user asks for

    def advance(self, request: Continue | ContinueTo) -> list[Command]:
        """Take a request of the user.

        Raises:
            LocalProtocolError: The session is not waiting for a request; nothing was queued.
        """
        if self.is_complete:
            raise LocalProtocolError("cannot advance: the run has completed; open a new session for more slots")
        may_redirect = isinstance(request, ContinueTo) and self._may_redirect and self._queued is None
        if not (self._is_ready or may_redirect):
            raise LocalProtocolError("cannot advance: the session is not ready; wait for ReadyForContinue or Paused")

        self._is_ready = self._may_redirect = False
        self.paused_at = None
        if isinstance(request, ContinueTo) and request.batch_index is not None:
            self._pass((request.slot, request.batch_index + 1))
        self._queued = request
        return self._flush()

    # What the server says

    def receive(self, event: SessionEvent, seq_id: int | None) -> list[Command]:
        """Take an event; a replayed one is dropped."""
        if self.has_failed:
            return []
        if seq_id is not None:
            if self.last_sequence is not None and seq_id <= self.last_sequence:
                self.replays_dropped += 1
                return []
            self.last_sequence = seq_id

        if _shows_that_the_request_was_taken(event):
            self._forget_in_flight()

        match event:
            case Completed():
                return self._completed(event)
            case ErrorEvent(failure=failure) if failure.is_terminal:
                return self.fail(RemoteError(f"the run ended: {describe_failure(failure)}", payload=failure))
            case ErrorEvent(failure=failure) if isinstance(failure, REJECTIONS):
                self._is_ready = True
            case ReadyForContinue():
                self._is_ready = True
                self.paused_at = None
            case Paused():
                self._is_ready = True
                self.paused_at = event
            case DiscoveryBatch():
                self._may_redirect = True
                insort(self.ahead, event, key=_place)
            case SlotNotification(slot=slot):
                self.last_slot = slot if self.last_slot is None else max(slot, self.last_slot)
                self._pass((slot, 0))
            case _:
                pass
        return [Deliver(event)]

    def _pass(self, place: tuple[int, int]) -> None:
        """Execution comes to this batch: what was announced before it is behind us."""
        while not self.is_stepping and self.ahead and _place(self.ahead[0]) < place:
            del self.ahead[0]

    def _completed(self, event: Completed) -> list[Command]:
        if self.is_complete:
            self.replays_dropped += 1
            return []

        self.is_complete = True
        self._is_ready = False
        self.paused_at = None
        return [Complete(event)]

    def fail(self, error: SimClientError) -> list[Command]:
        """End the session with `error`."""
        self.has_failed = True
        self.deadline = None
        return [Fail(error)]

    # The fate of a request

    def wake(self, now: float) -> list[Command]:
        """The deadline may have come: nothing showed the fate of the request, so its slot must."""
        if self.deadline is None or now < self.deadline:
            return []

        self.deadline = None
        self._grace_is_over = True
        return [AskSlot()]

    def slot_is(self, slot: int | None) -> list[Command]:
        """The session's RPC was asked for its slot; None: it gave none, which counts as not moved."""
        if self._in_flight is None or not self._is_linked:
            return []

        if slot is not None and self._slot_before is not None and slot > self._slot_before:
            self._forget_in_flight()  # it moves: the server took the request
            return []
        if not self._grace_is_over:
            self._slot_before = slot
            return []
        return self._send_again_or_fail()

    def _flush(self) -> list[Command]:
        """Write the queued request if everything that must receive its results is up."""
        if self._queued is None or not (self._is_linked and self._data_is_up):
            return []

        self._in_flight, self._queued = self._queued, None
        return [Send(self._in_flight)]

    def _forget_in_flight(self) -> None:
        self._in_flight = None
        self.deadline = None

    def _send_again_or_fail(self) -> list[Command]:
        request = self._in_flight
        assert request is not None
        self._grace_is_over = False
        if isinstance(request, Continue) and (request.transactions or request.modify_account_states):
            return self.fail(
                ConnectionLost(
                    f"the connection broke just after a continue with {len(request.transactions)} transactions and"
                    f" {len(request.modify_account_states)} account modifications was written, and nothing shows whether"
                    " the server took it; it is not sent twice, so start the run again"
                )
            )

        self.continues_resent += 1
        return [Send(request)]


def _place(discovery: DiscoveryBatch) -> tuple[int, int]:
    return discovery.slot, discovery.batch_index


def _shows_that_the_request_was_taken(event: SessionEvent) -> bool:
    """Discoveries come on their own; what is unknown shows nothing."""
    return not isinstance(event, (DiscoveryBatch, UnknownResponse, Success))
