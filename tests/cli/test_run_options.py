"""What can be asked of a run beyond a range and what to watch."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import polars
import pytest

from simclient.cli import main
from simclient.research import read_run

from .bundles import FIRST_SLOT, LAMPORTS, PAYEE, PAYER, SYSTEM_PROGRAM

WATCH = ["--account-diffs", SYSTEM_PROGRAM, "--transactions", SYSTEM_PROGRAM]
MEMO = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"
WHIRLPOOL = Path(__file__).parents[1] / "local" / "data" / "whirlpool" / "program.so.gz"
OWNER = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"


def refused(capfd: pytest.CaptureFixture[str], *tokens: str) -> str:
    """Run a command that cannot be used; return its one line."""
    assert main(tokens) == 2
    [line] = capfd.readouterr().err.splitlines()
    return line


def overrides(path: Path, **accounts: dict[str, object]) -> list[str]:
    path.write_text(json.dumps(accounts))
    return ["--account-overrides", str(path)]


def test_a_parquet_file_has_every_event_and_where_it_came_from(tmp_path: Path, payments: Path) -> None:
    """The lines that it is made of are gone when it is there."""
    plain, output = tmp_path / "run.ndjson", tmp_path / "run.parquet"
    for file in (plain, output):
        assert main(["run", "--local", "--bundle", str(payments), *WATCH, "--output", str(file)]) == 0

    frame = polars.read_parquet(output)
    assert frame["type"].value_counts(sort=True).rows() == [("diff", 40), ("tx", 20)]
    assert set(frame["signature"].drop_nulls()) == {one.signature for one in read_run(plain).transactions()}
    assert frame.filter(polars.col("type") == "tx")["fee"].to_list() == [5_000] * 20
    pairs = polars.read_parquet_metadata(output)
    assert json.loads(pairs["simclient.metadata"])["start_slot"] == FIRST_SLOT
    assert json.loads(pairs["simclient.summary"])["status"] == "completed"
    assert [file.name for file in tmp_path.iterdir() if "parquet" in file.name] == ["run.parquet"]


def test_accounts_are_set_before_the_first_slot(tmp_path: Path, payments: Path) -> None:
    """The payee starts with what the file says, and the metadata has its digest."""
    output = tmp_path / "run.ndjson"
    account = {"lamports": 7_000_000, "owner": SYSTEM_PROGRAM, "data": ["", "base64"], "rentEpoch": 2**64 - 1}
    options = overrides(tmp_path / "accounts.json", **{str(PAYEE.pubkey()): account})
    assert main(["run", "--local", "--bundle", str(payments), *WATCH, *options, "--output", str(output)]) == 0

    run = read_run(output)
    first = next(run.transactions())
    before = {change.pubkey: change.pre_lamports for change in first.sol_changes}
    assert before == {str(PAYEE.pubkey()): 7_000_000, str(PAYER.pubkey()): LAMPORTS}
    asked: Any = run.metadata.parameters["account_overrides"]
    assert asked["sha256"] == hashlib.sha256((tmp_path / "accounts.json").read_bytes()).hexdigest()
    assert asked["accounts"] == [str(PAYEE.pubkey())]


@pytest.mark.parametrize(
    ("account", "message"),
    [
        ({"lamports": -1, "owner": OWNER}, "Expected `int` >= 0"),
        ({"lamports": 1, "owner": "x"}, "not an address: 'x'"),
        ({"lamports": 1, "owner": OWNER, "data": ["%%", "base64"]}, "is not base64"),
        ({"lamports": 1, "owner": OWNER, "data": ["", "base58"]}, "base58"),
        ({"lamports": 1, "owner": OWNER, "executable": True}, "is a program; replace it with its .so file"),
    ],
)
def test_accounts_that_cannot_be_set_are_named(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, account: dict[str, object], message: str
) -> None:
    """Before anything is started."""
    file = tmp_path / "accounts.json"
    line = refused(capfd, "run", "--local", *overrides(file, **{OWNER: account}))

    assert str(file) in line
    assert message in line


def test_a_file_of_no_accounts_is_refused(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """It would be a run without what was meant."""
    assert "it holds no account" in refused(capfd, "run", "--local", *overrides(tmp_path / "accounts.json"))


@pytest.mark.parametrize("is_enveloped", [False, True])
def test_both_shapes_of_account_data_are_read(tmp_path: Path, is_enveloped: bool) -> None:
    """`[data, encoding]`, and an object."""
    from simclient.research.preparation import read_account_overrides

    text = base64.b64encode(b"hello").decode()
    data: object = {"data": text, "encoding": "base64"} if is_enveloped else [text, "base64"]
    file = tmp_path / "accounts.json"
    overrides(file, **{SYSTEM_PROGRAM: {"lamports": 1, "owner": OWNER, "data": data, "space": 5}})

    [account] = read_account_overrides(file).accounts.values()
    assert (account.data.decode(), account.space, account.executable) == (b"hello", 5, False)


def test_fail_on_diff_says_by_the_exit_code_that_the_replay_differs(tmp_path: Path) -> None:
    """Here because one who paid a fee in the recording has nothing to pay it with."""
    output = tmp_path / "run.ndjson"
    run = ["run", "--local", "--slots", "20", "--fail-on-diff"]
    assert main([*run, "--output", str(output)]) == 0

    payer = next(one.fee_payer for one in read_run(output).transactions())
    assert payer is not None
    poor = {"lamports": 1, "owner": SYSTEM_PROGRAM, "data": ["", "base64"]}
    assert main([*run, *overrides(tmp_path / "accounts.json", **{payer: poor})]) == 3


def test_a_plan_runs_nothing(capfd: pytest.CaptureFixture[str], tmp_path: Path, payments: Path) -> None:
    """It says the slots."""
    output = tmp_path / "run.ndjson"
    assert main(["run", "--local", "--bundle", str(payments), "--plan", "--output", str(output)]) == 0

    assert "1000" in capfd.readouterr().out
    assert not output.exists()


def test_a_program_is_replaced_from_the_first_slot_on(tmp_path: Path) -> None:
    """The memo program by one that does not understand it, here: its transactions fail, and the metadata has the digest."""
    elf = gzip.decompress(WHIRLPOOL.read_bytes())
    (tmp_path / "new.so").write_bytes(elf)
    output = tmp_path / "run.ndjson"
    run = ["run", "--local", "--slots", "10", "--transactions", MEMO, "--output", str(output)]
    assert main(run) == 0
    assert any(one.success for one in read_run(output).transactions())

    assert main([*run, "--program-so", f"{MEMO}={tmp_path / 'new.so'}"]) == 0
    replaced = read_run(output)
    assert not any(one.success for one in replaced.transactions())
    assert replaced.metadata.program_so == (str(tmp_path / "new.so"),)
    assert replaced.metadata.parameters["programs"] == [
        {"program": MEMO, "source": str(tmp_path / "new.so"), "sha256": hashlib.sha256(elf).hexdigest()}
    ]


def test_programs_are_given_as_to_todays_tool(tmp_path: Path) -> None:
    """Addresses and files, paired by their order."""
    (tmp_path / "new.so").write_bytes(gzip.decompress(WHIRLPOOL.read_bytes()))
    output = tmp_path / "run.ndjson"
    options = ["--program-id", MEMO, "--program-so", str(tmp_path / "new.so"), "--output", str(output)]
    assert main(["run", "--local", "--slots", "5", *options]) == 0

    run = read_run(output)
    assert run.metadata.program_ids == (MEMO,)
    assert run.metadata.program_so == (str(tmp_path / "new.so"),)
    assert not any(one.success for one in run.transactions())


def test_a_resumed_run_needs_the_program_that_it_was_begun_with(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Else its two parts would not belong together."""
    program = tmp_path / "new.so"
    program.write_bytes(gzip.decompress(WHIRLPOOL.read_bytes()))
    output = tmp_path / "run.ndjson"
    options = ["--program-so", f"{MEMO}={program}", "--output", str(output)]
    assert main(["run", "--local", "--slots", "10", "--transactions", MEMO, *options]) == 0
    whole = output.read_bytes()
    output.write_bytes(whole[:-1_000])
    program.write_bytes(program.read_bytes() + b"\0")

    capfd.readouterr()
    assert f"{program} has changed since the run began" in refused(capfd, "run", "--resume", str(output))
    program.write_bytes(program.read_bytes()[:-1])
    assert main(["run", "--resume", str(output)]) == 0
    signatures = [one.signature for one in read_run(output).transactions()]
    assert len(signatures) == len(set(signatures)) == whole.count(b'"type":"tx"')


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (["--program-so", OWNER], "give PROGRAM=FILE"),
        (["--program-so", "x=y.so"], "--program-so: not an address: 'x'"),
        (["--program-so", f"{OWNER}=/no/such.so"], "cannot read /no/such.so"),
        (["--account-overrides", "/no/such.json"], "cannot read /no/such.json"),
        (["--extra-compute-units", "-1"], "--extra-compute-units -1"),
        (["--discover", "x"], "--discover: not an address: 'x'"),
    ],
)
def test_bad_options_are_named(capfd: pytest.CaptureFixture[str], tokens: list[str], message: str) -> None:
    """Before anything is started."""
    assert message in refused(capfd, "run", "--local", *tokens)
