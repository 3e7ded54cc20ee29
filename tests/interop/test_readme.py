"""What the README shows works as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[2] / "README.md"
HANG_SECONDS = 120


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def simulator_url() -> Iterator[str]:
    """`simclient local` in a process of its own."""
    command = [sys.executable, "-m", "simclient", "local", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield next(word for word in process.stdout.readline().split() if word.startswith("ws://"))
        finally:
            process.terminate()
            process.communicate(timeout=HANG_SECONDS)


def test_the_program_runs_against_a_simulator_in_another_process(simulator_url: str) -> None:
    """The first program replays a hundred slots and prints their summary."""
    [program] = blocks("python")
    assert "ws://127.0.0.1:8900/backtest" in program
    result = subprocess.run(
        [sys.executable, "-c", program.replace("ws://127.0.0.1:8900/backtest", simulator_url)],
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    *diffs, summary = result.stdout.splitlines()
    assert summary.startswith("SessionSummary(correct_simulation=303, incorrect_simulation=0")
    assert len(diffs) > 500
    assert {int(line.split()[0]) for line in diffs} <= set(range(350_000_000, 350_000_100))


def test_each_command_is_one_line() -> None:
    """Both commands do their own set-up, so that each can be copied alone."""
    run, tests = blocks("sh")
    for command in (run, tests):
        assert command.startswith("python3 -m venv .venv && ")
        assert command.count("\n") == 1
