"""What hostile clients cost: a simulator in a process of its own is measured while it is attacked and serves another client."""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import b64encode
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
import trio
import zstandard
from solders.pubkey import Pubkey

from .blocks import FIRST_SLOT, SYSTEM_PROGRAM, write_payments
from .clients import HANG_SECONDS, Control, creation, open_control, post

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the memory of a process is read in /proc")

MIB = 2**20
SLOTS = 300
SERVER = """
import sys, trio
from pathlib import Path
from simclient.local import open_local_simulator
from simclient.local.server.limits import SimulatorLimits

async def main():
    limits = SimulatorLimits(max_sessions=8, max_connections=600, idle_seconds=300.0,
                             max_unfinished_bytes=128 * 2**20)
    async with open_local_simulator([Path(sys.argv[1])], limits=limits) as simulator:
        print(simulator.port, flush=True)
        await trio.sleep_forever()

trio.run(main)
"""
"""With the default's limits, except that less is enough to reach them."""


class Here(NamedTuple):
    """Where a simulator listens, which is all that a client needs of it."""

    port: int


class Server(NamedTuple):
    """A simulator in a process of its own; it has the one attribute of `LocalSimulator` that the clients here need."""

    port: int
    process: trio.Process
    honest: Honest

    def peak_bytes(self) -> int:
        """Return the most memory that the process has had since it was last asked, and begin anew."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        [peak] = [int(line.split()[1]) for line in lines if line.startswith("VmHWM")]
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")
        return peak * 1024


@pytest.fixture
def payments(tmp_path: Path) -> Path:
    return write_payments(tmp_path / "payments.bundle", slots=SLOTS)


class Honest:
    """A client that steps through its session as long as the attack lasts, and then to its end."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._is_over = False
        self._stepped = trio.Event()
        self._has_ended = trio.Event()

    async def step(self) -> None:
        """Step; a task."""
        last = ""
        while last != "completed":
            last = (await self._control.advance(2**64 - 1 if self._is_over else 1))[-1]["method"]
            self._stepped.set()
            self._stepped = trio.Event()
        self._has_ended.set()

    async def go_on(self) -> None:
        """The attack is at its height: see that the session goes on, unless it has ended already."""
        if not self._has_ended.is_set():
            with trio.fail_after(2 * HANG_SECONDS):
                await self._stepped.wait()

    async def finish(self) -> None:
        """The attack is over: see that the session goes to its end."""
        self._is_over = True
        with trio.fail_after(2 * HANG_SECONDS):
            await self._has_ended.wait()


