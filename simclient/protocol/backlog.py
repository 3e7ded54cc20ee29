"""Control events that the user has not taken yet, in order, within a stated bound.

Runs of slot notifications are kept as ranges, so that a user who sleeps while thousands of slots pass costs a few bytes; everything
else counts one by one. Whoever fills the backlog asks `is_full` first and stops reading the socket while it is.
"""

from __future__ import annotations

from collections import deque

from ..wire.responses import SessionEvent, SlotNotification

__all__ = ["ControlBacklog"]


class ControlBacklog:
    """A bounded queue of session events in which consecutive slots take one place."""

    def __init__(self, bound: int) -> None:
        """Start empty; `bound` is in places."""
        self._bound = bound
        self._places: deque[SessionEvent | _SlotRun] = deque()

    def __bool__(self) -> bool:
        return bool(self._places)

    @property
    def is_full(self) -> bool:
        """Whether the bound is reached; a run of slots can still grow."""
        return len(self._places) >= self._bound

    @property
    def is_half_empty(self) -> bool:
        """Whether there is room for many more."""
        return len(self._places) <= self._bound // 2

    def push(self, event: SessionEvent) -> None:
        """Add `event` at the end."""
        if not isinstance(event, SlotNotification):
            self._places.append(event)
            return

        last = self._places[-1] if self._places else None
        if isinstance(last, _SlotRun) and last.stop == event.slot:
            last.stop += 1
        else:
            self._places.append(_SlotRun(event.slot))

    def clear(self) -> None:
        """Forget everything."""
        self._places.clear()

    def withdraw(self, event: SessionEvent) -> None:
        """Remove `event` itself, if it is still here; a slot cannot be withdrawn."""
        for index, place in enumerate(self._places):
            if place is event:
                del self._places[index]
                return

    def pop(self) -> SessionEvent:
        """Take the oldest event; an empty backlog raises IndexError."""
        first = self._places[0]
        if not isinstance(first, _SlotRun):
            return self._places.popleft()  # type: ignore[return-value]  # it is `first`

        slot = first.start
        first.start += 1
        if first.start == first.stop:
            self._places.popleft()
        return SlotNotification(slot=slot)


class _SlotRun:
    """The slots from `start` up to but not including `stop`."""

    __slots__ = ("start", "stop")

    def __init__(self, slot: int) -> None:
        self.start = slot
        self.stop = slot + 1
