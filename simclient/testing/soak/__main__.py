"""`python -m simclient.testing.soak --runs N --seed S [--events M] [--only CLASS]`: print the table of figures.

Exits with 1 at the first loss, duplicate, hang or leak, and says what reproduces it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading

from .classes import CLASSES, FaultClass
from .trial import Outcome, run_trial

_HANG_SECONDS = 120.0
"""Of real time, for one run; it takes a fraction of a second."""


_FLOOD = "34"
_FLOOD_PER_RUN = 40_000
_LARGEST_FLOOD = 2_000_000
_FLOOD_SECONDS = 600.0


class Unsound(Exception):
    """Something was lost, doubled, hung or left."""


def main(arguments: list[str] | None = None) -> int:
    """Run every class; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m simclient.testing.soak",
        description="Drive whole sessions through faults, in memory and virtual time, and print the table of figures.",
    )
    parser.add_argument("--runs", type=int, default=50, help="runs of each fault class")
    parser.add_argument("--seed", type=int, default=0, help="the seed of the first run; the next one has the next")
    parser.add_argument("--events", type=int, default=120, help="notifications in each run")
    parser.add_argument("--only", help="one fault class, by its number")
    options = parser.parse_args(arguments)
    wanted = [each for each in CLASSES if options.only in (None, each.number)]
    wants_flood = options.only in (None, _FLOOD)
    if not (wanted or wants_flood) or options.runs < 1 or options.events < 10:
        parser.error("--only names a class of the table, --runs is 1 or more, --events 10 or more")

    _say(f"Each row: {options.runs} runs of {options.events} notifications, seeds from {options.seed}.")
    _say("lost/duplicated/reordered/invented; seconds are of virtual time.\n")
    _say("| # | fault | must | figure |")
    _say("|---|---|---|---|")
    try:
        for each in wanted:
            _say(
                f"| {each.number} | {each.fault} | {each.must} | {run_class(each, options.seed, options.runs, options.events)} |"
            )
        if wants_flood:
            count = max(_FLOOD_PER_RUN, min(_LARGEST_FLOOD, options.runs * _FLOOD_PER_RUN))
            _say(
                f"| {_FLOOD} | a consumer that sleeps before a stream at full speed | hold the server | {_run_flood(count)} |"
            )
    except Unsound as unsound:
        print(unsound, file=sys.stderr)  # noqa: T201  # a command line
        return 1
    return 0


def run_class(each: FaultClass, first_seed: int, runs: int, events: int) -> str:
    """Return the figure of a class.

    Raises:
        Unsound: At the first run that is wrong.
    """
    outcomes: list[Outcome] = []
    for seed in range(first_seed, first_seed + runs):
        again = f"python -m simclient.testing.soak --only {each.number} --runs 1 --seed {seed} --events {events}"
        alarm = threading.Timer(_HANG_SECONDS, _give_up, [f"class {each.number} hangs; again: {again}"])
        alarm.daemon = True
        alarm.start()
        outcome = run_trial(each.trial(seed, events))
        alarm.cancel()
        wrong = each.wrong(outcome)
        if wrong is not None:
            raise Unsound(f"class {each.number}, seed {seed}: {wrong}\nagain: {again}")
        outcomes.append(outcome)
    wrong = each.wrong_together(outcomes)
    if wrong is not None:
        raise Unsound(f"class {each.number}, seeds from {first_seed}: {wrong}")
    return each.figure(outcomes)


def _run_flood(count: int) -> str:
    """Return the figure of the flood, which measures the memory of a process and so has one of its own.

    Raises:
        Unsound: Something was lost, or memory grew.
    """
    command = [sys.executable, "-m", "simclient.testing.soak.flood", str(count)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_FLOOD_SECONDS, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise Unsound(f"class {_FLOOD} hangs; again: {' '.join(command)}") from None
    if done.returncode:
        raise Unsound(f"class {_FLOOD}: {done.stdout.strip()} {done.stderr.strip()}\nagain: {' '.join(command)}")
    return done.stdout.strip()


def _give_up(message: str) -> None:
    """End the process from outside of its event loop, which does not answer."""
    print(message, file=sys.stderr, flush=True)  # noqa: T201
    os._exit(1)


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    raise SystemExit(main())
