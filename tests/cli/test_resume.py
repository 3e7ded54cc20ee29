"""Taking up a run that was killed, interrupted or failed: the file becomes what an undisturbed run would have made it."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from simclient.cli import main

from .bundles import SYSTEM_PROGRAM
from .processes import content, process, types, wait_for_lines

WATCH = ["--account-diffs", SYSTEM_PROGRAM, "--transactions", SYSTEM_PROGRAM, "--logs", SYSTEM_PROGRAM]


def summary(path: Path) -> dict[str, Any]:
    event = json.loads(path.read_text(encoding="utf-8").splitlines()[-1])
    assert event["type"] == "summary"
    data: dict[str, Any] = event["data"]
    return data


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, many_payments: Path) -> Path:
    """Return the file of a run that nothing happened to."""
    output = tmp_path_factory.mktemp("undisturbed") / "run.ndjson"
    assert (
        main(["run", "--local", "--bundle", str(many_payments), "--slots", "400", *WATCH, "--output", str(output)]) == 0
    )
    return output


@pytest.mark.parametrize("lines", [500, 3_000])
def test_a_killed_run_that_is_resumed_has_what_an_undisturbed_one_has(
    tmp_path: Path, many_payments: Path, undisturbed: Path, lines: int
) -> None:
    """Without gaps and without doubles, whenever the kill came."""
    output = tmp_path / "run.ndjson"
    place = ["--local", "--bundle", str(many_payments), "--slots", "400", "--advance", "10"]
    with process("run", *place, *WATCH, "--output", str(output)) as run:
        wait_for_lines(run, output, lines)
        run.send_signal(signal.SIGKILL)
    assert "summary" not in types(output)
    assert content(output) < content(undisturbed)

    assert main(["run", "--resume", str(output)]) == 0

    assert content(output) == content(undisturbed)
    assert types(output).count("summary") == 1
    assert types(output).count("session_started") == 2
    resumed, whole = summary(output), summary(undisturbed)
    assert {key: resumed[key] for key in ("status", "slots", "total_transactions", "diffs", "logs")} == {
        key: whole[key] for key in ("status", "slots", "total_transactions", "diffs", "logs")
    }


@pytest.mark.parametrize("cut_bytes", [1, 100, 2_000, 100_000])
def test_a_file_cut_anywhere_is_completed(tmp_path: Path, undisturbed: Path, cut_bytes: int) -> None:
    """Also in the middle of a line, and in the summary."""
    output = tmp_path / "run.ndjson"
    output.write_bytes(undisturbed.read_bytes()[:-cut_bytes])

    assert main(["run", "--resume", str(output)]) == 0

    assert content(output) == content(undisturbed)
    assert (types(output)[-1], types(output).count("summary")) == ("summary", 1)


def test_events_out_of_order_are_neither_lost_nor_doubled(tmp_path: Path, undisturbed: Path) -> None:
    """Subscriptions overtake each other: what is missing need not be at the end."""
    lines = undisturbed.read_bytes().splitlines(keepends=True)
    output = tmp_path / "run.ndjson"
    output.write_bytes(b"".join(line for number, line in enumerate(lines[:-1]) if number < 2 or number % 3))

    assert main(["run", "--resume", str(output)]) == 0

    assert content(output) == content(undisturbed)


def test_the_environment_is_no_option_of_a_resumed_run(
    tmp_path: Path, undisturbed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands there is for runs that are begun."""
    output = tmp_path / "run.ndjson"
    output.write_bytes(undisturbed.read_bytes()[:-100])
    monkeypatch.setenv("SIMULATOR_START_SLOT", "5")
    monkeypatch.setenv("SIMULATOR_OUTPUT_FILE", str(tmp_path / "other.ndjson"))

    assert main(["run", "--resume", str(output)]) == 0
    assert content(output) == content(undisturbed)
    assert not (tmp_path / "other.ndjson").exists()


def test_a_complete_run_has_nothing_left(capfd: pytest.CaptureFixture[str], tmp_path: Path, undisturbed: Path) -> None:
    """Its file is not touched."""
    output = tmp_path / "run.ndjson"
    output.write_bytes(undisturbed.read_bytes())
    before = output.stat().st_mtime_ns

    assert main(["run", "--resume", str(output)]) == 0
    assert "there is nothing left to run" in capfd.readouterr().out
    assert output.stat().st_mtime_ns == before


def test_a_file_is_not_cut_back_before_there_is_something_to_write(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Here the server is not there."""
    output = tmp_path / "run.ndjson"
    metadata = {
        "start_slot": 1,
        "end_slot": 2,
        "ran_at_unix_secs": 1,
        "tool": "simclient",
        "url": "ws://127.0.0.1:9/backtest",
    }
    before = json.dumps({"type": "metadata", "data": metadata}, separators=(",", ":")) + '\n{"type":"tx'
    output.write_text(before)

    assert main(["run", "--resume", str(output)]) == 1
    assert output.read_text() == before
    assert "127.0.0.1:9" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("content", "tokens", "message"),
    [
        (None, [], "cannot read "),
        ("hello\n", [], "is damaged: line 1"),
        ("", [], "it is not the file of a run of simclient"),
        ('{"type":"metadata","data":{"start_slot":1,"end_slot":2}}\n', [], "it is not the file of a run of simclient"),
        (
            '{"type":"metadata","data":{"start_slot":1,"end_slot":2,"tool":"simclient"}}\n{"type":1}\n',
            [],
            "is damaged: line 2",
        ),
        (
            '{"type":"metadata","data":{"start_slot":1,"end_slot":2,"tool":"simclient"}}\n',
            ["--slots", "5"],
            "give nothing but the file",
        ),
    ],
)
def test_what_cannot_be_resumed_is_one_line(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, content: str | None, tokens: list[str], message: str
) -> None:
    """And exit code 2; the file stays as it is."""
    output = tmp_path / "run.ndjson"
    if content is not None:
        output.write_text(content)

    assert main(["run", "--resume", str(output), *tokens]) == 2
    printed = capfd.readouterr()
    assert len(printed.err.splitlines()) == 1
    assert message in printed.err
    assert content is None or output.read_text() == content


def test_an_interrupted_run_is_no_failed_one(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, undisturbed: Path
) -> None:
    """`--retry-failed` is for those that failed."""
    output = tmp_path / "run.ndjson"
    output.write_bytes(undisturbed.read_bytes()[:-100])

    assert main(["run", "--retry-failed", str(output)]) == 2
    assert "it was interrupted: use --resume" in capfd.readouterr().err
    assert os.path.getsize(output) == os.path.getsize(undisturbed) - 100
