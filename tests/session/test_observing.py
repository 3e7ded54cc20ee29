"""What an observer is told of the connections, and what the statistics tell of the data."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from simclient.session.connections import ConnectionChange, ConnectionState
from simclient.session.managed import open_backtest_session
from simclient.testing import ControlPeer, DataPeer, account_diff, open_scripted_server
from simclient.wire.responses import Completed, ReadyForContinue, SlotNotification

from .sessions import QUICK, WATCH, open_session, read_to_the_end


async def test_an_observer_is_told_of_every_change() -> None:
    """Control and data come up, go down with a reason, and come up again."""
    changes: list[ConnectionChange] = []

    async def first(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue(), seq_id=1)
        await peer.close(1012, "management handoff")

    async def second(peer: ControlPeer) -> None:
        await peer.accept_attach()
        await peer.send(Completed(), seq_id=2)
        await peer.accept_close()

    async with open_scripted_server(control=[first, second]) as server:
        async with open_backtest_session(
            server.url, start_slot=100, end_slot=105, limits=QUICK, observe=changes.append
        ) as session:
            await read_to_the_end(session)

    states = [change.state for change in changes]
    up, down, connecting = ConnectionState.UP, ConnectionState.DOWN, ConnectionState.CONNECTING
    assert states == [connecting, up, down, connecting, up, down]
    assert "1012" in str(changes[2].reason)
    assert {change.connection for change in changes} == {"control"}


async def test_what_an_observer_raises_ends_the_session() -> None:
    """It is the user's own code: its error comes out as it is."""

    def observe(change: ConnectionChange) -> None:
        if change.state is ConnectionState.UP:
            raise ZeroDivisionError

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.hold_until_gone()

    async with open_scripted_server(control=[control]) as server:
        with pytest.raises(ZeroDivisionError):
            async with open_backtest_session(
                server.url, start_slot=100, end_slot=105, limits=QUICK, observe=observe
            ) as session:
                async for _ in session:
                    pass


async def test_statistics_tell_how_far_the_data_is_behind() -> None:
    """Control has reported slot 105, of the notifications only slot 101 has come."""
    looked = trio.Event()

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(*(SlotNotification(slot=slot) for slot in range(100, 106)))
        await looked.wait()
        await peer.send(Completed())
        await peer.accept_close()

    async def data(peer: DataPeer) -> None:
        await peer.accept_subscribe()
        await peer.notify(account_diff(101))
        await looked.wait()
        await peer.complete()
        await peer.hold()

    async with open_scripted_server(control=[control], data=[data]) as server:
        async with open_session(server, watch=WATCH) as session:
            assert session.statistics().lag_slots is None
            with trio.fail_after(10):
                while session.statistics().lag_slots != 4:
                    await anext(session)
            looked.set()
            async for _ in session:
                pass
