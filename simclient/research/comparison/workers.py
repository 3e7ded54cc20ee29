"""Doing work in several processes: a process of Python uses one core, and reading lines is what takes the time.

The processes are started as programs of their own, which neither forks the threads of Polars nor imports the caller's `__main__`.
`worker` is that program.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import TypeVar

from ...errors import SimClientError

__all__ = ["Task", "core_count", "do_all"]

Answer = TypeVar("Answer")
Task = Callable[[], Answer]
"""Work that can be sent to another process, as its answer can be sent back: both can be pickled."""


def core_count() -> int:
    """Return how many processes can work at the same time."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def do_all(tasks: Sequence[Task[Answer]]) -> list[Answer]:
    """Do all tasks at the same time, the first one here, and each other in a process of its own.

    Raises:
        SimClientError: A process cannot be started, or ended without an answer.
        Exception: Whatever a task raises; the processes of the others are killed.
    """
    with ExitStack() as stack:
        processes = [stack.enter_context(_started(task)) for task in tasks[1:]]
        return [*(task() for task in tasks[:1]), *map(_answer, processes)]


@contextmanager
def _started(task: Task[Answer]) -> Iterator[subprocess.Popen[bytes]]:
    """Lend a process that does a task; at the end it is killed.

    Raises:
        SimClientError: It cannot be started.
    """
    try:
        process = _start()
    except OSError as error:
        raise SimClientError(f"a process to compare lines cannot be started: {error}") from error

    with process:
        try:
            _send(process, task)
            yield process
        finally:
            process.kill()


def _start() -> subprocess.Popen[bytes]:
    """Start a process; it does not look for modules in the working directory (`-P`): a `pickle.py` of the user's is not ours to run."""
    return subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-P", "-m", f"{__package__}.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,  # Ctrl-C ends it too, and what it would say then helps nobody
        env={**os.environ, "PYTHONPATH": os.pathsep.join(_import_path())},
    )


def _import_path() -> Iterator[str]:
    """Yield where this process looks for modules; what is no text there, it does not look at."""
    for folder in sys.path:
        if isinstance(folder, str):  # pyright: ignore[reportUnnecessaryIsInstance] - anything can be put there
            yield folder or os.curdir


def _send(process: subprocess.Popen[bytes], task: Task[Answer]) -> None:
    """Write the task to a process, which reads it all before it begins."""
    assert process.stdin is not None
    with suppress(BrokenPipeError), process.stdin:  # it ended at once: `_answer` says how
        pickle.dump(task, process.stdin)
    process.stdin = None  # `communicate` would flush it


def _answer(process: subprocess.Popen[bytes]) -> Answer:  # type: ignore[type-var]  # pickles have no type
    """Return what a process answers; both sides are this program, so what comes can be trusted.

    Raises:
        SimClientError: It ended without an answer.
        Exception: What its task raised.
    """
    output, errors = process.communicate()
    if process.returncode:
        said = errors.decode("utf-8", "replace").strip().rpartition("\n")[2] or "it said nothing"
        raise SimClientError(f"a process that compared lines {_end_of(process.returncode)}: {said}")

    answer: Answer | Exception = pickle.loads(output)  # noqa: S301
    if isinstance(answer, Exception):
        raise answer
    return answer


def _end_of(exit_code: int) -> str:
    """Say how a process ended, from what `subprocess` gives: a signal is a negative number there."""
    if exit_code > 0:
        return f"ended with exit code {exit_code}"
    return f"was killed by signal {-exit_code} ({signal.strsignal(-exit_code)})"
