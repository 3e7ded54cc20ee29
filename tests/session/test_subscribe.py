"""Subscriptions that are added and ended while the session runs, each read on its own."""

from __future__ import annotations

import pytest
import trio

from simclient.errors import InputError, LocalProtocolError, SessionClosed, SubscriptionFailed
from simclient.protocol.budget import BudgetLimits
from simclient.session.limits import Limits
from simclient.session.managed import open_backtest_session
from simclient.testing import ControlPeer, DataPeer, Verdict, account_diff, numbered_diffs, open_scripted_server
from simclient.wire.notifications import AccountDiff
from simclient.wire.requests import Continue
from simclient.wire.responses import Completed, ReadyForContinue, SlotNotification
from simclient.wire.subscriptions import AccountDiffs

from .sessions import OTHER, PROGRAM

QUICK = Limits(reconnect=BudgetLimits(first_delay_seconds=0.01), drain_idle_seconds=0.3)
TRUTH = numbered_diffs(40, slots=range(100, 106))


async def run_once(peer: ControlPeer) -> None:
    """Complete as soon as the client has advanced."""
    await peer.accept_create()
    await peer.send(ReadyForContinue())
    await peer.expect(Continue)
    await peer.send(Completed())
    await peer.accept_close()


async def test_an_added_subscription_is_read_on_its_own() -> None:
    """Its notifications come by its own iterator, replayed after a drop, each once; the session's own come by the session's."""

    async def own(peer: DataPeer) -> None:
        await peer.accept_subscribe()
        await peer.notify(account_diff(100))
        await peer.complete()
        await peer.hold()

    async def added_first(peer: DataPeer) -> None:
        request = await peer.accept_subscribe()
        assert request.key.address == OTHER
        await peer.notify(*TRUTH.results[:25])
        peer.reset()

    async def added_again(peer: DataPeer) -> None:
        request = await peer.accept_subscribe()
        await peer.notify(*TRUTH.results_from(request.replay_from_slot))
        await peer.complete()
        await peer.hold()

    mine: list[AccountDiff] = []
    received: list[object] = []
    async with open_scripted_server(control=[run_once], data=[own, added_first, added_again]) as server:
        async with open_backtest_session(
            server.url, start_slot=100, end_slot=105, subscriptions=[AccountDiffs(program=PROGRAM)], limits=QUICK
        ) as session:
            with trio.fail_after(10):
                while not isinstance(await anext(session), ReadyForContinue):
                    pass
                async with session.subscribe(AccountDiffs(program=OTHER)) as stream:
                    await session.advance()
                    async for notification in stream:
                        assert isinstance(notification, AccountDiff)
                        mine.append(notification)
                    received = [event async for event in session]

    assert TRUTH.compare(mine) == Verdict()
    assert isinstance(received[-1], Completed)


async def test_advance_waits_for_an_added_subscription() -> None:
    """What the advance causes cannot be missed: it is sent when the new subscription is up."""
    advanced = trio.Event()

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue())
        await peer.expect(Continue)
        advanced.set()
        await peer.send(Completed())
        await peer.accept_close()

    async def data(peer: DataPeer) -> None:
        request = await peer.receive_subscribe()
        assert not advanced.is_set()
        await peer.acknowledge(request)
        await advanced.wait()
        await peer.complete()
        await peer.hold()

    async with open_scripted_server(control=[control], data=[data]) as server:
        async with open_backtest_session(server.url, start_slot=100, end_slot=105) as session:
            with trio.fail_after(10):
                assert isinstance(await anext(session), ReadyForContinue)
                async with session.subscribe(AccountDiffs(program=PROGRAM)) as stream:
                    await session.advance()
                    assert [event async for event in stream] == []


async def test_leaving_its_block_ends_a_subscription() -> None:
    """The socket is closed with a close frame, and `Completed` does not wait for its end marker."""
    closed_with: list[int] = []

    async def data(peer: DataPeer) -> None:
        await peer.accept_subscribe()
        await peer.notify(account_diff(100))
        closed_with.append(await peer.hold())

    async with open_scripted_server(control=[run_once], data=[data]) as server:
        async with open_backtest_session(server.url, start_slot=100, end_slot=105, limits=QUICK) as session:
            with trio.fail_after(10):
                assert isinstance(await anext(session), ReadyForContinue)
                async with session.subscribe(AccountDiffs(program=PROGRAM)) as stream:
                    first = await anext(stream)
                with pytest.raises(SessionClosed):
                    await anext(stream)
                await session.advance()
                assert [event async for event in session] == [Completed()]

    assert isinstance(first, AccountDiff)
    assert closed_with == [1000]


