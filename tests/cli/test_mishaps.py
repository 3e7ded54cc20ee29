"""Every command with what can go wrong around it: a typo, a missing file, a full disk, a closed pipe, a narrow terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from simclient.cli import main

from .bundles import FIRST_SLOT, SYSTEM_PROGRAM, payment
from .processes import HANG_SECONDS, SIMCLIENT
from .test_service import COVERAGE, RANGES, USAGE, host

ANSWERS = {
    "/usage": USAGE,
    "/generate-depth/coverage": COVERAGE,
    "/available-ranges": RANGES,
}
PRINTING = (
    "run {local} {watch}",
    "run {local} {watch} --output -",
    "record {local} {watch} --output {folder}/x.recording",
    "compare {file} {file}",
    "summarize {file}",
    "report {file} --output {folder}/x.html",
    "logs {file}",
    "logs {local} --program {program}",
    "diffs {file}",
    "discover {local} --program {program}",
    "simulate {folder}/transaction {local}",
    "ranges {url}",
    "usage {url}",
    "depth coverage {url}",
    "bundle info {bundle}",
    "bundle check {bundle}",
    "completion bash",
    "run --help",
)
"""Commands that print something, with all that they need; those that are like others in this are left out, for they take a while."""


@pytest.fixture(scope="module")
def fill(tmp_path_factory: pytest.TempPathFactory, payments: Path) -> Iterator[dict[str, str]]:
    """Return what stands for the names in a command."""
    folder = tmp_path_factory.mktemp("mishaps")
    (folder / "transaction").write_bytes(payment(FIRST_SLOT, 7).wire)
    local = f"--local --bundle {payments}"
    watch = f"--transactions {SYSTEM_PROGRAM}"
    assert (
        main(
            [*f"run {local} {watch}".split(), "--account-diffs", SYSTEM_PROGRAM, "--output", str(folder / "run.ndjson")]
        )
        == 0
    )
    with host(dict(ANSWERS)) as (url, _):
        yield {
            "local": local,
            "watch": watch,
            "program": SYSTEM_PROGRAM,
            "folder": str(folder),
            "file": str(folder / "run.ndjson"),
            "bundle": str(payments),
            "url": url,
        }


def errors_of(command: str, fill: dict[str, str], output: int) -> tuple[int, list[str]]:
    """Run a command with a standard output; return the exit code and the lines of the standard error."""
    ran = subprocess.run(
        [*SIMCLIENT, *command.format(**fill).split()],
        stdout=output,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        timeout=HANG_SECONDS,
        check=False,
        text=True,
    )
    assert "Traceback" not in ran.stderr
    return ran.returncode, ran.stderr.splitlines()


@pytest.mark.parametrize("command", PRINTING)
def test_a_full_disk_is_one_line(command: str, fill: dict[str, str]) -> None:
    """And a failure, whatever was to be printed."""
    full = os.open("/dev/full", os.O_WRONLY)
    code, lines = errors_of(command, fill, full)
    os.close(full)

    assert code == 1
    assert [line for line in lines if "No space left on device" in line] == lines[-1:]


@pytest.mark.parametrize("command", ["compare {file} {file}", "compare {file} {file} --json", "summarize {file}"])
def test_a_closed_output_is_one_line(command: str, fill: dict[str, str]) -> None:
    """As `simclient … >&-` closes it: there are no results then, and that is a failure."""
    ran = subprocess.run(
        ["sh", "-c", '"$@" >&-', "sh", *SIMCLIENT, *command.format(**fill).split()],
        stderr=subprocess.PIPE,
        timeout=HANG_SECONDS,
        check=False,
        text=True,
    )

    assert (ran.returncode, ran.stderr) == (1, "simclient: cannot write the results: Bad file descriptor\n")


def test_closed_errors_leave_the_results(fill: dict[str, str]) -> None:
    """And the exit code."""
    for command, code in (("summarize {file}", 0), ("summarize /no/such", 2)):
        ran = subprocess.run(
            ["sh", "-c", '"$@" 2>&-', "sh", *SIMCLIENT, *command.format(**fill).split()],
            stdout=subprocess.PIPE,
            timeout=HANG_SECONDS,
            check=False,
        )
        assert (ran.returncode, bool(ran.stdout)) == (code, not code)


@pytest.mark.parametrize("command", PRINTING)
def test_a_reader_that_has_gone_is_no_noise(command: str, fill: dict[str, str]) -> None:
    """As in `simclient … | head`: the exit code tells, and no more than a line."""
    reader, writer = os.pipe()
    os.close(reader)
    code, lines = errors_of(command, fill, writer)
    os.close(writer)

    assert code == 1
    assert [line for line in lines if line.startswith("simclient: ")] in ([], lines[-1:])


@pytest.mark.parametrize(
    "command", ["run {local} {watch}", "summarize {file}", "ranges {url}", "usage {url}", "--help"]
)
def test_tables_fit_forty_columns(command: str, fill: dict[str, str]) -> None:
    """Prose is left to the terminal, which can fold it back when it grows."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    with subprocess.Popen(
        [*SIMCLIENT, *command.format(**fill).split()],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**environment, "TERM": "xterm"},
        start_new_session=True,
    ) as ran:
        os.close(theirs)
        shown = b"".join(iter(lambda: _read(ours), b"")).decode()
    os.close(ours)

    assert ran.returncode == 0
    drawn = [line for line in re.split(r"\r?\n", re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown)) if line[:1] in "│┃┏└╭"]
    assert drawn
    assert max(map(len, drawn)) <= 40


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # the other side has ended
        return b""


