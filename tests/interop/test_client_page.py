"""What docs/how-to/client.md shows works as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import trio

from simclient import open_client
from simclient.testing import HttpAnswer, HttpRequest, open_scripted_server

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "client.md"
*PROGRAMS, CALLS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
HANG_SECONDS = 120

TIMES = '"since":"2026-01-01T00:00:00Z","until":"2026-01-02T00:00:00Z"'
BUILD = '{"request_id":"r","start_slot":8,"end_slot":1007,"status":"completed","created_at_unix_ms":1,"kind":"blocks"}'
ANSWERS = {
    "/available-ranges": "[]",
    "/usage": f'{{"api_key_name":"k",{TIMES},"sessions":{{"started":1,"completed":1,"failed":0}},'
    '"compute":{"executed_slot_count":1,"session_duration_ms":1}}',
    "/usage/sessions": f'{{{TIMES},"sessions":[],"next_cursor":null}}',
    "/snapshot-slot": '{"snapshot_slot":7}',
    "/build-bundle": BUILD.replace("completed", "in_progress"),
    "/build-bundle/r": BUILD,
    "/datasets/credentials": '{"access_key_id":"a","secret_access_key":"s","session_token":"t","s3_uri":"s3://x"}',
}


def test_the_programs_run() -> None:
    """Each as it stands, and prints what the page speaks of."""
    first, second = [run(program) for program in PROGRAMS]
    assert first[0] == "5 slots, the last one 350000004"
    assert first[-1].startswith("CoverageReport(start_slot=350000000, end_slot=350000020, seen=5, ")
    assert second[-1].startswith("Completed(")


async def test_the_calls_are_answered() -> None:
    """In the order of the page, by a host that knows the paths."""
    asked: list[str] = []

    def http(request: HttpRequest) -> HttpAnswer:
        path = request.path.partition("?")[0]
        asked.append(path)
        return HttpAnswer(body=ANSWERS[path].encode())

    printed: list[object] = []
    scope = {"open_client": open_client, "print": lambda *values: printed.append(values)}
    source = f"async def shown(url):\n{textwrap.indent(CALLS, '    ')}\n    return credentials\n"
    exec(compile(source, str(PAGE), "exec"), scope)
    with trio.fail_after(HANG_SECONDS):
        async with open_scripted_server(http=http) as server:
            credentials = await scope["shown"](server.url)  # type: ignore[operator]

    assert asked == [*ANSWERS]
    assert printed == [("completed", None)]
    assert credentials.s3_uri == "s3://x"


def run(program: str) -> list[str]:
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return result.stdout.splitlines()
