"""Bad input: one line that names it and the way out, exit code 2, and nothing is started."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from simclient.cli import main

PROGRAM = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIMULATOR_API_KEY", raising=False)
    monkeypatch.delenv("SIMULATOR_URL", raising=False)


def refused(capfd: pytest.CaptureFixture[str], *tokens: str) -> str:
    """Run a command that cannot be used; return its one line."""
    assert main(tokens) == 2

    printed = capfd.readouterr()
    assert printed.out == ""
    lines = printed.err.splitlines()
    assert len(lines) == 1, printed.err
    assert lines[0].startswith("simclient: ")
    return lines[0]


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        (["run"], "no server: name its URL or set SIMULATOR_URL"),
        (
            ["run", "wss://example.com", "--start-slot", "1", "--slots", "2"],
            "no API key for wss://example.com/backtest",
        ),
        (["run", "wss://user:secret@example.com"], "carries credentials"),
        (
            ["run", "ws://localhost", "--start-slot", "9", "--end-slot", "5"],
            "the end slot 5 is before the start slot 9",
        ),
        (["run", "ws://localhost", "--slots", "5"], "give --start-slot"),
        (["run", "ws://localhost", "--start-slot", "5"], "give --slots or --end-slot"),
        (["run", "ws://localhost", "--start-slot", "5", "--slots", "0"], "--slots 0: 1 is the least"),
        (["run", "ws://localhost", "--start-slot", "5", "--slots", "1", "--advance", "0"], "--advance 0"),
        (["run", "--local", "--slots", "1", "--end-slot", "5"], "--slots and --end-slot exclude each other"),
        (["run", "--local", "ws://localhost"], "--local and the URL ws://localhost exclude each other"),
        (["run", "ws://localhost", "--bundle", "x"], "add --local"),
        (["run", "--local", "--bundle", "/no/such.bundle"], "/no/such.bundle"),
        (["run", "--local", "--output", "/no/such/file"], "there is no directory /no/such"),
        (
            ["run", "ws://localhost", "--start-slot", "5", "--slots", "1", "--logs", "O0Il"],
            "--logs: not an address: 'O0Il'",
        ),
        (["run", "--local", "--acount", PROGRAM], "Unknown option: --acount. Did you mean --account?"),
        (["rnu"], 'Did you mean "run"?'),
        (["run", "--local", "--slots", "many"], '"many"'),
        (["run", "--local", "--api-key", "secret"], "Unknown option: --api-key"),
        (["bundle", "info", "/no/such.bundle"], "/no/such.bundle"),
        (["local", "--bundle", "/no/such.bundle"], "/no/such.bundle"),
        (["local", "--replay", "/no/such.recording"], "/no/such.recording"),
        (["local", "--replay", __file__], "this is not a recording"),
        (["local", "--speed", "2"], "name one with --replay"),
        (["local", "--replay", __file__, "--speed", "-1"], "give a number above 0"),
        (["local", "--chaos", "lag:seconds=1"], "no kind of fault is called 'lag'"),
        (["ranges"], "no server"),
        (["bundle", "import", "--whirlpool", "a", "b", "c", "--output", "x"], "a: "),
        (["bundle", "import", "--whirlpool", "a", "b", "--output", "x"], "--whirlpool requires 3"),
        (["bundle", "import", "--whirlpool", *"abc", "--output", "x", "--slot-limit", "0"], "--slot-limit 0"),
    ],
)
def test_bad_input_gets_one_line_that_names_it(capfd: pytest.CaptureFixture[str], tokens: list[str], text: str) -> None:
    """The message says which value, and what to do."""
    assert text in refused(capfd, *tokens)


def test_credentials_of_a_url_are_not_repeated(capfd: pytest.CaptureFixture[str]) -> None:
    """They would end up in a log."""
    assert "secret" not in refused(capfd, "run", "wss://user:secret@example.com")


def test_a_taken_port_is_named(capfd: pytest.CaptureFixture[str], payments: Path) -> None:
    """Another one has to be chosen."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])

        assert port in refused(capfd, "local", "--port", port, "--bundle", str(payments))


def test_a_range_outside_the_bundle_is_named(capfd: pytest.CaptureFixture[str], payments: Path) -> None:
    """So is what the bundle has."""
    line = refused(capfd, "run", "--local", "--bundle", str(payments), "--start-slot", "1", "--slots", "5")

    assert "slots 1 to 5 are not all in the bundle payments: it has 1000 to 1019" in line
