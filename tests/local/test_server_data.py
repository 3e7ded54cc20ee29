"""The data plane, the RPC and the other paths of the simulator, over real sockets and with another client than ours."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import zstandard

from simclient.local import LocalSimulator, open_local_simulator
from simclient.local.server.limits import SimulatorLimits
from simclient.local.server.replay_log import LogLimits

from .blocks import FIRST_SLOT, LAMPORTS, PAYEE_ADDRESS, PAYER_ADDRESS, SYSTEM_PROGRAM, write_payments
from .clients import Control, Message, closing_code, get, going_on, open_control, open_data, post

LAST_SLOT = FIRST_SLOT + 4
PROGRAM = {"address_type": "program"}


def slots(messages: list[Message]) -> list[int]:
    """Return the slots of the notifications, without the end markers."""
    results = [m["params"]["result"] for m in messages if "result" in m["params"]]
    return [result["context"]["slot"] if "context" in result else result["slot"] for result in results]


# Subscriptions


@pytest.mark.parametrize(
    ("method", "target", "options"),
    [
        ("accountDiffSubscribe", PAYEE_ADDRESS, {}),
        ("transactionSubscribe", {"mentions": [PAYEE_ADDRESS]}, {"commitment": "confirmed"}),
        ("logsSubscribe", {"mentions": [SYSTEM_PROGRAM]}, {"commitment": "confirmed"}),
    ],
)
async def test_a_subscription_gives_each_slot_and_then_its_end(
    payments: Path, method: str, target: object, options: Message
) -> None:
    """Every kind of subscription is acknowledged, gives one notification per payment, and ends with its marker."""
    async with open_local_simulator([payments]) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, LAST_SLOT)
        async with open_data(simulator, control) as data:
            number = (await data.subscribe(1, method, target, **options))["result"]
            await control.advance(9)
            seen = await data.until_complete()

    assert slots(seen) == list(range(FIRST_SLOT, LAST_SLOT + 1))
    assert {m["method"] for m in seen[:-1]} == {method.replace("Subscribe", "Notification")}
    assert {m["params"]["subscription"] for m in seen} == {number}


async def test_a_program_means_every_account_that_it_owns(payments: Path) -> None:
    """With `address_type: program` come the diffs of all accounts of the program."""
    async with open_local_simulator([payments]) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, FIRST_SLOT)
        async with open_data(simulator, control) as data:
            await data.subscribe(1, "accountDiffSubscribe", SYSTEM_PROGRAM, **PROGRAM)
            await control.advance(9)
            accounts = [m["params"]["result"]["account"] for m in (await data.until_complete())[:-1]]

    assert accounts == [PAYER_ADDRESS, PAYEE_ADDRESS]


async def test_subscriptions_of_one_socket_end_one_by_one(payments: Path) -> None:
    """Two subscriptions on one socket have their own notifications and their own end markers, after everything else."""
    async with open_local_simulator([payments]) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, LAST_SLOT)
        async with open_data(simulator, control) as data:
            one = (await data.subscribe(1, "accountDiffSubscribe", PAYER_ADDRESS))["result"]
            other = (await data.subscribe(2, "logsSubscribe", {"mentions": [PAYEE_ADDRESS]}))["result"]
            await control.advance(9)
            seen = await data.until_complete(2)

    for number in (one, other):
        mine = [m for m in seen if m["params"]["subscription"] == number]
        assert slots(mine) == list(range(FIRST_SLOT, LAST_SLOT + 1))
        assert mine[-1]["method"] == "subscriptionComplete"


async def test_subscriptions_of_one_socket_are_served_in_the_order_of_what_happened(payments: Path) -> None:
    """No slot comes before an earlier one of another subscription; one that begins in the past is served alone until it has caught up."""
    async with open_local_simulator([payments]) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, LAST_SLOT)
        await control.advance(2)
        async with open_data(simulator, control) as data:
            await data.subscribe(1, "accountDiffSubscribe", PAYEE_ADDRESS, replayFromSlot=FIRST_SLOT + 2)
            await data.subscribe(2, "logsSubscribe", {"mentions": [PAYEE_ADDRESS]}, replayFromSlot=FIRST_SLOT + 2)
            await data.subscribe(3, "accountDiffSubscribe", PAYER_ADDRESS)
            await control.advance(9)
            seen = await data.until_complete(3)

    assert slots(seen) == [
        FIRST_SLOT,
        FIRST_SLOT + 1,
        *(slot for slot in range(FIRST_SLOT + 2, LAST_SLOT + 1) for _ in range(3)),
    ]


async def test_replay_begins_with_the_slot_itself(payments: Path) -> None:
    """`replayFromSlot` is inclusive."""
    async with open_local_simulator([payments]) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, LAST_SLOT)
        await control.advance(4)
        async with open_data(simulator, control) as data:
            await data.subscribe(1, "accountDiffSubscribe", PAYEE_ADDRESS, replayFromSlot=FIRST_SLOT + 2)
            await control.advance(9)
            assert slots(await data.until_complete()) == [FIRST_SLOT + 2, FIRST_SLOT + 3, FIRST_SLOT + 4]


async def test_without_a_cursor_everything_comes(payments: Path) -> None:
    """A socket that is lost before its first notification comes back without `replayFromSlot`, and misses nothing."""
    async with open_local_simulator([payments]) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, LAST_SLOT)
        async with open_data(simulator, control) as lost:
            await lost.subscribe(1, "accountDiffSubscribe", PAYEE_ADDRESS)
        await control.advance(4)
        async with open_data(simulator, control) as data:
            await data.subscribe(1, "accountDiffSubscribe", PAYEE_ADDRESS)
            await control.advance(9)
            assert slots(await data.until_complete()) == list(range(FIRST_SLOT, LAST_SLOT + 1))


async def test_without_a_cursor_what_is_kept_comes(tmp_path: Path) -> None:
    """Where the oldest notifications were dropped, a subscription without `replayFromSlot` begins with the oldest that is left."""
    path = write_payments(tmp_path / "many.bundle", slots=20, payments=5)
    limits = SimulatorLimits(notifications=LogLimits(memory_bytes=20_000, disk_bytes=0))
    async with open_local_simulator([path], limits=limits) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, FIRST_SLOT + 19)
        await control.advance(10)
        async with open_data(simulator, control) as data:
            assert "result" in await data.subscribe(1, "accountDiffSubscribe", PAYEE_ADDRESS)
            await control.advance(10)
            seen = slots(await data.until_complete())

    assert FIRST_SLOT < seen[0] < FIRST_SLOT + 10
    assert sorted(set(seen)) == list(range(seen[0], FIRST_SLOT + 20))


async def test_what_is_no_longer_kept_cannot_be_replayed(tmp_path: Path) -> None:
    """A replay from before the oldest notification kept is refused, not begun with a hole."""
    path = write_payments(tmp_path / "many.bundle", slots=20, payments=5)
    limits = SimulatorLimits(notifications=LogLimits(memory_bytes=20_000, disk_bytes=0))
    async with open_local_simulator([path], limits=limits) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, FIRST_SLOT + 19)
        await control.advance(10)
        async with open_data(simulator, control) as data:
            answer = await data.subscribe(1, "accountDiffSubscribe", PAYEE_ADDRESS, replayFromSlot=FIRST_SLOT)

    assert "no longer kept" in answer["error"]["message"]


async def test_what_memory_does_not_hold_is_replayed_from_disk(tmp_path: Path) -> None:
    """A subscription that begins long after the fact gets everything from the first slot, as control does from the first event."""
    path = write_payments(tmp_path / "many.bundle", slots=60, payments=5)
    small = LogLimits(memory_bytes=20_000, disk_bytes=2**24)
    limits = SimulatorLimits(notifications=small, events=LogLimits(memory_bytes=2_000, disk_bytes=2**20))
    last = FIRST_SLOT + 59
    async with open_local_simulator([path], limits=limits) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, last, disconnectTimeoutSecs=60)
        await control.advance(60)
        async with open_data(simulator, control) as data, open_control(simulator) as again:
            await data.subscribe(1, "transactionSubscribe", {"mentions": [PAYEE_ADDRESS]}, replayFromSlot=FIRST_SLOT)
            assert slots(await data.until_complete()) == [
                slot for slot in range(FIRST_SLOT, last + 1) for _ in range(5)
            ]
            await again.ask("attachBacktestSession", {"session_id": control.session_id, "last_sequence": None})
            events = await again.until("completed")
            assert [event["seqId"] for event in events] == list(range(1, len(events) + 1))


async def test_compressed_notifications_are_one_stream(payments: Path) -> None:
    """With zstd the acknowledgement is text, and the binary frames of two subscriptions are one stream in order."""
    async with open_local_simulator([payments]) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, LAST_SLOT)
        async with open_data(simulator, control) as data:
            await data.subscribe(1, "accountDiffSubscribe", PAYEE_ADDRESS, compression="zstd")
            await data.subscribe(2, "logsSubscribe", {"mentions": [PAYEE_ADDRESS]}, compression="zstd")
            await control.advance(9)
            decompressor = zstandard.ZstdDecompressor().decompressobj()
            seen, markers = [], 0
            while markers < 2:
                frame = await data.receive()
                if isinstance(frame, bytes):
                    seen.append(json.loads(decompressor.decompress(frame)))
                else:
                    markers += json.loads(frame)["method"] == "subscriptionComplete"

    assert sorted(slots(seen)) == sorted([*range(FIRST_SLOT, LAST_SLOT + 1)] * 2)


async def test_an_unsubscribed_subscription_is_silent(payments: Path) -> None:
    """After its end nothing of a subscription comes, not even a marker; the other one goes on."""
    async with open_local_simulator([payments]) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, LAST_SLOT)
        async with open_data(simulator, control) as data:
            number = (await data.subscribe(1, "accountDiffSubscribe", PAYEE_ADDRESS))["result"]
            kept = (await data.subscribe(2, "accountDiffSubscribe", PAYER_ADDRESS))["result"]
            await data.socket.send_message(
                json.dumps({"jsonrpc": "2.0", "id": 3, "method": "accountDiffUnsubscribe", "params": [number]})
            )
            assert json.loads(await data.receive())["result"] is True
            await control.advance(9)
            assert {m["params"]["subscription"] for m in await data.until_complete()} == {kept}


@pytest.mark.parametrize("target", ["not an address", 5, None])
async def test_a_bad_target_is_refused(payments: Path, target: object) -> None:
    """A subscription to what is no address is answered with Solana's code for bad parameters."""
    async with open_local_simulator([payments]) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, LAST_SLOT)
        async with open_data(simulator, control) as data:
            assert (await data.subscribe(1, "accountDiffSubscribe", target))["error"]["code"] == -32602