@asynccontextmanager
async def attacked(bundle: Path, *, most_bytes: int) -> AsyncGenerator[Server]:
    """Serve a bundle; another client steps through it during the block, and the server has not grown by more than so much."""
    process = await trio.lowlevel.open_process([sys.executable, "-c", SERVER, str(bundle)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        here = Here(int(await process.stdout.receive_some()))
        async with open_control(here) as control, trio.open_nursery() as nursery:
            await control.create(FIRST_SLOT, FIRST_SLOT + SLOTS - 1)
            server = Server(here.port, process, Honest(control))
            nursery.start_soon(server.honest.step)
            before = server.peak_bytes()
            yield server
            await server.honest.finish()
            grown = server.peak_bytes() - before
            assert grown < most_bytes, f"{grown / MIB:.0f} MiB more than before the attack"
    finally:
        process.kill()
        with trio.move_on_after(HANG_SECONDS, shield=True):
            await process.wait()


async def upgraded(server: Server, path: str = "/backtest") -> trio.SocketStream:
    """Open a WebSocket by hand."""
    stream = await trio.open_tcp_stream("127.0.0.1", server.port)
    await stream.send_all(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    assert b"101" in await stream.receive_some()
    return stream


def text_frame(text: bytes) -> bytes:
    """Return a whole text frame; its mask is zero."""
    if len(text) < 126:
        length = bytes([0x80 | len(text)])
    elif len(text) < 2**16:
        length = b"\xfe" + len(text).to_bytes(2, "big")
    else:
        length = b"\xff" + len(text).to_bytes(8, "big")
    return b"\x81" + length + bytes(4) + text


async def test_messages_of_nothing_but_brackets(payments: Path) -> None:
    """Messages as long as they may be, each of which would be gigabytes of objects, are refused; three at once."""

    async def send(server: Server, path: str, text: bytes, refusal: bytes) -> None:
        async with await upgraded(server, path) as stream:
            await stream.send_all(text_frame(text))
            assert refusal in await stream.receive_some()

    arrays = b"[" + b"[]," * ((32 * MIB - 10) // 3) + b"[]]"
    async with attacked(payments, most_bytes=500 * MIB) as server, open_control(server) as control:
        await control.create(FIRST_SLOT, FIRST_SLOT)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send, server, "/backtest", arrays, b"invalidRequest")
            nursery.start_soon(send, server, "/backtest", arrays, b"invalidRequest")
            nursery.start_soon(send, server, control.endpoint, arrays, b"values is not read")
        answer = await post(server, control.endpoint, "getBalance", json.loads("[" + "[]," * 1_000_001 + "[]]"))
        assert "more than 1000000 values" in answer.json()["error"]["message"]
        await server.honest.go_on()


def bomb(mebibytes: int) -> str:
    """Return a blob that stands for so much JSON: one string."""
    compressor = zstandard.ZstdCompressor().compressobj()
    spaces = b"A" * MIB
    parts = [compressor.compress(b'["'), *(compressor.compress(spaces) for _ in range(mebibytes))]
    return b64encode(b"".join([*parts, compressor.compress(b'"]'), compressor.flush()])).decode()


async def test_blobs_that_decompress_without_end(payments: Path) -> None:
    """One large blob, and many within one, each small enough by itself, are refused where all together become too large."""
    action = {"anchor": {"at": "afterEverySlot", "everyNSlots": 1}, "kind": "simulate", "accountOverrides": {}}
    many = [{**action, "transactions": bomb(30), "returnAccounts": [], "label": None}] * 40
    nested = b64encode(zstandard.compress(json.dumps(many).encode())).decode()
    async with attacked(payments, most_bytes=600 * MIB) as server:
        for blob in (bomb(300), nested):
            async with open_control(server) as control:
                params = {**creation(FIRST_SLOT, FIRST_SLOT + 4), "actions": blob}
                answer = await control.ask("createBacktestSession", params)
                assert "when decompressed" in answer["params"]["invalidRequest"]["error"]
        await server.honest.go_on()


async def test_answers_that_nobody_reads(payments: Path) -> None:
    """Large answers are asked for, hundreds of them, over HTTP and on data sockets, and none is read."""
    address = str(Pubkey(bytes([7] * 32)))
    account = {"lamports": 10**12, "owner": SYSTEM_PROGRAM, "data": [b64encode(bytes(10 * MIB)).decode(), "base64"]}
    body = json.dumps(
        {"jsonrpc": "2.0", "id": 1, "method": "getAccountInfo", "params": [address, {"encoding": "base64"}]}
    )
    async with attacked(payments, most_bytes=400 * MIB) as server, open_control(server) as control:
        await control.create(FIRST_SLOT, FIRST_SLOT + 4)
        assert (await post(server, control.endpoint, "modifyAccounts", {address: account})).status_code == 200
        head = f"POST {control.endpoint} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
        async with AsyncExitStack() as stack:
            for number in range(24):
                if number % 2:
                    stream = await stack.enter_async_context(await upgraded(server, control.endpoint))
                    await stream.send_all(text_frame(body.encode()) * 10)
                else:
                    stream = await stack.enter_async_context(await trio.open_tcp_stream("127.0.0.1", server.port))
                    await stream.send_all((head + body).encode() * 10)
            assert (await post(server, control.endpoint, "getSlot")).status_code == 200  # behind all of them
            await server.honest.go_on()


async def test_connections_that_are_half_there(payments: Path) -> None:
    """Hundreds of connections that stop in a request, in a frame, or after shutting their own half, cost next to nothing."""
    async with attacked(payments, most_bytes=100 * MIB) as server, AsyncExitStack() as stack:
        for number in range(500):
            stream = await stack.enter_async_context(await trio.open_tcp_stream("127.0.0.1", server.port))
            await stream.send_all(b"GET /backtest HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"x" * 1_000)
            if number % 5 == 0:
                await stream.send_eof()
        for _ in range(50):
            stream = await stack.enter_async_context(await upgraded(server))
            await stream.send_all(text_frame(b"x" * 100_000)[:50_000])
            await stream.send_eof()
        await server.honest.go_on()


async def test_thousands_of_connections_and_sessions(payments: Path) -> None:
    """Beyond the limits connections are refused with 503 and sessions with `internal`, and both are told the limit."""
    async with attacked(payments, most_bytes=150 * MIB) as server:
        async with AsyncExitStack() as stack:
            answers = []
            for _ in range(200):
                control = await stack.enter_async_context(open_control(server))
                answers.append(await control.ask("createBacktestSession", creation(FIRST_SLOT, FIRST_SLOT + 4)))
            created = [answer for answer in answers if answer["method"] == "sessionCreated"]
            refusals = [answer["params"]["internal"]["error"] for answer in answers if answer["method"] == "error"]
            assert len(created) == 7  # and the honest one
            assert set(refusals) == {"there are 8 of 8 sessions already; close one first"}
        async with AsyncExitStack() as stack:
            for number in range(1_200):
                stream = await stack.enter_async_context(await trio.open_tcp_stream("127.0.0.1", server.port))
                if number % 100 == 99 and number > 600:
                    with trio.fail_after(HANG_SECONDS):
                        assert b"there are 600 connections already" in await stream.receive_some()
            await server.honest.go_on()
