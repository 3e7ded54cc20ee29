"""How long it takes until a program has what it imports: each time a process of its own, and the best of several."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from time import perf_counter

from .results import Result

__all__ = ["startup_results"]

PROGRAMS = {
    "startup: python alone": "pass",
    "startup: import simclient": "import simclient",
    "startup: import trio": "import trio",
    "startup: from simclient import open_backtest_session": "from simclient import open_backtest_session",
    "startup: import simclient.notebook": "import simclient.notebook",
    "startup: simclient --version": "from simclient.cli import main; main(['--version'])",
}


def startup_results(*, quick: bool) -> Iterator[Result]:
    """Yield the time of each program, and how it compares with Python's own start."""
    alone: Result | None = None
    for name, program in PROGRAMS.items():
        seconds = min(_run(program) for _ in range(3 if quick else 15))
        result = Result(name, "ms", seconds * 1e3).compared_with(alone)
        alone = alone or result
        yield result


def _run(program: str) -> float:
    """Return how long a process takes, in seconds."""
    started = perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)  # noqa: S603  # ours
    return perf_counter() - started
