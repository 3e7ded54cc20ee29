"""`logs`, `diffs`, `discover`, `simulate`: what is shown as it comes, or from a file."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from simclient.cli import main
from simclient.wire.addresses import encode_base58

from .bundles import FIRST_SLOT, PAYEE, PAYER, SYSTEM_PROGRAM, payment

PROGRAM = encode_base58(bytes([9]) * 32)
IDL = {
    "address": PROGRAM,
    "metadata": {"name": "market", "version": "0.1.0", "spec": "0.1.0"},
    "instructions": [],
    "accounts": [{"name": "Book", "discriminator": [1, 2, 3, 4, 5, 6, 7, 8]}],
    "events": [{"name": "Filled", "discriminator": [9, 9, 9, 9, 9, 9, 9, 9]}],
    "errors": [{"code": 6001, "name": "SlippageExceeded", "msg": "too much slippage"}],
    "types": [
        {"name": "Book", "type": {"kind": "struct", "fields": [{"name": "best", "type": "u64"}]}},
        {"name": "Filled", "type": {"kind": "struct", "fields": [{"name": "amount", "type": "u64"}]}},
    ],
}


def place(payments: Path, slots: int) -> list[str]:
    return ["--local", "--bundle", str(payments), "--slots", str(slots)]


def shown(capfd: pytest.CaptureFixture[str], *tokens: str) -> list[dict[str, Any]]:
    """Run a command with --json; return its lines."""
    assert main([*tokens, "--json"]) == 0
    return [json.loads(line) for line in capfd.readouterr().out.splitlines()]


def state(best: int) -> dict[str, object]:
    data = bytes([1, 2, 3, 4, 5, 6, 7, 8]) + best.to_bytes(8, "little")
    return {"lamports": 5, "owner": PROGRAM, "data": [base64.b64encode(data).decode(), "base64"]}


@pytest.fixture
def recorded(tmp_path: Path) -> str:
    """Return the file of a run of an Anchor program: a failure, an event, and a change of an account."""
    event = "Program data: " + base64.b64encode(bytes([9] * 8) + (42).to_bytes(8, "little")).decode()
    logs = [f"Program {PROGRAM} invoke [1]", event, f"Program {PROGRAM} success"]
    error = "Error processing Instruction 0: custom program error: 0x1771"
    tx: dict[str, object] = {"slot": 7, "signature": "aa", "success": True, "logs": logs}
    events: list[tuple[str, dict[str, object]]] = [
        ("metadata", {"start_slot": 1, "end_slot": 9}),
        ("tx", tx),
        ("tx", {"slot": 8, "signature": "bb", "success": False, "error": error, "logs": []}),
        (
            "diff",
            {"slot": 7, "tx_hash": "aa", "account": SYSTEM_PROGRAM, "pre_state": state(1), "post_state": state(2)},
        ),
        ("diff", {"slot": 8, "tx_hash": "1" * 64, "account": PROGRAM, "post_state": state(3)}),
    ]
    path = tmp_path / "run.ndjson"
    path.write_text("".join(json.dumps({"type": kind, "data": data}) + "\n" for kind, data in events))
    (tmp_path / "idl.json").write_text(json.dumps(IDL))
    return str(path)


@pytest.fixture
def idl(tmp_path: Path) -> list[str]:
    return ["--idl", str(tmp_path / "idl.json")]


def test_logs_of_a_program_are_shown_as_they_come(capfd: pytest.CaptureFixture[str], payments: Path) -> None:
    """One object per transaction."""
    lines = shown(capfd, "logs", *place(payments, 3), "--program", SYSTEM_PROGRAM)

    assert [(line["slot"], line["success"]) for line in lines] == [(FIRST_SLOT + n, True) for n in range(3)]
    assert lines[0]["logs"] == [f"Program {SYSTEM_PROGRAM} invoke [1]", f"Program {SYSTEM_PROGRAM} success"]


def test_logs_of_a_file_are_shown_with_what_the_idl_says(
    capfd: pytest.CaptureFixture[str], recorded: str, idl: list[str]
) -> None:
    """Events by name and field, errors in the program's words."""
    first, second = shown(capfd, "logs", recorded, *idl)

    assert first["events"] == [{"program": "market", "name": "Filled", "fields": {"amount": 42}}]
    assert second["error"].endswith("0x1771 (SlippageExceeded: too much slippage)")
    assert main(["logs", recorded, *idl, "--failed"]) == 0
    assert capfd.readouterr().out == f"slot 8  bb  failed: {second['error']}\n"


def test_changes_of_accounts_are_shown_as_they_come(capfd: pytest.CaptureFixture[str], payments: Path) -> None:
    """Of one account here."""
    lines = shown(capfd, "diffs", *place(payments, 2), "--account", str(PAYEE.pubkey()))

    assert [line["slot"] for line in lines] == [FIRST_SLOT, FIRST_SLOT + 1]
    assert lines[0]["post"]["lamports"] - lines[0]["pre"]["lamports"] == 1_000_000


