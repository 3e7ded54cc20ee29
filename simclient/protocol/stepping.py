"""From one discovery to the next, as a machine without I/O: what to ask for, and when a pause is the one that was asked for.

Theory of operation. The server announces matching batches ahead of their execution, on its own and at any time; what was announced and not
yet passed, and whether the session waits, is known from its progress.

- If a batch is announced, the session is sent to just before it (or `offset` batches further); its `paused` is the pause. What is announced
  for a place at or before the one where the session waits is a pause of its own, at the same place.
- A batch that execution had passed when it was announced cannot be stopped at: it is reported at once, without a pause.
- If none is announced and the session has said `readyForContinue`, nothing lies ahead that the server knows of: the session is sent on,
  and redirected if a discovery comes after all. After a `paused` the server says by itself which of the two it is.
- `completed` is the end.

Source: `transaction_step.rs` of simulator-client 0.28.0 for the order in which server and client speak.
"""

from __future__ import annotations

import math
from typing import Final, final

import attrs

from ..wire.requests import Continue, ContinueTo
from ..wire.responses import DiscoveryBatch, Paused
from .progress import SessionProgress

__all__ = ["DiscoverySteps", "Report", "Step", "Wait"]

_THE_REST: Final = 2**64 - 1
"""More slots than any range has."""


@attrs.frozen
class Report:
    """The session waits where `discovery` sent it."""

    discovery: DiscoveryBatch
    paused: Paused | None
    """None: execution had passed the batch when it was announced."""


@attrs.frozen
class Wait:
    """There is nothing to do before the next event."""


Step = Report | Wait | Continue | ContinueTo
"""What to do next; a request is to be made of the session."""


@final
class DiscoverySteps:
    """Decides the next step; see the module for the rules."""

    def __init__(self, progress: SessionProgress, *, offset: int) -> None:
        """Start where the session is.

        Args:
            progress: How far it has come.
            offset: How many batches past the matching one to stop at.
        """
        self._progress = progress
        self._offset = offset
        self._target: DiscoveryBatch | None = None
        self._reached: Paused | None = None
        progress.is_stepping = True

    def receive(self, paused: Paused) -> None:
        """Take a pause that was read; by now the session may have gone on to say that it is ready, which ends a pause in its progress."""
        target = self._target
        if target is not None and _place(paused) == (target.slot, target.batch_index + self._offset):
            self._reached = paused

    def next(self) -> Step:
        """Return what to do now; ask again after every event and every request."""
        progress = self._progress
        if self._target is not None:
            reached = progress.paused_at or self._reached
            return Wait() if reached is None else self._arrive(self._target, reached)
        if progress.ahead:
            return self._approach(progress.ahead.pop(0))

        is_between_slots = progress.is_ready and progress.paused_at is None
        return Continue(advance_count=_THE_REST) if is_between_slots else Wait()

    def _approach(self, discovery: DiscoveryBatch) -> Step:
        progress = self._progress
        place = (discovery.slot, discovery.batch_index + self._offset)
        if progress.paused_at is not None and place <= _place(progress.paused_at):
            return Report(discovery, progress.paused_at)
        if progress.is_complete or (progress.last_slot is not None and discovery.slot <= progress.last_slot):
            return Report(discovery, None)

        self._target = discovery
        return ContinueTo(slot=place[0], batch_index=place[1])

    def _arrive(self, discovery: DiscoveryBatch, paused: Paused) -> Step:
        self._target = self._reached = None
        return Report(discovery, paused)


def _place(paused: Paused) -> tuple[int, float]:
    """Return where the session waits; the end of a slot comes after all of its batches."""
    return paused.slot, math.inf if paused.batch_index is None else paused.batch_index
