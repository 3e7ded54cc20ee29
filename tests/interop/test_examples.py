"""Every program in docs/examples, and every notebook of the pages, runs as it stands there, on the embedded simulator."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from simclient.local.whirlpool import import_whirlpool

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "examples"
EXAMPLES = sorted(FOLDER.glob("*.py"))
NOTEBOOKS = sorted((FOLDER.parent / "how-to").glob("*.ipynb"))
ARCHIVE = Path(__file__).resolve().parents[1] / "local" / "data" / "whirlpool"
HANG_SECONDS = 120

PRINTED = {
    "record_and_replay.py": "recorded 444 diffs in paid.recording\n3uJZFVm987NLJAq8T6WpUG6TL6CArPwPQ7G391jo1Rc9 was written 111 times",
    "before_each_swap.py": "24WZto6BNjNamZFUPf3nQZZaFpuvBwdqT5B8QQjpNjGb,600000000,5085231915,5085904238,1.32\n",
    "quote_decay.py": "856484024,128510582,128510582,96626947\n",
    "replace_program.py": '239 succeeded -> failed\n   239 new failures: {"InstructionError":[1,"IncorrectProgramId"]}',
    "spread_per_slot.py": "128510581,65shmpuYmxx5p7ggNCZbyrGLCXVqbBR1ZD5aAocRBUNG,1000000,50.1\n",
    "swaps.py": "128510582 65shmpuYmxx5p7ggNCZbyrGLCXVqbBR1ZD5aAocRBUNG 856,484,024 A to B\n",
    "who_gained_what.py": "96 slots, 269 transactions, 30 of them failed\nSOL\n",
    "scheduled_actions.py": "350000020 withdrawal would go through, 4,920 USD\n350000040 withdrawal would fail: ",
}
"""A part of what an example prints, where that is always the same."""


def test_there_are_examples() -> None:
    """The folders were found."""
    assert {*PRINTED} <= {example.name for example in EXAMPLES}
    assert NOTEBOOKS


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


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.name)
def test_the_cells_of_a_notebook_run_one_after_the_other(notebook: Path, tmp_path: Path) -> None:
    """As they stand there, and none of their results is kept in the file."""
    cells = [cell for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    assert not any(cell["outputs"] for cell in cells)
    program = "\n\n".join("".join(cell["source"]) for cell in cells)
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        cwd=tmp_path,
        check=False,
    )

    assert result.returncode == 0, result.stderr
    assert (tmp_path / "run.html").exists()


def test_the_blocks_of_the_examples_are_what_the_archive_gives(tmp_path: Path) -> None:
    """Byte for byte: nobody has to trust a file that cannot be read."""
    bundle = tmp_path / "whirlpool.bundle"
    import_whirlpool(ARCHIVE / "state.json.gz", ARCHIVE / "transactions.jsonl.gz", ARCHIVE / "program.so.gz", bundle)

    assert bundle.read_bytes() == (FOLDER / "data" / "whirlpool.bundle").read_bytes()
