"""Commands as processes of their own: signals, a server that dies, a reader that goes away."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path

import pytest

from .bundles import SYSTEM_PROGRAM
from .processes import HANG_SECONDS, SIMCLIENT, process, wait_for_session

WATCH = ["--account-diffs", SYSTEM_PROGRAM, "--transactions", SYSTEM_PROGRAM]


def wait_until_blocked(started: subprocess.Popen[str]) -> None:
    """Wait until the pipe of the standard output is nearly full, which is as full as whole pages get."""
    assert started.stdout is not None
    deadline = time.monotonic() + HANG_SECONDS
    while time.monotonic() < deadline:
        unread = struct.unpack("i", fcntl.ioctl(started.stdout, termios.FIONREAD, bytes(4)))[0]
        if unread >= fcntl.fcntl(started.stdout, fcntl.F_GETPIPE_SZ) * 3 / 4:
            return
        time.sleep(0.05)
    pytest.fail("the pipe never filled")


def last_event(path: Path) -> dict[str, object]:
    """Check that every line of an events file is whole; return the last."""
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n")
    events = [json.loads(line) for line in text.splitlines()]
    assert events[0]["type"] == "metadata"
    assert events[-1]["type"] == "summary"
    last: dict[str, object] = events[-1]["data"]
    return last


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_still_writes_its_summary(
    tmp_path: Path, many_payments: Path, number: signal.Signals
) -> None:
    """Ctrl-C and SIGTERM close the session; the exit code is 130."""
    output = tmp_path / "run.ndjson"
    with process("run", "--local", "--bundle", str(many_payments), *WATCH, "--output", str(output)) as run:
        wait_for_session(run)
        run.send_signal(number)
        out, err = run.communicate(timeout=HANG_SECONDS)

    assert run.returncode == 130, err
    assert last_event(output)["status"] == "cancelled"
    assert "cancelled: " in out
    assert "Traceback" not in err


def test_an_interrupted_recording_keeps_what_came(tmp_path: Path, many_payments: Path) -> None:
    """It says so in itself, and can be served."""
    output = tmp_path / "x.recording"
    with process("record", "--local", "--bundle", str(many_payments), *WATCH, "--output", str(output)) as record:
        wait_for_session(record)
        record.send_signal(signal.SIGINT)
        _, err = record.communicate(timeout=HANG_SECONDS)

    assert record.returncode == 130, err
    assert "Traceback" not in err
    told = subprocess.run(
        [*SIMCLIENT, "bundle", "info", str(output)], capture_output=True, text=True, timeout=HANG_SECONDS, check=True
    )
    assert "ended: cancelled" in told.stdout


def test_an_interrupted_view_of_events_ends_quietly(many_payments: Path) -> None:
    """What was shown was whole lines."""
    with process("logs", "--local", "--bundle", str(many_payments), "--program", SYSTEM_PROGRAM, "--json") as logs:
        assert logs.stdout is not None
        first = logs.stdout.readline()
        logs.send_signal(signal.SIGINT)
        rest = logs.stdout.read()  # `communicate` would pass over what was read ahead with the first line
        _, err = logs.communicate(timeout=HANG_SECONDS)

    assert (logs.returncode, err) == (130, "")
    assert all(json.loads(line) for line in (first, *rest.splitlines()))


def test_a_second_interrupt_leaves_at_once(many_payments: Path) -> None:
    """Here the first one waits for a reader that takes nothing."""
    with process("run", "--local", "--bundle", str(many_payments), *WATCH, "--output", "-") as run:
        wait_for_session(run)
        wait_until_blocked(run)
        run.send_signal(signal.SIGINT)
        time.sleep(0.5)  # two signals at once are one
        assert run.poll() is None
        run.send_signal(signal.SIGINT)
        assert run.wait(timeout=2.0) == 130


def test_a_server_killed_in_mid_run_costs_nothing_received(tmp_path: Path, many_payments: Path) -> None:
    """One line says what happened, and the file ends with a summary."""
    output = tmp_path / "run.ndjson"
    with process("local", "--port", "0", "--bundle", str(many_payments)) as server:
        assert server.stdout is not None
        url = server.stdout.readline().split()[1]
        with process("run", url, "--start-slot", "1000", "--slots", "3000", *WATCH, "--output", str(output)) as run:
            wait_for_session(run)
            server.send_signal(signal.SIGKILL)
            _, err = run.communicate(timeout=HANG_SECONDS)

    assert run.returncode == 1, err
    assert [line.startswith("simclient: ") for line in err.splitlines()].count(True) == 1
    assert "Traceback" not in err
    assert last_event(output)["status"] == "failed"


def test_a_local_server_ends_well_on_ctrl_c(payments: Path) -> None:
    """It says where it serves and what, at once, and Ctrl-C is its ordinary end."""
    with process("local", "--port", "0", "--bundle", str(payments)) as server:
        assert server.stdout is not None
        assert server.stdout.readline().startswith("serving ws://127.0.0.1:")
        assert server.stdout.readline() == "slots 1000 to 1019\n"
        server.send_signal(signal.SIGINT)
        _, err = server.communicate(timeout=HANG_SECONDS)

    assert (server.returncode, err) == (0, "")


def test_ranges_lists_what_a_server_has(payments: Path) -> None:
    """Here: what the local server serves."""
    with process("local", "--port", "0", "--bundle", str(payments)) as server:
        assert server.stdout is not None
        url = server.stdout.readline().split()[1]
        listed = subprocess.run(
            [*SIMCLIENT, "ranges", url], capture_output=True, text=True, timeout=HANG_SECONDS, check=True
        )

    assert "1000" in listed.stdout
    assert "1019" in listed.stdout


def test_a_reader_that_goes_away_ends_the_run_with_one_line(many_payments: Path) -> None:
    """As in `simclient run --output - | head`."""
    with process("run", "--local", "--bundle", str(many_payments), *WATCH, "--output", "-") as run:
        wait_for_session(run)
        assert run.stdout is not None
        run.stdout.close()
        run.stdout = None
        _, err = run.communicate(timeout=HANG_SECONDS)

    assert run.returncode == 1
    assert "simclient: cannot write the standard output: its reader has gone" in err
    assert "Traceback" not in err


def test_without_the_extra_one_line_names_it(tmp_path: Path) -> None:
    """The library installs without the command line's packages."""
    (tmp_path / "cyclopts.py").write_text("raise ModuleNotFoundError('gone', name='cyclopts')\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    tried = subprocess.run(
        [*SIMCLIENT, "run"], capture_output=True, text=True, timeout=HANG_SECONDS, env=environment, check=False
    )

    assert tried.returncode == 1
    assert tried.stderr == 'simclient: the command line needs cyclopts: pip install "simclient[cli]"\n'


def test_results_on_a_full_disk_are_one_line(payments: Path) -> None:
    """As in `simclient bundle info FILE > /dev/full`."""
    with open("/dev/full", "w") as full:
        tried = subprocess.run(
            [*SIMCLIENT, "bundle", "info", str(payments)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=HANG_SECONDS,
            check=False,
        )

    assert tried.returncode == 1
    assert tried.stderr == "simclient: cannot write the results: No space left on device\n"
