"""What happens when connecting again does not help: one error, after everything that was received."""

from __future__ import annotations

import attrs
import pytest

from simclient.errors import ConnectionLost, SubscriptionFailed
from simclient.protocol.budget import BudgetLimits
from simclient.session.inbox import Event
from simclient.testing import ControlPeer, DataPeer, account_diff, open_scripted_server
from simclient.wire.notifications import AccountDiff
from simclient.wire.responses import Completed, ReadyForContinue, SlotNotification

from .sessions import QUICK, WATCH, advance_to_the_end, complete_at_once, open_session, read_to_the_end

THREE_ATTEMPTS = attrs.evolve(QUICK, reconnect=BudgetLimits(first_delay_seconds=0.01, attempts=3))


async def test_a_subscription_whose_budget_is_spent_fails_after_everything_received() -> None:
    """The error names the subscription, the last slot and what was spent."""

    async def first(peer: DataPeer) -> None:
        await peer.accept_subscribe()
        await peer.notify(account_diff(100), account_diff(101))
        peer.cut()

    async def refuse(peer: DataPeer) -> None:
        await peer.refuse(503)

    received: list[Event] = []
    async with open_scripted_server(control=[complete_at_once], data=[first, refuse, refuse, refuse]) as server:
        async with open_session(server, watch=WATCH, limits=THREE_ATTEMPTS) as session:
            with pytest.raises(SubscriptionFailed, match="4 failures in a row") as caught:
                async for event in session:
                    received.append(event)  # noqa: PERF401  # what was received before it raises counts

    assert [event.slot for event in received if isinstance(event, AccountDiff)] == [100, 101]
    assert caught.value.last_slot == 101
    assert not any(isinstance(event, Completed) for event in received)


async def test_a_refused_subscription_is_not_tried_again() -> None:
    """The server's words come out; asking again would be refused again."""

    async def data(peer: DataPeer) -> None:
        await peer.refuse_subscribe(await peer.receive_subscribe(), -32602, "no such program")
        await peer.hold()

    async with open_scripted_server(control=[complete_at_once], data=[data]) as server:
        async with open_session(server, watch=WATCH) as session:
            with pytest.raises(SubscriptionFailed, match="no such program"):
                await read_to_the_end(session)
        assert server.data_connections == 1


async def test_a_control_connection_whose_budget_is_spent_ends_the_run() -> None:
    """What came before is given first."""

    async def first(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue(), SlotNotification(slot=100), seq_id=1)
        peer.cut()

    async def refuse(peer: ControlPeer) -> None:
        await peer.refuse(503)

    received: list[Event] = []
    async with open_scripted_server(control=[first, refuse, refuse, refuse]) as server:
        with pytest.raises(ConnectionLost, match="4 failures in a row"):
            async with open_session(server, limits=THREE_ATTEMPTS) as session:
                async for event in session:
                    received.append(event)  # noqa: PERF401  # what was received before it raises counts

    assert received == [ReadyForContinue(), SlotNotification(slot=100)]


async def test_a_simulator_of_this_machine_that_is_gone_is_given_up_soon() -> None:
    """Four failed connections in a row end the run with one error that says so, long before the budget is spent."""

    async def leave(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue(), seq_id=1)
        peer.cut()

    async def be_gone(peer: ControlPeer) -> None:
        peer.cut()

    async with open_scripted_server(control=[leave, be_gone, be_gone, be_gone, be_gone]) as server:
        with pytest.raises(ConnectionLost, match="the simulator has gone"):
            async with open_session(server) as session:
                await advance_to_the_end(session)
