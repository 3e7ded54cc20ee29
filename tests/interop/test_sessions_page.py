"""The programs of docs/how-to/sessions.md run as they stand there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "sessions.md"
PROGRAMS = re.findall(
    r"^## ([^\n]*)\n(?:(?!^## ).)*?^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL
)
PRINTED = {
    "One session": "writes, ",
    "More subscriptions, for a while": "transactions have logs",
    "Leaving a session running": "then came the slots 350000010 to 350000019",
    "Watching the connections": "control up",
}
HANG_SECONDS = 120


def test_every_program_is_tried() -> None:
    """The page has these and no others."""
    assert [title for title, _ in PROGRAMS] == list(PRINTED)


@pytest.mark.parametrize(("title", "program"), PROGRAMS, ids=[title for title, _ in PROGRAMS])
def test_a_program_of_the_page_runs(title: str, program: str) -> None:
    """It ends well and says what the page says."""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )

    assert result.returncode == 0, result.stderr
    assert PRINTED[title] in result.stdout
