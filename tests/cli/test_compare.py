"""`simclient compare`: text, JSON and exit codes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import polars
import pytest

from simclient.cli import main

HEAD = '{"type":"metadata","data":{"start_slot":1,"end_slot":9,"ran_at_unix_secs":1}}\n'
ACCOUNT, MINT, WALLET = (
    "1" * 32,
    "So11111111111111111111111111111111111111112",
    "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
)


def tx(signature: str, *, slot: int = 1, error: str | None = None, amount: int = 5, units: int = 100) -> str:
    data: dict[str, object] = {"slot": slot, "signature": signature, "success": error is None}
    if error is not None:
        data["error"] = error
    token = {"pubkey": ACCOUNT, "mint": MINT, "owner": WALLET, "pre_amount": 0, "post_amount": amount, "decimals": 9}
    data |= {"logs": [], "sol_changes": [], "token_changes": [token], "compute_units": units}
    return json.dumps({"type": "tx", "data": data}, separators=(",", ":")) + "\n"


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Return a baseline and an experiment with one difference of most kinds."""
    a = [tx("aa"), tx("bb", error="old"), tx("cc"), tx("dd"), tx("gone"), tx("same")]
    b = [tx("aa", error="new"), tx("bb"), tx("cc", amount=7), tx("dd", units=150), tx("more"), tx("same")]
    for name, lines in (("a", a), ("b", b)):
        (tmp_path / name).write_text(HEAD + "".join(lines))
    return [str(tmp_path / "a"), str(tmp_path / "b")]


def test_the_text_shows_each_kind_and_a_line_of_counts(capfd: pytest.CaptureFixture[str], files: list[str]) -> None:
    """Differences alone are no failure."""
    assert main(["compare", *files]) == 0

    out = capfd.readouterr().out
    assert "in both: 5, of which 1 are the same" in out
    assert "  slot 1  aa new\n" in out
    assert "  slot 1  bb was: old\n" in out
    assert f"    wrapped SOL  {WALLET}  +0.000000005 -> +0.000000007 (+40.00 %)\n" in out
    assert "  slot 1  dd 100 -> 150 (+50, +50.00 %)\n" in out
    assert out.endswith(
        "summary: 1 regressions, 1 improvements, 0 errors, 1 balances, 0 logs, 1 compute-units, 0 fees, 1 missing, 1 extra\n"
    )


def test_json_has_the_keys_of_todays_tool(capfd: pytest.CaptureFixture[str], files: list[str]) -> None:
    """And more, so that scripts written for that tool go on working."""
    assert main(["compare", *files, "--json"]) == 0

    printed = json.loads(capfd.readouterr().out)
    assert (printed["baseline_transactions"], printed["experiment_transactions"], printed["common_transactions"]) == (
        6,
        6,
        5,
    )
    assert printed["regressions"] == [{"slot": 1, "signature": "aa", "error": "new"}]
    assert printed["improvements"] == [{"slot": 1, "signature": "bb", "was": "old"}]
    assert (printed["missing"], printed["extra"], printed["log_diffs"]) == (["gone"], ["more"], [])
    assert printed["balance_diffs"][0]["tokens"][0] == {
        "pubkey": ACCOUNT,
        "mint": MINT,
        "owner": WALLET,
        "symbol": "WSOL",
        "decimals": 9,
        "baseline_delta": 5,
        "experiment_delta": 7,
    }
    assert printed["summary"]["balance_diffs"] == 1


def test_json_of_a_section_is_its_list(capfd: pytest.CaptureFixture[str], files: list[str]) -> None:
    """As in today's tool."""
    assert main(["compare", *files, "missing", "--json"]) == 0

    assert json.loads(capfd.readouterr().out) == ["gone"]


@pytest.mark.parametrize(
    ("gates", "code"),
    [([], 0), (["logs"], 0), (["logs", "missing"], 3), (["any"], 3), (["regressions"], 3), (["fees", "errors"], 0)],
)
def test_the_exit_code_says_whether_gated_differences_were_found(files: list[str], gates: list[str], code: int) -> None:
    """For CI."""
    assert main(["compare", *files, *(f"--fail-on={gate}" for gate in gates)]) == code


def test_the_same_file_twice_has_no_differences(capfd: pytest.CaptureFixture[str], files: list[str]) -> None:
    """Whatever is gated."""
    assert main(["compare", files[0], files[0], "--fail-on", "any"]) == 0


def test_differences_can_be_kept_as_parquet(files: list[str], tmp_path: Path) -> None:
    """A row for each."""
    assert main(["compare", *files, "--parquet", str(tmp_path / "x.parquet")]) == 0

    frame = polars.read_parquet(tmp_path / "x.parquet")
    assert frame["kind"].to_list() == ["regressions", "improvements", "balances", "compute-units", "missing", "extra"]


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (["/no/such"], "cannot read /no/such: No such file or directory"),
        (["{b}", "regresions"], "regresions"),
        (["{b}", "--fail-on", "all"], "all"),
        (["{b}", "--limit", "0"], "--limit 0: 1 is the least"),
        (["{b}", "--mentions", "abc"], "not an address"),
        (["{b}", "--parquet", "/no/such/dir/x.parquet"], "/no/such/dir/x.parquet"),
        (["{b}", "--parquet", "{b}"], "would replace a file that is read"),
        (["{pipe}"], "it is a pipe"),
    ],
)
def test_bad_input_is_one_line(
    capfd: pytest.CaptureFixture[str], files: list[str], tokens: list[str], message: str
) -> None:
    """And exit code 2; nothing is replaced."""
    pipe = f"{files[1]}.pipe"
    os.mkfifo(pipe)
    before = Path(files[1]).read_bytes()
    assert main(["compare", files[0], *(token.format(b=files[1], pipe=pipe) for token in tokens)]) == 2
    assert Path(files[1]).read_bytes() == before

    printed = capfd.readouterr()
    assert len(printed.err.splitlines()) == 1
    assert message in printed.err
