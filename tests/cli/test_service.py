"""Commands that ask a control host: `usage`, `depth`, `datasets`, `ranges`, `run --plan`."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from simclient.cli import main

NOW = "2026-11-01T00:00:00Z"
PRICING = {"dollars_per_slot": 0.001, "dollars_per_minute": 0.5, "max_ms_per_slot": 400}
USAGE: dict[str, Any] = {
    "api_key_name": "desk",
    "since": NOW,
    "until": NOW,
    "sessions": {"started": 3, "completed": 2, "failed": 1},
    "compute": {"executed_slot_count": 5_000, "session_duration_ms": 600_000},
    "pricing": PRICING,
}
SESSIONS = {
    "since": NOW,
    "until": NOW,
    "next_cursor": None,
    "sessions": [
        {
            "session_id": "a",
            "started_at": NOW,
            "ended_at": NOW,
            "executed_slot_count": 10,
            "session_duration_ms": 600_000,
        }
    ],
}
BUILD = {
    "request_id": "b1",
    "start_slot": 100,
    "end_slot": 109,
    "status": "in_progress",
    "created_at_unix_ms": 1,
    "eta_secs": 60,
}
DEPTH = {"request_id": "d1", "start_slot": 1, "end_slot": 9, "source": "onchain", "status": "in_progress"}
COVERAGE = {
    "sources": [
        {
            "source": "onchain",
            "revision": 1,
            "markets": ["m"],
            "venues": ["v", "w"],
            "size_rungs": 3,
            "completed_ranges": [{"start": 1, "end": 9}],
        }
    ]
}
KEYS = {"access_key_id": "AK", "secret_access_key": "s'k", "session_token": "st", "s3_uri": "s3://b/p", "region": "eu"}
RANGES = [
    {"bundle_start_slot": 100, "max_bundle_end_slot": 199, "max_bundle_size": 100},
    {"bundle_start_slot": 200, "max_bundle_end_slot": 219, "max_bundle_size": 20},
]


@contextmanager
def host(answers: dict[str, object]) -> Iterator[tuple[str, list[str]]]:
    """Serve JSON by path on loopback; lend the URL and the list of what was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.command} {self.path}")
            self.rfile.read(int(self.headers.get("content-length", 0)))
            answer = answers.get(self.path.partition("?")[0])
            if isinstance(answer, list) and self.path != "/available-ranges":
                answer = answer.pop(0)
            body = json.dumps({} if answer is None else answer).encode()
            self.send_response(404 if answer is None else 200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.do_GET()

        def do_DELETE(self) -> None:
            self.do_GET()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.server_address[1]}", asked
        finally:
            server.shutdown()
            thread.join()


def test_usage_says_what_was_used_and_what_it_costs(capfd: pytest.CaptureFixture[str]) -> None:
    """By the slot, unless slots took longer than is usual."""
    with host({"/usage": USAGE, "/usage/sessions": SESSIONS}) as (url, asked):
        assert main(["usage", url, "--since", "2026-11-01", "--session-details"]) == 0

    out = capfd.readouterr().out
    assert "sessions: 3 started, 2 completed, 1 failed\nexecuted: 5,000 slots in 0.2 h\nprice: $5.00\n" in out
    assert "$5.0000" in out  # ten slots in ten minutes are charged by the minute
    assert asked[0].startswith("GET /usage?since=2026-11-01")


def test_usage_without_prices_says_so(capfd: pytest.CaptureFixture[str]) -> None:
    """Older servers have none."""
    with host({"/usage": {**USAGE, "pricing": None}}) as (url, _):
        assert main(["usage", url]) == 0
        assert "price: unknown" in capfd.readouterr().out
        assert main(["usage", url, "--json"]) == 0

    printed = json.loads(capfd.readouterr().out)
    assert (printed["dollars"], printed["compute"]["executed_slot_count"]) == (None, 5_000)


