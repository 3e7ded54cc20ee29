"""`--idl` over blocks of a real day: the Whirlpool program, its IDL (the part used here) in the old and the new format of Anchor."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import polars
import pytest

from simclient.cli import main
from simclient.research import read_run

WHIRLPOOL = "whirLbMiicVdio4qvUfM5KAg6Ct8VwpYzGff3uctyCc"
BUNDLE = Path(__file__).parents[2] / "docs" / "examples" / "data" / "whirlpool.bundle"
PLACE = ["--local", "--bundle", str(BUNDLE)]

ACCOUNTS = (
    *("tokenProgram", "tokenAuthority", "whirlpool", "tokenOwnerAccountA", "tokenVaultA", "tokenOwnerAccountB"),
    *("tokenVaultB", "tickArray0", "tickArray1", "tickArray2", "oracle"),
)
ARGUMENTS = (
    *(("amount", "u64"), ("otherAmountThreshold", "u64"), ("sqrtPriceLimit", "u128")),
    *(("amountSpecifiedIsInput", "bool"), ("aToB", "bool")),
)
FIELDS: tuple[tuple[str, object], ...] = (
    *(("whirlpoolsConfig", "publicKey"), ("whirlpoolBump", {"array": ["u8", 1]}), ("tickSpacing", "u16")),
    *(("tickSpacingSeed", {"array": ["u8", 2]}), ("feeRate", "u16"), ("protocolFeeRate", "u16")),
    *(("liquidity", "u128"), ("sqrtPrice", "u128"), ("tickCurrentIndex", "i32")),
)


def discriminator(preimage: str) -> list[int]:
    return list(hashlib.sha256(preimage.encode()).digest()[:8])


def named(pairs: tuple[tuple[str, object], ...]) -> list[dict[str, object]]:
    return [{"name": name, "type": kind} for name, kind in pairs]


def old_format() -> dict[str, object]:
    accounts = [{"name": name, "isMut": True, "isSigner": False} for name in ACCOUNTS]
    return {
        "version": "0.2.0",
        "name": "whirlpool",
        "instructions": [{"name": "swap", "accounts": accounts, "args": named(ARGUMENTS)}],
        "accounts": [{"name": "Whirlpool", "type": {"kind": "struct", "fields": named(FIELDS)}}],
        "errors": [{"code": 6022, "name": "TickArraySequenceInvalidIndex", "msg": "Tick array sequence invalid"}],
        "metadata": {"address": WHIRLPOOL},
    }


def new_format() -> dict[str, object]:
    old: Any = old_format()
    [swap] = old["instructions"]
    [pool] = old["accounts"]
    fields: Any = json.loads(json.dumps(pool["type"]).replace("publicKey", "pubkey"))
    return {
        "address": WHIRLPOOL,
        "metadata": {"name": "whirlpool", "version": "0.2.0", "spec": "0.1.0"},
        "instructions": [swap | {"discriminator": discriminator("global:swap")}],
        "accounts": [{"name": "Whirlpool", "discriminator": discriminator("account:Whirlpool")}],
        "types": [{"name": "Whirlpool", "type": fields}],
        "errors": old["errors"],
    }


@pytest.fixture(params=[old_format, new_format], ids=["old", "new"])
def idl(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    path = tmp_path / "idl.json"
    path.write_text(json.dumps(request.param()))
    return ["--idl", str(path)]


@pytest.fixture(scope="module")
def run_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of a run with instructions."""
    output = tmp_path_factory.mktemp("runs") / "run.ndjson"
    watch = ["--transactions", WHIRLPOOL, "--account-diffs", WHIRLPOOL, "--instructions"]
    assert main(["run", *PLACE, *watch, "--output", str(output)]) == 0
    return output


def shown(capfd: pytest.CaptureFixture[str], *tokens: str) -> list[dict[str, Any]]:
    capfd.readouterr()
    assert main([*tokens, "--json"]) == 0
    printed = capfd.readouterr()
    assert "note: " not in printed.err
    return [json.loads(line) for line in printed.out.splitlines()]


def check_swap(call: dict[str, Any]) -> None:
    """A swap over a pool, with its arguments and accounts by their names."""
    assert (call["program"], call["name"], call["depth"]) == ("whirlpool", "swap", 1)
    assert [*call["accounts"]] == [*ACCOUNTS]
    assert call["accounts"]["tokenProgram"] == "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
    assert [*call["fields"]] == [name for name, _ in ARGUMENTS]
    assert call["fields"]["amount"] > 0
    assert call["fields"]["amountSpecifiedIsInput"] in (True, False)


