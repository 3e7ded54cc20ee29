"""Streams on which faults happen, as a plan says; `faults.py` has the faults.

Two lines, one for each direction, decide (`fault_line.py`); `FaultyStream` carries out what they say. It stands between one side and the
real stream, and may stand on either side. Nothing runs in the background: what a line holds back, it
holds back while somebody reads or writes.
"""

from __future__ import annotations

import itertools
import math
import random
from collections import deque
from collections.abc import Callable
from typing import final

import trio

from .endings import cut_stream, reset_stream
from .fault_line import Line, Pass, PlacedFault, Step, Strike, Wait
from .faults import Close, ConnectionFaults, Cut, FaultPlan, HalfOpen, Reset, Stall
from .streams import StreamOpener

__all__ = ["FaultyStream", "OnFault", "faulty_opener"]

_KERNEL_BYTES = 64 * 2**10
"""What a direction that has stalled for ever still takes from its writer, as a kernel's buffers would."""
_GONE = (trio.BrokenResourceError, trio.ClosedResourceError)

OnFault = Callable[[PlacedFault], object]


@final
class FaultyStream(trio.abc.Stream):
    """A stream between one side of a connection and the real stream, on which faults happen.

    Both sides see what befalls the connection: after a cut the own side reads the end of the stream and the peer gets FIN, after a reset
    both have a broken stream.
    """

    def __init__(
        self,
        stream: trio.abc.Stream,
        faults: ConnectionFaults,
        *,
        is_server: bool = False,
        on_fault: OnFault = lambda fault: None,
    ) -> None:
        """Stand before a stream.

        Args:
            stream: The real one: a socket, or `CanEndRudely`; of any other kind its peer cannot tell a reset from a cut.
            faults: What befalls it.
            is_server: Whether the side that holds this stream is the server, so that what it sends is downstream.
            on_fault: Told of each fault that has a place, when it strikes.
        """
        dice = random.Random(faults.seed)  # noqa: S311  # reproducible on purpose
        upstream, downstream = Line(faults.upstream, dice, is_upstream=True), Line(faults.downstream, dice)
        self._inner = stream
        self._outbound, self._inbound = (downstream, upstream) if is_server else (upstream, downstream)
        self._on_fault = on_fault
        self._steps: deque[Step] = deque(self._inbound.take(b""))
        self._wait_until: float | None = None
        self._received = b""
        self._has_received_end = False
        self._swallowed_bytes = 0
        self._hears_nothing = False
        self._says_nothing = False
        self._is_broken = False
        self._is_closed = False
        self._is_over = trio.Event()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """See `trio.abc.SendStream`."""
        await trio.lowlevel.checkpoint()
        for step in itertools.chain(self._outbound.take(b""), self._outbound.take(bytes(data))):
            self._require_open()
            match step:
                case Wait(seconds):
                    with trio.move_on_after(seconds):
                        await self._is_over.wait()
                case Strike(fault):
                    self._strike(fault, is_inbound=False)
                    if isinstance(fault, Close) and isinstance(self._inner, trio.abc.HalfCloseableStream):
                        await self._inner.send_eof()
                case Pass(piece):
                    await self._inner.send_all(piece)
        self._require_open()
        if self._says_nothing:
            await self._swallow(len(data))

    async def _swallow(self, size_bytes: int) -> None:
        """Take bytes that will arrive nowhere; when the buffers are full, wait for the end."""
        self._swallowed_bytes += size_bytes
        if self._swallowed_bytes > _KERNEL_BYTES:
            await self._is_over.wait()
            self._require_open()

    async def wait_send_all_might_not_block(self) -> None:
        """See `trio.abc.SendStream`."""
        self._require_open()
        await self._inner.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """See `trio.abc.ReceiveStream`."""
        await trio.lowlevel.checkpoint()
        while not self._received:
            if self._hears_nothing:
                await self._is_over.wait()
            if self._is_over.is_set() or self._has_received_end:
                return self._end_of_stream()
            if self._steps:
                await self._take_step()
            else:
                await self._read(max_bytes)
        data = self._received[:max_bytes]
        self._received = self._received[len(data) :]
        return data

    async def _take_step(self) -> None:
        match self._steps[0]:
            case Wait(seconds):
                if self._wait_until is None:
                    self._wait_until = trio.current_time() + seconds
                with trio.move_on_at(self._wait_until):
                    await self._is_over.wait()
                self._wait_until = None
            case Strike(fault):
                self._strike(fault, is_inbound=True)
            case Pass(data):
                self._received = data
        if self._steps:
            self._steps.popleft()

    async def _read(self, max_bytes: int | None) -> None:
        try:
            data = bytes(await self._inner.receive_some(max_bytes))
        except _GONE:
            if self._hears_nothing or self._is_over.is_set():
                return
            raise

        if self._hears_nothing:
            return
        if data:
            self._steps.extend(self._inbound.take(data))
        elif self._inbound.close_seconds:
            with trio.move_on_after(self._inbound.close_seconds):
                await self._is_over.wait()
        self._has_received_end = not data

    def _end_of_stream(self) -> bytes:
        if self._is_closed:
            raise trio.ClosedResourceError("the stream was closed")
        if self._is_broken:
            raise trio.BrokenResourceError("the connection was reset")
        return b""

    def _require_open(self) -> None:
        if self._is_closed:
            raise trio.ClosedResourceError("the stream was closed")
        if self._is_over.is_set():
            raise trio.BrokenResourceError("the connection has ended")

    def _strike(self, fault: PlacedFault, *, is_inbound: bool) -> None:
        self._on_fault(fault)
        match fault:
            case Cut():
                self.cut()
            case Reset():
                self.reset()
            case HalfOpen():
                self._hears_nothing = self._says_nothing = True
            case Close():
                self._has_received_end = is_inbound
            case Stall(seconds=math.inf) if is_inbound:
                self._hears_nothing = True
            case Stall(seconds=math.inf):
                self._says_nothing = True
            case _:
                pass  # a stall that passes, and corruption, are done with by the line

    def cut(self) -> None:
        """End with FIN; see `CanEndRudely`."""
        self._is_over.set()
        cut_stream(self._inner)

    def reset(self) -> None:
        """End with RST; see `CanEndRudely`."""
        self._is_broken = True
        self._is_over.set()
        reset_stream(self._inner)

    async def aclose(self) -> None:
        """See `trio.abc.AsyncResource`."""
        self._is_closed = True
        self._is_over.set()
        try:
            await trio.sleep(self._outbound.close_seconds)
            cut_stream(self._inner)
        finally:
            await trio.aclose_forcefully(self._inner)


def faulty_opener(
    open_stream: StreamOpener, plan: FaultPlan, *, on_fault: OnFault = lambda fault: None
) -> StreamOpener:
    """Return an opener whose streams have the faults of `plan`: for `open_backtest_session(open_stream=…)`.

    Args:
        open_stream: Opens the real streams; `trio.open_tcp_stream` for TCP.
        plan: What befalls them, in the order in which they are opened.
        on_fault: Told of each fault that has a place, when it strikes.
    """
    numbers = itertools.count()

    async def open_faulty(host: str, port: int) -> trio.abc.Stream:
        faults = plan(next(numbers))
        if faults.is_refused:
            await trio.lowlevel.checkpoint()
            raise ConnectionRefusedError("refused by the fault plan")

        return FaultyStream(await open_stream(host, port), faults, on_fault=on_fault)

    return open_faulty
