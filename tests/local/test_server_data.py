"""The data plane of the simulator, over real sockets and with another client than ours."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import zstandard

from simclient.local import LocalSimulator, open_local_simulator
from simclient.local.server.limits import SimulatorLimits
from simclient.local.server.replay_log import LogLimits

from .blocks import FIRST_SLOT, LAMPORTS, PAYEE_ADDRESS, PAYER_ADDRESS, SYSTEM_PROGRAM, write_payments
from .clients import Control, Message, closing_code, going_on, handshake_status, open_control, open_data, post

LAST_SLOT = FIRST_SLOT + 4
PROGRAM = {"address_type": "program"}


def slots(messages: list[Message]) -> list[int]:
    """Return the slots of the notifications, without the end markers."""
    results = [m["params"]["result"] for m in messages if "result" in m["params"]]
    return [result["context"]["slot"] if "context" in result else result["slot"] for result in results]


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


@asynccontextmanager
async def forgetful_run(folder: Path) -> AsyncGenerator[tuple[LocalSimulator, Control]]:
    """Execute ten slots of twenty in a simulator that keeps the notifications of the last few."""
    path = write_payments(folder / "many.bundle", slots=20, payments=5)
    limits = SimulatorLimits(notifications=LogLimits(memory_bytes=20_000, disk_bytes=0))
    async with open_local_simulator([path], limits=limits) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, FIRST_SLOT + 19)
        await control.advance(10)
        yield simulator, control


async def test_without_a_cursor_what_is_kept_comes(tmp_path: Path) -> None:
    """Where the oldest notifications were dropped, a subscription without `replayFromSlot` begins with the oldest that is left."""
    async with forgetful_run(tmp_path) as (simulator, control):
        async with open_data(simulator, control) as data:
            assert "result" in await data.subscribe(1, "accountDiffSubscribe", PAYEE_ADDRESS)
            await control.advance(10)
            seen = slots(await data.until_complete())

    assert FIRST_SLOT < seen[0] < FIRST_SLOT + 10
    assert sorted(set(seen)) == list(range(seen[0], FIRST_SLOT + 20))


async def test_what_is_no_longer_kept_cannot_be_replayed(tmp_path: Path) -> None:
    """A replay from before the oldest notification kept is refused, not begun with a hole."""
    async with forgetful_run(tmp_path) as (simulator, control):
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
        # The place of a session that was closed is free a moment after the answer, when its engine has ended.
        await control.create(FIRST_SLOT, LAST_SLOT, capacityWaitTimeoutSecs=30)
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
            await again.create(FIRST_SLOT, LAST_SLOT, capacityWaitTimeoutSecs=30)

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