async def test_other_methods_are_answered_on_the_socket(payments: Path) -> None:
    """A request that is no subscription is answered as over HTTP."""
    async with open_local_simulator([payments]) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, LAST_SLOT)
        async with open_data(simulator, control) as data:
            assert (await data.subscribe(1, "getBalance", PAYEE_ADDRESS))["result"]["value"] == LAMPORTS


async def test_a_slow_reader_holds_up_nobody_else(tmp_path: Path) -> None:
    """A reader that does not read stops its own session when the log is full, and another session runs to its end."""
    path = write_payments(tmp_path / "many.bundle", slots=400, payments=8)
    last = FIRST_SLOT + 399
    limits = SimulatorLimits(notifications=LogLimits(memory_bytes=100_000, disk_bytes=0))
    async with (
        open_local_simulator([path], limits=limits) as simulator,
        open_control(simulator) as slow,
        open_control(simulator) as quick,
    ):
        await slow.create(FIRST_SLOT, last)
        await quick.create(FIRST_SLOT, last)
        async with open_data(simulator, slow) as data:
            await data.subscribe(1, "transactionSubscribe", {"mentions": [SYSTEM_PROGRAM]})
            await slow.send("continue", going_on(2**64 - 1))
            assert (await quick.advance(2**64 - 1))[-1]["method"] == "completed"
            count = len(slots(await data.until_complete()))
            assert (await slow.until("completed"))[-1]["method"] == "completed"

    assert count == 400 * 8


