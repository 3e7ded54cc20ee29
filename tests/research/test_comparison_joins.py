"""All ways of joining two files find the same."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simclient.research.comparison import Comparison, Filters, Kind, compare_runs, parts, spans, step
from simclient.research.comparison import compare as compare_module
from simclient.research.comparison.parts import compare_in_parts
from simclient.research.comparison.spans import Span, cut_alike
from simclient.research.records import RunFileError

from .lines import line, tx, write

Transactions = list[tuple[int, int, str]]
"""Number, fee and session of each."""

RUNS = st.lists(st.tuples(st.integers(0, 12), st.integers(1, 2), st.sampled_from(["s", "another"])), max_size=16)
SHARES = st.lists(st.floats(0, 1), max_size=3).map(sorted)


def file_of(path: Path, transactions: Transactions) -> Path:
    return write(path, *(tx(number, slot=number, fee=fee, session_id=session) for number, fee, session in transactions))


def by_hash(first: Path, second: Path, filters: Filters | None = None) -> Comparison:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compare_module, "compare_in_parts", lambda *_: None)
        return compare_runs(first, second, filters=filters)


@settings(max_examples=200, deadline=None)
@given(a=RUNS, b=RUNS, shares=SHARES)
def test_files_read_side_by_side_are_joined_as_by_their_hashes(
    tmp_path_factory: pytest.TempPathFactory, a: Transactions, b: Transactions, shares: list[float]
) -> None:
    """Whatever is missing, extra, different or in another order, and wherever the files are cut; a signature that is there twice is left to
    the other way."""
    folder = tmp_path_factory.mktemp("joins")
    first, second = file_of(folder / "a.ndjson", a), file_of(folder / "b.ndjson", b)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "_shares", lambda _size: shares)
        patch.setattr(parts, "do_all", lambda tasks: [task() for task in tasks])
        is_left = compare_in_parts(first, second, Filters(), None) is None
        compared = compare_runs(first, second)

    assert is_left == any(len({number for number, *_ in run}) != len(run) for run in (a, b))
    assert compared == by_hash(first, second)


def test_a_signature_that_is_twice_in_both_files_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where one part has it in both files, and two others in one each."""
    monkeypatch.setattr(parts, "_shares", lambda _size: [0.2, 0.5])
    monkeypatch.setattr(parts, "do_all", lambda tasks: [task() for task in tasks])
    blocks = [[tx(10 * slot + number, slot=slot) for number in range(4)] for slot in (1, 2, 3)]
    twice = {slot: tx(1, slot=slot) for slot in (1, 2, 3)}
    first = write(tmp_path / "a.ndjson", *blocks[0], twice[1], *blocks[1], *blocks[2], twice[3])
    second = write(tmp_path / "b.ndjson", *blocks[0], *blocks[1], twice[2], *blocks[2], twice[3])
    assert len(cut_alike(first, second, [0.2, 0.5])) == 3

    assert compare_in_parts(first, second, Filters(), None) is None
    compared = compare_runs(first, second)
    assert (compared.common, compared.identical) == (13, 13)


@pytest.mark.parametrize("cut_bytes", [1, 500])
def test_a_file_that_becomes_shorter_is_no_file_with_less(tmp_path: Path, cut_bytes: int) -> None:
    """What another program takes away meanwhile is not missing from the run."""
    file = file_of(tmp_path / "a.ndjson", [(number, 1, "s") for number in range(10)])
    span = Span(file, 0, file.stat().st_size)
    os.truncate(file, span.end - cut_bytes)

    with pytest.raises(RunFileError, match="became shorter while it was read"):
        step.join_in_step(span, span, Filters(), None)


def test_a_line_that_is_missing_puts_nothing_out_of_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other file is waited for, and both go on together: hardly a line waits."""
    monkeypatch.setattr(step, "_MOST_WAITING", 4)
    whole = [(number, 1, "s") for number in range(1_000)]
    first = file_of(tmp_path / "a.ndjson", whole)
    second = file_of(tmp_path / "b.ndjson", [one for one in whole if one[0] not in (10, 500, 999)])

    found = compare_in_parts(first, second, Filters(), None)

    assert found is not None
    joined, _ = found
    assert (joined.identical, len(joined.missing), len(joined.extra)) == (997, 3, 0)


def test_files_in_another_order_altogether_are_joined_by_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many lines would have to wait."""
    monkeypatch.setattr(step, "_MOST_WAITING", 4)
    whole = [(number, 1, "s") for number in range(10)]
    first, second = file_of(tmp_path / "a.ndjson", whole), file_of(tmp_path / "b.ndjson", whole[::-1])

    assert compare_in_parts(first, second, Filters(), None) is None
    compared = compare_runs(first, second)
    assert (compared.common, compared.identical) == (10, 10)


def test_filters_apply_to_all_ways(tmp_path: Path) -> None:
    """Here by slot."""
    first = file_of(tmp_path / "a.ndjson", [(number, 1, "s") for number in range(10)])
    second = file_of(tmp_path / "b.ndjson", [(number, 1 + number % 2, "s") for number in range(10)])
    filters = Filters(start_slot=3, end_slot=7)

    compared = compare_runs(first, second, filters=filters)

    assert compared == by_hash(first, second, filters)
    assert (compared.common, compared.counts[Kind.FEE]) == (5, 3)


def slots_of(span: Span) -> list[int]:
    content = span.path.read_bytes()[span.begin : span.end]
    return [int(line.split(b",")[1].rpartition(b":")[2]) for line in content.splitlines() if b'"tx"' in line]


@settings(max_examples=200, deadline=None)
@given(
    a=st.lists(st.integers(0, 30), min_size=1, max_size=60).map(sorted),
    b=st.lists(st.integers(0, 30), min_size=1, max_size=60).map(sorted),
    shares=SHARES,
)
def test_files_are_cut_into_whole_lines_at_the_same_slots(
    tmp_path_factory: pytest.TempPathFactory, a: list[int], b: list[int], shares: list[float]
) -> None:
    """However many lines of other kinds stand between; no byte is left out, and none is in two parts."""
    folder = tmp_path_factory.mktemp("cuts")
    files = [
        write(folder / name, *(tx(n, slot=slot) + line("logs", slot=slot) for n, slot in enumerate(run)))
        for name, run in (("a", a), ("b", b))
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spans, "_NEAR_BYTES", 64)
        pairs = cut_alike(files[0], files[1], shares)

    for path, cuts in zip(files, zip(*pairs, strict=True), strict=True):
        content = path.read_bytes()
        assert b"".join(content[span.begin : span.end] for span in cuts) == content
        assert all(content[: span.begin].endswith(b"\n") for span in cuts[1:])
    for (one, other), (later, other_later) in pairwise(pairs):
        last = max([*slots_of(one), *slots_of(other)], default=-1)
        assert last < min([*slots_of(later), *slots_of(other_later)], default=99)
