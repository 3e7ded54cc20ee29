"""What a run would take: its pieces, its time and its price, before anything is run."""

from __future__ import annotations

import attrs

from ..wire.http_bodies import UsagePricing

__all__ = ["RunPlan", "plan_run", "price_of"]

_SECONDS_PER_SLOT = 0.25
"""What a slot takes by experience. Source: `run --plan` of sim-cli 0.21.0."""
_MILLISECONDS_PER_MINUTE = 60_000


@attrs.frozen(kw_only=True)
class RunPlan:
    """What a run would take."""

    pieces: tuple[tuple[int, int], ...]
    """First and last slot of each session, inclusive."""
    seconds: float
    """About how long; pieces run at the same time."""
    dollars: float | None
    """About how much; None: the server did not say its prices."""

    @property
    def slots(self) -> int:
        """How many slots are executed."""
        return sum(last - first + 1 for first, last in self.pieces)


def plan_run(pieces: tuple[tuple[int, int], ...], pricing: UsagePricing | None) -> RunPlan:
    """Return what sessions over these slots would take.

    Args:
        pieces: First and last slot of each session, inclusive.
        pricing: What the account pays, None where that is not known.
    """
    longest = max(last - first + 1 for first, last in pieces)
    slots = sum(last - first + 1 for first, last in pieces)
    milliseconds = int(slots * _SECONDS_PER_SLOT * 1_000)
    return RunPlan(
        pieces=pieces,
        seconds=longest * _SECONDS_PER_SLOT,
        dollars=None if pricing is None else price_of(pricing, slots=slots, milliseconds=milliseconds),
    )


def price_of(pricing: UsagePricing, *, slots: int, milliseconds: int) -> float:
    """Return what executed slots cost, in dollars: by the slot, and by the minute if they took longer than is usual.

    Source: `usage` of sim-cli 0.21.0.
    """
    if slots * pricing.max_ms_per_slot < milliseconds:
        return milliseconds / _MILLISECONDS_PER_MINUTE * pricing.dollars_per_minute

    return slots * pricing.dollars_per_slot
