"""One direction of one connection with faults, without I/O: which bytes go on, in which pieces, after which waits, and what strikes."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator
from typing import TypeVar, final

import attrs

from .faults import Bandwidth, Close, Corrupt, Cut, Fault, HalfOpen, Latency, Reset, Slicer, SlowClose, Stall
from .frames import encode_close
from .messages import MessageCounter

__all__ = ["Line", "Pass", "PlacedFault", "Step", "Strike", "Wait"]

_PIECE_SECONDS = 0.05
"""What a bandwidth lets through at once takes so long."""

PlacedFault = Cut | Reset | Close | Stall | HalfOpen | Corrupt
AnyFault = TypeVar("AnyFault", Latency, Bandwidth, Slicer, SlowClose)


@attrs.frozen
class Pass:
    """These bytes go on."""

    data: bytes


@attrs.frozen
class Wait:
    """Nothing happens for so long."""

    seconds: float


@attrs.frozen
class Strike:
    """The place of a fault is reached; what the line itself can do about it, it has done."""

    fault: PlacedFault


Step = Pass | Wait | Strike


@final
class Line:
    """One direction of one connection, without I/O."""

    def __init__(self, faults: tuple[Fault, ...], dice: random.Random, *, is_upstream: bool = False) -> None:
        """Start before the first byte; `dice` decides sizes and jitter."""
        self._dice = dice
        self._is_upstream = is_upstream
        self._counter = MessageCounter()
        self._passed_bytes = 0
        self._passed_messages = -1  # the handshake is number 0
        self._is_over = False
        self._latency = _first(faults, Latency)
        self._bandwidth = _first(faults, Bandwidth)
        self._slicer = _first(faults, Slicer)
        self._slow_close = _first(faults, SlowClose)
        placed = [fault for fault in faults if isinstance(fault, PlacedFault)]
        self._unplaced = [fault for fault in placed if fault.at_message is not None]
        self._placed: list[tuple[int, PlacedFault]] = [
            (fault.at_byte, fault) for fault in placed if fault.at_message is None
        ]

    @property
    def close_seconds(self) -> float:
        """How late the end of the stream arrives."""
        return 0.0 if self._slow_close is None else self._slow_close.seconds

    def take(self, data: bytes) -> Iterator[Step]:
        """Say what becomes of `data`; without data, what strikes before the next byte. After an end nothing passes."""
        if self._is_over:
            return

        start = position = self._passed_bytes
        self._passed_bytes += len(data)
        self._place(self._counter.feed(data))
        if data and self._latency is not None:
            yield Wait(self._draw_latency(self._latency))
        while (next_one := self._next_fault()) is not None:
            place, fault = next_one
            yield from self._shape(data[position - start : place - start])
            position = place
            if isinstance(fault, Close):
                yield Pass(encode_close(fault.code, fault.reason, is_client=self._is_upstream))
            yield Strike(fault)
            if isinstance(fault, Corrupt):
                data = _with_flipped_bits(data, place - start, fault.mask)
            elif isinstance(fault, Stall) and fault.seconds < math.inf:
                yield Wait(fault.seconds)
            else:
                self._is_over = True
                return
        yield from self._shape(data[position - start :])

    def _place(self, message_ends: Iterable[int]) -> None:
        """Find the places, in bytes, of the faults that wait for the end of a message."""
        for end in message_ends:
            self._passed_messages += 1
            for fault in tuple(self._unplaced):
                if fault.at_message == self._passed_messages:
                    self._unplaced.remove(fault)
                    self._placed.append((end + fault.at_byte, fault))

    def _next_fault(self) -> tuple[int, PlacedFault] | None:
        """Take out the next fault whose place is reached; one that changes a byte needs that byte."""
        due = [item for item in self._placed if item[0] + isinstance(item[1], Corrupt) <= self._passed_bytes]
        if not due:
            return None

        first = min(due, key=lambda item: item[0])
        self._placed.remove(first)
        return first

    def _draw_latency(self, latency: Latency) -> float:
        spread = latency.jitter_seconds * (2 * self._dice.random() - 1)
        return max(0.0, latency.seconds + spread)

    def _shape(self, data: bytes) -> Iterator[Step]:
        """Cut `data` into pieces, with waits between."""
        position = 0
        while position < len(data):
            piece = data[position : position + self._piece_bytes(len(data))]
            if self._bandwidth is not None:
                yield Wait(len(piece) / self._bandwidth.bytes_per_second)
            yield Pass(piece)
            position += len(piece)
            if self._slicer is not None and self._slicer.seconds and position < len(data):
                yield Wait(self._slicer.seconds)

    def _piece_bytes(self, whole: int) -> int:
        most = whole
        if self._bandwidth is not None:
            most = max(1, int(self._bandwidth.bytes_per_second * _PIECE_SECONDS))
        if self._slicer is not None:
            most = min(most, self._dice.randint(1, self._slicer.most_bytes))
        return most


def _first(faults: Iterable[Fault], kind: type[AnyFault]) -> AnyFault | None:
    return next((fault for fault in faults if isinstance(fault, kind)), None)


def _with_flipped_bits(data: bytes, index: int, mask: int) -> bytes:
    return data[:index] + bytes([data[index] ^ mask]) + data[index + 1 :]
