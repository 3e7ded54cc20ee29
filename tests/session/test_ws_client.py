"""What simulator-client 0.9.0 and 0.28.0 demand of a managed session, end to end over real WebSockets.

Each test has the name of the one in `tests/ws_client.rs` of those crates that demands it. Where ours promises more (each
notification exactly once, a notification nowhere lost) the test demands that.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import pytest
import trio

from simclient.errors import SubscriptionFailed
from simclient.protocol.budget import BudgetLimits
from simclient.session.backtest import BacktestSession
from simclient.session.inbox import Event
from simclient.session.limits import Limits
from simclient.session.managed import open_backtest_session
from simclient.session.options import Delivery
from simclient.testing import (
    ControlPeer,
    ControlScript,
    DataPeer,
    DataScript,
    Verdict,
    account_diff,
    numbered_diffs,
    open_scripted_server,
)
from simclient.wire.generation import NEWEST, Generation
from simclient.wire.notifications import AccountDiff
from simclient.wire.responses import Completed, ReadyForContinue, SlotNotification
from simclient.wire.subscriptions import AccountDiffs, Replacements
from simclient.wire.summary import AgentStats, SessionSummary

PROGRAM = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
OTHER_PROGRAM = "whirLbMiicVdio4qvUfM5KAg6Ct8VwpYzGff3uctyCc"
QUICK = BudgetLimits(first_delay_seconds=0.01)
"""Reconnects at once: the tests are about what follows."""


async def complete_at_once(peer: ControlPeer) -> None:
    """Say `completed` before any notification: the whole stream is trailing."""
    await peer.accept_create()
    await peer.send(ReadyForContinue(), Completed())
    await peer.accept_close()


@asynccontextmanager
async def session_over(
    *,
    data: Iterable[DataScript],
    control: ControlScript = complete_at_once,
    programs: tuple[str, ...] = (PROGRAM,),
    limits: Limits = Limits(reconnect=QUICK),  # noqa: B008
    delivery: Delivery = Delivery.EXACTLY_ONCE,
    generation: Generation = NEWEST,
) -> AsyncIterator[BacktestSession]:
    """Open a session against these scripts."""
    async with open_scripted_server(control=[control], data=data, api_key="k", generation=generation) as server:
        async with open_backtest_session(
            server.url,
            start_slot=100,
            end_slot=105,
            subscriptions=[AccountDiffs(program=programs)],
            api_key="k",
            limits=limits,
            delivery=delivery,
        ) as session:
            yield session


async def collect(session: BacktestSession) -> list[Event]:
    """Return everything up to the end; a hang fails."""
    with trio.fail_after(10):
        return [event async for event in session]


def diffs(events: Iterable[Event]) -> list[AccountDiff]:
    """Return the account diffs among `events`."""
    return [event for event in events if isinstance(event, AccountDiff)]


async def test_subscription_drains_all_notifications_then_terminal_closes_channel() -> None:
    """Every notification is delivered, then the stream ends at its end marker, though the server keeps the socket open."""

    async def data(peer: DataPeer) -> None:
        request = await peer.accept_subscribe()
        assert request.key.method == "accountDiffSubscribe"
        await peer.notify(*map(account_diff, range(5)))
        await peer.complete()
        await peer.hold_until_gone()

    async with session_over(data=[data]) as session:
        events = await collect(session)

    assert [diff.slot for diff in diffs(events)] == [0, 1, 2, 3, 4]


async def test_next_event_drains_subscriptions_before_completed() -> None:
    """A `completed` that overtakes the notifications comes last, with its summary and agent statistics whole."""
    completed = Completed(
        summary=SessionSummary(correct_simulation=7, incorrect_simulation=2),
        agent_stats=(AgentStats(name="agent-1", slots_processed=6),),
    )
    has_completed = trio.Event()

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue(), completed)
        has_completed.set()
        await peer.accept_close()

    async def data(peer: DataPeer) -> None:
        await peer.accept_subscribe()
        await has_completed.wait()
        await peer.notify(*map(account_diff, range(5)))
        await peer.complete()
        await peer.hold()

    async with session_over(control=control, data=[data], generation=Generation.V0_9) as session:
        events = await collect(session)

    assert len(diffs(events)) == 5
    assert events[-1] == completed


async def test_slow_notification_stream_is_not_truncated_by_drain_timeout() -> None:
    """The drain limit counts the gaps of a stream, not its length."""
    gap_seconds, count = 0.05, 20

    async def data(peer: DataPeer) -> None:
        await peer.accept_subscribe()
        for slot in range(count):
            await peer.notify(account_diff(slot))
            await trio.sleep(gap_seconds)
        await peer.complete()
        await peer.hold()

    async with session_over(data=[data], limits=Limits(drain_idle_seconds=0.3)) as session:
        events = await collect(session)

    assert len(diffs(events)) == count
    assert isinstance(events[-1], Completed)


async def test_stalled_completion_drain_surfaces_failure_not_completed() -> None:
    """A stream that goes silent before its end marker fails the run after everything was delivered."""

    async def data(peer: DataPeer) -> None:
        await peer.accept_subscribe()
        await peer.notify(*map(account_diff, range(3)))
        await peer.hold()

    received: list[Event] = []
    async with session_over(data=[data], limits=Limits(drain_idle_seconds=0.2)) as session:
        with pytest.raises(SubscriptionFailed) as caught, trio.fail_after(10):
            async for event in session:
                received.append(event)  # noqa: PERF401  # what came before the failure counts

    assert [diff.slot for diff in diffs(received)] == [0, 1, 2]
    assert caught.value.last_slot == 2
    assert not any(isinstance(event, Completed) for event in received)


@pytest.mark.parametrize(
    ("delivery", "slots"),
    [(Delivery.EXACTLY_ONCE, [0, 1, 2, 3, 4]), (Delivery.AT_LEAST_ONCE, [0, 1, 2, 2, 3, 4])],
)
@pytest.mark.parametrize("end", ["cut", "reset"])
async def test_reconnect_resumes_from_last_slot_via_replay_cursor(
    end: str, delivery: Delivery, slots: list[int]
) -> None:
    """After a drop the subscribe carries the last slot delivered; the boundary slot shows twice only on request."""
    three_arrived = trio.Event()

    async def first(peer: DataPeer) -> None:
        request = await peer.accept_subscribe()
        assert request.replay_from_slot is None
        await peer.notify(*map(account_diff, range(3)))
        await three_arrived.wait()
        getattr(peer, end)()

    async def second(peer: DataPeer) -> None:
        request = await peer.accept_subscribe(subscription_id=9)
        assert request.replay_from_slot == 2
        await peer.notify(*map(account_diff, range(2, 5)), subscription_id=9)
        await peer.complete(9)
        await peer.hold()

    received: list[Event] = []
    async with session_over(data=[first, second], delivery=delivery) as session:
        with trio.fail_after(10):
            async for event in session:
                received.append(event)
                if len(diffs(received)) == 3:
                    three_arrived.set()

    assert [diff.slot for diff in diffs(received)] == slots


async def test_compressed_binary_notifications_are_decoded() -> None:
    """The client asks for zstd, and reads one stream of binary frames after a text acknowledgement."""
    truth = numbered_diffs(50, slots=range(100, 106), payload_bytes=100)

    async def data(peer: DataPeer) -> None:
        request = await peer.accept_subscribe()
        assert request.compress
        peer.start_compressing()
        await peer.notify(*truth.results)
        await peer.complete()
        await peer.hold()

    async with session_over(data=[data]) as session:
        events = await collect(session)

    assert truth.compare(diffs(events)) == Verdict()


async def test_multi_program_compressed_handshake_buffers_interleaved_notifications() -> None:
    """Compressed notifications that come between the acknowledgements of two programs are kept, in order."""
    one = numbered_diffs(4, slots=range(100, 104), name="one")
    two = numbered_diffs(2, slots=range(100, 104), name="two")

    async def data(peer: DataPeer) -> None:
        assert (await peer.accept_subscribe(1)).key.address == PROGRAM
        peer.start_compressing()
        await peer.notify(*one.results[:2], subscription_id=1)
        assert (await peer.accept_subscribe(2)).key.address == OTHER_PROGRAM
        await peer.notify(*one.results[2:], subscription_id=1)
        await peer.notify(*two.results, subscription_id=2)
        await peer.complete(1)
        await peer.complete(2)
        await peer.hold()

    async with session_over(data=[data], programs=(PROGRAM, OTHER_PROGRAM)) as session:
        received = diffs(await collect(session))

    assert one.compare(diff for diff in received if diff.subscription_id == 1) == Verdict()
    assert two.compare(diff for diff in received if diff.subscription_id == 2) == Verdict()


async def test_replacement_subscription_resolves_on_subscription_complete() -> None:
    """A keyless stream ends at its end marker, though the server keeps the socket open."""
    has_ended = trio.Event()

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue())
        await has_ended.wait()
        await peer.send(Completed())
        await peer.accept_close()

    async def data(peer: DataPeer) -> None:
        request = await peer.accept_subscribe()
        assert request.key.method == "replacementSubscribe"
        await peer.complete()
        await peer.hold()

    with trio.fail_after(10):
        async with open_scripted_server(control=[control], data=[data], api_key="k") as server:
            async with open_backtest_session(server.url, start_slot=100, end_slot=105, api_key="k") as session:
                async with session.subscribe(Replacements()) as replacements:
                    assert [replacement async for replacement in replacements] == []
                    has_ended.set()
                assert [event async for event in session][-1] == Completed()


async def test_control_events_are_not_held_behind_a_backlogged_subscription() -> None:
    """With both backlogs full, the control events come out first."""
    slots = range(300)

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(*(SlotNotification(slot=slot) for slot in slots), Completed())
        await peer.accept_close()

    async def data(peer: DataPeer) -> None:
        await peer.accept_subscribe()
        await peer.notify(*map(account_diff, range(2000)))
        await peer.complete()
        await peer.hold()

    with trio.fail_after(10):
        async with session_over(control=control, data=[data]) as session:
            # Nobody is told of what he has not taken, so there is no event to wait for.
            while (now := session.statistics()).control_events <= len(slots) or not now.notifications:  # noqa: ASYNC110
                await trio.sleep(0.001)
            events = [event async for event in session]

    assert events[: len(slots)] == [SlotNotification(slot=slot) for slot in slots]
    assert len(diffs(events)) == 2000
    assert events[-1] == Completed()