NAMES = (
    *("run", "record", "compare", "summarize", "report", "logs", "diffs", "discover", "simulate", "sessions attach"),
    *("ranges", "usage", "depth measure", "depth status", "depth coverage", "datasets credentials", "local"),
    *("bundle build", "bundle info", "bundle check", "bundle request", "bundle status"),
    *("bundle list", "bundle delete", "completion"),
)


@pytest.mark.parametrize("name", NAMES)
def test_an_option_with_a_typo_is_named(capfd: pytest.CaptureFixture[str], name: str) -> None:
    """In one line that says where help is."""
    assert main([*name.split(), "--outptu", "x"]) == 2

    printed = capfd.readouterr()
    assert printed.out == ""
    assert re.fullmatch(r"simclient: .*--outptu.*; see --help\n", printed.err)


@pytest.mark.parametrize(
    "command",
    [
        "run --local --bundle {missing}",
        "run --resume {missing}",
        "run --retry-failed {missing}",
        "run --local --account-overrides {missing}",
        f"run --local --program-so {SYSTEM_PROGRAM}={{missing}}",
        "record --local --bundle {missing} --output x.recording",
        "compare {missing} {missing}",
        "summarize {missing}",
        "report {missing} --output x.html",
        "report {missing} --png x",
        "logs {missing}",
        "logs {missing} --idl {missing}",
        "diffs {missing}",
        "discover --local --bundle {missing} --program " + SYSTEM_PROGRAM,
        "simulate {missing} --local",
        "sessions attach {missing}",
        "local --bundle {missing}",
        "local --replay {missing}",
        "bundle info {missing}",
        "bundle check {missing}",
        "bundle build {missing} --output x.bundle",
        "bundle import --whirlpool {missing} {missing} {missing} --output x.bundle",
    ],
)
def test_a_file_that_is_missing_is_named(capfd: pytest.CaptureFixture[str], tmp_path: Path, command: str) -> None:
    """In one line, before anything is started."""
    missing = str(tmp_path / "no-such.ndjson")
    assert main(command.format(missing=missing).split()) == 2

    printed = capfd.readouterr()
    assert printed.out == ""
    [line] = printed.err.splitlines()
    assert missing in line
