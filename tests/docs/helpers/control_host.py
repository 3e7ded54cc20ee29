"""A control host that answers what the page about it asks for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from simclient.testing import HttpAnswer, HttpRequest, open_scripted_server

__all__ = ["open_control_host"]

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


@asynccontextmanager
async def open_control_host() -> AsyncIterator[str]:
    """Open one, and give its URL; it insists on being asked everything, in the order of the page."""
    asked: list[str] = []

    def http(request: HttpRequest) -> HttpAnswer:
        path = request.path.partition("?")[0]
        asked.append(path)
        return HttpAnswer(body=ANSWERS[path].encode())

    async with open_scripted_server(http=http) as server:
        yield server.url
    assert asked == [*ANSWERS]
