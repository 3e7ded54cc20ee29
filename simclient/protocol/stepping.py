"""From one discovery to the next, as a machine without I/O: what to ask for, and when a pause is the one that was asked for.

Theory of operation. The server announces matching batches ahead of their execution, on its own and at any time; what was announced and not
yet acted upon, where the session was sent and whether it waits, is known from its progress, so that stepping can be left and begun again.

- If a batch is announced, the session is sent to just before it (or `offset` batches further); its `paused` is the pause. A second
  announcement of the same batch is a pause of its own, at the same place. One that is announced for an earlier batch while the session is
  under way redirects it.
- A batch that execution has passed cannot be stopped at: it is reported without a pause.
- If none is announced and the session has said `readyForContinue`, nothing lies ahead that the server knows of: the session is sent on,
  and redirected if a discovery comes after all. After a `paused` the server says by itself which of the two it is.
- A stop that the server refuses is reported as such, and its discovery with it.
- `completed` is the end: what was announced and not reached is reported without a pause.

Source: `transaction_step.rs` of simulator-client 0.28.0 for the order in which server and client speak.
"""

from __future__ import annotations

import math
from typing import Final, final

import attrs

from ..wire.failures import BacktestFailure
from ..wire.requests import Continue, ContinueTo
from ..wire.responses import DiscoveryBatch, Paused
from .progress import SessionProgress

__all__ = ["DiscoverySteps", "Refused", "Report", "Step", "Wait"]

_THE_REST: Final = 2**64 - 1
"""More slots than any range has."""


@attrs.frozen
class Report:
    """The session waits where `discovery` sent it."""

    discovery: DiscoveryBatch
    paused: Paused | None
    """None: execution had passed the batch when it was announced."""


@attrs.frozen
class Refused:
    """The server would not stop where `discovery` was."""

    discovery: DiscoveryBatch
    failure: BacktestFailure


@attrs.frozen
class Wait:
    """There is nothing to do before the next event."""


Step = Report | Refused | Wait | Continue | ContinueTo
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
        progress.is_stepping = True

    def next(self) -> Step:
        """Return what to do now; ask again after every event and every request."""
        progress = self._progress
        if not progress.ahead:
            return Continue(advance_count=_THE_REST) if progress.may_run_on else Wait()

        discovery = progress.ahead[0]
        if progress.stepping_to is discovery and progress.rejection is not None:
            return Refused(self._done_with(discovery), progress.rejection)
        if progress.paused_at is not None and _place(progress.paused_at) >= self._target(discovery):
            is_there = _place(progress.paused_at) == self._target(discovery)
            return Report(self._done_with(discovery), progress.paused_at if is_there else None)
        if progress.is_complete or (progress.last_slot is not None and discovery.slot <= progress.last_slot):
            return Report(self._done_with(discovery), None)
        if progress.stepping_to is discovery or not progress.may_stop:
            return Wait()

        progress.stepping_to = discovery
        slot, batch_index = self._target(discovery)
        return ContinueTo(slot=slot, batch_index=batch_index)

    def _target(self, discovery: DiscoveryBatch) -> tuple[int, int]:
        return discovery.slot, discovery.batch_index + self._offset

    def _done_with(self, discovery: DiscoveryBatch) -> DiscoveryBatch:
        self._progress.ahead.remove(discovery)
        self._progress.stepping_to = None
        return discovery


def _place(paused: Paused) -> tuple[int, float]:
    """Return where the session waits; the end of a slot comes after all of its batches."""
    return paused.slot, math.inf if paused.batch_index is None else paused.batch_index
