"""Tasks for processes: they are found by name there, so they stand in a module."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import attrs


@attrs.frozen
class Double:
    number: int

    def __call__(self) -> tuple[int, int]:
        return 2 * self.number, os.getpid()


@attrs.frozen
class ReadFile:
    path: Path

    def __call__(self) -> bytes:
        return self.path.read_bytes()


@attrs.frozen
class WaitForever:
    """Says in a file which process does it."""

    path: Path

    def __call__(self) -> None:
        self.path.write_text(str(os.getpid()))
        signal.pause()


@attrs.frozen
class RaiseWhenThere:
    """Waits until a file has something in it, and fails."""

    path: Path

    def __call__(self) -> None:
        while not (self.path.exists() and self.path.read_text()):
            os.sched_yield()
        raise KeyboardInterrupt


@attrs.frozen
class KillItself:
    def __call__(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


@attrs.frozen
class Fail:
    """Has a fault."""

    def __call__(self) -> None:
        sys.exit("no memory is left")
