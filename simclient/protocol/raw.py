"""What one control socket has said, as a machine without I/O: the state of a raw session, and what its user has not been given yet.

Theory of operation. Each message is shown to the machine once, by `receive`, which notes what it says of the session: whether it waits for
a request, which slots it has executed, whether it has completed. Then the message goes to whoever waits for it (`waits.py`). What nobody
took is kept, in order, and given by iteration: nothing is thrown away.

- Replays (a sequence number seen before) are dropped.
- The cursor `last_sequence` is the number up to which everything was handed to the user. What still waits here has not been, and a client
  that attaches with that cursor gets it again.
- `progress` is what has come since the last request to go on, however it was read.

Source: `session.rs` of simulator-client 0.9.0 and 0.28.0 for what each message does to the session.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

import attrs

from ..errors import LocalProtocolError
from ..wire.requests import Continue, ContinueTo, ControlRequest
from ..wire.responses import (
    Completed,
    ControlResponse,
    ErrorEvent,
    Paused,
    ReadyForContinue,
    SequencedResponse,
    SlotNotification,
    Status,
    SubSessionEvent,
)
from .coverage import SlotCoverage
from .progress import REJECTIONS

__all__ = ["AdvanceProgress", "RawMachine"]


@attrs.frozen(kw_only=True)
class AdvanceProgress:
    """What has come since a request to go on."""

    slots: int = 0
    """How many slots were executed."""
    last_slot: int | None = None
    statuses: Mapping[str, int] = attrs.field(factory=dict[str, int])
    """How often each status was said, in the order of their first time."""
    is_ready: bool = False
    """Whether the session waits for the next request."""
    paused: Paused | None = None
    """Where it has stopped, if it was asked to stop somewhere."""
    completed: Completed | None = None
    """The end of the range, with its summary if there is one."""

    @property
    def is_over(self) -> bool:
        """Whether the request was carried out."""
        return self.is_ready or self.completed is not None


class RawMachine:
    """The state of one raw session; see the module for the rules."""

    def __init__(self, *, bound: int, last_sequence: int | None = None, is_ready: bool = False) -> None:
        """Start with nothing received.

        Args:
            bound: How many messages may wait for the user.
            last_sequence: The cursor that the session is attached with.
            is_ready: Whether it waited for a request at that point.
        """
        self._bound = bound
        self._waiting: deque[_Waiting] = deque()
        self._received_sequence = last_sequence
        self._sequence_before = last_sequence
        self.is_ready = is_ready
        self.completed: Completed | None = None
        self._completed_ids: set[str] = set()
        self.progress = AdvanceProgress()
        self.coverage = SlotCoverage()
        self.replays_dropped = 0

    @property
    def last_sequence(self) -> int | None:
        """The sequence number up to which everything was handed to the user; None: nothing numbered was."""
        for waiting in self._waiting:
            if waiting.message.seq_id is not None:
                return waiting.sequence_before

        return self._received_sequence

    @property
    def is_over(self) -> bool:
        """Whether the run has completed, and everything was handed to the user."""
        return self.completed is not None and not self._waiting

    def has_completed(self, session_ids: Iterable[str]) -> bool:
        """Tell whether the run has completed; a parallel one has when each of its sub-sessions has."""
        return self.completed is not None or bool(self._completed_ids and {*session_ids} <= self._completed_ids)

    def requested(self, request: ControlRequest) -> None:
        """Note that `request` is written."""
        if isinstance(request, Continue | ContinueTo):
            self.is_ready = False
            self.progress = AdvanceProgress()

    def check_room(self) -> None:
        """Refuse to read on while too much waits.

        Raises:
            LocalProtocolError: The bound is reached; nothing was read.
        """
        if len(self._waiting) >= self._bound:
            raise LocalProtocolError(
                f"{self._bound} messages wait unread, and no more are kept: take them with `async for event in session`,"
                " then go on"
            )

    def receive(self, message: SequencedResponse) -> bool:
        """Note what a message says; tell whether it is new, or a replay to be dropped."""
        sequence = message.seq_id
        self._sequence_before = self._received_sequence
        if sequence is not None:
            if self._received_sequence is not None and sequence <= self._received_sequence:
                self.replays_dropped += 1
                return False
            self._received_sequence = sequence

        self._note(message.response)
        return True

    def keep(self, message: SequencedResponse) -> None:
        """Let the message that was received last wait for the user: nobody took it."""
        self._waiting.append(_Waiting(message, self._sequence_before))

    def take(self) -> ControlResponse | None:
        """Hand out the oldest message that waits; None: none does."""
        return self._waiting.popleft().message.response if self._waiting else None

    def take_all(self) -> list[ControlResponse]:
        """Hand out everything that waits, oldest first."""
        taken = [waiting.message.response for waiting in self._waiting]
        self._waiting.clear()
        return taken

    def take_status(self, name: str) -> bool:
        """Hand out the oldest status of that name that waits; tell whether there is one."""
        for place, waiting in enumerate(self._waiting):
            if waiting.message.response == Status(status=name):
                del self._waiting[place]
                return True

        return False

    def _note(self, response: ControlResponse) -> None:
        match response:
            case ReadyForContinue():
                self.is_ready = True
                self.progress = attrs.evolve(self.progress, is_ready=True)
            case Paused() as paused:
                self.is_ready = True
                self.progress = attrs.evolve(self.progress, is_ready=True, paused=paused)
            case SlotNotification(slot=slot):
                self.coverage.note(slot)
                self.progress = attrs.evolve(self.progress, slots=self.progress.slots + 1, last_slot=slot)
            case Status(status=name):
                statuses = dict(self.progress.statuses)
                statuses[name] = statuses.get(name, 0) + 1
                self.progress = attrs.evolve(self.progress, statuses=statuses)
            case Completed() as completed:
                self.is_ready = False
                self.completed = completed
                self.progress = attrs.evolve(self.progress, completed=completed)
            case ErrorEvent(failure=failure) if isinstance(failure, REJECTIONS):
                self.is_ready = True  # the request was not carried out
            case SubSessionEvent(event=SlotNotification(slot=slot)):
                self.coverage.note(slot)
            case SubSessionEvent(session_id=session_id, event=Completed()):
                self._completed_ids.add(session_id)
            case _:
                pass


@attrs.frozen
class _Waiting:
    message: SequencedResponse
    sequence_before: int | None