def test_a_plan_has_the_price(capfd: pytest.CaptureFixture[str]) -> None:
    """Of a parallel run, with the parts that the server would make; nothing is created."""
    run = ["--start-slot", "100", "--slots", "120", "--parallel", "--plan"]
    with host({"/usage": USAGE, "/available-ranges": RANGES}) as (url, asked):
        assert main(["run", url, *run]) == 0

    out = capfd.readouterr().out
    assert "price: about $0.12" in out
    assert "time: about 25 s" in out
    assert "100" in out
    assert "219" in out
    assert {request.partition("?")[0] for request in asked} == {"GET /usage", "GET /available-ranges"}


def test_a_plan_of_slots_that_are_not_there_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    """Before it is paid for."""
    with host({"/usage": USAGE, "/available-ranges": RANGES}) as (url, _):
        assert main(["run", url, "--start-slot", "100", "--slots", "900", "--parallel", "--plan"]) == 2

    assert "gap in coverage at slot 220" in capfd.readouterr().err


def test_depth_is_asked_for_and_waited_for(capfd: pytest.CaptureFixture[str]) -> None:
    """A computation that fails is a failure, unlike in today's tool."""
    failed = [DEPTH, {**DEPTH, "status": "failed"}]
    measure = ["--start-slot", "1", "--end-slot", "9", "--source", "onchain", "--wait", "--poll-seconds", "0.01"]
    with host({"/generate-depth": DEPTH, "/generate-depth/d1": failed}) as (url, asked):
        assert main(["depth", "measure", url, *measure]) == 1

    assert "the request d1 for slots 1 to 9 ended as 'failed'" in capfd.readouterr().err
    assert asked[0] == "POST /generate-depth"


def test_depth_coverage_is_listed(capfd: pytest.CaptureFixture[str]) -> None:
    """By source."""
    with host({"/generate-depth/coverage": COVERAGE, "/generate-depth/d1": DEPTH}) as (url, _):
        assert main(["depth", "coverage", url]) == 0
        assert capfd.readouterr().out == "onchain: 1 markets, 2 venues\n    slots 1 to 9\n"
        assert main(["depth", "status", "d1", url, "--json"]) == 0

    assert json.loads(capfd.readouterr().out)["status"] == "in_progress"


def test_a_bundle_is_recorded_by_a_server(capfd: pytest.CaptureFixture[str]) -> None:
    """From the next slot of the chain on, and waited for; with --json nothing but JSON is printed."""
    answers: dict[str, object] = {"/snapshot-slot": {"snapshot_slot": 99}, "/build-bundle": BUILD}
    answers["/build-bundle/b1"] = [BUILD, {**BUILD, "status": "completed"}]
    with host(answers) as (url, asked):
        assert main(["bundle", "request", url, "--latest", "10", "--wait", "--poll-seconds", "0.01", "--json"]) == 0

    assert json.loads(capfd.readouterr().out)["status"] == "completed"
    assert asked[:3] == ["GET /snapshot-slot", "POST /build-bundle", "GET /build-bundle/b1"]


def test_a_bundle_that_a_server_cannot_record_is_a_failure(capfd: pytest.CaptureFixture[str]) -> None:
    """If it was waited for; unlike in today's tool."""
    place = ["--start-slot", "100", "--end-slot", "109", "--wait", "--poll-seconds", "0.01"]
    with host({"/build-bundle": BUILD, "/build-bundle/b1": {**BUILD, "status": "failed"}}) as (url, _):
        assert main(["bundle", "request", url, *place]) == 1

    assert "ended as 'failed'" in capfd.readouterr().err