async def test_the_data_socket_ends_with_its_session(payments: Path) -> None:
    """Closing a session closes its data sockets with 1001."""
    async with open_local_simulator([payments]) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, LAST_SLOT)
        async with open_data(simulator, control) as data:
            await data.subscribe(1, "accountDiffSubscribe", PAYEE_ADDRESS)
            await control.ask("closeBacktestSession")
            assert await closing_code(data.socket) == 1001


@asynccontextmanager
async def open_closed(simulator: LocalSimulator, *, last_slot: int = LAST_SLOT) -> AsyncGenerator[Control]:
    """Run a session up to `last_slot`, and close it, as the official client does when it has read `completed`."""
    async with open_control(simulator) as control:
        await control.create(FIRST_SLOT, LAST_SLOT)
        await control.advance(last_slot - FIRST_SLOT + 1)
        assert (await control.ask("closeBacktestSession"))["method"] == "success"
        yield control


async def test_a_completed_session_gives_what_was_missed_after_it_was_closed(payments: Path) -> None:
    """A client whose data socket is down when it reads `completed` closes the session, and comes back for the rest of each stream."""
    async with open_local_simulator([payments]) as simulator, open_closed(simulator) as control:
        async with open_data(simulator, control) as data:
            one = await data.subscribe(1, "accountDiffSubscribe", PAYEE_ADDRESS, replayFromSlot=FIRST_SLOT + 2)
            seen = await data.until_complete()
            other = await data.subscribe(2, "logsSubscribe", {"mentions": [PAYEE_ADDRESS]})
            more = await data.until_complete()

    assert slots(seen) == list(range(FIRST_SLOT + 2, LAST_SLOT + 1))
    assert slots(more) == list(range(FIRST_SLOT, LAST_SLOT + 1))
    assert [seen[-1]["params"]["subscription"], more[-1]["params"]["subscription"]] == [one["result"], other["result"]]


