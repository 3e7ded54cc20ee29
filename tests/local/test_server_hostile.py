"""Clients that mean no good: what they send, do not read and hold open is bounded, and other sessions go on."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest
import trio
import zstandard

from simclient.errors import InputError
from simclient.local import LocalSimulator, open_local_simulator
from simclient.local.server.limits import SimulatorLimits
from simclient.local.server.replay_log import LogLimits

from .blocks import FIRST_SLOT, SYSTEM_PROGRAM, write_payments
from .clients import Message, creation, get, going_on, open_control, open_data, open_socket, post

LAST_SLOT = FIRST_SLOT + 4
SMALL = 2**20


@asynccontextmanager
async def hostile_and_honest(bundle: Path, **bounds: object) -> AsyncGenerator[tuple[LocalSimulator, Message]]:
    """Serve a bundle within bounds; after the block another client must find everything in order."""
    limits = SimulatorLimits(max_message_bytes=SMALL, close_seconds=0.2, **bounds)  # type: ignore[arg-type]
    async with open_local_simulator([bundle], limits=limits) as simulator:
        yield simulator, {}
        async with open_control(simulator) as honest:
            await honest.create(FIRST_SLOT, LAST_SLOT)
            assert (await honest.advance(2**64 - 1))[-1]["method"] == "completed"


def handshake(header: bytes = b"") -> bytes:
    """Return a request for a control WebSocket."""
    return (
        b"GET /backtest HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n" + header + b"\r\n"
    )


async def raw_socket(simulator: LocalSimulator) -> trio.SocketStream:
    """Open a control WebSocket by hand."""
    stream = await trio.open_tcp_stream("127.0.0.1", simulator.port)
    await stream.send_all(handshake())
    assert b"101" in await stream.receive_some()
    return stream


async def everything(stream: trio.SocketStream) -> bytes:
    """Return what comes until the other side has closed."""
    received = bytearray()
    with trio.fail_after(30):
        with suppress(trio.BrokenResourceError):  # cut off in the middle of sending, which will do
            while chunk := await stream.receive_some(65_536):
                received += chunk
    return bytes(received)


def part_of_frame(size: int, claimed: int) -> bytes:
    """Return the beginning of a text frame that claims to be longer, unmasked bytes all zero."""
    return b"\x81\xff" + claimed.to_bytes(8, "big") + bytes(4) + b" " * size


async def test_a_message_that_is_too_long_is_cut_off(payments: Path) -> None:
    """A message over the limit is answered with 1009 when the limit is reached, however long it claims to be."""
    async with hostile_and_honest(payments) as (simulator, _):
        async with await raw_socket(simulator) as stream:
            await stream.send_all(part_of_frame(SMALL + 1, 2**62))
            assert (1009).to_bytes(2, "big") in await everything(stream)


async def test_a_frame_of_impossible_length_is_refused(payments: Path) -> None:
    """A length with its highest bit set breaks the protocol, and only that connection ends."""
    async with hostile_and_honest(payments) as (simulator, _):
        async with await raw_socket(simulator) as stream:
            await stream.send_all(b"\x81\xff" + b"\xff" * 8 + bytes(4))
            await everything(stream)


async def test_all_unfinished_messages_together_are_bounded(payments: Path) -> None:
    """Many clients that each begin a message are cut off when all of them together have begun too much; and what they had is free again."""
    async with hostile_and_honest(payments, max_unfinished_bytes=2 * SMALL) as (simulator, _):
        async with AsyncExitStack() as stack, trio.open_nursery() as nursery:
            streams = [await stack.enter_async_context(await raw_socket(simulator)) for _ in range(3)]

            async def send(stream: trio.SocketStream) -> None:
                with suppress(trio.BrokenResourceError):
                    await stream.send_all(part_of_frame(SMALL - 100, SMALL))
                await everything(stream)
                nursery.cancel_scope.cancel()  # one was cut off

            for stream in streams:
                nursery.start_soon(send, stream)
        async with open_control(simulator) as again:
            await again.socket.send_message(
                json.dumps({"method": "closeBacktestSession", "padding": "x" * (SMALL // 2)})
            )
            assert (await again.receive())["method"] == "error"


async def test_a_long_body_is_refused(payments: Path) -> None:
    """A body over the limit is answered with 413."""
    async with hostile_and_honest(payments, max_body_bytes=1_000) as (simulator, _), open_control(simulator) as control:
        await control.create(FIRST_SLOT, LAST_SLOT)
        assert (await post(simulator, control.endpoint, "getBalance", "x" * 2_000)).status_code == 413


async def test_a_blob_that_decompresses_without_end_is_refused(payments: Path) -> None:
    """A small blob of 0.28 that stands for gigabytes is refused at the blob's own limit."""
    compressor = zstandard.ZstdCompressor().compressobj()
    zeros = bytes(2**20)
    bomb = b"".join([*(compressor.compress(zeros) for _ in range(300)), compressor.flush()])
    params = {**creation(FIRST_SLOT, LAST_SLOT), "actions": b64encode(bomb).decode()}
    async with hostile_and_honest(payments) as (simulator, _), open_control(simulator) as control:
        answer = await control.ask("createBacktestSession", params)
        assert "when decompressed" in str(answer["params"])


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"method":' * 10_000,
        '{"method":"continue","params":{"advanceCount":' + "9" * 100_000 + "}}",
        '"\\ud800"',
    ],
    ids=["arrays", "objects", "number", "surrogate"],
)
async def test_hostile_json_is_refused(payments: Path, text: str) -> None:
    """JSON that is deep, has endless numbers or half characters is answered like any other that cannot be read."""
    async with hostile_and_honest(payments) as (simulator, _), open_control(simulator) as control:
        await control.socket.send_message(text)
        assert "invalidRequest" in str((await control.receive())["params"])
        async with open_socket(simulator, "/backtest") as other:
            await other.send_message(text)
            await other.get_message()


