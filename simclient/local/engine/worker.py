"""The engine process: requests from standard input, answers on standard output, one after the other.

It lives as long as its parent: the end of standard input ends it, and on Linux so does the parent's death. Ctrl-C is the parent's to
decide, so it is ignored here. An unexpected exception ends the process with a traceback on standard error.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import BinaryIO, Protocol

import msgspec

from ...errors import BundleError, InputError
from .messages import (
    LENGTH_BYTES,
    Answer,
    Answered,
    Execute,
    Executed,
    Failed,
    Load,
    Loaded,
    Request,
    Rpc,
    Scout,
    Scouted,
    frame,
)
from .replay import Replay
from .rpc import RpcServer
from .values import TransactionRefused

__all__ = ["main"]

_PR_SET_PDEATHSIG = 1
"""From linux/prctl.h."""


def main() -> None:
    """Serve the parent until it is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with_the_parent()
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    sys.stdout = sys.stderr  # nothing that prints may break the stream of answers
    _serve(requests, answers)


class _Source(Protocol):
    """The replay of a bundle, or of a recording."""

    def execute(self, request: Execute) -> Executed: ...

    def look_ahead(self, request_id: int, most_slots: int) -> Scouted: ...


def _serve(requests: BinaryIO, answers: BinaryIO) -> None:
    decoder = msgspec.msgpack.Decoder(Request)
    engine: tuple[_Source, RpcServer] | None = None
    while (length := requests.read(LENGTH_BYTES)) and len(length) == LENGTH_BYTES:
        request = decoder.decode(requests.read(int.from_bytes(length, "little")))
        try:
            if isinstance(request, Load):
                engine, answer = _load(request)
            else:
                assert engine is not None
                answer = _answer(engine, request)
        except InputError as error:
            answer = _failed(request.id, error)
        _write_all(answers, frame(answer))


def _load(request: Load) -> tuple[tuple[_Source, RpcServer], Answer]:
    if request.is_recording:
        from ..recorded.playback import RPC_METHODS, Playback  # it reads messages, which a bundle does without

        playback = Playback(request)
        return (playback, RpcServer(playback, only=RPC_METHODS)), Loaded(request.id, playback.next_slot)

    replay = Replay(request)
    return (replay, RpcServer(replay)), Loaded(request.id, replay.next_slot)


def _answer(engine: tuple[_Source, RpcServer], request: Execute | Scout | Rpc) -> Answer:
    source, rpc = engine
    match request:
        case Execute():
            return source.execute(request)
        case Scout():
            return source.look_ahead(request.id, request.most_slots)
        case Rpc():
            return Answered(request.id, rpc.answer(request.body))


def _failed(request_id: int, error: InputError) -> Failed:
    if isinstance(error, TransactionRefused):
        return Failed(request_id, "transaction", str(error), error.index)
    return Failed(request_id, "bundle" if isinstance(error, BundleError) else "input", str(error))


def _write_all(answers: BinaryIO, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[answers.write(view) :]


def _die_with_the_parent() -> None:
    """Ask Linux for a signal when the parent is gone; elsewhere the end of standard input ends this process.

    Linux sends it also when only the parent's *thread* that started this process ends (prctl(2)), and trio starts processes from
    threads that it retires after some seconds: so the signal is taken as a reason to look, not as the news itself.
    """
    if sys.platform != "linux":
        return

    parent = os.getppid()

    def look(signal_number: int, frame: object) -> None:
        if os.getppid() != parent:
            os._exit(1)

    signal.signal(signal.SIGUSR1, look)
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGUSR1)
    look(signal.SIGUSR1, None)
