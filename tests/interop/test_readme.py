"""The two commands of the README. Its program runs with those of the other pages, in `tests/docs`."""

from __future__ import annotations

import re
from pathlib import Path

README = Path(__file__).resolve().parents[2] / "README.md"


def test_each_command_is_one_line() -> None:
    """Both commands do their own set-up, so that each can be copied alone."""
    run, tests = re.findall(r"^```sh\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
    for command in (run, tests):
        assert command.startswith("python3 -m venv .venv && ")
        assert command.count("\n") == 1
