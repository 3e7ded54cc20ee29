"""Reading a session in batches, and by events and batches in turn, against the scripted server."""

from __future__ import annotations

import json

import pytest
import trio

from simclient.errors import SessionClosed
from simclient.session.inbox import Event
from simclient.session.managed import open_backtest_session
from simclient.testing import ControlPeer, DataPeer, open_scripted_server
from simclient.wire.notifications import TransactionLogs
from simclient.wire.responses import Completed, ReadyForContinue
from simclient.wire.subscriptions import Logs

TOKEN_PROGRAM = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
COUNT = 500


def logs_of(slot: int) -> bytes:
    return json.dumps({"context": {"slot": slot}, "value": {"signature": f"s{slot}", "err": None, "logs": []}}).encode()


async def control(peer: ControlPeer) -> None:
    await peer.accept_create()
    await peer.send(ReadyForContinue(), Completed())
    await peer.accept_close()


async def data(peer: DataPeer) -> None:
    request = json.loads(await peer.receive_message())
    await peer.send_message(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": 1}))
    await peer.notify(*map(logs_of, range(COUNT)), subscription_id=1, method="logsNotification")
    await peer.complete(1)
    await peer.hold()


async def test_batches_are_the_events_of_the_session_in_their_order() -> None:
    """Whether an event or a batch is asked for next: everything comes once, control apart from data, and both ways end."""
    events: list[Event] = []
    async with open_scripted_server(control=[control], data=[data]) as server:
        async with open_backtest_session(
            server.url, start_slot=0, end_slot=COUNT, subscriptions=[Logs(mentions=TOKEN_PROGRAM)]
        ) as session:
            with trio.fail_after(10):
                async for batch in session.batches():
                    assert batch
                    assert len({isinstance(event, TransactionLogs) for event in batch}) == 1
                    events += batch
                    if not isinstance(events[-1], Completed):
                        events.append(await anext(session))
                with pytest.raises(StopAsyncIteration):
                    await anext(session)
        with pytest.raises(SessionClosed):
            await anext(session.batches())

    assert [event.slot for event in events if isinstance(event, TransactionLogs)] == list(range(COUNT))
    assert [type(event) for event in events if not isinstance(event, TransactionLogs)] == [ReadyForContinue, Completed]
    assert isinstance(events[-1], Completed)