async def test_nothing_else_of_a_closed_session_is_left(payments: Path) -> None:
    """Its RPC is gone, nobody can attach to it, its place is free, and a data socket on which nothing is asked for is closed."""
    limits = SimulatorLimits(max_sessions=1, close_seconds=0.1)
    async with open_local_simulator([payments], limits=limits) as simulator, open_closed(simulator) as control:
        assert (await post(simulator, control.endpoint, "getSlot")).status_code == 404
        async with open_data(simulator, control) as data, open_control(simulator) as again:
            assert await closing_code(data.socket) == 1001
            session = {"session_id": control.session_id, "last_sequence": None}
            refused = await again.ask("attachBacktestSession", session)
            await again.create(FIRST_SLOT, LAST_SLOT)

    assert "sessionNotFound" in refused["params"]


async def test_a_session_that_was_closed_before_its_end_is_gone(payments: Path) -> None:
    """Whoever closes it does not want the rest."""
    async with open_local_simulator([payments]) as simulator, open_closed(simulator, last_slot=FIRST_SLOT) as control:
        assert await handshake_status(simulator, control.endpoint) == 404


@pytest.mark.parametrize("limits", [SimulatorLimits(closed_seconds=0), SimulatorLimits(max_sessions=1)])
async def test_closed_sessions_are_kept_within_bounds(payments: Path, limits: SimulatorLimits) -> None:
    """Only for some time, and only the newest."""
    async with open_local_simulator([payments], limits=limits) as simulator, open_closed(simulator) as first:
        async with open_closed(simulator):
            with trio.fail_after(30):
                while await handshake_status(simulator, first.endpoint) != 404:
                    await trio.lowlevel.checkpoint()


# RPC and other paths


async def test_the_state_is_that_after_the_last_slot(payments: Path) -> None:
    """The RPC endpoint answers from the state after the last slot that was executed."""
    async with open_local_simulator([payments]) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, LAST_SLOT)
        await control.advance(2)
        answer = (await post(simulator, control.endpoint, "getBalance", PAYEE_ADDRESS)).json()

    assert answer["result"] == {"context": answer["result"]["context"], "value": LAMPORTS + 2_000_001}
    assert answer["result"]["context"]["slot"] == FIRST_SLOT + 1


