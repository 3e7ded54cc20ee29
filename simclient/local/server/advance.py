"""How far a session is, how far it is to go on, and what the engine is asked for next."""

from __future__ import annotations

import attrs

from ..engine import ModifiedAccount

__all__ = ["Advance", "Pause", "Position", "Turn", "next_turn"]

_U64_MAX = 2**64 - 1


@attrs.frozen(kw_only=True)
class Pause:
    """A place to stop at."""

    slot: int
    """Whether or not it was produced."""
    batch: int | None = None
    """Just before this batch of it, or after its last one if there are fewer; None: after the whole slot."""


@attrs.frozen(kw_only=True)
class Position:
    """How far a session was executed."""

    slot: int
    """The last slot that was executed as a whole."""
    within: tuple[int, int] | None = None
    """The slot that was left within, and its next batch."""

    def is_behind(self, pause: Pause) -> bool:
        """Tell whether a place to stop at lies behind."""
        if self.within is None or pause.slot != self.within[0]:
            return pause.slot <= self.slot

        return pause.batch is not None and pause.batch < self.within[1]

    def has_reached(self, pause: Pause) -> bool:
        """Tell whether this is the place to stop at, or beyond it."""
        if self.slot >= pause.slot:
            return True

        return self.within is not None and pause.batch is not None and self.within >= (pause.slot, pause.batch)


@attrs.frozen(kw_only=True)
class Advance:
    """A checked request to go on."""

    slots: int = _U64_MAX
    """At most so many."""
    pause: Pause | None = None
    """Where to stop, with `paused`."""
    transactions: tuple[bytes, ...] = ()
    modifications: tuple[ModifiedAccount, ...] = ()


@attrs.frozen(kw_only=True)
class Turn:
    """What the engine is asked for: the next slots, as many as it does in one turn."""

    most_slots: int
    last_slot: int | None
    """None: the range's."""
    stop_at: tuple[int, int] | None = None
    """A slot, and the batch of it before which to stop."""


def next_turn(
    advance: Advance, *, slots_left: int, position: Position, next_slot: int | None, known_to: int | None
) -> Turn | None:
    """Say what comes next of a request to go on; None: it was carried out.

    Args:
        advance: The request.
        slots_left: How many slots of it are left.
        position: How far the engine is.
        next_slot: The next slot that exists; None where there is none.
        known_to: No slot after this one is executed before it was looked through for discoveries; None: all were.
    """
    pause = advance.pause
    if not slots_left or next_slot is None:
        return None
    if pause is not None and (next_slot > pause.slot or position.has_reached(pause)):
        return None

    bounds = [bound for bound in (known_to, None if pause is None else pause.slot) if bound is not None]
    return Turn(
        most_slots=slots_left,
        last_slot=min(bounds, default=None),
        stop_at=None if pause is None or pause.batch is None else (pause.slot, pause.batch),
    )