def test_bundles_of_a_server_are_listed_and_deleted(capfd: pytest.CaptureFixture[str]) -> None:
    """Deleting asks first, and does nothing where nobody is there to answer."""
    made = {"start_slot": 100, "end_slot": 109, "kind": "blocks", "size_bytes": 5_000}
    deleted = {"start_slot": 100, "end_slot": 109, "kind": "blocks"}
    with host({"/build-bundle": [{"builds": [BUILD], "bundles": [made]}], "/bundles": deleted}) as (url, asked):
        assert main(["bundle", "list", url, "--limit", "5"]) == 0
        lines = capfd.readouterr().out.splitlines()
        assert lines == [
            "b1: in_progress, slots 100 to 109, blocks, about 60 s left",
            "bundle of blocks: slots 100 to 109, 5,000 bytes",
        ]

        place = ["--start-slot", "100", "--end-slot", "109"]
        assert main(["bundle", "delete", url, *place]) == 2
        assert "add --yes" in capfd.readouterr().err
        assert main(["bundle", "delete", url, *place, "--yes"]) == 0
    assert capfd.readouterr().out == "deleted: blocks, slots 100 to 109\n"
    assert asked == [
        "GET /build-bundle?limit=5",
        "DELETE /bundles?start_slot=100&end_slot=109&kind=blocks",
    ]


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--start-slot", "1"],
        ["--latest", "5", "--start-slot", "1", "--end-slot", "2"],
        ["--latest", "5", "--end-slot", "2"],
        ["--latest", "0"],
    ],
)
def test_slots_to_record_are_a_range_or_the_latest(capfd: pytest.CaptureFixture[str], options: list[str]) -> None:
    """Before anything is asked for."""
    assert main(["bundle", "request", "ws://127.0.0.1:9", *options]) == 2
    assert "--latest" in capfd.readouterr().err


def test_dataset_credentials_come_in_the_shapes_that_tools_want(capfd: pytest.CaptureFixture[str]) -> None:
    """Values are quoted for the shell."""
    with host({"/datasets/credentials": KEYS}) as (url, _):
        assert main(["datasets", "credentials", url]) == 0
        assert "export AWS_SECRET_ACCESS_KEY='s'\"'\"'k'\n" in capfd.readouterr().out
        assert main(["datasets", "credentials", url, "--format", "process"]) == 0

    assert json.loads(capfd.readouterr().out) == {
        "Version": 1,
        "AccessKeyId": "AK",
        "SecretAccessKey": "s'k",
        "SessionToken": "st",
    }


def test_ranges_are_filtered(capfd: pytest.CaptureFixture[str]) -> None:
    """By slot and by size, within a tenth."""
    with host({"/available-ranges": RANGES}) as (url, _):
        assert main(["ranges", url, "--after", "150", "--json"]) == 0
        assert [one["bundle_start_slot"] for one in json.loads(capfd.readouterr().out)] == [200]
        assert main(["ranges", url, "--size", "95", "--json"]) == 0
        assert [one["bundle_start_slot"] for one in json.loads(capfd.readouterr().out)] == [100]
        assert main(["ranges", url, "--size", "50"]) == 0

    assert capfd.readouterr().out == "the server lists no such ranges\n"


@pytest.mark.parametrize(
    ("tokens", "code", "message"),
    [
        (["usage", "{url}"], 1, "404"),
        (["usage", "{url}", "--since", "yesterday"], 2, "yesterday"),
        (["usage", "example.com"], 2, "no API key for wss://example.com/backtest"),
        (["depth", "status", "x", "{url}"], 1, "404"),
        (["datasets", "credentials", "{url}"], 1, "404"),
        (["ranges", "ws://127.0.0.1:9"], 1, "127.0.0.1:9"),
    ],
)
def test_what_goes_wrong_is_one_line(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tokens: list[str], code: int, message: str
) -> None:
    """With what was asked."""
    monkeypatch.delenv("SIMULATOR_API_KEY", raising=False)
    with host({}) as (url, _):
        assert main([token.format(url=url) for token in tokens]) == code

    printed = capfd.readouterr()
    assert (printed.out, len(printed.err.splitlines())) == ("", 1)
    assert message in printed.err
