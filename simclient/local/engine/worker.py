"""An engine process: requests and answers of one session on one socket, one after the other, until the socket ends.

An unexpected exception ends the process with a traceback on standard error.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import msgspec

from ...errors import InputError
from .messages import (
    LENGTH_BYTES,
    Answer,
    Answered,
    Execute,
    Executed,
    Load,
    Loaded,
    Reached,
    Request,
    Rpc,
    Scout,
    Scouted,
    failed,
    frame,
    frame_into,
)
from .rpc import RpcServer

__all__ = ["Begin", "Source", "serve"]


_UNREAD_BYTES = 2 * 2**20
"""Of answers that the kernel keeps for the server: with room for a whole turn the engine goes on while the server reads."""


class Source(Protocol):
    """The replay of a bundle, or of a recording."""

    @property
    def next_slot(self) -> int | None:
        """The next slot of the range; None where there is none."""

    def execute(self, request: Execute) -> Executed:
        """Execute slots, or give them again."""
        ...

    def look_ahead(self, request_id: int, most_slots: int) -> Scouted:
        """Look for batches."""
        ...


Begin = Callable[[Load], tuple[Source, RpcServer]]
"""Begins the session."""


def serve(channel: socket.socket, begin: Begin) -> None:
    """Serve one session until the server leaves, which it may do with answers unread."""
    with suppress(OSError):  # macOS refuses what Linux cuts down to what it allows
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _UNREAD_BYTES)
    with suppress(ConnectionResetError, BrokenPipeError):
        _serve(channel, begin)


def _serve(channel: socket.socket, begin: Begin) -> None:
    decoder = msgspec.msgpack.Decoder(Request)
    engine: tuple[Source, RpcServer] | None = None
    requests = channel.makefile("rb")
    buffer = bytearray()
    while (length := requests.read(LENGTH_BYTES)) and len(length) == LENGTH_BYTES:
        request = decoder.decode(requests.read(int.from_bytes(length, "little")))
        answer: Answer
        try:
            if isinstance(request, Load):
                engine = begin(request)
                answer = Loaded(request.id, engine[0].next_slot)
            else:
                assert engine is not None
                answer = _answer(engine, request)
        except InputError as error:
            answer = failed(request.id, error)
        if isinstance(answer, Executed):
            channel.sendall(frame(_reached(answer)))
        frame_into(buffer, answer)
        channel.sendall(buffer)


def _answer(engine: tuple[Source, RpcServer], request: Execute | Scout | Rpc) -> Answer:
    source, rpc = engine
    match request:
        case Execute():
            return source.execute(request)
        case Scout():
            return source.look_ahead(request.id, request.most_slots)
        case Rpc():
            return Answered(request.id, rpc.answer(request.body))


def _reached(executed: Executed) -> Reached:
    last = executed.slots[-1]
    return Reached(executed.id, len(executed.slots), last.slot, last.next_batch, executed.next_slot)
