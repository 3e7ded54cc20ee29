"""What reaches the user, and when: cursors per key, both kinds of frames, priorities, budgets. End to end over real WebSockets."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

import attrs
import pytest
import trio
import trio.testing

from simclient.session.backtest import BacktestSession
from simclient.session.inbox import Event
from simclient.session.limits import Limits
from simclient.session.managed import open_backtest_session
from simclient.session.options import Delivery
from simclient.testing import (
    ControlPeer,
    DataPeer,
    ScriptedServer,
    Verdict,
    account_diff,
    numbered_diffs,
    open_scripted_server,
)
from simclient.wire.jsonrpc import SubscribeRequest
from simclient.wire.notifications import AccountDiff
from simclient.wire.responses import Completed, ReadyForContinue, SlotNotification, Status
from simclient.wire.subscriptions import AccountDiffs

from .sessions import OTHER, PROGRAM, QUICK, complete_at_once

PATIENT = attrs.evolve(QUICK, drain_idle_seconds=5.0)
TRUTH = numbered_diffs(60, slots=range(100, 106), copies=2)


def open_watching(
    server: ScriptedServer,
    *,
    programs: tuple[str, ...] = (PROGRAM,),
    limits: Limits = PATIENT,
    delivery: Delivery = Delivery.EXACTLY_ONCE,
    compress: bool = True,
) -> AbstractAsyncContextManager[BacktestSession]:
    return open_backtest_session(
        server.url,
        start_slot=100,
        end_slot=105,
        subscriptions=[AccountDiffs(program=programs)],
        limits=limits,
        delivery=delivery,
        compress=compress,
    )


async def collect(session: BacktestSession) -> list[AccountDiff]:
    with trio.fail_after(20):
        return [event async for event in session if isinstance(event, AccountDiff)]


async def subscribe_all(peer: DataPeer, count: int) -> dict[str, SubscribeRequest]:
    """Receive subscribe requests and acknowledge them as 1, 2 and so on; return them by address."""
    requests = [await peer.accept_subscribe(number) for number in range(1, count + 1)]
    return {request.key.address: request for request in requests}


# Cursors


async def test_each_key_of_a_subscription_has_a_cursor_of_its_own() -> None:
    """One key is far ahead of the other when the socket breaks: each is replayed from where it was."""
    truths = {name: numbered_diffs(30, slots=range(100, 106), name=name) for name in ("ahead", "behind")}

    async def first(peer: DataPeer) -> None:
        await subscribe_all(peer, 2)
        await peer.notify(*truths["ahead"].results, subscription_id=1)
        await peer.notify(*truths["behind"].results[:7], subscription_id=2)
        peer.reset()

    async def second(peer: DataPeer) -> None:
        requests = await subscribe_all(peer, 2)
        assert (requests[PROGRAM].replay_from_slot, requests[OTHER].replay_from_slot) == (105, 101)
        await peer.notify(*truths["behind"].results_from(101), subscription_id=2)
        await peer.notify(*truths["ahead"].results_from(105), subscription_id=1)
        await peer.complete(2)
        await peer.complete(1)
        await peer.hold()

    async with open_scripted_server(control=[complete_at_once], data=[first, second]) as server:
        async with open_watching(server, programs=(PROGRAM, OTHER)) as session:
            received = await collect(session)

    for name, truth in truths.items():
        mine = [diff for diff in received if (diff.signature or "").startswith(name)]
        assert truth.compare(mine) == Verdict()


@pytest.mark.parametrize("delivery", Delivery)
async def test_the_boundary_slot_is_compared_as_a_multiset(delivery: Delivery) -> None:
    """It comes again in another order and under another number, each thing twice because it happened twice."""

    async def first(peer: DataPeer) -> None:
        await peer.accept_subscribe(7)
        await peer.notify(*TRUTH.results[:35], subscription_id=7)
        peer.cut()

    async def second(peer: DataPeer) -> None:
        request = await peer.accept_subscribe(8)
        again = TRUTH.results_from(request.replay_from_slot)
        await peer.notify(*reversed(again[:20]), *again[20:], subscription_id=8)
        await peer.complete(8)
        await peer.hold()

    async with open_scripted_server(control=[complete_at_once], data=[first, second]) as server:
        async with open_watching(server, delivery=delivery) as session:
            received = await collect(session)
            dropped = session.statistics().duplicates_dropped

    verdict = TRUTH.compare(received)
    twice = 0 if delivery is Delivery.EXACTLY_ONCE else 15
    assert (verdict.lost, verdict.duplicated, verdict.invented) == (0, twice, 0)
    assert dropped == 15 - twice


# Frames


@pytest.mark.parametrize("asks", [True, False], ids=["asked for zstd", "asked for text"])
async def test_text_frames_are_read_whatever_was_asked_for(asks: bool) -> None:
    """A server may ignore the request for compression."""

    async def data(peer: DataPeer) -> None:
        assert (await peer.accept_subscribe()).compress is asks
        await peer.notify(*TRUTH.results)
        await peer.complete()
        await peer.hold()

    async with open_scripted_server(control=[complete_at_once], data=[data]) as server:
        async with open_watching(server, compress=asks) as session:
            assert TRUTH.compare(await collect(session)) == Verdict()


async def test_each_socket_begins_a_new_compressed_stream() -> None:
    """What the decoder has seen on a broken socket means nothing on the next, which may be plain, too."""

    async def first(peer: DataPeer) -> None:
        await peer.accept_subscribe()
        peer.start_compressing()
        await peer.notify(*TRUTH.results[:35])
        peer.reset()

    async def second(peer: DataPeer) -> None:
        request = await peer.accept_subscribe()
        peer.start_compressing()
        await peer.notify(*TRUTH.results_from(request.replay_from_slot)[:30])
        peer.cut()

    async def third(peer: DataPeer) -> None:
        request = await peer.accept_subscribe()
        await peer.notify(*TRUTH.results_from(request.replay_from_slot))
        await peer.complete()
        await peer.hold()

    async with open_scripted_server(control=[complete_at_once], data=[first, second, third]) as server:
        async with open_watching(server) as session:
            assert TRUTH.compare(await collect(session)) == Verdict()


@pytest.mark.parametrize(
    "damage",
    [b"\x00\x01\x02\x03", b'{"jsonrpc":"2.0","method":"accountDiffNotification","params":'],
    ids=["zstd", "JSON"],
)
async def test_a_damaged_stream_is_resumed(damage: bytes) -> None:
    """What came before the damage is delivered, the rest by the next socket."""

    async def first(peer: DataPeer) -> None:
        await peer.accept_subscribe()
        peer.start_compressing()
        await peer.notify(*TRUTH.results[:35])
        await peer.send_message(damage if damage[0] == 0 else damage.decode())
        await peer.hold()

    async def second(peer: DataPeer) -> None:
        request = await peer.accept_subscribe()
        assert request.replay_from_slot == TRUTH.diffs[34].slot
        await peer.notify(*TRUTH.results_from(request.replay_from_slot))
        await peer.complete()
        await peer.hold()

    async with open_scripted_server(control=[complete_at_once], data=[first, second]) as server:
        async with open_watching(server) as session:
            assert TRUTH.compare(await collect(session)) == Verdict()


# Priorities


async def test_control_events_are_never_held_behind_a_backlog_of_notifications() -> None:
    """The next event after a control event was received is that one, though thousands of notifications wait."""
    said = trio.Event()

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await may_speak.wait()
        await peer.send(Status(status="startingRuntime"))
        await peer.ping()  # what was sent before has been read
        said.set()
        await may_end.wait()
        await peer.send(Completed())
        await peer.accept_close()

    async def data(peer: DataPeer) -> None:
        await peer.accept_subscribe()
        await peer.notify(*TRUTH.results)
        await peer.complete()
        await peer.hold()

    may_speak, may_end = trio.Event(), trio.Event()
    async with open_scripted_server(control=[control], data=[data]) as server, open_watching(server) as session:
        with trio.fail_after(10):
            before = await anext(session)
            may_speak.set()
            await said.wait()
            await trio.testing.wait_all_tasks_blocked()
            assert session.statistics().control_events == 1
            after = await anext(session)
            may_end.set()
            async for _ in session:
                pass

    assert isinstance(before, AccountDiff)
    assert after == Status(status="startingRuntime")


async def test_keepalive_goes_on_while_the_user_does_not_read() -> None:
    """Pings of the server are answered and ours are sent on the control socket, however full everything is."""
    fat = numbered_diffs(400, slots=range(100, 106), payload_bytes=20_000)

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(*(SlotNotification(slot=100 + number) for number in range(5000)))
        for _ in range(5):
            await peer.ping()
        answered.set()
        await peer.send(Completed())
        await peer.accept_close()

    async def data(peer: DataPeer) -> None:
        await peer.accept_subscribe()
        await peer.notify(*fat.results)
        await peer.complete()
        await peer.hold()

    answered = trio.Event()
    limits = attrs.evolve(PATIENT, keepalive_interval_seconds=0.05, keepalive_deadline_seconds=0.5)
    events: list[Event] = []
    async with open_scripted_server(control=[control], data=[data]) as server:
        async with open_watching(server, limits=limits) as session:
            with trio.fail_after(20):
                await answered.wait()
                await trio.sleep(1.0)  # twice the deadline: a user who sleeps causes no false alarm
                events += [event async for event in session]
            statistics = session.statistics()

    assert fat.compare(event for event in events if isinstance(event, AccountDiff)) == Verdict()
    assert (statistics.control_reconnects, statistics.data_reconnects) == (0, 0)


# The drain


async def test_what_follows_the_end_marker_does_not_matter() -> None:
    """Garbage in the same read as the marker: the subscription has ended all the same."""

    async def data(peer: DataPeer) -> None:
        await peer.accept_subscribe()
        await peer.notify(account_diff(100))
        await peer.send_bytes(
            b"".join(
                b"\x81" + bytes([len(text)]) + text
                for text in (b'{"method":"subscriptionComplete","params":{"subscription":1}}', b"garbage")
            )
        )
        await peer.hold()

    async with open_scripted_server(control=[complete_at_once], data=[data]) as server:
        async with open_watching(server) as session:
            with trio.fail_after(10):
                events = [event async for event in session]

    assert [type(event) for event in events if not isinstance(event, ReadyForContinue)] == [AccountDiff, Completed]


async def test_a_subscription_that_is_acknowledged_late_is_waited_for_in_the_drain() -> None:
    """The drain limit is for connected ones."""

    async def data(peer: DataPeer) -> None:
        request = await peer.receive_subscribe()
        await trio.sleep(0.5)  # five times the limit
        await peer.acknowledge(request)
        await peer.notify(account_diff(100))
        await peer.complete()
        await peer.hold()

    limits = attrs.evolve(QUICK, drain_idle_seconds=0.1)
    async with open_scripted_server(control=[complete_at_once], data=[data]) as server:
        async with open_watching(server, limits=limits) as session:
            with trio.fail_after(10):
                events = [event async for event in session]

    assert [type(event) for event in events if not isinstance(event, ReadyForContinue)] == [AccountDiff, Completed]
