"""A process that does one task: it reads it from its standard input, and writes its answer or what it raised."""

from __future__ import annotations

import pickle
import sys
from typing import Any

from ...errors import SimClientError
from .workers import Task


def main() -> None:
    """Do the task."""
    task: Task[Any] = pickle.loads(sys.stdin.buffer.read())  # noqa: S301 - from our own process
    try:
        answer = task()
    except (SimClientError, OSError) as error:
        answer = error
    sys.stdout.buffer.write(pickle.dumps(answer))


if __name__ == "__main__":
    main()
