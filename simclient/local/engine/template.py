"""The template process of a bundle or a recording: it has the accounts loaded, and forks an engine process for each session.

A fork takes a millisecond, and shares the memory of what was loaded until it is written to: so a session begins at once, however many
accounts a bundle has, and an idle one costs little. The parent asks on a socket which is this process's standard input: with a request
comes the socket that the engine is to serve. A request is a byte and a number; the answer to each is a number:

- `F` and a socket: fork; the answer is the new process's id.
- `B` and a process id: kill that engine if it still runs, and answer with its exit status.

It lives as long as its parent, and its engines as long as it: the end of standard input ends it, and on Linux so does the parent's death.
Ctrl-C is the parent's to decide, so it is ignored here.
"""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import NoReturn

from ...errors import BundleError
from .loaded import LoadedBundle
from .messages import BUNDLE, BURY, FORK, RECORDING, TEMPLATE_ANSWER, TEMPLATE_REQUEST, Load, Prepared, failed, frame
from .replay import Replay
from .rpc import RpcServer
from .worker import Begin, Source, serve

__all__ = ["main"]

_PR_SET_PDEATHSIG = 1
"""From linux/prctl.h."""
_DATA_PAGES = 5
"""The field of /proc/PID/statm that RLIMIT_DATA is about, nearly (proc(5), getrlimit(2))."""


def main(kind: str, path: str, most_bytes: str) -> None:
    """Load a bundle, or a recording, and fork engines of at most so much memory until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with_the_parent()
    control = socket.socket(fileno=os.dup(sys.stdin.fileno()))
    os.dup2(os.open(os.devnull, os.O_RDONLY), sys.stdin.fileno())
    sys.stdout = sys.stderr
    try:
        begin = _RECIPES[kind](Path(path))
    except BundleError as error:
        control.sendall(frame(failed(0, error)))
        return

    gc.collect()
    gc.freeze()  # what the collector touches in a fork would be copied
    control.sendall(frame(Prepared()))
    _fork_on_request(control, begin, int(most_bytes))


def _fork_on_request(control: socket.socket, begin: Begin, most_bytes: int) -> None:
    children: set[int] = set()
    while True:
        request, descriptors, _, _ = socket.recv_fds(control, TEMPLATE_REQUEST.size, 1)
        if len(request) < TEMPLATE_REQUEST.size:
            return

        what, number = TEMPLATE_REQUEST.unpack(request)
        if what == FORK:
            number = os.fork()
            if not number:
                control.close()
                _be_an_engine(socket.socket(fileno=descriptors[0]), begin, most_bytes)
            os.close(descriptors[0])
            children.add(number)
            control.sendall(TEMPLATE_ANSWER.pack(number))
        elif what == BURY:
            control.sendall(TEMPLATE_ANSWER.pack(_buried(number) if number in children else 0))
            children.discard(number)


def _buried(process_id: int) -> int:
    """Kill a child, which keeps its id until it is waited for, and return how it ended."""
    os.kill(process_id, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(process_id, 0)[1])


def _be_an_engine(channel: socket.socket, begin: Begin, most_bytes: int) -> NoReturn:
    status = 1
    try:
        _die_with_the_parent()
        _limit_memory(most_bytes)
        serve(channel, begin)
        status = 0
    except Exception:  # noqa: BLE001 (the process ends here: this is the last chance to say why)
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _limit_memory(most_bytes: int) -> None:
    """Let this process take so much memory more than it has: what a session sets and sends is its client's to choose."""
    if sys.platform != "linux":
        return

    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[_DATA_PAGES])
    limit = pages * resource.getpagesize() + most_bytes
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def _bundle(path: Path) -> Begin:
    """Load a bundle's accounts, once for all its sessions."""
    loaded = LoadedBundle(path)

    def begin(load: Load) -> tuple[Source, RpcServer]:
        loaded.reader.reopen()
        replay = Replay(loaded, load)
        return replay, RpcServer(replay)

    return begin


def _recording(path: Path) -> Begin:
    """Load what gives a recording again; each session reads the file itself."""
    from ..recorded.playback import RPC_METHODS, Playback  # it reads messages, which a bundle does without

    def begin(load: Load) -> tuple[Source, RpcServer]:
        playback = Playback(path, load)
        return playback, RpcServer(playback, only=RPC_METHODS)

    return begin


_RECIPES = {BUNDLE: _bundle, RECORDING: _recording}


def _die_with_the_parent() -> None:
    """Ask Linux for a signal when the parent is gone; elsewhere the end of the socket ends this process.

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
