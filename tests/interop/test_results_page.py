"""What docs/reference/results.md shows works as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "results.md"
HANG_SECONDS = 120


def test_the_program_runs_and_leaves_a_report(tmp_path: Path) -> None:
    """A run, its events, its tables, its P&L, a comparison with itself."""
    program = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)[0]
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        cwd=tmp_path,
        check=False,
    )

    assert result.returncode == 0, result.stderr
    assert "completed TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA" in result.stdout
    assert result.stdout.endswith(" False\n")
    assert (tmp_path / "run.html").exists()
