"""Check wire vectors, printed by the real types, against this package: `python -m simclient.testing.vectors FILE…`.

A file is JSON lines, one vector a line; its name says which generation made it (`v09…`, `v28…`; `client09…` holds results of client
functions). A line passes if what the real types read we read too and write back as they do, and what they refuse we refuse. What
fails is printed with its line number. Deliberate differences are listed, with their reasons, in `vector_differences`, and counted apart.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import attrs

from ..errors import SimClientError
from ..wire.generation import Generation
from ..wire.json_text import JsonValue, parse
from .vector_checks import Finding, Vector, check
from .vector_differences import DIFFERENCES, Difference

__all__ = ["Report", "check_file", "main"]

_LONGEST_LINE_CHARACTERS = 500


@attrs.frozen(kw_only=True)
class Report:
    """What came of one file."""

    passed: int
    failures: tuple[tuple[int, str], ...]
    """Line number (from 1) and what was wrong."""
    differences: Counter[str]
    """How many lines each deliberate difference covered, by its name."""


def check_file(path: Path) -> Report:
    """Check every vector of one file.

    Raises:
        InputError: The file's name does not say which generation made it.
    """
    passed, failures, differences = 0, list[tuple[int, str]](), Counter[str]()
    for vector in _vectors_in(path):
        finding = _check(vector)
        if finding is None:
            passed += 1
        elif (difference := _covering(vector, finding)) is not None:
            differences[difference.name] += 1
        else:
            failures.append((vector.line, f"{vector.type} {vector.note}: {finding.message}"))
    return Report(passed=passed, failures=tuple(failures), differences=differences)


def main(arguments: list[str]) -> int:
    """Check the files named; return the exit code, 0 only without failures."""
    passed, failed, differences = 0, 0, Counter[str]()
    for name in arguments:
        report = check_file(Path(name))
        passed, failed = passed + report.passed, failed + len(report.failures)
        differences += report.differences
        for line, message in report.failures:
            _print(f"{name}:{line}: {message[:_LONGEST_LINE_CHARACTERS]}")
    for difference in DIFFERENCES:
        if differences[difference.name]:
            _print(f"{differences[difference.name]} lines differ on purpose: {difference.name}: {difference.reason}")
    _print(f"{passed} passed, {failed} failed")
    return 1 if failed or not arguments else 0


def _vectors_in(path: Path) -> Iterator[Vector]:
    generation = Generation.V0_9 if "09" in path.name else Generation.V0_28
    for number, line in enumerate(path.read_bytes().decode().split("\n"), start=1):
        if line:
            yield Vector(line=number, generation=generation, members=cast("dict[str, JsonValue]", parse(line)))


def _check(vector: Vector) -> Finding | None:
    """Return what is wrong, None if nothing is; an exception that no reader may raise is a failure like any other."""
    try:
        return check(vector)
    except (
        ArithmeticError,
        AssertionError,
        LookupError,
        TypeError,
        ValueError,
        RecursionError,
        SimClientError,
    ) as error:
        return Finding(message=f"{type(error).__name__}: {error}")


def _covering(vector: Vector, finding: Finding) -> Difference | None:
    return next((difference for difference in DIFFERENCES if difference.covers(vector, finding)), None)


def _print(line: str) -> None:
    sys.stdout.write(line.encode("utf-8", "replace").decode() + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
