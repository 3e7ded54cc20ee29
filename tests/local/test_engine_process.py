"""The process of an engine: an end that everyone notices, bundles that are none, and what it must not load."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest
import trio

from simclient.errors import BundleError, ConnectionLost
from simclient.local.bundle import BundleAccount
from simclient.local.engine import open_engine
from simclient.local.engine.messages import Load
from simclient.local.engine.worker import serve

from .blocks import FIRST_SLOT, SYSTEM_PROGRAM, write_blocks
from .rpc_calls import balance

LAST = 2**63


def test_the_servers_side_works_without_solders() -> None:
    """It is 36 MB that only engines need, and who renders whole transactions."""
    code = (
        "import sys, simclient.local.server.simulator, simclient.local.engine.render; print('solders' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout == "False\n"


async def test_the_process_ends_with_the_block(payments: Path) -> None:
    """Leaving the block ends the process."""
    async with open_engine(payments, start_slot=FIRST_SLOT, end_slot=LAST) as engine:
        pid = engine.process_id

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_the_process_ends_with_a_cancelled_block(payments: Path) -> None:
    """Cancelling the block ends the process too."""
    with trio.CancelScope() as scope:
        async with open_engine(payments, start_slot=FIRST_SLOT, end_slot=LAST) as engine:
            pid = engine.process_id
            scope.cancel()
            await trio.sleep_forever()

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_dead_process_fails_every_call(payments: Path) -> None:
    """When the process is killed, calls that wait and later ones fail with ConnectionLost."""
    async with open_engine(payments, start_slot=FIRST_SLOT, end_slot=LAST) as engine:
        os.kill(engine.process_id, signal.SIGKILL)
        for _ in range(2):
            with pytest.raises(ConnectionLost, match="engine process ended"):
                await engine.execute_slot()
        with pytest.raises(ConnectionLost):
            await engine.rpc(b"{}")


async def test_a_cancelled_call_does_not_confuse_the_next(payments: Path) -> None:
    """A slot whose caller was cancelled is executed all the same; the next call gets its own answer."""
    async with open_engine(payments, start_slot=FIRST_SLOT, end_slot=LAST) as engine:
        with trio.CancelScope() as scope:
            scope.cancel()
            await engine.execute_slot()
        assert await balance(engine, SYSTEM_PROGRAM) == 1
        assert (await engine.execute_slot()).slot in (FIRST_SLOT, FIRST_SLOT + 1)


async def test_modules_of_the_working_directory_are_not_taken(
    payments: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file in the working directory that is called like a library does not stand in for it."""
    (tmp_path / "msgspec.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)

    async with open_engine(payments, start_slot=FIRST_SLOT, end_slot=LAST) as engine:
        assert (await engine.execute_slot()).slot == FIRST_SLOT


def test_an_engine_ends_quietly_when_the_server_leaves_answers_unread() -> None:
    """Ctrl-C in mid-run does so; nothing is printed about it."""

    def begin(load: Load) -> NoReturn:
        raise AssertionError("nobody asks for it")

    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(b"an answer")
        ours.close()
        serve(theirs, begin)


# Bundles that are none


async def test_a_bundle_that_cannot_be_read_is_told_as_that(tmp_path: Path) -> None:
    """A file that is no bundle gives the reader's own error, with the file's name."""
    (tmp_path / "junk.bundle").write_bytes(b"junk")

    with pytest.raises(BundleError, match=r"junk\.bundle"):
        async with open_engine(tmp_path / "junk.bundle", start_slot=1, end_slot=2):
            pass


async def test_a_recorded_transaction_that_is_none_is_told_as_that(tmp_path: Path) -> None:
    """A bundle whose transaction cannot be executed is a bad bundle, and the slot is named."""
    path = write_blocks(tmp_path / "bad.bundle", {5: [b"junk"]})
    async with open_engine(path, start_slot=5, end_slot=5) as engine:
        with pytest.raises(BundleError, match="slot 5"):
            await engine.execute_slot()


async def test_a_program_of_the_bundle_that_does_not_load_is_told_as_that(tmp_path: Path) -> None:
    """A bundle with an account that the machine refuses is a bad bundle, and the account is named."""
    broken = BundleAccount(address=b"\x07" * 32, lamports=1, owner=bytes(32), data=b"", executable=True)
    path = write_blocks(tmp_path / "bad.bundle", {5: []}, more=[broken])

    with pytest.raises(BundleError, match="cannot be set"):
        async with open_engine(path, start_slot=5, end_slot=5):
            pass
