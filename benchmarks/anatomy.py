"""Where the time of one notification goes, without sockets: each stage's own share, a read at a time, as the session does it.

A stage is what the pipeline up to it takes, less what the pipeline before it takes; each read is dropped before the next comes, so that the
memory is as warm as in a session. What is missing here is the kernel, trio's scheduling, and the user's code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import process_time

import trio

from simclient.protocol.subscription import SubscriptionMachine
from simclient.session.inbox import Inbox
from simclient.transport.frames import FrameReader
from simclient.wire.compression import StreamDecompressor
from simclient.wire.notifications import decode_data_messages
from simclient.wire.responses import Completed
from simclient.wire.subscriptions import AccountDiffs

from .results import Result
from .streams import FIRST_SLOT, PROGRAM, Stream, frames_of

__all__ = ["anatomy_results"]

_LIMIT_BYTES = 2**28
_ROUNDS = 5
_COUNT = 20_000
_ACKNOWLEDGEMENT = b'{"jsonrpc":"2.0","id":1,"result":1}'


def anatomy_results(*, quick: bool) -> Iterator[Result]:
    """Measure each stage for account diffs of two sizes, plain and compressed."""
    for message_bytes in (600, 4096):
        for is_compressed in (False, True):
            count = _COUNT // 10 if quick else _COUNT
            stream = Stream(kind="account-diff", message_bytes=message_bytes, count=count, is_compressed=is_compressed)
            reads = frames_of(stream)
            stages = {name: stage for name, stage in _STAGES.items() if is_compressed or name != "decompress"}
            rounds = [{name: stage(reads) for name, stage in stages.items()} for _ in range(_ROUNDS)]
            before = 0.0
            for name in stages:
                after = min(times[name] for times in rounds) / count * 1e6
                how = "zstd" if is_compressed else "plain"
                yield Result(f"share of account diffs {message_bytes} B, {how}: {name}", "µs", after - before)
                before = after


def _timed(reads: list[bytes], take: Callable[[bytes], object]) -> float:
    started = process_time()
    for data in reads:
        take(_received(data))
    return process_time() - started


def _received(data: bytes) -> bytes:
    """Return a copy that is warm in the processor's cache, as the kernel hands it over."""
    return bytes(memoryview(data))


def _copy(reads: list[bytes]) -> float:
    return _timed(reads, len)


def _frames(reads: list[bytes]) -> float:
    return _timed(reads, FrameReader(_LIMIT_BYTES).feed)


def _decompress(reads: list[bytes]) -> float:
    reader, stream = FrameReader(_LIMIT_BYTES), StreamDecompressor()

    def take(data: bytes) -> None:
        for _, payloads in reader.feed(data):
            stream.decompress_run(payloads)

    return _timed(reads, take)


def _decode(reads: list[bytes]) -> float:
    reader, stream = FrameReader(_LIMIT_BYTES), StreamDecompressor()

    def take(data: bytes) -> None:
        for is_binary, payloads in reader.feed(data):
            decode_data_messages(stream.decompress_run(payloads)[0] if is_binary else payloads)

    return _timed(reads, take)


def _machine() -> SubscriptionMachine:
    machine = SubscriptionMachine(
        AccountDiffs(program=PROGRAM),
        exactly_once=True,
        compress=True,
        max_message_bytes=_LIMIT_BYTES,
        boundary_bytes=2**24,
        start_slot=FIRST_SLOT,
    )
    machine.connected()
    machine.receive([(False, [_ACKNOWLEDGEMENT])])
    return machine


def _cursors(reads: list[bytes]) -> float:
    reader, machine = FrameReader(_LIMIT_BYTES), _machine()
    return _timed(reads, lambda data: machine.receive(reader.feed(data)))


def _iterate(reads: list[bytes]) -> float:
    reader, machine = FrameReader(_LIMIT_BYTES), _machine()

    async def run() -> float:
        inbox = Inbox(control_backlog=1, data_batches=1)

        async def put() -> None:
            for data in reads:
                runs = reader.feed(_received(data))
                await inbox.put_batch(lambda runs=runs: machine.receive(runs).notifications)  # type: ignore[misc]
            inbox.complete(Completed())

        started = process_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(put)
            async for _ in inbox:
                pass
        return process_time() - started

    return trio.run(run)


_STAGES: dict[str, Callable[[list[bytes]], float]] = {
    "copy a read": _copy,
    "cut frames": _frames,
    "decompress": _decompress,
    "decode": _decode,
    "check cursors": _cursors,
    "iterate": _iterate,
}
