"""Trials out of seeds: what befalls the connections, what liberties the server takes, and how the user reads."""

from __future__ import annotations

import random
from collections.abc import Sequence

from ...session.options import Delivery
from ...transport.faults import (
    Bandwidth,
    Corrupt,
    Cut,
    Fault,
    HalfOpen,
    Latency,
    Reset,
    Slicer,
    SlowClose,
    Stall,
    faults_in_order,
    random_faults,
)
from ..model_session import Manners
from .trial import Trial

__all__ = ["BYTES_PER_EVENT", "HONEST", "cancelled_trial", "corrupting_trial", "random_trial"]

HONEST: Sequence[type[Fault]] = (Cut, Reset, HalfOpen, Stall, Latency, Bandwidth, Slicer, SlowClose)
"""Faults after which what arrives is a beginning of what was sent."""
_FAULTY_CONNECTIONS = 8
BYTES_PER_EVENT = 250
"""About what a notification of a trial takes on the wire, uncompressed."""


def random_trial(
    seed: int,
    *,
    events: int = 120,
    kinds: Sequence[type[Fault]] = HONEST,
    connections: int = _FAULTY_CONNECTIONS,
    delivery: Delivery = Delivery.EXACTLY_ONCE,
) -> Trial:
    """Draw a trial in which connections are refused, cut, reset, stalled, delayed, sliced and closed late.

    Args:
        seed: The same one gives the same trial.
        events: How many notifications there are.
        kinds: What may happen.
        connections: How many connections have faults; later ones have none, so that the run can come to its end.
        delivery: What is asked of the client.
    """
    dice = random.Random(f"trial {seed}")  # noqa: S311  # reproducible on purpose
    return Trial(
        seed=seed,
        events=events,
        plan=random_faults(
            seed, kinds=kinds, connections=connections, reach_bytes=max(500, events * BYTES_PER_EVENT // 4)
        ),
        manners=Manners.draw(dice),
        delivery=delivery,
        reading_seconds=dice.choice((0.0, 0.0, 0.0, 1.0)),
    )


def corrupting_trial(seed: int, *, events: int = 60) -> Trial:
    """Draw a trial in which bytes arrive as others, too."""
    return random_trial(seed, events=events, kinds=(Corrupt, Corrupt, Corrupt, Cut, Reset, Slicer))


def cancelled_trial(step: int | None) -> Trial:
    """Draw a small session without faults, cancelled at a step of the scheduler; None: not cancelled."""
    return Trial(seed=0, events=20, slots=3, plan=faults_in_order(), cancel_at_step=step)
