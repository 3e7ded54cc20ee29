"""The scripted service of the published Rust crates is content with a raw session, and with a parallel create.

It is not part of this repository: set SIMCLIENT_PEER to the folder of the built `server09` to run this.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from simclient import (
    AccountDiff,
    AccountDiffs,
    NotificationStream,
    SimulatorClient,
    create_request,
    open_client,
)

SERVER = Path(os.environ.get("SIMCLIENT_PEER", "unset")) / "server09"
PROGRAM = "4vJ9JU1bJJE96FWSJKvHsmmFADCg4gpZQff4P3bkLKi"
KEY = "local-key"
NOTIFICATIONS = 2000
HANG_SECONDS = 60

pytestmark = pytest.mark.skipif(
    not SERVER.exists(), reason="the Rust peer is not there: SIMCLIENT_PEER names the folder of server09"
)


@asynccontextmanager
async def client_of_peer(flags: str, verdict: dict[str, Any] | None = None) -> AsyncIterator[SimulatorClient]:
    """Run the service, and open a client of it; at the end, `verdict` is what it says of us, which it says when no session is left."""
    command = [str(SERVER), "--port", "0", "--key", KEY, "--max-secs", str(HANG_SECONDS), *flags.split()]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as server:  # noqa: ASYNC220  # a fork, once
        try:
            assert server.stdout is not None
            assert server.stderr is not None
            said = await trio.to_thread.run_sync(server.stderr.readline)
            address = re.search(r"ws://\S+", said)
            assert address is not None, said
            with trio.fail_after(HANG_SECONDS):
                async with open_client(address.group(), api_key=KEY) as client:
                    yield client
            if verdict is not None:
                verdict |= json.loads(await trio.to_thread.run_sync(server.stdout.read))
        finally:
            server.kill()


async def count(stream: NotificationStream, into: list[str | None]) -> None:
    async for notification in stream:
        assert isinstance(notification, AccountDiff)
        into.append(notification.signature)


@pytest.mark.parametrize("flags", ["", "--zstd"])
async def test_a_raw_session_runs_to_the_end(flags: str) -> None:
    """Every slot and every notification once; the close is seen."""
    verdict: dict[str, Any] = {}
    signatures: list[str | None] = []
    async with client_of_peer(
        f"--scenario replay --slot-ms 1 --notifications {NOTIFICATIONS} {flags}", verdict
    ) as client:
        async with client.open_session(create_request(start_slot=1000, slot_count=20)) as session:
            await session.wait_ready()
            async with session.subscribe(AccountDiffs(program=PROGRAM)) as diffs, trio.open_nursery() as nursery:
                nursery.start_soon(count, diffs, signatures)
                while session.completed is None:
                    await session.continue_until_ready(5)
            assert session.coverage().is_whole

    assert len(signatures) == len(set(signatures)) == NOTIFICATIONS
    assert (verdict["ok"], verdict["problems"], verdict["close_requests"]) == (True, [], 1)


async def test_a_parallel_create_lists_the_ranges() -> None:
    """The sessions are reported one by one, and then have their parts of the range."""
    reported: list[str] = []
    request = create_request(start_slot=1000, end_slot=1019, parallel=True, disconnect_timeout_seconds=5)
    async with client_of_peer("--scenario parallel --sessions 4") as client:
        created = await client.create_sessions(request, on_created=lambda one: reported.append(one.session_id))

    assert [one.session_id for one in created] == reported
    assert [(one.start_slot, one.end_slot) for one in created] == [(s, s + 4) for s in range(1000, 1020, 5)]
    assert [one.task_id for one in created] == [f"task-{number}" for number in range(4)]
