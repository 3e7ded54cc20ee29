"""The file that a run writes its lines to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from simclient.errors import InputError
from simclient.research.event_file import STANDARD_OUTPUT, EventFile, OutputError, check_output


async def test_an_existing_file_is_kept_until_there_is_something_to_write(tmp_path: Path) -> None:
    """Opening and closing without a line changes nothing."""
    path = tmp_path / "run.ndjson"
    path.write_text("old\n")
    file = EventFile(path)
    await file.flush()
    file.close()
    assert path.read_text() == "old\n"

    file.add(b"new\n")
    await file.flush()
    file.close()
    assert path.read_text() == "new\n"


async def test_every_flush_puts_whole_lines_into_the_file(tmp_path: Path) -> None:
    """What was added is there at once, in order."""
    path = tmp_path / "run.ndjson"
    file = EventFile(path)
    file.add(b"one\n")
    file.add(b"two\n")
    await file.flush()
    assert path.read_bytes() == b"one\ntwo\n"

    file.add(b"three\n")
    await file.flush()
    assert path.read_bytes() == b"one\ntwo\nthree\n"
    file.close()


async def test_a_lot_of_lines_asks_for_a_flush(tmp_path: Path) -> None:
    """Memory stays bounded."""
    file = EventFile(tmp_path / "run.ndjson")
    answers: list[bool] = []
    for size in (1_000, 1 << 20):
        file.add(b"x" * size + b"\n")
        answers.append(file.is_full)
    await file.flush()
    answers.append(file.is_full)
    file.close()

    assert answers == [False, True, False]


async def test_a_full_disk_is_one_error_that_names_the_file() -> None:
    """Later flushes write nothing more."""
    file = EventFile(Path("/dev/full"))
    file.add(b"line\n")
    with pytest.raises(OutputError, match="cannot write /dev/full: No space left on device"):
        await file.flush()

    file.add(b"line\n")
    await file.flush()
    file.close()


async def test_a_write_that_fails_half_way_leaves_no_cut_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is cut back to its last whole line."""
    write = os.write
    calls = iter([7])

    def write_seven_bytes_then_fail(descriptor: int, data: bytes) -> int:
        for count in calls:
            return write(descriptor, data[:count])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("simclient.research.event_file.os.write", write_seven_bytes_then_fail)
    path = tmp_path / "run.ndjson"
    file = EventFile(path)
    file.add(b"one\n")
    file.add(b"twotwo\n")
    with pytest.raises(OutputError):
        await file.flush()

    file.close()
    monkeypatch.undo()
    assert path.read_bytes() == b"one\n"


@pytest.mark.parametrize(
    ("name", "reason"),
    [("", "is a directory"), ("no/such/file", "there is no directory"), ("file/x", "there is no directory")],
)
def test_a_path_that_cannot_be_written_is_known_beforehand(tmp_path: Path, name: str, reason: str) -> None:
    """The message names the path and the reason; nothing is made."""
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=reason):
        check_output(tmp_path / name)

    assert sorted(p.name for p in tmp_path.iterdir()) == ["file"]


def test_a_new_file_and_the_standard_output_can_be_written(tmp_path: Path) -> None:
    """Checking does not make the file."""
    check_output(tmp_path / "new")
    check_output(STANDARD_OUTPUT)
    assert not (tmp_path / "new").exists()
