"""Faults of a network, as values: what goes wrong with a connection, in which direction, and at which byte or message.

The words are those of Toxiproxy where it has one. A plan says for each connection, counted from 0 in the order in which they are opened,
what befalls it; it is pure, so the same plan does the same again. `faulty.py` carries plans out on streams.

- Downstream is from server to client, upstream from client to server. Bytes count from the beginning of the connection in that
  direction, the opening handshake of a WebSocket included.
- `at_message=k` counts whole WebSocket messages after the handshake: the fault strikes `at_byte` bytes after the end of the k-th.
- Faults that end a connection end it for both sides, but for `Close`. Of several, the first that is reached strikes.
- Nothing here changes bytes but `Corrupt`, and nothing adds any but `Close`: without them each side receives a beginning of what the
  other has sent.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import ClassVar

import attrs

__all__ = [
    "NO_FAULTS",
    "Bandwidth",
    "Close",
    "ConnectionFaults",
    "Corrupt",
    "Cut",
    "Fault",
    "FaultPlan",
    "HalfOpen",
    "Latency",
    "Reset",
    "Slicer",
    "SlowClose",
    "Stall",
    "faults_in_order",
    "random_faults",
]


@attrs.frozen(kw_only=True)
class Latency:
    """What is read or written waits before it goes on. Toxiproxy: latency."""

    seconds: float
    jitter_seconds: float = 0.0
    """The wait is between `seconds - jitter_seconds` and `seconds + jitter_seconds`."""


@attrs.frozen(kw_only=True)
class Bandwidth:
    """No more bytes in a second than this. Toxiproxy: bandwidth."""

    bytes_per_second: float


@attrs.frozen(kw_only=True)
class Slicer:
    """What was written at once arrives in pieces. Toxiproxy: slicer."""

    most_bytes: int
    """Of one piece; each has between 1 and so many."""
    seconds: float = 0.0
    """Between two pieces."""


@attrs.frozen(kw_only=True)
class Cut:
    """The connection ends with FIN, without a close frame. Toxiproxy: limit_data."""

    at_byte: int = 0
    at_message: int | None = None


@attrs.frozen(kw_only=True)
class Reset:
    """The connection ends with RST. Toxiproxy: reset_peer."""

    at_byte: int = 0
    at_message: int | None = None


@attrs.frozen(kw_only=True)
class Close:
    """A goodbye between two messages: a close frame, and nothing after it. What goes the other way still arrives.

    The default is what the hosted service says when it is deployed anew and hands its sessions over, which live on.
    """

    at_message: int
    at_byte: ClassVar[int] = 0
    code: int = 1012
    reason: str = "management handoff"


@attrs.frozen(kw_only=True)
class Stall:
    """Nothing more passes in this direction, for a while or for ever. Toxiproxy: timeout."""

    at_byte: int = 0
    at_message: int | None = None
    seconds: float = math.inf


@attrs.frozen(kw_only=True)
class HalfOpen:
    """Nothing more passes in either direction, and neither side is told: a machine that lost its power, a route that is gone."""

    at_byte: int = 0
    at_message: int | None = None


@attrs.frozen(kw_only=True)
class Corrupt:
    """One byte arrives as another. TCP's checksum misses some; below TLS nobody else looks."""

    at_byte: int = 0
    at_message: int | None = None
    mask: int = 0x01
    """The bits that are flipped, 1 to 255."""


@attrs.frozen(kw_only=True)
class SlowClose:
    """The end of the stream arrives late. Toxiproxy: slow_close."""

    seconds: float


Fault = Latency | Bandwidth | Slicer | Cut | Reset | Close | Stall | HalfOpen | Corrupt | SlowClose


@attrs.frozen(kw_only=True)
class ConnectionFaults:
    """What befalls one connection."""

    downstream: tuple[Fault, ...] = ()
    upstream: tuple[Fault, ...] = ()
    is_refused: bool = False
    """Whether it is not opened at all. Toxiproxy: a disabled proxy."""
    seed: int = 0
    """For the sizes of slices and the jitter of latencies."""


