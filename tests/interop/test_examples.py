"""Every program in docs/examples runs as it stands there, on the embedded simulator."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "docs" / "examples").glob("*.py"))
HANG_SECONDS = 120

PRINTED = {
    "record_and_replay.py": "recorded 444 diffs in paid.recording\n3uJZFVm987NLJAq8T6WpUG6TL6CArPwPQ7G391jo1Rc9 was written 111 times",
    "replace_program.py": '239 succeeded -> failed\n   239 new failures: {"InstructionError":[1,"IncorrectProgramId"]}',
    "scheduled_actions.py": "350000020 withdrawal would go through, 4,920 USD\n350000040 withdrawal would fail: ",
}
"""A part of what an example prints, where that is always the same."""


def test_there_are_examples() -> None:
    """The folder was found."""
    assert {*PRINTED} <= {example.name for example in EXAMPLES}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_an_example_runs_without_arguments(example: Path, tmp_path: Path) -> None:
    """It ends well, says something, and complains of nothing."""
    result = subprocess.run(
        [sys.executable, "-W", "error", str(example)],
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        cwd=tmp_path,
        check=False,
    )

    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    assert PRINTED.get(example.name, "\n") in result.stdout
