"""Commands as processes of their own, and what their files hold."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

__all__ = [
    "HANG_SECONDS",
    "SIMCLIENT",
    "content",
    "process",
    "serving",
    "types",
    "wait_for_lines",
    "wait_for_session",
    "wait_for_text",
]

SIMCLIENT = [sys.executable, "-m", "simclient"]
HANG_SECONDS = 60


@contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start a command; it is dead when the block is left."""
    with subprocess.Popen(
        [*SIMCLIENT, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    ) as started:
        try:
            yield started
        finally:
            started.kill()


@contextmanager
def serving(bundle: Path, *options: str) -> Iterator[str]:
    """Serve a bundle in a process of its own; lend its URL."""
    with process("local", "--port", "0", "--bundle", str(bundle), *options) as server:
        assert server.stdout is not None
        yield server.stdout.readline().split()[1]


def wait_for_session(started: subprocess.Popen[str]) -> None:
    """Read the standard error up to the line that names the session."""
    assert started.stderr is not None
    for line in started.stderr:
        if line.startswith("session "):
            return
    pytest.fail("there was no session")


def wait_for_lines(run: subprocess.Popen[str], output: Path, lines: int) -> None:
    """Wait until a run has written so many lines; it must not end before."""
    wait_for_text(run, output, b"\n", lines)


def wait_for_text(run: subprocess.Popen[str], output: Path, text: bytes, times: int = 1) -> None:
    """Wait until a run has written a text so many times; it must not end before."""
    deadline = time.monotonic() + HANG_SECONDS
    while not output.exists() or output.read_bytes().count(text) < times:
        assert time.monotonic() < deadline
        assert run.poll() is None


def content(path: Path) -> Counter[str]:
    """Return how often a file has each event, whichever session and order it came by."""
    found: Counter[str] = Counter()
    for line in path.read_text(encoding="utf-8").splitlines():
        event: dict[str, Any] = json.loads(line)
        if event["type"] in ("tx", "diff", "logs"):
            del event["data"]["session_id"]
            found[json.dumps(event, sort_keys=True)] += 1
    return found


def types(path: Path) -> list[str]:
    """Return the types of a file's lines."""
    return [json.loads(line)["type"] for line in path.read_text(encoding="utf-8").splitlines()]
