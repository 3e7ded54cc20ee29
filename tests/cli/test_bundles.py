"""`simclient bundle …`: what it makes and what it says."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path

import pytest

from simclient.cli import main
from simclient.local.bundle import open_bundle, shipped_bundle

from .bundles import PAYEE, PAYER, SYSTEM_PROGRAM

FIXTURE = Path(__file__).parents[1] / "local" / "data" / "whirlpool"


def said(capfd: pytest.CaptureFixture[str], *tokens: object) -> list[str]:
    """Run a command that succeeds, and return the lines of its standard output."""
    assert main([str(token) for token in tokens]) == 0

    printed = capfd.readouterr()
    assert printed.err == ""
    return printed.out.splitlines()


def test_the_agreement_with_history_is_reported(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """`bundle check` executes real swaps, and says how many amounts are those of the chain and how many are not."""
    bundle = tmp_path / "day.bundle"
    archive = [FIXTURE / name for name in ("state.json.gz", "transactions.jsonl.gz", "program.so.gz")]
    said(capfd, "bundle", "import", "--whirlpool", *archive, "--output", bundle)
    lines = said(capfd, "bundle", "check", bundle)

    assert lines[0].startswith("executed 8 transactions in 24 blocks, 0 of which")
    assert "outcome (succeeded or failed): the same in 8 of 8 (100.0 %)" in lines
    assert "fee: nothing recorded" in lines
    moved_in, moved_out = (next(line for line in lines if f"moved {way}" in line) for way in ("into", "out"))
    assert "of 9 amounts 9 exactly (100.0 %)" in moved_in
    assert "of 9 amounts 0 exactly (0.0 %)" in moved_out


def test_a_bundle_that_was_made_here_agrees_with_itself(capfd: pytest.CaptureFixture[str]) -> None:
    """The market's outcomes were recorded by the SVM that executes it."""
    with open_bundle(shipped_bundle()) as bundle:
        count = sum(len(slot.transactions) for slot in bundle.slots())
    lines = said(capfd, "bundle", "check", shipped_bundle())

    for what in ("outcome (succeeded or failed)", "compute units", "log lines", "lamports of all accounts"):
        assert f"{what}: the same in {count:,} of {count:,} (100.0 %)" in lines


def test_a_bundle_is_built_from_a_nodes_answers(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, payments: Path
) -> None:
    """`bundle build` says what came in and what is not known."""
    with open_bundle(payments) as bundle:
        slots = list(bundle.slots())[:3]
    blocks = tmp_path / "blocks.jsonl"
    blocks.write_text(
        "".join(
            json.dumps(
                {
                    "slot": slot.slot,
                    "block": {
                        "blockhash": SYSTEM_PROGRAM,
                        "parentSlot": slot.parent_slot,
                        "blockHeight": slot.block_height,
                        "blockTime": slot.block_time,
                        "transactions": [
                            {"transaction": [b64encode(one.wire).decode(), "base64"]} for one in slot.transactions
                        ],
                    },
                }
            )
            + "\n"
            for slot in slots
        )
    )
    wallet = {"lamports": 10**10, "owner": SYSTEM_PROGRAM, "data": ["", "base64"], "executable": False}
    accounts = tmp_path / "accounts.json"
    accounts.write_text(json.dumps({str(PAYER.pubkey()): wallet}))
    lines = said(capfd, "bundle", "build", blocks, accounts, "--output", tmp_path / "range.bundle", "--name", "range")

    assert lines[0] == "built from 3 blocks: 3 transactions on 1 accounts"
    assert f"not known, and empty at first: 1 accounts that transactions touch, such as {PAYEE.pubkey()}" in lines
    assert f"slots: {slots[0].slot} to {slots[-1].slot}, 3 of them with a block" in lines


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        (["bundle", "build", "--output", "x"], "SOURCES requires an argument"),
        (["bundle", "build", "/no/such.json", "--output", "x"], "/no/such.json: No such file"),
        (["bundle", "check", "/no/such.bundle"], "/no/such.bundle"),
        (["bundle", "check", str(Path(__file__))], "not a block bundle"),
    ],
)
def test_bad_input_is_one_line(capfd: pytest.CaptureFixture[str], tokens: list[str], text: str) -> None:
    """What cannot be used is named, with exit code 2."""
    assert main(tokens) == 2

    [line] = capfd.readouterr().err.splitlines()
    assert text in line