NO_FAULTS = ConnectionFaults()

FaultPlan = Callable[[int], ConnectionFaults]
"""Takes the number of a connection, from 0, and says what befalls it."""


def faults_in_order(*faults: ConnectionFaults, then: ConnectionFaults = NO_FAULTS) -> FaultPlan:
    """Make a plan for the first connections; `then` befalls each later one."""

    def plan(connection: int) -> ConnectionFaults:
        return faults[connection] if connection < len(faults) else then

    return plan


ENDING = (Cut, Reset, HalfOpen, Stall)
"""Kinds after which a connection is of no use any more."""
SLOWING = (Latency, Bandwidth, Slicer, SlowClose)
"""Kinds that change only when, and in which pieces, bytes arrive."""


def random_faults(
    seed: int,
    *,
    kinds: Sequence[type[Fault]] = (*ENDING, *SLOWING),
    reach_bytes: int = 20_000,
    connections: int | None = 20,
    refused: float = 0.1,
) -> FaultPlan:
    """Make a plan out of a seed: one to three faults per connection, at places that are often early and seldom late.

    Args:
        seed: The same seed gives the same plan, whatever the order in which it is asked.
        kinds: What may happen.
        reach_bytes: The mean place of a fault; half of all places are given in messages instead.
        connections: From this connection on nothing befalls any; None: it never ends.
        refused: How likely a connection is not opened at all.
    """

    def plan(connection: int) -> ConnectionFaults:
        if connections is not None and connection >= connections:
            return NO_FAULTS

        dice = random.Random(f"{seed}/{connection}")  # noqa: S311  # reproducible on purpose
        faults: dict[bool, list[Fault]] = {True: [], False: []}
        for _ in range(dice.randint(1, 3)):
            kind = dice.choice(kinds)
            faults[dice.random() < _DOWNSTREAM].append(_random_fault(kind, dice, reach_bytes))
        return ConnectionFaults(
            downstream=tuple(faults[True]),
            upstream=tuple(faults[False]),
            is_refused=dice.random() < refused,
            seed=dice.getrandbits(32),
        )

    return plan


_DOWNSTREAM = 0.75
"""The part of faults on the way from server to client, where nearly all bytes are."""
_BYTES_PER_MESSAGE = 400
_FOREVER = 0.3
"""The part of stalls that never end."""


def _random_fault(kind: type[Fault], dice: random.Random, reach_bytes: int) -> Fault:
    if kind is Latency:
        seconds = dice.expovariate(20)
        return Latency(seconds=seconds, jitter_seconds=seconds * dice.random())
    if kind is Bandwidth:
        return Bandwidth(bytes_per_second=dice.choice((500, 5_000, 50_000)))
    if kind is Slicer:
        return Slicer(most_bytes=dice.choice((1, 2, 7, 100)), seconds=dice.choice((0.0, 0.0, 0.001)))
    if kind is SlowClose:
        return SlowClose(seconds=dice.expovariate(1))

    at_byte, at_message = _random_place(dice, reach_bytes)
    if kind is Stall:
        seconds = math.inf if dice.random() < _FOREVER else dice.expovariate(0.1)
        return Stall(at_byte=at_byte, at_message=at_message, seconds=seconds)
    if kind is Corrupt:
        return Corrupt(at_byte=at_byte, at_message=at_message, mask=dice.randint(1, 255))
    if kind is HalfOpen:
        return HalfOpen(at_byte=at_byte, at_message=at_message)
    return (Cut if kind is Cut else Reset)(at_byte=at_byte, at_message=at_message)


def _random_place(dice: random.Random, reach_bytes: int) -> tuple[int, int | None]:
    """Return a place: early ones are likelier, because handshakes are short and matter most."""
    if dice.random() < 0.5:
        return int(dice.expovariate(1 / reach_bytes)), None

    message = int(dice.expovariate(_BYTES_PER_MESSAGE / reach_bytes))
    return dice.choice((0, 0, 1, 2, 5, 50)), message
