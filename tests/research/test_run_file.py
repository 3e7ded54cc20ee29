"""Reading the file of a run back."""

from __future__ import annotations

import sys
from pathlib import Path

import polars
import pytest
import zstandard

from simclient.errors import InputError
from simclient.research import read_run
from simclient.research.records import RunFileError, RunMetadata, TransactionRecord
from simclient.research.tables import import_extra

from . import lines
from .frames import address
from .lines import line, signature, tx, write

DIFF = {
    "slot": 2,
    "tx_hash": signature(1),
    "account": address(5),
    "pre_state": {"lamports": 1},
    "post_state": {"lamports": 18446744073709551615},
}


def test_every_event_is_read_in_order(tmp_path: Path) -> None:
    """Lines of a type that is unknown, and blank ones, are skipped."""
    session = line("session_started", session_id="s", start_slot=1, end_slot=9)
    run = read_run(write(tmp_path / "run.ndjson", session, tx(1), "\n", line("reroute", x=1), line("diff", **DIFF)))

    assert [type(event).__name__ for event in run.events()] == [
        "RunMetadata",
        "SessionStarted",
        "TransactionRecord",
        "AccountDiffRecord",
        "RunSummary",
    ]
    assert (run.metadata.start_slot, run.sessions()[0].session_id, run.is_cut) == (1, "s", False)
    assert [one.signature for one in run.transactions()] == [signature(1)]


def test_a_file_of_todays_tool_lacks_only_what_we_add(tmp_path: Path) -> None:
    """Those keys are None."""
    old = line("tx", slot=1, signature=signature(1), success=True, logs=[], sol_changes=[], token_changes=[])
    [transaction] = read_run(write(tmp_path / "run.ndjson", old)).transactions()

    assert (transaction.compute_units, transaction.fee, transaction.tx_index) == (None, None, None)


@pytest.mark.parametrize("cut", [1, 20, 200])
def test_a_cut_last_line_is_left_out(tmp_path: Path, cut: int) -> None:
    """Whatever was written before it is read."""
    path = tmp_path / "run.ndjson"
    path.write_text(lines.metadata() + tx(1) + tx(2)[:-cut])
    run = read_run(path)

    assert run.is_cut
    assert run.summary() is None
    whole = 2 if cut == 1 else 1  # only the newline is missing: the line says all it has to
    assert len(list(run.transactions())) == whole


def test_a_damaged_line_is_named_and_comes_after_all_before_it(tmp_path: Path) -> None:
    """It is line 3 here."""
    run = read_run(write(tmp_path / "run.ndjson", tx(1), "{broken\n", tx(2)))
    events = run.events()

    assert [type(next(events)) for _ in range(2)] == [RunMetadata, TransactionRecord]
    with pytest.raises(RunFileError, match=r"run\.ndjson is damaged: line 3: "):
        next(events)


def test_a_compressed_file_reads_like_a_plain_one(tmp_path: Path) -> None:
    """Also one of several zstd frames, as an interrupted writer leaves it."""
    plain = write(tmp_path / "run.ndjson", tx(1), tx(2)).read_bytes()
    packed = tmp_path / "run.ndjson.zst"
    packed.write_bytes(zstandard.compress(plain[:300]) + zstandard.compress(plain[300:]))

    assert list(read_run(packed).events()) == list(read_run(tmp_path / "run.ndjson").events())


def test_tables_have_exact_types_in_every_library(tmp_path: Path) -> None:
    """A u64 stays one, and a missing number is missing."""
    path = write(tmp_path / "run.ndjson", tx(1), tx(2, tx_index=None, compute_units=18446744073709551615))
    table = read_run(path).transaction_table

    frame = table.to_polars()
    assert frame["compute_units"].to_list() == [1_000, 18446744073709551615]
    assert frame.schema["token_changes"] == polars.List(
        polars.Struct(
            {
                "pubkey": polars.String,
                "mint": polars.String,
                "owner": polars.String,
                "pre_amount": polars.UInt64,
                "post_amount": polars.UInt64,
                "decimals": polars.UInt64,
            }
        )
    )
    pandas_frame = table.to_pandas()
    assert str(pandas_frame["compute_units"].dtype) == "UInt64"
    assert pandas_frame["tx_index"].isna().tolist() == [False, True]
    assert table.to_arrow().column("compute_units").to_pylist() == [1_000, 18446744073709551615]
    assert table.to_dicts()[0]["logs"] == [f"Program {address(9)} invoke [1]", f"Program {address(9)} success"]


def test_account_states_stay_the_json_they_came_as(tmp_path: Path) -> None:
    """In a column of text."""
    table = read_run(write(tmp_path / "run.ndjson", line("diff", **DIFF))).diff_table

    assert table.to_polars()["post_state"].to_list() == ['{"lamports":18446744073709551615}']


def test_a_missing_package_is_named_with_its_extra() -> None:
    """And how to install it."""
    with pytest.raises(
        InputError, match=r'needs no_such_package, which is not installed: pip install "simclient\[parquet\]"'
    ):
        import_extra("no_such_package", "parquet", "a Parquet file")


def test_a_table_without_arrow_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that brings pyarrow."""
    table = read_run(write(tmp_path / "run.ndjson", line("diff", **DIFF))).diff_table
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(InputError, match=r'pip install "simclient\[arrow\]"'):
        table.to_arrow()
