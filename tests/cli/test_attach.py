"""`simclient sessions attach`: a session that runs without us is taken up, left, and taken up again; nothing is lost."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from simclient.cli import main

from .bundles import FIRST_SLOT, SYSTEM_PROGRAM
from .processes import HANG_SECONDS, content, process, serving, types, wait_for_lines, wait_for_session

WATCH = ["--account-diffs", SYSTEM_PROGRAM, "--transactions", SYSTEM_PROGRAM, "--logs", SYSTEM_PROGRAM]
RANGE = ["--start-slot", str(FIRST_SLOT), "--slots", "400"]


def leave_a_session(url: str, output: Path) -> str:
    """Begin a run and kill it in the middle; return the id of its session, which the server keeps."""
    with process("run", url, *RANGE, *WATCH, "--advance", "10", "--output", str(output)) as run:
        wait_for_lines(run, output, 1_000)
        run.send_signal(signal.SIGKILL)
    assert "summary" not in types(output)
    session_id: str = json.loads(output.read_text(encoding="utf-8").splitlines()[1])["data"]["session_id"]
    return session_id


def whole_run(url: str, output: Path) -> Path:
    """Return the file of a run that nothing happened to."""
    assert main(["run", url, *RANGE, *WATCH, "--output", str(output)]) == 0
    return output


def test_a_session_that_is_left_again_and_again_loses_nothing(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, many_payments: Path
) -> None:
    """Killed, taken up, left by Ctrl-C, and taken up to its end: one session, whose slots are executed once."""
    output = tmp_path / "run.ndjson"
    with serving(many_payments) as url:
        whole = whole_run(url, tmp_path / "whole.ndjson")
        leave_a_session(url, output)

        with process("sessions", "attach", str(output)) as attached:
            wait_for_session(attached)
            attached.send_signal(signal.SIGINT)
            _, err = attached.communicate(timeout=HANG_SECONDS)
        assert attached.returncode == 130, err
        assert f"take it up with: simclient sessions attach {output}" in err
        assert content(output) <= content(whole)
        assert main(["sessions", "attach", str(output)]) == 0

        capfd.readouterr()
        assert main(["sessions", "attach", str(output)]) == 0
        assert "there is nothing left to run" in capfd.readouterr().out

    assert content(output) == content(whole)
    assert [types(output).count(kind) for kind in ("session_started", "summary")] == [1, 1]
    told = [json.loads(file.read_text(encoding="utf-8").splitlines()[-1])["data"] for file in (output, whole)]
    keys = ("status", "slots", "total_transactions", "diffs", "logs")
    assert [told[0][key] for key in keys] == [told[1][key] for key in keys]


def test_a_session_is_taken_up_by_its_id(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, many_payments: Path
) -> None:
    """Into another file it says all again; into its own it would take the place of what stands there."""
    first, output = tmp_path / "first.ndjson", tmp_path / "run.ndjson"
    with serving(many_payments) as url:
        whole = whole_run(url, tmp_path / "whole.ndjson")
        session_id = leave_a_session(url, first)
        before = first.read_bytes()

        capfd.readouterr()
        assert main(["sessions", "attach", session_id, url, *RANGE, *WATCH, "--output", str(first)]) == 2
        assert f"complete it: simclient sessions attach {first}" in capfd.readouterr().err
        assert main(["sessions", "attach", session_id, url, *RANGE, *WATCH, "--output", str(output)]) == 0

        capfd.readouterr()
        assert main(["sessions", "attach", str(first)]) == 1
        assert f"there is no session {session_id}" in capfd.readouterr().err
    assert content(output) == content(whole)
    assert first.read_bytes() == before


def test_a_file_without_a_session_to_attach_to_is_refused(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, payments: Path
) -> None:
    """The embedded simulator ends with its run; the message says what to do."""
    output = tmp_path / "run.ndjson"
    assert main(["run", "--local", "--bundle", str(payments), *WATCH, "--output", str(output)]) == 0
    output.write_bytes(output.read_bytes()[:-10])

    capfd.readouterr()
    assert main(["sessions", "attach", str(output)]) == 2
    assert f"simclient run --resume {output}" in capfd.readouterr().err
    assert main(["sessions", "attach", str(output), "--slots", "5"]) == 2
    assert "give nothing but the file" in capfd.readouterr().err
