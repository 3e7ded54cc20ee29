"""Comparing runs by their files."""

from __future__ import annotations

import errno
import json
import math
import os
from pathlib import Path

import pytest
import zstandard

from simclient.errors import InputError
from simclient.research.comparison import Comparison, Difference, Filters, Kind, compare_runs
from simclient.research.comparison import compare as compare_module
from simclient.research.comparison import pair_work as pair_work_module
from simclient.research.comparison import parts as parts_module
from simclient.research.comparison.workers import do_all
from simclient.research.records import RunFileError

from . import lines
from .frames import address
from .lines import signature, sol, token, tx, write

FAILED = "Error processing Instruction 0: custom program error: 0x1"


@pytest.fixture(params=["in step", "in parts", "by hash"], autouse=True)
def _way_of_joining(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that can be read side by side are, large ones in parts; all that is said of them must hold for others too."""
    if request.param == "by hash":
        monkeypatch.setattr(compare_module, "compare_in_parts", lambda *_: None)
    if request.param == "in parts":
        monkeypatch.setattr(parts_module, "_shares", lambda _size: [0.3, 0.5, 0.7])
        monkeypatch.setattr(parts_module, "do_all", lambda tasks: [task() for task in tasks])


def compare(tmp_path: Path, a: list[str], b: list[str], **options: object) -> Comparison:
    first, second = write(tmp_path / "a.ndjson", *a), write(tmp_path / "b.ndjson", *b)
    return compare_runs(first, second, **options)  # type: ignore[arg-type]


def only(compared: Comparison) -> Difference:
    [difference] = compared.differences()
    assert sum(compared.counts.values()) == 1
    return difference


def test_the_same_transactions_of_other_sessions_are_identical(tmp_path: Path) -> None:
    """Which session a transaction came by is no difference."""
    compared = compare(tmp_path, [tx(1), tx(2)], [tx(2, session_id="other"), tx(1, session_id="longer one")])

    assert (compared.common, compared.identical, compared.has()) == (2, 2, False)
    assert list(compared.differences()) == []


@pytest.mark.parametrize(
    ("a", "b", "kind", "baseline", "experiment"),
    [
        (
            tx(1),
            tx(1, success=False),
            Kind.REGRESSION,
            None,
            FAILED,
        ),
        (
            tx(1, success=False),
            tx(1),
            Kind.IMPROVEMENT,
            FAILED,
            None,
        ),
        (
            tx(1, success=False),
            tx(1, success=False, error="Account in use"),
            Kind.ERROR,
            FAILED,
            "Account in use",
        ),
        (tx(1), tx(1, compute_units=1_200), Kind.COMPUTE_UNITS, 1_000, 1_200),
        (tx(1), tx(1, fee=6_000), Kind.FEE, 5_000, 6_000),
        (tx(1, logs=["a"]), tx(1, logs=["a", "b"]), Kind.LOGS, 1, 2),
        (tx(1, logs=["a", "b"]), tx(1, logs=["a", "c"]), Kind.LOGS, 2, 2),
    ],
)
def test_each_kind_of_difference_is_told(
    tmp_path: Path, a: str, b: str, kind: Kind, baseline: object, experiment: object
) -> None:
    """With what was, and what is."""
    difference = only(compare(tmp_path, [a], [b]))

    assert (difference.kind, difference.baseline, difference.experiment) == (kind, baseline, experiment)
    assert (difference.slot, difference.signature) == (1, signature(1))


def test_where_logs_part_is_told(tmp_path: Path) -> None:
    """The index of the first line that differs, and both lines."""
    part = only(compare(tmp_path, [tx(1, logs=["a", "b"])], [tx(1, logs=["a"])])).line

    assert part is not None
    assert (part.index, part.baseline, part.experiment) == (1, "b", None)


def test_consumed_compute_units_are_no_difference_of_logs(tmp_path: Path) -> None:
    """The runtime says them after each instruction; they are compared apart."""
    said = [f"Program {address(9)} consumed {n} of 200000 compute units" for n in (1_000, 1_200)]
    difference = only(compare(tmp_path, [tx(1, logs=[said[0]])], [tx(1, logs=[said[1]], compute_units=1_200)]))

    assert difference.kind is Kind.COMPUTE_UNITS


def test_balances_are_compared_by_what_they_changed(tmp_path: Path) -> None:
    """Another opening with the same change is the same; an account that did not change counts as zero."""
    same = [tx(1, sol_changes=[sol(3, 200, 195)], token_changes=[token(4, 17, 19)])]
    assert not compare(tmp_path, [tx(1)], same).has(Kind.BALANCES)

    difference = only(compare(tmp_path, [tx(1)], [tx(1, sol_changes=[], token_changes=[token(4, 7, 12)])]))
    assert {(one.account, one.mint, one.owner, one.baseline, one.experiment) for one in difference.balances} == {
        (address(3), None, None, -5, 0),
        (address(4), address(1), address(2), 2, 5),
    }


def test_one_transaction_can_differ_in_several_ways(tmp_path: Path) -> None:
    """It counts once in each."""
    compared = compare(tmp_path, [tx(1)], [tx(1, fee=1, compute_units=2, logs=[])])

    assert {kind for kind, count in compared.counts.items() if count} == {Kind.FEE, Kind.COMPUTE_UNITS, Kind.LOGS}


def test_missing_and_extra_transactions_are_both_listed(tmp_path: Path) -> None:
    """With whether they succeeded where they are."""
    compared = compare(tmp_path, [tx(1), tx(2)], [tx(2), tx(3, success=False)])

    [missing], [extra] = compared.kept[Kind.MISSING], compared.kept[Kind.EXTRA]
    assert (missing.signature, missing.success) == (signature(1), True)
    assert (extra.signature, extra.success) == (signature(3), False)
    assert (compared.common, compared.identical) == (1, 1)


def test_a_signature_that_occurs_twice_counts_with_its_highest_slot(tmp_path: Path) -> None:
    """And with the later line of one slot."""
    twice = [tx(1, slot=5, fee=1), tx(1, slot=5, fee=2), tx(1, slot=4, fee=3)]
    difference = only(compare(tmp_path, twice, [tx(1, slot=5, fee=9)]))

    assert (difference.slot, difference.baseline, difference.experiment) == (5, 2, 9)


def test_lines_of_another_shape_are_read_too(tmp_path: Path) -> None:
    """JSON promises no order of keys and no lack of spaces."""
    data = json.loads(tx(1, fee=1))["data"]
    shaped = json.dumps({"data": dict(reversed(data.items())), "type": "tx"}) + "\n"
    difference = only(compare(tmp_path, [shaped, tx(2)], [tx(1), tx(2)]))

    assert (difference.kind, difference.baseline, difference.experiment) == (Kind.FEE, 1, 5_000)


def test_a_key_inside_of_a_text_is_not_taken_for_one(tmp_path: Path) -> None:
    """Programs choose their logs."""
    hostile = 'x","session_id":"y'
    compared = compare(
        tmp_path, [tx(1, logs=[hostile], session_id=None)], [tx(1, logs=[hostile + "z"], session_id=None)]
    )

    assert only(compared).kind is Kind.LOGS


def test_filters_narrow_what_is_compared(tmp_path: Path) -> None:
    """By slot, by an address in the line, and by how large a difference is."""
    a = [tx(1, slot=1), tx(2, slot=2), tx(3, slot=3, token_changes=[token(4, 0, 1_000)])]
    b = [tx(1, slot=1, fee=1), tx(2, slot=2, compute_units=1_010), tx(3, slot=3, token_changes=[token(4, 0, 1_001)])]

    def found(**filters: object) -> set[Kind]:
        compared = compare(tmp_path, a, b, filters=Filters(**filters))  # type: ignore[arg-type]
        return {kind for kind, count in compared.counts.items() if count}

    assert found() == {Kind.FEE, Kind.COMPUTE_UNITS, Kind.BALANCES}
    assert found(start_slot=2) == {Kind.COMPUTE_UNITS, Kind.BALANCES}
    assert found(start_slot=2, end_slot=2) == {Kind.COMPUTE_UNITS}
    assert found(min_compute_units=10, min_relative_balance=0.01) == {Kind.FEE}
    assert found(mentions=(address(99),)) == set()
    assert found(mentions=(address(99), address(2))) == {Kind.FEE, Kind.COMPUTE_UNITS, Kind.BALANCES}


@pytest.mark.parametrize(
    "options",
    [
        {"start_slot": 5, "end_slot": 4},
        {"mentions": ("x",)},
        {"min_compute_units": -1},
        {"min_relative_balance": math.nan},
    ],
)
def test_filters_that_cannot_be_used_are_refused(options: dict[str, object]) -> None:
    """Before any file is read."""
    with pytest.raises(InputError):
        Filters(**options)  # type: ignore[arg-type]


def test_the_limit_keeps_the_largest_and_counts_all(tmp_path: Path) -> None:
    """Of compute units the largest differences, of all else the first."""
    a = [tx(n, slot=n) for n in range(1, 30)]
    compared = compare(tmp_path, a, [tx(n, slot=n, compute_units=1_000 + n, logs=[]) for n in range(1, 30)], limit=2)

    assert compared.counts[Kind.COMPUTE_UNITS] == compared.counts[Kind.LOGS] == 29
    assert [one.slot for one in compared.kept[Kind.COMPUTE_UNITS]] == [29, 28]
    assert [one.slot for one in compared.kept[Kind.LOGS]] == [1, 2]


def test_several_processes_find_what_one_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large files are cut, and pairs whose lines stand at different places are divided."""
    order = [*range(1, 9), *range(40, 49), *range(9, 40), 49]
    a = [tx(n, slot=n) for n in order]
    b = [tx(n, slot=n, compute_units=1_000 + n % 7, success=n % 5 != 0) for n in range(1, 50)]
    one = compare(tmp_path, a, b)
    monkeypatch.setattr(parts_module, "_START_BYTES", 1_000)
    monkeypatch.setattr(parts_module, "do_all", do_all)
    monkeypatch.setattr(pair_work_module, "_WORTH_A_PROCESS", 10)
    for module in (parts_module, pair_work_module):
        monkeypatch.setattr(module, "core_count", lambda: 3)

    assert compare(tmp_path, a, b) == one


@pytest.mark.parametrize("is_divided", [False, True])
def test_a_damaged_line_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_divided: bool) -> None:
    """By its place in the file, whichever process comes upon it."""
    if is_divided:
        monkeypatch.setattr(pair_work_module, "_WORTH_A_PROCESS", 1)
    damaged = tx(1).replace('"fee":5000', '"fee":5000,,')
    with pytest.raises(RunFileError, match=r"is damaged: byte \d+: JSON is malformed"):
        compare(tmp_path, [tx(2), tx(1)], [damaged, tx(2, fee=1)])


