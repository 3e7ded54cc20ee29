"""Doing work in several processes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from simclient.errors import SimClientError
from simclient.research.comparison.workers import Task, do_all

from .tasks import Double, Fail, KillItself, RaiseWhenThere, ReadFile, WaitForever


@pytest.fixture(autouse=True)
def _tasks_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the other processes too."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[Double.__module__.count(".")]))


def test_answers_come_in_the_order_of_the_tasks() -> None:
    """Each of a process of its own, the first of this one."""
    answers = do_all([Double(number) for number in range(4)])

    assert [answer for answer, _ in answers] == [0, 2, 4, 6]
    processes = [process for _, process in answers]
    assert processes[0] == os.getpid()
    assert len(set(processes)) == 4


def test_no_task_is_done_at_once() -> None:
    """There is no answer then."""
    none: list[Double] = []
    assert do_all(none) == []


@pytest.mark.parametrize("is_there", [True, False])
def test_what_cannot_be_read_is_an_error_as_it_would_be_here(tmp_path: Path, is_there: bool) -> None:
    """Whichever process comes upon it."""
    file = tmp_path / "file"
    file.write_bytes(b"more than a pipe holds" * 10_000)
    tasks = [ReadFile(file), ReadFile(file if is_there else tmp_path / "no-file")]
    if is_there:
        assert do_all(tasks) == [file.read_bytes()] * 2
        return

    with pytest.raises(FileNotFoundError, match="no-file"):
        do_all(tasks)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (KillItself(), r"was killed by signal 9 \(Killed\): it said nothing"),
        (Fail(), "ended with exit code 1: no memory is left"),
    ],
)
def test_a_process_that_ends_without_an_answer_is_an_error(task: KillItself | Fail, message: str) -> None:
    """It says how it ended."""
    tasks: list[Task[object]] = [Double(1), task]
    with pytest.raises(SimClientError, match=message):
        do_all(tasks)


def test_a_process_that_cannot_be_started_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where there is no memory for it."""
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(SimClientError, match=r"cannot be started: .*/no/such/python"):
        do_all([Double(1), Double(2)])


def test_modules_of_the_working_directory_are_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However they are called: a command that is installed does not look at them either."""
    for name in ("pickle", "attrs", "msgspec"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('this is not ours')")
    monkeypatch.chdir(tmp_path)

    assert [answer for answer, _ in do_all([Double(1), Double(2)])] == [2, 4]


@pytest.mark.parametrize("folder", [Path("/no/such"), None, ""])
def test_whatever_stands_among_the_folders_of_modules(folder: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs put there what they like, and Python passes over what is no text."""
    monkeypatch.setattr(sys, "path", [*sys.path, folder])

    assert [answer for answer, _ in do_all([Double(1), Double(2)])] == [2, 4]


def test_a_failure_here_ends_the_other_processes(tmp_path: Path) -> None:
    """So does Ctrl-C: nothing goes on behind the back of who has left."""
    file = tmp_path / "process"
    tasks: list[Task[None]] = [RaiseWhenThere(file), WaitForever(file)]
    with pytest.raises(KeyboardInterrupt):
        do_all(tasks)

    with pytest.raises(ProcessLookupError):
        os.kill(int(file.read_text()), 0)
