"""`simclient run` on the embedded simulator."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from cyclopts import App

from simclient.cli import main
from simclient.cli.app import COMMANDS

from .bundles import PAYEE, PAYER, SYSTEM_PROGRAM


def events(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Return the lines of an events file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [(event["type"], event["data"]) for event in map(json.loads, lines)]


def test_a_run_streams_into_a_file_and_ends_with_a_table(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, payments: Path
) -> None:
    """Metadata first, every event, summary last; the wallets' P&L on the standard output."""
    output = tmp_path / "run.ndjson"
    watch = ["--account-diffs", SYSTEM_PROGRAM, "--transactions", SYSTEM_PROGRAM]
    assert main(["run", "--local", "--bundle", str(payments), *watch, "--output", str(output)]) == 0

    types = [kind for kind, _ in events(output)]
    assert types[:2] == ["metadata", "session_started"]
    assert types[-1] == "summary"
    assert set(types) == {"metadata", "session_started", "diff", "tx", "summary"}
    assert (types.count("diff"), types.count("tx")) == (40, 20)
    summary = events(output)[-1][1]
    assert (summary["status"], summary["slots"], summary["total_transactions"]) == ("completed", 20, 20)
    printed = capfd.readouterr()
    assert "completed: 20 slots" in printed.out
    assert f"{PAYER.pubkey()}" in printed.out
    assert "+0.02" in printed.out
    assert "session backtest_" in printed.err


def test_slots_is_an_exact_number(tmp_path: Path, payments: Path) -> None:
    """`--slots 3` runs three slots, not three past the first."""
    output = tmp_path / "run.ndjson"
    assert (
        main(["run", "--local", "--bundle", str(payments), "--slots", "3", "--advance", "2", "--output", str(output)])
        == 0
    )

    metadata, summary = events(output)[0][1], events(output)[-1][1]
    assert (metadata["start_slot"], metadata["end_slot"]) == (1_000, 1_002)
    assert summary["slots"] == 3


def test_logs_lines_appear_when_logs_are_asked_for(tmp_path: Path, payments: Path) -> None:
    """Today's tool cannot read them, so they are never there by default."""
    output = tmp_path / "run.ndjson"
    assert main(["run", "--local", "--bundle", str(payments), "--logs", SYSTEM_PROGRAM, "--output", str(output)]) == 0

    assert [kind for kind, _ in events(output)].count("logs") == 20


def test_one_account_can_be_watched(tmp_path: Path, payments: Path) -> None:
    """Its diffs, and no others."""
    output = tmp_path / "run.ndjson"
    payee = str(PAYEE.pubkey())
    assert main(["run", "--local", "--bundle", str(payments), "--account", payee, "--output", str(output)]) == 0

    assert {data["account"] for kind, data in events(output) if kind == "diff"} == {payee}


def test_the_standard_output_can_carry_the_events(capfd: pytest.CaptureFixture[str], payments: Path) -> None:
    """The summary then goes to the standard error."""
    assert main(["run", "--local", "--bundle", str(payments), "--slots", "2", "--output", "-"]) == 0

    printed = capfd.readouterr()
    assert [json.loads(line)["type"] for line in printed.out.splitlines()] == ["metadata", "session_started", "summary"]
    assert "completed: 2 slots" in printed.err


def test_a_full_disk_is_one_line_and_a_failure(capfd: pytest.CaptureFixture[str], payments: Path) -> None:
    """Nothing is said to be complete."""
    assert main(["run", "--local", "--bundle", str(payments), "--output", "/dev/full"]) == 1

    errors = [line for line in capfd.readouterr().err.splitlines() if line.startswith("simclient:")]
    assert errors == ["simclient: cannot write /dev/full: No space left on device; what was written before is kept"]


def test_a_server_that_is_not_there_leaves_the_output_alone(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A file is not replaced before there is something to write."""
    output = tmp_path / "run.ndjson"
    output.write_text("precious\n")
    assert main(["run", "ws://127.0.0.1:9", "--start-slot", "1", "--slots", "2", "--output", str(output)]) == 1

    assert output.read_text() == "precious\n"
    assert "127.0.0.1:9" in capfd.readouterr().err.splitlines()[-1]


def test_bundle_info_says_what_is_in_a_file(capfd: pytest.CaptureFixture[str], payments: Path) -> None:
    """Reading it whole is also the check of it."""
    assert main(["bundle", "info", str(payments)]) == 0

    assert "slots: 1000 to 1019, 20 of them with a block\ntransactions: 20" in capfd.readouterr().out


def test_the_versions_that_decide_a_run_are_shown(capfd: pytest.CaptureFixture[str]) -> None:
    """simclient's own, Python's, trio's, the SVM's, and those of the protocol."""
    assert main(["--version"]) == 0

    out = capfd.readouterr().out
    assert all(name in out for name in ("simclient ", "python ", "trio ", "solders ", "simulator-api 0.9 and 0.28"))


@pytest.mark.parametrize(
    "command", [[], ["run"], ["local"], ["ranges"], ["bundle"], ["bundle", "import"], ["bundle", "info"]]
)
def test_every_command_has_help(capfd: pytest.CaptureFixture[str], command: list[str]) -> None:
    """It goes to the standard output and is a success."""
    assert main([*command, "--help"]) == 0

    assert "Usage: simclient" in capfd.readouterr().out


def test_the_list_of_commands_says_what_each_says_of_itself() -> None:
    """The list is written apart from the commands, so that showing it imports none of them."""
    for name, home, line in COMMANDS:
        module, attribute = home.split(":")
        command = getattr(import_module(f"simclient.cli.{module}"), attribute)
        text = command.help if isinstance(command, App) else command.__doc__
        assert text.splitlines()[0] == line, name


def test_help_imports_neither_the_library_nor_a_command() -> None:
    """It is what a person waits for most often: what it needs is the command line's package and no more."""
    program = (
        "import sys; from simclient.cli import main; main(['--help']); print(*sys.modules, sep='\\n', file=sys.stderr)"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    ours = {name for name in shown.stderr.split() if name.startswith("simclient.")}
    assert ours == {"simclient.cli", "simclient.cli.app", "simclient.cli.terminal", "simclient.errors"}
    assert "trio" not in shown.stderr.split()


def test_without_options_the_shipped_market_shows_every_stream(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Account diffs, logs and transactions of the token program; the file can still be read by today's tool."""
    output = tmp_path / "run.ndjson"
    assert main(["run", "--local", "--slots", "40", "--output", str(output)]) == 0

    summary = events(output)[-1][1]
    assert min(summary["diffs"], summary["logs"], summary["total_transactions"]) > 0
    assert "logs" not in {kind for kind, _ in events(output)}
    assert "Profit and loss of the wallets" in capfd.readouterr().out
