"""Files that are there as a whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from simclient.errors import InputError
from simclient.research.event_file import OutputError
from simclient.research.whole_file import whole_file


def test_a_file_is_replaced_when_the_new_one_is_whole(tmp_path: Path) -> None:
    """A link to it stays one."""
    path, link = tmp_path / "x.html", tmp_path / "link"
    path.write_text("old")
    link.symlink_to(path)
    with whole_file(link) as file:
        file.write_text("new")
        assert path.read_text() == "old"

    assert (path.read_text(), link.is_symlink()) == ("new", True)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["link", "x.html"]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    """And nothing else."""
    path = tmp_path / "x.html"
    path.write_text("old")
    with pytest.raises(OutputError, match="No space left on device"), whole_file(path) as file:
        file.write_text("half")
        raise OSError(28, "No space left on device")

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    """So is a device."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with whole_file(path) as file:
        file.write_text("all")

    assert os.read(reader, 10) == b"all"
    os.close(reader)
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_a_place_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    """The block is not entered."""
    with pytest.raises(InputError, match="no directory"), whole_file(tmp_path / "no" / "x"):
        pytest.fail("it was entered")