@pytest.mark.parametrize("is_live", [True, False])
def test_logs_have_the_instructions(
    capfd: pytest.CaptureFixture[str], run_file: Path, idl: list[str], is_live: bool
) -> None:
    """As they come, and from a file."""
    source = [*PLACE, "--program", WHIRLPOOL] if is_live else [str(run_file)]
    lines = shown(capfd, "logs", *source, *idl)

    assert len(lines) == 8
    for line in lines:
        assert line["logs"]
        check_swap(line["instructions"][0])


@pytest.mark.parametrize("is_live", [True, False])
def test_diffs_have_accounts_and_the_instructions_that_wrote_them(
    capfd: pytest.CaptureFixture[str], run_file: Path, idl: list[str], is_live: bool
) -> None:
    """Each by its signature."""
    source = [*PLACE, "--program", WHIRLPOOL] if is_live else [str(run_file)]
    lines = shown(capfd, "diffs", *source, *idl)

    calls = {line["signature"]: line["instructions"] for line in lines if "instructions" in line}
    pools = [line for line in lines if "post" in line and "Whirlpool" in line["post"]]
    assert len(calls) == 8
    assert pools
    for pool in pools:
        check_swap(calls[pool["signature"]][0])
        assert pool["account"] in {call["accounts"]["whirlpool"] for call in calls[pool["signature"]]}
        assert pool["post"]["Whirlpool"]["sqrtPrice"] != pool["pre"]["Whirlpool"]["sqrtPrice"]
        assert pool["post"]["Whirlpool"]["tickSpacing"] in (1, 8, 64, 128, 256)

    only = shown(capfd, "diffs", *source, "--account", pools[0]["account"], *idl)
    assert any(line.get("account") == pools[0]["account"] for line in only)
    if not is_live:
        assert {line["account"] for line in only if "account" in line} == {pools[0]["account"]}


def test_text_names_fields_and_accounts(capfd: pytest.CaptureFixture[str], run_file: Path, idl: list[str]) -> None:
    """On one line per instruction."""
    assert main(["logs", str(run_file), *idl]) == 0
    assert '    instruction whirlpool.swap {"amount": ' in capfd.readouterr().out


def test_a_report_has_instructions_and_accounts(tmp_path: Path, run_file: Path, idl: list[str]) -> None:
    """As the program's authors call them."""
    assert main(["report", str(run_file), "--output", str(tmp_path / "run.html"), *idl]) == 0

    page = (tmp_path / "run.html").read_text(encoding="utf-8")
    assert "Instructions of programs" in page
    assert "whirlpool.swap" in page
    assert "whirlpool.Whirlpool" in page
    assert "tickCurrentIndex" in page


def test_a_run_without_instructions_says_how_to_keep_them(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, idl: list[str]
) -> None:
    """They are not kept unless they are asked for."""
    output = tmp_path / "run.ndjson"
    assert main(["run", *PLACE, "--transactions", WHIRLPOOL, "--output", str(output)]) == 0
    assert {one.instructions for one in read_run(output).transactions()} == {None}

    capfd.readouterr()
    assert main(["logs", str(output), *idl]) == 0
    assert "only runs with --instructions keep them" in capfd.readouterr().err
    assert main(["report", str(output), "--output", str(tmp_path / "run.html"), *idl]) == 0
    assert "only runs with --instructions keep them" in (tmp_path / "run.html").read_text(encoding="utf-8")


def test_instructions_are_in_tables(tmp_path: Path, run_file: Path) -> None:
    """Programs and accounts by their addresses, in Parquet and in frames."""
    output = tmp_path / "run.parquet"
    command = ["run", *PLACE, "--transactions", WHIRLPOOL, "--instructions", "--output", str(output)]
    assert main(command) == 0

    kept = polars.read_parquet(output).filter(type="tx")["instructions"].to_list()
    assert kept == read_run(run_file).transaction_table.to_polars()["instructions"].to_list()
    assert WHIRLPOOL in {one["program"] for instructions in kept for one in instructions}
    arrow = read_run(run_file).transaction_table.to_arrow()
    assert arrow["instructions"].to_pylist() == kept