async def test_rpc_before_the_bundle_is_loaded_is_not_ready(payments: Path) -> None:
    """Until the engine has loaded the endpoint answers 503, and afterwards 200."""
    async with open_local_simulator([payments]) as simulator, open_control(simulator) as control:
        params = {"startSlot": FIRST_SLOT, "endSlot": LAST_SLOT, "signerFilter": [], "sendSummary": False, "agents": []}
        endpoint = (await control.ask("createBacktestSession", params))["params"]["rpc_endpoint"]
        early = await post(simulator, endpoint, "getSlot")
        await control.until("readyForContinue")
        later = await post(simulator, endpoint, "getSlot")

    assert (early.status_code, early.headers["retry-after"], later.status_code) == (503, "1", 200)


async def test_an_unknown_session_has_no_endpoint(payments: Path) -> None:
    """RPC and WebSocket of a session that is not there are answered with 404."""
    async with open_local_simulator([payments]) as simulator:
        assert (await post(simulator, "/backtest/nobody", "getSlot")).status_code == 404
        assert await handshake_status(simulator, "/backtest/nobody") == 404


async def test_the_ranges_are_those_of_the_bundles(payments: Path) -> None:
    """`/available-ranges` says what can be replayed."""
    async with open_local_simulator([payments]) as simulator:
        [served] = (await get(simulator, "/available-ranges")).json()

    assert (served["bundle_start_slot"], served["max_bundle_end_slot"]) == (FIRST_SLOT, LAST_SLOT)


@pytest.mark.parametrize("of", [lambda path: path, str, lambda path: [str(path)]], ids=["path", "text", "list"])
async def test_one_bundle_may_be_named_alone(payments: Path, of: Callable[[Path], Path | str | list[str]]) -> None:
    """A path, a text or several: each names files, never the letters of a text."""
    async with open_local_simulator(of(payments)) as simulator:
        [served] = (await get(simulator, "/available-ranges")).json()
        assert served["bundle_start_slot"] == FIRST_SLOT


@pytest.mark.parametrize(("path", "status"), [("/", 404), ("/backtest", 426), ("/available-ranges/x", 404)])
async def test_other_paths_are_refused(payments: Path, path: str, status: int) -> None:
    """What is not served is refused with a typed body."""
    async with open_local_simulator([payments]) as simulator:
        answer = await get(simulator, path)

    assert (answer.status_code, set(answer.json()["error"])) == (status, {"kind", "message"})


@pytest.mark.parametrize("headers", [{"host": "evil.example"}, {"origin": "https://evil.example"}])
@pytest.mark.parametrize("path", ["/available-ranges", "/backtest"])
async def test_web_pages_are_refused(payments: Path, path: str, headers: dict[str, str]) -> None:
    """A foreign Host or Origin is answered with 403 on every path."""
    async with open_local_simulator([payments]) as simulator:
        assert (await get(simulator, path, headers)).status_code == 403


async def test_a_bundle_put_in_anothers_place_is_read_anew(tmp_path: Path) -> None:
    """A session begun after the file was replaced has the new file's state; one that runs goes on with the old one's."""
    path = write_payments(tmp_path / "b.bundle")
    async with open_local_simulator([path]) as simulator, open_control(simulator) as before:
        await before.create(FIRST_SLOT, LAST_SLOT)
        write_payments(tmp_path / "new.bundle", payments=2).rename(path)
        gains = []
        async with open_control(simulator) as after:
            await after.create(FIRST_SLOT, LAST_SLOT)
            for control in (before, after):
                await control.advance(9)
                balance = (await post(simulator, control.endpoint, "getBalance", PAYEE_ADDRESS)).json()["result"][
                    "value"
                ]
                gains.append((balance - LAMPORTS) // 1_000_000)

    assert gains == [5, 10]


async def handshake_status(simulator: LocalSimulator, path: str) -> int:
    """Return the status that a WebSocket handshake is answered with."""
    with trio.fail_after(30):
        async with await trio.open_tcp_stream("127.0.0.1", simulator.port) as stream:
            await stream.send_all(
                f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
            )
            return int((await stream.receive_some()).split()[1])
