"""Both ways of joining two files find the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simclient.research.comparison import Filters, Kind, compare_runs, step
from simclient.research.comparison.joined import Joined, Places
from simclient.research.comparison.scan import join_by_hash
from simclient.research.comparison.step import join_in_step

from .lines import tx, write

Transactions = list[tuple[int, int, str]]
"""Number, fee and session of each."""

RUNS = st.lists(st.tuples(st.integers(0, 12), st.integers(1, 2), st.sampled_from(["s", "another"])), max_size=16)


def file_of(path: Path, transactions: Transactions) -> Path:
    return write(path, *(tx(number, slot=number, fee=fee, session_id=session) for number, fee, session in transactions))


def lines_at(path: Path, places: Places) -> list[bytes]:
    content = path.read_bytes()
    found = zip(places.offsets, places.lengths, strict=True)
    return [content[offset : offset + length] for offset, length in found]


def facts(joined: Joined, a: Path, b: Path) -> tuple[object, ...]:
    """Return what was found, whatever the order."""
    pairs = zip(lines_at(a, joined.baseline), lines_at(b, joined.experiment), strict=True)
    return joined.identical, sorted(pairs), sorted(lines_at(a, joined.missing)), sorted(lines_at(b, joined.extra))


@settings(max_examples=200, deadline=None)
@given(a=RUNS, b=RUNS)
def test_files_read_side_by_side_are_joined_as_by_their_hashes(
    tmp_path_factory: pytest.TempPathFactory, a: Transactions, b: Transactions
) -> None:
    """Whatever is missing, extra, different or in another order; a signature that is there twice is left to the other way."""
    folder = tmp_path_factory.mktemp("joins")
    first, second = file_of(folder / "a.ndjson", a), file_of(folder / "b.ndjson", b)
    joined = join_in_step(first, second, Filters())

    is_twice = any(len({number for number, *_ in run}) != len(run) for run in (a, b))
    assert (joined is None) == is_twice
    if joined is not None:
        assert facts(joined, first, second) == facts(join_by_hash(first, second, Filters()), first, second)


def test_a_line_that_is_missing_puts_nothing_out_of_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other file is waited for, and both go on together: hardly a line waits."""
    monkeypatch.setattr(step, "_MOST_WAITING", 4)
    whole = [(number, 1, "s") for number in range(1_000)]
    first = file_of(tmp_path / "a.ndjson", whole)
    second = file_of(tmp_path / "b.ndjson", [one for one in whole if one[0] not in (10, 500, 999)])

    joined = join_in_step(first, second, Filters())

    assert joined is not None
    assert (joined.identical, len(joined.missing), len(joined.extra)) == (997, 3, 0)


def test_files_in_another_order_altogether_are_joined_by_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many lines would have to wait."""
    monkeypatch.setattr(step, "_MOST_WAITING", 4)
    whole = [(number, 1, "s") for number in range(10)]
    first, second = file_of(tmp_path / "a.ndjson", whole), file_of(tmp_path / "b.ndjson", whole[::-1])

    assert join_in_step(first, second, Filters()) is None
    compared = compare_runs(first, second)
    assert (compared.common, compared.identical) == (10, 10)


def test_filters_apply_to_both_ways(tmp_path: Path) -> None:
    """Here by slot."""
    first = file_of(tmp_path / "a.ndjson", [(number, 1, "s") for number in range(10)])
    second = file_of(tmp_path / "b.ndjson", [(number, 1 + number % 2, "s") for number in range(10)])
    filters = Filters(start_slot=3, end_slot=7)
    joined = join_in_step(first, second, filters)

    assert joined is not None
    assert facts(joined, first, second) == facts(join_by_hash(first, second, filters), first, second)
    assert compare_runs(first, second, filters=filters).counts[Kind.FEE] == 3
