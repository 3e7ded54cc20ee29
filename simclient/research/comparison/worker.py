"""A process that compares pairs of lines: it reads a `Work` from its standard input, and writes a `Collector` or what went wrong."""

from __future__ import annotations

import pickle
import sys

from ...errors import SimClientError
from .collect import Collector
from .workers import Work, compare_here


def main() -> None:
    """Do the work."""
    work: Work = pickle.loads(sys.stdin.buffer.read())  # noqa: S301 - from our own process
    try:
        answer: Collector | SimClientError = compare_here(work)
    except SimClientError as error:
        answer = error
    sys.stdout.buffer.write(pickle.dumps(answer))


if __name__ == "__main__":
    main()
