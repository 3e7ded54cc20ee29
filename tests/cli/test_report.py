"""`simclient report`."""

from __future__ import annotations

from pathlib import Path

import pytest

from simclient.cli import main

from .bundles import SYSTEM_PROGRAM


@pytest.fixture
def run(tmp_path: Path, payments: Path) -> str:
    """Return the file of a small run."""
    output = str(tmp_path / "run.ndjson")
    watch = ["--transactions", SYSTEM_PROGRAM, "--account-diffs", SYSTEM_PROGRAM]
    assert main(["run", "--local", "--bundle", str(payments), *watch, "--output", output]) == 0
    return output


def test_a_run_becomes_a_page_and_pictures(capfd: pytest.CaptureFixture[str], tmp_path: Path, run: str) -> None:
    """What was written is said."""
    assert main(["report", run, "--output", str(tmp_path / "x.html"), "--png", str(tmp_path / "charts")]) == 0

    assert "Backtest of slots 1000 to 1019" in (tmp_path / "x.html").read_text()
    assert (tmp_path / "charts" / "activity.png").exists()
    assert f"wrote {tmp_path / 'x.html'}" in capfd.readouterr().out


def test_a_baseline_makes_it_a_comparison(tmp_path: Path, run: str) -> None:
    """Of the run with it."""
    assert main(["report", run, "--baseline", run, "--output", str(tmp_path / "x.html")]) == 0

    assert "Comparison of two runs" in (tmp_path / "x.html").read_text()


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (["{run}"], "give --output FILE.html, --png FOLDER, or both"),
        (["/no/such", "--output", "x.html"], "cannot read /no/such"),
        (["{run}", "--output", "/no/such/x.html"], "cannot write /no/such/x.html"),
        (["{run}", "--output", "{run}"], "would replace a file that is read"),
        (["{run}", "--png", "{run}"], "cannot make the folder"),
        (["{run}", "--outptu", "x.html"], "Unknown option: --outptu"),
    ],
)
def test_bad_input_is_one_line(capfd: pytest.CaptureFixture[str], run: str, tokens: list[str], message: str) -> None:
    """And exit code 2."""
    capfd.readouterr()
    assert main(["report", *(token.format(run=run) for token in tokens)]) == 2

    printed = capfd.readouterr()
    assert (printed.out, len(printed.err.splitlines())) == ("", 1)
    assert message in printed.err


def test_a_full_disk_is_one_line(capfd: pytest.CaptureFixture[str], run: str) -> None:
    """And exit code 1; a report that was there stays."""
    capfd.readouterr()
    assert main(["report", run, "--output", "/dev/full"]) == 1
    assert capfd.readouterr().err == "simclient: cannot write /dev/full: No space left on device\n"
