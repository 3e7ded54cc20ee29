"""Engine processes that die: the session ends with a typed error at once, and every other one goes on."""

from __future__ import annotations

import os
import signal
import sys
from base64 import b64encode
from pathlib import Path

import pytest
import trio
from solders.pubkey import Pubkey

from simclient.local import LocalSimulator, open_local_simulator
from simclient.local.server.limits import SimulatorLimits

from .blocks import FIRST_SLOT, SYSTEM_PROGRAM, write_payments
from .clients import closing_code, creation, going_on, open_control, open_data, post

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the engines' processes are found in /proc")

LAST_SLOT = FIRST_SLOT + 4


async def test_an_idle_session_notices_at_once(payments: Path) -> None:
    """When the engine of a session that waits is killed, `internal` comes unasked, and the place of the session is free again."""
    async with (
        open_local_simulator([payments], limits=SimulatorLimits(max_sessions=2)) as simulator,
        open_control(simulator) as honest,
        open_control(simulator) as control,
    ):
        await control.create(FIRST_SLOT, LAST_SLOT)
        async with open_data(simulator, control) as data:
            await data.subscribe(1, "actionSubscribe", None)
            [engine] = engines()
            await honest.create(FIRST_SLOT, LAST_SLOT)
            os.kill(engine, signal.SIGKILL)
            error = await control.receive()
            assert "engine process ended with status -9" in error["params"]["internal"]["error"]
            assert await closing_code(data.socket) == 1001
        refused = await control.ask("continue", going_on())
        assert "not ready" in refused["params"]["invalidRequest"]["error"]
        async with open_control(simulator) as another:
            await another.create(FIRST_SLOT, LAST_SLOT)
            assert (await another.advance(9))[-1]["method"] == "completed"
        assert (await honest.advance(9))[-1]["method"] == "completed"


async def test_one_of_a_parallel_run_dies_alone(payments: Path) -> None:
    """The sub-session whose engine is killed says `internal` as an event of its own; the others go on."""
    async with open_local_simulator([payments], split_slots=2) as simulator, open_control(simulator) as control:
        created = await control.ask("createBacktestSession", {**creation(FIRST_SLOT, LAST_SLOT), "parallel": True})
        while created["method"] != "sessionsCreatedV2":
            created = await control.receive()
        ids = created["params"]["session_ids"]
        ready: set[str] = set()
        while len(ready) < len(ids):
            event = (await control.until("sessionEventV2"))[-1]["params"]
            ready |= {event["session_id"]} if event["event"]["method"] == "readyForContinue" else set()
        os.kill(engines()[0], signal.SIGKILL)
        died = (await control.until("sessionEventV2"))[-1]["params"]
        assert "engine process ended" in died["event"]["params"]["internal"]["error"]
        for other in (one for one in ids if one != died["session_id"]):
            await control.send("continueSessionV1", {"sessionId": other, "request": going_on(9)})
            last = ""
            while last != "completed":
                event = (await control.until("sessionEventV2"))[-1]["params"]
                last = event["event"]["method"] if event["session_id"] == other else last


async def test_a_completed_session_says_nothing_more(payments: Path) -> None:
    """After `completed` an engine that dies is no error of the run; only the RPC, which needs it, says so."""
    async with open_local_simulator([payments]) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, LAST_SLOT)
        await control.advance(9)
        [engine] = engines()
        os.kill(engine, signal.SIGKILL)
        with trio.fail_after(30):
            while (answer := await post(simulator, control.endpoint, "getSlot")).status_code == 200:
                pass
        assert answer.status_code == 502
        assert (await control.ask("closeBacktestSession"))["method"] == "success"


async def test_an_engine_takes_only_so_much_memory(payments: Path) -> None:
    """A session that sets account after account fails when its share of the memory is used up, and no other session does."""
    limits = SimulatorLimits(max_engine_bytes=64 * 2**20)
    async with (
        open_local_simulator([payments], limits=limits) as simulator,
        open_control(simulator) as greedy,
        open_control(simulator) as honest,
    ):
        await greedy.create(FIRST_SLOT, LAST_SLOT)
        await honest.create(FIRST_SLOT, LAST_SLOT)
        status = 200
        for number in range(64):
            status = await set_account(simulator, greedy.endpoint, number)
            if status != 200:
                break
        assert status in (410, 502)
        error = await greedy.receive()
        assert "engine process ended" in error["params"]["internal"]["error"]
        assert (await honest.advance(9))[-1]["method"] == "completed"


async def test_a_dead_engine_ends_its_session_only(payments: Path) -> None:
    """When an engine is killed its session fails with `internal`, its endpoint is gone, and the simulator goes on."""
    async with open_local_simulator([payments]) as simulator:
        async with open_control(simulator) as control:
            await control.create(FIRST_SLOT, LAST_SLOT)
            [engine] = engines()
            os.kill(engine, signal.SIGKILL)
            await control.send("continue", going_on())
            error = (await control.until("error"))[-1]
            assert "engine process ended" in error["params"]["internal"]["error"]
            assert (await post(simulator, control.endpoint, "getSlot")).status_code == 410
        async with open_control(simulator) as control:
            await control.create(FIRST_SLOT, LAST_SLOT)


async def test_a_dead_template_is_replaced(tmp_path: Path) -> None:
    """When the process that engines are forked from is killed, its sessions fail, and the next session has another one."""
    payments = write_payments(tmp_path / "many.bundle", slots=500)
    async with open_local_simulator([payments]) as simulator:
        async with open_control(simulator) as control:
            await control.create(FIRST_SLOT, LAST_SLOT)
            [template] = children(os.getpid())
            os.kill(template, signal.SIGKILL)
            answers = ["readyForContinue"]
            while answers[-1] == "readyForContinue":  # an engine may be quicker than the news of its template's death
                await control.send("continue", going_on())
                answers.append((await control.until("error", "readyForContinue", "completed"))[-1]["method"])
            assert answers[-1] == "error"
        async with open_control(simulator) as control:
            await control.create(FIRST_SLOT, LAST_SLOT)
            assert (await control.advance(9))[-1]["method"] == "completed"


async def set_account(simulator: LocalSimulator, endpoint: str, number: int) -> int:
    """Set an account of 4 MiB; return the status of the answer."""
    address = str(Pubkey(bytes([number, *bytes(30), 1])))
    account = {"lamports": 10**12, "owner": SYSTEM_PROGRAM, "data": [b64encode(bytes(2**22)).decode(), "base64"]}
    return (await post(simulator, endpoint, "modifyAccounts", {address: account})).status_code


def engines() -> list[int]:
    """Return the engine processes: what the templates, which this process has started, have forked."""
    return [engine for template in children(os.getpid()) for engine in children(template)]


def children(pid: int) -> list[int]:
    """Return what a process has started."""
    threads = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for thread in threads for child in thread.read_text().split()]
