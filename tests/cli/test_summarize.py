"""`simclient summarize`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from simclient.cli import main

from .bundles import PAYEE, PAYER, SYSTEM_PROGRAM


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, payments: Path) -> str:
    """Return the file of a run of 20 payments."""
    output = str(tmp_path_factory.mktemp("runs") / "run.ndjson")
    assert (
        main(["run", "--local", "--bundle", str(payments), "--transactions", SYSTEM_PROGRAM, "--output", output]) == 0
    )
    return output


def test_the_text_says_what_was_run_and_who_gained(capfd: pytest.CaptureFixture[str], run: str) -> None:
    """A pipe gets whole addresses."""
    assert main(["summarize", run]) == 0

    out = capfd.readouterr().out
    assert "slots: 1000 to 1019\nstatus: completed\n" in out
    assert "received: 20 transactions (0 failed)" in out
    assert str(PAYER.pubkey()) in out


def test_json_has_exact_amounts(capfd: pytest.CaptureFixture[str], run: str) -> None:
    """In lamports; what a wallet paid in fees is said apart and part of its change."""
    assert main(["summarize", run, "--json", "--wallet", str(PAYER.pubkey()), "--accounts", str(PAYEE.pubkey())]) == 0

    printed = json.loads(capfd.readouterr().out)
    assert [wallet["wallet"] for wallet in printed["wallets"]] == [str(PAYER.pubkey()), str(PAYEE.pubkey())]
    payer, payee = (wallet["changes"][0]["delta"] for wallet in printed["wallets"])
    assert printed["wallets"][0]["fees_lamports"] == 20 * 5_000
    assert (payee, payer) == (20 * 1_000_000, -20 * 1_000_000 - 20 * 5_000)


@pytest.mark.parametrize(
    ("tokens", "message"), [(["/no/such"], "cannot read /no/such"), (["{run}", "--wallet", "x"], "not an address: 'x'")]
)
def test_bad_input_is_one_line(capfd: pytest.CaptureFixture[str], run: str, tokens: list[str], message: str) -> None:
    """And exit code 2."""
    assert main(["summarize", *(token.format(run=run) for token in tokens)]) == 2

    printed = capfd.readouterr()
    assert (printed.out, len(printed.err.splitlines())) == ("", 1)
    assert message in printed.err
