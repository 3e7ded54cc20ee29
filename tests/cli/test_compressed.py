"""`--output run.ndjson.zst`: as a plain file in all that reads it, and taken up as one."""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
import zstandard

from simclient.cli import main
from simclient.research import read_run

from .bundles import PAYER, SYSTEM_PROGRAM
from .processes import content, process, types, wait_for_text

WATCH = ["--account-diffs", SYSTEM_PROGRAM, "--transactions", SYSTEM_PROGRAM, "--logs", SYSTEM_PROGRAM]
MAGIC = b"\x28\xb5\x2f\xfd"


def unpacked(path: Path) -> Path:
    """Unpack a file as any tool does."""
    plain = path.with_suffix(".unpacked")
    with zstandard.open(path, "rb") as packed:
        plain.write_bytes(packed.read())
    return plain


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, many_payments: Path) -> tuple[Path, Path]:
    """Return the files of the same run, plain and compressed."""
    folder = tmp_path_factory.mktemp("runs")
    plain, packed = folder / "run.ndjson", folder / "run.ndjson.zst"
    for file in (plain, packed):
        place = ["--local", "--bundle", str(many_payments), "--slots", "200"]
        assert main(["run", *place, *WATCH, "--output", str(file)]) == 0
    return plain, packed


def test_a_compressed_file_has_the_same_events_and_is_smaller(files: tuple[Path, Path]) -> None:
    """Any zstd tool unpacks it."""
    plain, packed = files
    assert content(unpacked(packed)) == content(plain)
    assert packed.stat().st_size * 4 < plain.stat().st_size
    summary = read_run(packed).summary()
    assert summary is not None
    assert (summary.status, summary.slots) == ("completed", 200)


@pytest.mark.parametrize(
    "command",
    [["summarize", "--json"], ["logs", "--json"], ["diffs", "--json", "--account", str(PAYER.pubkey())]],
    ids=lambda command: command[0],
)
def test_commands_read_it_as_a_plain_one(
    capfd: pytest.CaptureFixture[str], files: tuple[Path, Path], command: list[str]
) -> None:
    """They say the same of both, but for what is of the session."""
    said: list[Sequence[object]] = []
    for file in files:
        capfd.readouterr()
        name, *options = command
        assert main([name, str(file), *options]) == 0
        out = capfd.readouterr().out
        if name == "summarize":
            whole = json.loads(out)
            said.append([whole["wallets"], whole["transactions"], whole["failed_by"]])
        else:
            said.append(sorted(out.splitlines()))

    assert said[0] == said[1]


def test_a_plain_and_a_compressed_file_are_compared(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, files: tuple[Path, Path]
) -> None:
    """In either place; a report is made of it too."""
    assert main(["compare", *map(str, files), "--fail-on", "any"]) == 0
    assert "in both: 1,000, of which 1,000 are the same" in capfd.readouterr().out
    assert main(["report", str(files[1]), "--output", str(tmp_path / "run.html")]) == 0


def test_a_killed_run_goes_on_in_its_compressed_file(
    tmp_path: Path, many_payments: Path, files: tuple[Path, Path]
) -> None:
    """As in a plain one: no gaps, no doubles, one summary."""
    output = tmp_path / "run.ndjson.zst"
    place = ["--local", "--bundle", str(many_payments), "--slots", "200", "--advance", "5"]
    with process("run", *place, *WATCH, "--output", str(output)) as run:
        wait_for_text(run, output, MAGIC, 2)
        run.send_signal(signal.SIGKILL)
    output.write_bytes(output.read_bytes()[:-7])  # in the middle of a frame

    assert main(["run", "--resume", str(output)]) == 0

    assert content(unpacked(output)) == content(files[0])
    assert types(unpacked(output)).count("summary") == 1


def test_an_interrupted_run_loses_its_summary_when_it_goes_on(tmp_path: Path, files: tuple[Path, Path]) -> None:
    """Which stands in a frame of its own."""
    output = tmp_path / "run.ndjson.zst"
    frames = files[1].read_bytes().split(MAGIC)[1:]
    [*_, last] = frames
    told = json.loads(zstandard.decompress(MAGIC + last))
    told["data"]["status"] = "cancelled"
    kept = [*frames[:1], zstandard.compress(json.dumps(told, separators=(",", ":")).encode() + b"\n")[4:]]
    output.write_bytes(b"".join(MAGIC + frame for frame in kept))

    assert main(["run", "--resume", str(output)]) == 0

    assert content(unpacked(output)) == content(files[0])
    assert types(unpacked(output)).count("summary") == 1


def test_a_file_that_another_program_compressed_does_not_go_on(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, files: tuple[Path, Path]
) -> None:
    """Its last line cannot be taken off alone; the message says what to do."""
    output = tmp_path / "run.ndjson.zst"
    cancelled = files[0].read_bytes().replace(b'"status":"completed"', b'"status":"cancelled"')
    output.write_bytes(zstandard.compress(cancelled))
    before = output.read_bytes()

    assert main(["run", "--resume", str(output)]) == 2
    assert f"unpack it first: zstd -d {output}" in capfd.readouterr().err
    assert output.read_bytes() == before
