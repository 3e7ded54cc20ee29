"""The end of a process with sessions open: it comes, and it is clean."""

from __future__ import annotations

import subprocess
import sys

import pytest

HANG_SECONDS = 60

OPENING = """
import os, sys
from simclient.notebook import close_all, open_backtest_session, open_local_simulator
from simclient import ReadyForContinue

simulator = open_local_simulator()
session = open_backtest_session(simulator.url, start_slot=350_000_000, slot_count=99)
for event in session:
    if isinstance(event, ReadyForContinue):
        break
"""

WAITING_THREAD = """
import threading
from contextlib import suppress
from simclient import SessionClosed

def wait():
    with suppress(SessionClosed):
        list(session)

threading.Thread(target=wait, daemon=True).start()
"""
FORKED_CHILD = """
pid = os.fork()
if pid == 0:
    with open_local_simulator() as another:
        with open_backtest_session(another.url, start_slot=350_000_000, slot_count=9) as second:
            next(second)
    sys.exit(0)
assert os.waitpid(pid, 0)[1] == 0
assert session.rpc.get_slot() < 350_000_000
"""

ENDINGS = {
    "nothing is closed": ("", 0),
    "the session is in the middle of its work": ("session.advance(100); next(session)", 0),
    "closed by hand": ("session.close(); simulator.close(); close_all()", 0),
    "an error": ("raise SystemExit(3)", 3),
    "a thread that waits": (WAITING_THREAD, 0),
    "a forked child that uses the door itself": (FORKED_CHILD, 0),
}


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda ending: ending.replace(" ", "-"))
def test_a_process_ends_and_says_nothing(ending: str) -> None:
    """With the exit code that it would have had, without a word on stderr, and without hanging."""
    program, code = ENDINGS[ending]
    result = subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", "-c", OPENING + program],
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )

    assert (result.returncode, result.stderr) == (code, "")