async def test_what_was_before_an_added_subscription_is_not_asked_for() -> None:
    """A server that is not told where to begin sends the whole session so far: the slot after the last one is named."""

    async def run_two(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue())
        await peer.expect(Continue)
        await peer.send(SlotNotification(slot=100), SlotNotification(slot=101), ReadyForContinue())
        await peer.expect(Continue)
        await peer.send(Completed())
        await peer.accept_close()

    async def data(peer: DataPeer) -> None:
        request = await peer.accept_subscribe()
        assert request.replay_from_slot == 102
        await peer.notify(account_diff(102))
        await peer.complete()
        await peer.hold()

    async with open_scripted_server(control=[run_two], data=[data]) as server:
        async with open_backtest_session(server.url, start_slot=100, end_slot=105, limits=QUICK) as session:
            with trio.fail_after(10):
                assert isinstance(await anext(session), ReadyForContinue)
                await session.advance(2)
                while not isinstance(await anext(session), ReadyForContinue):
                    pass
                async with session.subscribe(AccountDiffs(program=PROGRAM)) as stream:
                    await session.advance()
                    assert len([event async for event in stream]) == 1


async def test_a_subscription_may_begin_in_the_past() -> None:
    """The slot is asked for inclusive, also by the first socket."""

    async def data(peer: DataPeer) -> None:
        request = await peer.accept_subscribe()
        assert request.replay_from_slot == 102
        await peer.notify(account_diff(102), account_diff(103))
        await peer.complete()
        await peer.hold()

    async with open_scripted_server(control=[run_once], data=[data]) as server:
        async with open_backtest_session(server.url, start_slot=100, end_slot=105, limits=QUICK) as session:
            with trio.fail_after(10):
                async with session.subscribe(AccountDiffs(program=PROGRAM), replay_from_slot=102) as stream:
                    slots = [event.slot async for event in stream]
                assert isinstance(await anext(session), ReadyForContinue)
                await session.advance()

    assert slots == [102, 103]


async def test_a_failed_subscription_raises_in_its_own_iterator() -> None:
    """What it received is given first; the session has failed with it."""

    async def data(peer: DataPeer) -> None:
        await peer.accept_subscribe()
        await peer.notify(account_diff(100))
        await peer.hold_until_gone()  # no end marker: the drain gives it up

    async with open_scripted_server(control=[run_once], data=[data]) as server:
        async with open_backtest_session(server.url, start_slot=100, end_slot=105, limits=QUICK) as session:
            with trio.fail_after(10):
                assert isinstance(await anext(session), ReadyForContinue)
                async with session.subscribe(AccountDiffs(program=PROGRAM)) as stream:
                    await session.advance()
                    assert isinstance(await anext(stream), AccountDiff)
                    with pytest.raises(SubscriptionFailed, match="end marker"):
                        await anext(stream)
                    with pytest.raises(SubscriptionFailed):
                        await session.advance()


async def test_nothing_is_added_to_a_completed_run() -> None:
    """There is nothing to come."""
    async with open_scripted_server(control=[run_once]) as server:
        async with open_backtest_session(server.url, start_slot=100, end_slot=105) as session:
            with trio.fail_after(10):
                async for event in session:
                    if isinstance(event, ReadyForContinue):
                        await session.advance()
            with pytest.raises(LocalProtocolError, match="has completed"):
                async with session.subscribe(AccountDiffs(program=PROGRAM)):
                    raise AssertionError("it was subscribed")


async def test_a_replay_begins_at_a_slot() -> None:
    """A mistake is named before anything is opened."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.accept_close()

    async with open_scripted_server(control=[control]) as server:
        async with open_backtest_session(server.url, start_slot=100, end_slot=105) as session:
            with pytest.raises(InputError, match="replay_from_slot"):
                async with session.subscribe(AccountDiffs(program=PROGRAM), replay_from_slot=-1):
                    raise AssertionError("it was subscribed")


async def test_where_a_replay_begins_is_not_taken_for_delivered() -> None:
    """Nothing has come yet: neither the statistics nor an error say that something was."""

    async def data(peer: DataPeer) -> None:
        await peer.refuse_subscribe(await peer.receive_subscribe(), -32602, "no such program")
        await peer.hold()

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue())
        await peer.accept_close()

    async with open_scripted_server(control=[control], data=[data]) as server:
        async with open_backtest_session(server.url, start_slot=100, end_slot=105, limits=QUICK) as session:
            with trio.fail_after(10):
                assert isinstance(await anext(session), ReadyForContinue)
                async with session.subscribe(AccountDiffs(program=PROGRAM), replay_from_slot=102) as stream:
                    with pytest.raises(SubscriptionFailed, match="nothing was delivered") as caught:
                        await anext(stream)
                assert session.statistics().last_delivered_slot is None

    assert caught.value.last_slot is None
