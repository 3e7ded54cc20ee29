"""What is wrong with a session's bundle, or with this machine, each with the type that the protocol has for it."""

from __future__ import annotations

import errno
import tempfile
from pathlib import Path

import attrs
import pytest
from solders.pubkey import Pubkey

from simclient.local import open_local_simulator
from simclient.local.bundle import BundleAccount, open_bundle
from simclient.local.bundle.format import MAGIC, PROLOGUE, VERSION, BundleEnd, Record, pack_chunk, pack_record
from simclient.local.server.limits import SimulatorLimits
from simclient.local.server.replay_log import LogLimits

from .blocks import FIRST_SLOT, pay, write_blocks, write_payments
from .clients import Control, Message, creation, going_on, open_control

LAST_SLOT = FIRST_SLOT + 4


async def begin(control: Control) -> None:
    """Create a session that may fail before it is ready."""
    assert (await control.ask("createBacktestSession", creation(FIRST_SLOT, LAST_SLOT)))["method"] == "sessionCreated"


async def next_errors(control: Control) -> list[Message]:
    """Return the next two errors of a session, by kind: the one that says what is wrong, and the one that ends the session."""
    return [(await control.until("error"))[-1]["params"] for _ in range(2)]


async def test_a_bundle_that_has_gone_is_the_stores_fault(tmp_path: Path) -> None:
    """Where the file cannot be read any more when a session begins, `clerkError` says why; other sessions go on."""
    path = write_payments(tmp_path / "b.bundle")
    async with open_local_simulator([path]) as simulator:
        path.write_bytes(path.read_bytes()[:60])
        async with open_control(simulator) as control:
            await begin(control)
            first, last = await next_errors(control)
        path.unlink()
        write_payments(path)
        async with open_control(simulator) as control:
            await control.create(FIRST_SLOT, LAST_SLOT)

    assert "b.bundle" in first["clerkError"]["error"]
    assert "b.bundle" in last["internal"]["error"]


async def test_sysvars_that_cannot_be_read(tmp_path: Path) -> None:
    """A bundle with a clock that is none fails its sessions with `initializingSysvarsFailed` at their first slot."""
    clock = BundleAccount(
        address=bytes(Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")),
        lamports=1,
        owner=bytes(Pubkey.from_string("Sysvar1111111111111111111111111111111111111")),
        data=b"no clock",
        executable=False,
    )
    path = write_blocks(tmp_path / "b.bundle", {FIRST_SLOT: [pay(1)]}, end_slot=LAST_SLOT, more=[clock])
    async with open_local_simulator([path]) as simulator, open_control(simulator) as control:
        await begin(control)
        first, last = await next_errors(control)

    assert first["initializingSysvarsFailed"]["slot"] == FIRST_SLOT
    assert "Invalid Clock sysvar data" in first["initializingSysvarsFailed"]["error"]
    assert set(last) == {"internal"}


async def test_a_blockhash_that_is_none(tmp_path: Path) -> None:
    """A block whose recorded blockhash is too short is named by `invalidBlockhashFormat`, when it is its turn."""
    path = write_payments(tmp_path / "b.bundle")
    with open_bundle(path) as reader:
        accounts, slots = list(reader.accounts()), list(reader.slots())
    slots[3] = attrs.evolve(slots[3], blockhash=b"short")
    end = BundleEnd(account_count=len(accounts), slot_count=len(slots), transaction_count=len(slots))
    records: list[Record] = [reader.header, *accounts, *slots, end]
    path.write_bytes(PROLOGUE.pack(MAGIC, VERSION) + pack_chunk(b"".join(pack_record(record) for record in records)))
    async with open_local_simulator([path]) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, LAST_SLOT)
        assert (await control.advance(3))[-1]["method"] == "readyForContinue"
        await control.send("continue", going_on())
        first, last = await next_errors(control)

    assert f"the blockhash of slot {FIRST_SLOT + 3} has 5 bytes" in first["invalidBlockhashFormat"]["error"]
    assert first["invalidBlockhashFormat"]["slot"] == last["advanceSlotFailed"]["slot"]


async def test_a_slot_that_cannot_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no room for what a slot said, `finalizeSlotFailed` names the slot, and other sessions go on."""

    def full(**options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = write_payments(tmp_path / "b.bundle", payments=40)
    tiny = LogLimits(memory_bytes=20_000, disk_bytes=2**20)
    async with (
        open_local_simulator([path], limits=SimulatorLimits(notifications=tiny)) as simulator,
        open_control(simulator) as control,
    ):
        await control.create(FIRST_SLOT, LAST_SLOT)
        monkeypatch.setattr(tempfile, "TemporaryFile", full)
        await control.send("continue", going_on(5))
        error = (await control.until("error"))[-1]["params"]["finalizeSlotFailed"]
        monkeypatch.undo()
        async with open_control(simulator) as another:
            await another.create(FIRST_SLOT, LAST_SLOT)
            assert (await another.advance(9))[-1]["method"] == "completed"

    assert error["slot"] == FIRST_SLOT
    assert "No space left on device" in error["error"]
