"""`simclient record`, `simclient run --record`, and `simclient local --replay`: paid for once, iterated on offline."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from simclient.cli import main

from .bundles import FIRST_SLOT, SYSTEM_PROGRAM

WATCH = ("--account-diffs", SYSTEM_PROGRAM, "--transactions", SYSTEM_PROGRAM, "--logs", SYSTEM_PROGRAM)


def lines_of(path: Path) -> list[str]:
    """Return what a run received, without what is particular to its session; sorted, as sockets may take turns."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    kept = [line["data"] | {"session_id": ""} for line in lines if line["type"] in ("diff", "tx", "logs")]
    return sorted(json.dumps(data, sort_keys=True) for data in kept)


def test_a_recorded_run_is_had_again(capfd: pytest.CaptureFixture[str], tmp_path: Path, payments: Path) -> None:
    """A run is recorded; another program serves it again, and the same command against that gives the same events."""
    recording, first, second = tmp_path / "paid.recording", tmp_path / "first.ndjson", tmp_path / "second.ndjson"
    assert (
        main(["run", "--local", "--bundle", str(payments), *WATCH, "--record", str(recording), "--output", str(first)])
        == 0
    )

    command = [sys.executable, "-m", "simclient", "local", "--replay", str(recording), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            found = re.search(r"serving (ws://\S+)", server.stdout.readline())
            assert found is not None
            span = ["--start-slot", str(FIRST_SLOT), "--slots", "20"]
            assert main(["run", found.group(1), *span, *WATCH, "--advance", "3", "--output", str(second)]) == 0
        finally:
            server.send_signal(signal.SIGINT)
    assert server.returncode == 0
    assert len(lines_of(first)) == 80
    assert lines_of(second) == lines_of(first)


def test_a_session_is_recorded_by_a_command_of_its_own(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, payments: Path
) -> None:
    """The recording is the one of `run --record`, and what serves it is said."""
    recording, other = tmp_path / "alone.recording", tmp_path / "beside.recording"
    place = ["--local", "--bundle", str(payments), *WATCH]
    assert main(["record", *place, "--output", str(recording)]) == 0
    assert f"simclient local --replay {recording}" in capfd.readouterr().err
    assert main(["run", *place, "--record", str(other)]) == 0

    def told(path: Path) -> str:
        capfd.readouterr()
        assert main(["bundle", "info", str(path)]) == 0
        kept = [line for line in capfd.readouterr().out.splitlines() if "begun" not in line and "bytes" not in line]
        return "\n".join(kept)

    assert "80 notifications" in told(recording)


def test_the_parts_of_a_parallel_session_are_recorded_into_a_folder(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, payments: Path
) -> None:
    """Which is served again as a whole."""
    folder = tmp_path / "parts"
    assert main(["record", "--local", "--bundle", str(payments), *WATCH, "--parallel", "--output", str(folder)]) == 0
    assert f"simclient local --replay {folder}" in capfd.readouterr().err
    assert sorted(file.suffix for file in folder.iterdir()) == [".recording"] * (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        ([], "--output requires an argument"),
        (["--output", "-"], "a recording needs a file; name one"),
        (["--output", "/no/such/folder/x.recording"], "there is no directory /no/such/folder"),
        (["--output", "x.recording", "--plan"], "Unknown option: --plan"),
    ],
)
def test_a_recording_that_cannot_be_made_is_refused(
    capfd: pytest.CaptureFixture[str], tokens: list[str], text: str
) -> None:
    """One line, and nothing is started."""
    assert main(["record", "--local", *tokens]) == 2
    [line] = capfd.readouterr().err.splitlines()
    assert text in line


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        (["--record", "/no/such/folder/x.recording"], "there is no directory /no/such/folder"),
        (["--record", "same", "--output", "same"], "needs a file of its own"),
    ],
)
def test_a_file_that_cannot_be_recorded_to_is_refused(
    capfd: pytest.CaptureFixture[str], tokens: list[str], text: str
) -> None:
    """It is said before anything is executed."""
    assert main(["run", "--local", *tokens]) == 2
    assert text in capfd.readouterr().err
