"""What no reader of these messages in Python can avoid, each on its own: the floor under the figures of `anatomy`.

The bytes are received from the kernel, copied into an object for each message (the user may keep one and let the rest go), and looked at by
a JSON parser, which finds their end and that they are valid; and to be read as fields they have to become objects.
"""

from __future__ import annotations

import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from itertools import accumulate
from time import thread_time
from typing import Any

import msgspec

from simclient.wire.notifications import AccountDiff

from .results import Result
from .streams import Stream, messages_of

__all__ = ["floor_results"]

_COUNT = 4_000
_ROUNDS = 15
_READ_BYTES = 2**20
_TIMES = 5
"""How often the messages are received in one round."""


class _Nothing(msgspec.Struct, gc=False):
    """A message of which no field is wanted: the parser looks at every byte all the same."""


def floor_results(*, quick: bool) -> Iterator[Result]:
    """Measure what an account diff of two sizes cannot cost less than."""
    for message_bytes in (600, 4096):
        stream = Stream(kind="account-diff", message_bytes=message_bytes, count=_COUNT // 10 if quick else _COUNT)
        messages = list(messages_of(stream))[:-1]
        joined = b"".join(messages)
        ends = list(accumulate(map(len, messages)))
        slices = [slice(end - len(message), end) for end, message in zip(ends, messages, strict=True)]
        ways: dict[str, Callable[[], float]] = {
            "receive from the kernel": partial(_received, joined),
            "copy": partial(_mapped, joined.__getitem__, slices),
            "scan as JSON": partial(_mapped, _SCAN, messages),
            "scan as JSON, make objects": partial(_mapped, _DECODE, messages),
        }
        for name, measure in ways.items():
            seconds = min(measure() for _ in range(_ROUNDS))
            yield Result(f"floor of account diffs {message_bytes} B: {name}", "µs", seconds / len(messages) * 1e6)


_SCAN = msgspec.json.Decoder(_Nothing).decode
_DECODE = msgspec.json.Decoder(AccountDiff).decode


def _mapped(call: Callable[[Any], object], values: list[Any]) -> float:
    """Return the CPU time of a call for each value; each result is dropped before the next."""
    started = thread_time()
    _EXHAUST(map(call, values))
    return thread_time() - started


_EXHAUST = deque[object](maxlen=0).extend


def _received(data: bytes) -> float:
    """Return the CPU time of receiving `data` once over loopback, by the largest reads."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        sender = socket.create_connection(server.getsockname())
        receiver, _ = server.accept()
    with sender, receiver:
        sending = threading.Thread(target=sender.sendall, args=(data * _TIMES,))
        sending.start()
        wanted = len(data) * _TIMES
        started = thread_time()
        while wanted:
            wanted -= len(receiver.recv(_READ_BYTES))
        seconds = thread_time() - started
        sending.join()
    return seconds / _TIMES