async def test_a_client_that_never_reads_fills_no_memory(tmp_path: Path) -> None:
    """Neither control nor data is read: the session goes on as far as its share of the disk, and another one to its end."""
    path = write_payments(tmp_path / "many.bundle", slots=400, payments=8)
    tiny = LogLimits(memory_bytes=50_000, disk_bytes=100_000)
    limits = SimulatorLimits(notifications=tiny, events=LogLimits(memory_bytes=5_000, disk_bytes=5_000))
    async with (
        open_local_simulator([path], limits=limits) as simulator,
        open_control(simulator) as deaf,
        open_control(simulator) as honest,
    ):
        await deaf.create(FIRST_SLOT, FIRST_SLOT + 399)
        await honest.create(FIRST_SLOT, FIRST_SLOT + 399)
        async with open_data(simulator, deaf) as data:
            await data.subscribe(1, "transactionSubscribe", {"mentions": [SYSTEM_PROGRAM]})
            await deaf.send("continue", going_on(2**64 - 1))
            assert (await honest.advance(2**64 - 1))[-1]["method"] == "completed"


async def test_there_are_only_so_many_connections(payments: Path) -> None:
    """A connection beyond the limit is told so and closed; when another has gone there is room again."""
    async with hostile_and_honest(payments, max_connections=4) as (simulator, _):
        async with AsyncExitStack() as stack:
            for _ in range(4):
                await stack.enter_async_context(await raw_socket(simulator))
            async with await trio.open_tcp_stream("127.0.0.1", simulator.port) as stream:
                answer = await everything(stream)
                assert answer.startswith(b"HTTP/1.1 503 ")
                assert b"there are 4 connections already" in answer
        with trio.fail_after(10):
            while True:
                try:
                    await get(simulator, "/available-ranges")
                except Exception:  # noqa: BLE001 (the places are given back one by one)
                    continue
                break


async def test_a_half_sent_request_is_given_up(payments: Path) -> None:
    """A connection that does not finish its request is closed after the idle time."""
    async with hostile_and_honest(payments, idle_seconds=0.1) as (simulator, _):
        async with await trio.open_tcp_stream("127.0.0.1", simulator.port) as stream:
            await stream.send_all(b"GET /available-ranges HTTP/1.1\r\nHost: 127.")
            assert await everything(stream) == b""


# Keys


async def test_a_required_key_is_required(payments: Path) -> None:
    """Without the key, and with another one, there is no control socket; ranges and a session's own endpoint ask for none."""
    async with open_local_simulator([payments], api_key="the key") as simulator:
        for header in (b"", b"X-API-Key: another\r\n"):
            async with await trio.open_tcp_stream("127.0.0.1", simulator.port) as stream:
                await stream.send_all(handshake(header))
                assert (await stream.receive_some()).startswith(b"HTTP/1.1 401 ")
        assert (await get(simulator, "/available-ranges")).status_code == 200
        async with open_control(simulator, "the key") as control:
            await control.create(FIRST_SLOT, LAST_SLOT)
            assert (await post(simulator, control.endpoint, "getSlot")).status_code == 200


async def test_other_machines_only_with_a_key(payments: Path) -> None:
    """Listening where others can come takes a key; with one any Host is served, but no web page."""
    with pytest.raises(InputError, match="takes a key"):
        async with open_local_simulator([payments], host="0.0.0.0"):
            pass
    with pytest.raises(InputError, match="not an address"):
        async with open_local_simulator([payments], host="elsewhere"):
            pass
    async with open_local_simulator([payments], host="0.0.0.0", api_key="k") as simulator:
        assert (await get(simulator, "/available-ranges", {"host": "machine.example"})).status_code == 200
        assert (await get(simulator, "/available-ranges", {"origin": "https://evil.example"})).status_code == 403
