"""`python -m simclient.testing.soak`: the table, the exit code, and the page that shows it."""

from __future__ import annotations

import re
from pathlib import Path

import attrs
import pytest

from simclient.session.options import Delivery
from simclient.testing.soak.__main__ import Unsound, main, run_class
from simclient.testing.soak.classes import CLASSES, FaultClass
from simclient.testing.soak.trials import random_trial

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "reliability.md"


def rows(text: str) -> list[list[str]]:
    """Return the cells of each row of a table, without its head."""
    return [[cell.strip() for cell in row.split("|")[1:-1]] for row in re.findall(r"^\| .*\|$", text, re.MULTILINE)][1:]


def test_the_table_has_a_row_with_a_figure_for_every_class(capsys: pytest.CaptureFixture[str]) -> None:
    """And the exit code says that nothing was lost, doubled, hung or left."""
    assert main(["--runs", "2", "--seed", "1000"]) == 0

    table = rows(capsys.readouterr().out)
    assert [row[:3] for row in table if row[0] != "34"] == [[each.number, each.fault, each.must] for each in CLASSES]
    assert all(row[3] for row in table)


def test_one_class_can_be_run_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """As the line says that reproduces a failure."""
    assert main(["--only", "7", "--runs", "1", "--seed", "5"]) == 0
    assert [row[0] for row in rows(capsys.readouterr().out)] == ["7"]


def test_a_class_that_does_not_exist_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is run."""
    with pytest.raises(SystemExit):
        main(["--only", "99"])


def test_a_duplicate_ends_the_soak_with_the_seed_that_reproduces_it() -> None:
    """With de-duplication off, and nobody told, one of the first seeds shows one."""
    careless: FaultClass = attrs.evolve(
        next(each for each in CLASSES if each.number == "all"),
        trial=lambda seed, events: random_trial(seed, events=events, delivery=Delivery.AT_LEAST_ONCE),
    )
    with pytest.raises(Unsound, match=r"duplicated=[1-9].*\n.*--only all --runs 1 --seed \d+ --events 120"):
        run_class(careless, first_seed=0, runs=50, events=120)


def test_without_duplicates_the_control_run_proves_nothing() -> None:
    """And says so, given enough seeds."""
    control = next(each for each in CLASSES if each.number == "10")
    harmless = attrs.evolve(control, trial=lambda seed, events: random_trial(seed, events=10, connections=0))
    with pytest.raises(Unsound, match="prove nothing"):
        run_class(harmless, first_seed=0, runs=20, events=10)


def test_the_page_shows_the_table_as_the_command_prints_it() -> None:
    """The figures are of a longer run; classes and words are those of the code."""
    table = rows(PAGE.read_text().split("<!-- soak -->")[1])
    assert [row[:3] for row in table if row[0] != "34"] == [[each.number, each.fault, each.must] for each in CLASSES]
    assert all(row[3] for row in table)