def test_changes_in_a_file_are_shown_field_by_field(
    capfd: pytest.CaptureFixture[str], recorded: str, idl: list[str]
) -> None:
    """By the IDL; a new account has no state before."""
    assert main(["diffs", recorded, *idl]) == 0
    transaction, event, first, change, second, whole = capfd.readouterr().out.splitlines()
    assert (transaction, event) == ("slot 7  aa", '    event market.Filled {"amount": 42}')
    assert (first, change) == (f"slot 7  {SYSTEM_PROGRAM}  aa", "    Book.best: 1 -> 2")
    assert second == f"slot 8  {PROGRAM}  outside of transactions"
    assert whole.startswith('    account: none -> {"lamports": 5')
    [line] = shown(capfd, "diffs", recorded, *idl, "--account", PROGRAM)
    assert (line["pre"], line["signature"], line["post"]["Book"]) == (None, None, {"best": 3})


def test_batches_that_invoke_a_program_are_listed(capfd: pytest.CaptureFixture[str], payments: Path) -> None:
    """With their transactions, which can be simulated."""
    lines = shown(capfd, "discover", *place(payments, 2), "--program", SYSTEM_PROGRAM)

    assert [(line["slot"], line["batch_index"], line["programs"]) for line in lines] == [
        (FIRST_SLOT, 0, [SYSTEM_PROGRAM]),
        (FIRST_SLOT + 1, 0, [SYSTEM_PROGRAM]),
    ]
    assert base64.b64decode(lines[0]["transactions"][0]).startswith(payment(FIRST_SLOT, 0).wire)


@pytest.mark.parametrize("after", [[], ["--after-slot", "1004"], ["--after-slot", "1019"]])
def test_a_transaction_is_simulated_on_a_past_state(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, payments: Path, after: list[str]
) -> None:
    """Before the first slot, in the middle, and after the last one; nothing is kept."""
    file = tmp_path / "transaction"
    file.write_bytes(payment(FIRST_SLOT, 7).wire)
    assert main(["simulate", str(file), "--local", "--bundle", str(payments), *after, "--json"]) == 0

    result = json.loads(capfd.readouterr().out)
    assert (result["success"], result["error"], result["compute_units"]) == (True, None, 150)


def test_a_transaction_that_would_fail_is_a_failure(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, payments: Path
) -> None:
    """The exit code says so, for scripts."""
    from solders.message import Message
    from solders.system_program import TransferParams, transfer
    from solders.transaction import Transaction

    greedy = transfer(TransferParams(from_pubkey=PAYER.pubkey(), to_pubkey=PAYEE.pubkey(), lamports=2**60))
    wire = bytes(Transaction.new_unsigned(Message([greedy], PAYER.pubkey())))
    assert main(["simulate", base64.b64encode(wire).decode(), "--local", "--bundle", str(payments)]) == 1
    assert "it would fail: Error processing Instruction 0: custom program error: 0x1" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (["logs", "--local"], "whose logs? give --program ADDRESS"),
        (["logs", "--local", "--program", "x"], "--program: not an address: 'x'"),
        (["logs", "no-such.ndjson"], "cannot read no-such.ndjson"),
        (["logs", "--local", "--program", SYSTEM_PROGRAM, "--idl", "/no/such"], "cannot read /no/such"),
        (["diffs", "--local"], "whose changes? give --program or --account"),
        (["diffs", "/no/such"], "cannot read /no/such"),
        (["discover", "--local"], "--program"),
        (["simulate", "/no/such", "--local"], "there is no such file, and it is no transaction in base64 either"),
        (["simulate", "A" * 200, "--local", "--after-slot", "5"], "slot 5 is not in the range"),
        (
            ["sessions", "attach", "abc", "ws://127.0.0.1:9", "--start-slot", "1", "--slots", "2", "--name", "x"],
            "cannot be changed",
        ),
        (["sessions", "attach", "abc", "--local"], "--local, --parallel, --plan and --resume cannot be used"),
        (["completion", "tcsh"], "tcsh"),
        (["depth", "measure", "ws://127.0.0.1:9", "--start-slot", "1", "--end-slot", "2", "--source", "x"], '"x"'),
    ],
)
def test_bad_input_is_one_line(capfd: pytest.CaptureFixture[str], tokens: list[str], message: str) -> None:
    """And exit code 2."""
    assert main(tokens) == 2

    printed = capfd.readouterr()
    assert (printed.out, len(printed.err.splitlines())) == ("", 1)
    assert message in printed.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_get_the_names_of_commands_and_options(capfd: pytest.CaptureFixture[str], shell: str) -> None:
    """Also of those that are only imported when they are used."""
    assert main(["completion", shell]) == 0

    out = capfd.readouterr().out
    assert all(word in out for word in ("summarize", "extra-compute-units", "fail-on"))