def test_a_disk_that_fails_names_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of reading, when both were opened already."""

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(compare_module, "compare_pairs", fail)
    with pytest.raises(RunFileError, match=r"cannot read .*a\.ndjson and .*b\.ndjson: Input/output error"):
        compare(tmp_path, [tx(1)], [tx(1)])


def test_a_cut_last_line_is_left_out_and_said(tmp_path: Path) -> None:
    """It is what a killed run leaves."""
    a = write(tmp_path / "a.ndjson", tx(1), tx(2))
    b = tmp_path / "b.ndjson"
    b.write_text(lines.metadata() + tx(1) + tx(2)[:-20])
    compared = compare_runs(a, b)

    assert (compared.experiment.is_cut, compared.experiment.status) == (True, None)
    assert only(compared).kind is Kind.MISSING


def test_compressed_files_are_compared_too(tmp_path: Path) -> None:
    """Also one with a plain one."""
    a, b = write(tmp_path / "a.ndjson", tx(1)), write(tmp_path / "b.ndjson", tx(1, fee=1))
    packed = tmp_path / "b.ndjson.zst"
    packed.write_bytes(zstandard.compress(b.read_bytes()))

    assert only(compare_runs(a, packed)) == only(compare_runs(a, b))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read .*b.ndjson: No such file"),
        ("", "its first line is no metadata"),
        ("hello\n", "is not the file of a run: line 1"),
        (tx(1), "its first line is no metadata"),
    ],
)
def test_what_is_not_the_file_of_a_run_is_refused(tmp_path: Path, content: str | None, message: str) -> None:
    """The message names the file."""
    a, b = write(tmp_path / "a.ndjson"), tmp_path / "b.ndjson"
    if content is not None:
        b.write_text(content)
    with pytest.raises(RunFileError, match=message):
        compare_runs(a, b)


def test_differences_are_tables(tmp_path: Path) -> None:
    """A row for each, and for each balance."""
    compared = compare(tmp_path, [tx(1), tx(2)], [tx(1, fee=1), tx(2, token_changes=[token(4, 7, 12)])])

    frame = compared.table.to_polars()
    assert frame.select("kind", "difference").rows() == [("balances", None), ("fees", -4_999)]
    assert compared.balance_table.to_dicts()[0]["experiment"] == 5
