"""How far one session has come, as a machine without I/O: its events, each once, and the requests that are on their way.

A single session has one, a parallel session one per sub-session; how the socket is opened, attached and closed is not its business.

Theory of operation. The link is down, or up; up means that the server has answered the create or the resume.

- An event whose sequence number was seen before is a replay and is dropped. Every other one is handed on, whether the link counts as up
  or not: the server may replay before it answers.
- A terminal error ends the session, and so does `completed`; after either there is nothing to ask for.
- A request is queued by the user when the session is ready, and written only while the link is up and all subscriptions are. A stop
  before a batch (`continueTo`) may be asked for as soon as one was announced, also while the session runs: it redirects.
- A server may say `readyForContinue` after `paused`, or after it has rejected a request, for the same place. Who has asked for something
  since does not hear of it any more; it neither confirms a request nor makes ready for another. The same holds for one that crosses a
  redirect on its way.
- Announced batches are kept until execution has passed them, so that a discovery can be acted upon whenever it came; once somebody steps
  from one to the next (`stepping`), until that has taken them.
- The fate of a written request is unknown when the link goes down before an event shows that the server took it: any event of the run for
  one that was asked for while the session waited, only a stop for one that redirects. What was never begun to be written goes back
  to the queue. When the link is up again such an event may be replayed. If none comes within the grace, and the slot that the session's
  RPC gives does not move meanwhile either, plain requests are queued once more, and one that carries transactions or modifications fails
  the session: nothing with effects is ever sent twice, and nothing is forgotten. Until that is settled nothing else is written.

Source: protocol.md "A session's life"; the rules for requests of unknown fate and for the repeated ready are ours.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable

import attrs

from ..errors import ConnectionLost, LocalProtocolError, RemoteError, SimClientError
from ..wire.detached import DetachedSession
from ..wire.failures import (
    BacktestFailure,
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
    Status,
    Success,
    UnknownResponse,
)
from .commands import AskSlot, Command, Complete, Deliver, Fail, Send, Withdraw

__all__ = ["REJECTIONS", "Request", "SessionProgress"]

Request = Continue | ContinueTo

REJECTIONS = (
    InvalidTransactionEncoding,
    InvalidTransactionFormat,
    InvalidAccountEncoding,
    InvalidAccountOwner,
    InvalidAccountPubkey,
    InvalidRequest,
)
"""Errors that answer a `continue` which the server then did not carry out."""


_MOST_PASSED = 4096
"""Announced batches that execution has passed, kept for who steps from one to the next and is late."""


@attrs.frozen(eq=False)
class _Asked:
    """A request of the user, and whether it redirects a session that runs."""

    request: Request
    is_redirect: bool

    @property
    def has_effects(self) -> bool:
        """Whether sending it twice could do something twice."""
        request = self.request
        return isinstance(request, Continue) and bool(request.transactions or request.modify_account_states)


class SessionProgress:
    """Decides what to hand on, and what becomes of a request; see the module for the rules."""

    def __init__(self, *, grace_seconds: float, left: DetachedSession | None = None) -> None:
        """Start with the link down.

        Args:
            grace_seconds: How long to wait, on a new link, for a sign of a request whose fate is unknown.
            left: How another process has left the session; None: it is new.
        """
        self._grace_seconds = grace_seconds
        self._queued: list[_Asked] = []
        self._written = [_Asked(request, is_redirect=False) for request in (left.requests if left else ())]
        self._returned = 0
        self._is_ready = left is not None and left.is_ready
        self._may_redirect = False
        self._is_quiet = False
        self._has_said_ready = self._is_ready
        self._repeated_ready: ReadyForContinue | None = None
        self._paused_before: Paused | None = None
        self._is_linked = False
        self._data_is_up = False
        self._is_resolving = False
        self._slot_before: int | None = None
        self._grace_is_over = False
        self.deadline: float | None = None
        """When `wake` must be called, unless something is received before."""
        self.last_sequence = left.last_sequence if left else None
        self.ahead: list[DiscoveryBatch] = list(left.ahead) if left else []
        """Announced batches that nobody has acted upon and execution has not passed, in the order of execution."""
        self.is_stepping = False
        """Whether somebody takes from `ahead`: then only what is long passed is dropped from it."""
        self.stepping_to: DiscoveryBatch | None = None
        """The announced batch to which whoever steps has sent the session."""
        self.last_slot: int | None = None
        """The newest slot that was executed, as far as was heard."""
        self.paused_at: Paused | None = left.paused_at if left else None
        """Where the session waits, if it does so since a `paused`."""
        self.rejection: BacktestFailure | None = None
        """Why the server refused the newest request; None if it did not."""
        self.is_complete = False
        self.has_failed = False
        self.replays_dropped = 0
        self.continues_resent = 0

    @property
    def is_ready(self) -> bool:
        """Whether the user may ask for more."""
        return self._is_ready

    @property
    def may_run_on(self) -> bool:
        """Whether the session waits and has said that nothing more is announced for now: `readyForContinue`, after a `paused` too."""
        return self._is_ready and self._has_said_ready

    @property
    def may_stop(self) -> bool:
        """Whether the user may ask for a stop before a batch."""
        return self._is_ready or (self._may_redirect and not self._queued)

    @property
    def unwritten(self) -> tuple[Request, ...]:
        """Requests that wait for the link or the subscriptions."""
        return tuple(asked.request for asked in self._queued)

    @property
    def unconfirmed(self) -> tuple[Request, ...]:
        """Requests that were written and of which nothing shows yet that the server took them."""
        return tuple(asked.request for asked in self._written)

    # The link and the data plane

    def link_up(self, now: float) -> list[Command]:
        """The server has answered the create, or the resume."""
        self._is_linked = True
        if not self._written:
            return self._flush()

        self._is_resolving = True
        self._slot_before = None
        self._grace_is_over = False
        self.deadline = now + self._grace_seconds
        return [AskSlot()]

    def link_down(self) -> None:
        """The socket is gone, or the server has not answered yet."""
        self._is_linked = self._is_resolving = False
        self._returned = 0
        self.deadline = None

    def not_written(self, request: Request) -> None:
        """A request went down with its socket before it was written: it is sent first on the next one."""
        for asked in self._written:
            if asked.request is request:
                self._written.remove(asked)
                self._queued.insert(self._returned, asked)
                self._returned += 1
                return

    def data_up(self, is_up: bool) -> list[Command]:
        """All subscriptions are up, or one of them no longer is."""
        self._data_is_up = is_up
        return self._flush()

    # What the user asks for

    def advance(self, request: Request) -> list[Command]:
        """Take a request of the user.

        Raises:
            LocalProtocolError: The session is not waiting for a request; nothing was queued.
        """
        if self.is_complete:
            raise LocalProtocolError("cannot advance: the run has completed; open a new session for more slots")
        if not (self._is_ready or (isinstance(request, ContinueTo) and self.may_stop)):
            raise LocalProtocolError("cannot advance: the session is not ready; wait for ReadyForContinue or Paused")

        self._queued.append(_Asked(request, is_redirect=not self._is_ready))
        self._is_ready = self._may_redirect = self._has_said_ready = False
        self._paused_before, self.paused_at = self.paused_at, None
        self.rejection = None
        if isinstance(request, ContinueTo) and request.batch_index is not None:
            self._pass((request.slot, request.batch_index + 1))
        return [*self._withdraw_repeated_ready(), *self._flush()]

    def _withdraw_repeated_ready(self) -> list[Command]:
        repeated, self._repeated_ready = self._repeated_ready, None
        return [] if repeated is None else [Withdraw(repeated)]

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

        if isinstance(event, ReadyForContinue) and self._is_redirected:
            return []
        if isinstance(event, ReadyForContinue) and self._is_quiet:
            return self._ready_again(event)

        confirmed = self._confirm(event)
        return [*self._take(event), *(self._flush() if confirmed else ())]

    @property
    def _is_redirected(self) -> bool:
        return any(asked.is_redirect for asked in (*self._queued, *self._written))

    def _ready_again(self, event: ReadyForContinue) -> list[Command]:
        """The server repeats that it waits where it was before."""
        self._is_quiet = False
        if not self._is_ready:
            return []

        self._has_said_ready = True
        self._repeated_ready = event
        return [Deliver(event)]

    def _take(self, event: SessionEvent) -> list[Command]:
        if isinstance(event, Status | SlotNotification | Completed):
            self._is_quiet = False
        match event:
            case Completed():
                return self._completed(event)
            case ErrorEvent(failure=failure) if failure.is_terminal:
                return self.fail(RemoteError(f"the run ended: {describe_failure(failure)}", payload=failure))
            case ErrorEvent(failure=failure) if isinstance(failure, REJECTIONS):
                self._is_ready = self._is_quiet = self._has_said_ready = True
                self.paused_at = self._paused_before
                self.rejection = failure
            case ReadyForContinue():
                self._is_ready = self._has_said_ready = True
                self.paused_at = None
            case Paused():
                self._is_ready = self._is_quiet = True
                self._has_said_ready = False
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
        kept = _MOST_PASSED if self.is_stepping else 0
        while len(self.ahead) > kept and _place(self.ahead[0]) < place:
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

    # The fate of requests

    def wake(self, now: float) -> list[Command]:
        """The deadline may have come: nothing showed the fate of a request, so the slot must."""
        if self.deadline is None or now < self.deadline:
            return []

        self.deadline = None
        self._grace_is_over = True
        return [AskSlot()]

    def slot_is(self, slot: int | None) -> list[Command]:
        """The session's RPC was asked for its slot; None: it gave none, which counts as not moved."""
        if not self._is_resolving:
            return []

        has_moved = slot is not None and self._slot_before is not None and slot > self._slot_before
        if has_moved and self._keep_written(lambda asked: asked.is_redirect):  # the server took the others
            return self._flush()
        if not self._grace_is_over:
            self._slot_before = slot
            return []
        return self._send_again_or_fail()

    def _confirm(self, event: SessionEvent) -> bool:
        """Forget the requests which `event` shows to have been taken; tell whether that settles all of them."""
        match event:
            case DiscoveryBatch() | UnknownResponse() | Success():
                return False  # discoveries come on their own; what is unknown shows nothing
            case Paused() | Completed():
                return self._keep_written(lambda asked: False)
            case ErrorEvent(failure=failure) if failure.is_terminal or isinstance(failure, REJECTIONS):
                return self._keep_written(lambda asked: False)
            case SlotNotification(slot=slot):
                return self._keep_written(lambda asked: asked.is_redirect and not _is_at(asked.request, slot))
            case _:
                return self._keep_written(lambda asked: asked.is_redirect)

    def _keep_written(self, is_open: Callable[[_Asked], bool]) -> bool:
        had_any = bool(self._written)
        self._written = [asked for asked in self._written if is_open(asked)]
        if self._written or not had_any:
            return False

        self._is_resolving = False
        self.deadline = None
        return True

    def _flush(self) -> list[Command]:
        """Write what is queued if everything that must receive its results is up, and nothing before it is unsettled."""
        if self._is_resolving or not (self._is_linked and self._data_is_up):
            return []

        sent, self._queued = self._queued, []
        self._written += sent
        return [Send(asked.request) for asked in sent]

    def _send_again_or_fail(self) -> list[Command]:
        self._is_resolving = False
        for asked in self._written:
            if asked.has_effects:
                assert isinstance(asked.request, Continue)
                return self.fail(_unknown_fate(asked.request))

        self.continues_resent += len(self._written)
        self._queued, self._written = self._written + self._queued, []
        return self._flush()


def _unknown_fate(request: Continue) -> ConnectionLost:
    return ConnectionLost(
        f"the connection broke just after a continue with {len(request.transactions)} transactions and"
        f" {len(request.modify_account_states)} account modifications was written, and nothing shows whether"
        " the server took it; it is not sent twice, so start the run again"
    )


def _place(discovery: DiscoveryBatch) -> tuple[int, int]:
    return discovery.slot, discovery.batch_index


def _is_at(request: Request, slot: int) -> bool:
    """Whether execution has come to where `request` was to stop."""
    return isinstance(request, ContinueTo) and slot >= request.slot
