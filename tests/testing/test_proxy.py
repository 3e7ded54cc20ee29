"""A session through the fault proxy, and one in memory under virtual time: nothing is lost, nothing doubled."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

from simclient import AccountDiff, AccountDiffs, open_backtest_session
from simclient.errors import InputError
from simclient.protocol.budget import BudgetLimits
from simclient.session.limits import Limits
from simclient.testing import (
    ConnectionFaults,
    ControlPeer,
    Cut,
    DataPeer,
    Fault,
    HalfOpen,
    MemoryNetwork,
    Reset,
    Verdict,
    faults_in_order,
    faulty_opener,
    numbered_diffs,
    open_fault_proxy,
    open_scripted_server,
)
from simclient.transport.streams import StreamOpener
from simclient.wire.responses import Completed, ReadyForContinue

PROGRAM = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
TRUTH = numbered_diffs(100, slots=range(100, 106))
QUICK = Limits(reconnect=BudgetLimits(first_delay_seconds=0.01), closing_seconds=1.0)


async def control(peer: ControlPeer) -> None:
    await peer.accept_create()
    await peer.send(ReadyForContinue(), Completed())
    await peer.accept_close()


async def data(peer: DataPeer) -> None:
    """Send everything from the cursor on; a client that is cut off comes back."""
    request = await peer.accept_subscribe()
    await peer.notify(*TRUTH.results_from(request.replay_from_slot))
    await peer.complete()
    await peer.hold()


def lenient(script: Callable[[DataPeer], Awaitable[None]]) -> Callable[[DataPeer], Awaitable[None]]:
    """Let the client go whenever it wants: the faults are not in the script."""

    async def run(peer: DataPeer) -> None:
        try:
            await script(peer)
        except AssertionError:
            return

    return run


async def collect(url: str, open_stream: StreamOpener | None = None, limits: Limits = QUICK) -> list[AccountDiff]:
    async with open_backtest_session(
        url,
        start_slot=100,
        end_slot=105,
        subscriptions=[AccountDiffs(program=PROGRAM)],
        limits=limits,
        open_stream=open_stream,
    ) as session:
        return [event async for event in session if isinstance(event, AccountDiff)]


@pytest.mark.parametrize(
    "fault", [Cut(at_byte=5000), Cut(at_message=20), Reset(at_message=50, at_byte=10)], ids=lambda fault: repr(fault)
)
async def test_a_session_through_the_proxy_survives_what_it_does(fault: Fault) -> None:
    """The second connection, the data socket, breaks once."""
    struck: list[Fault] = []
    plan = faults_in_order(ConnectionFaults(), ConnectionFaults(downstream=(fault,)))
    async with open_scripted_server(control=[control], data=[lenient(data), data]) as server:
        async with open_fault_proxy(server.url, plan, on_fault=struck.append) as proxy:
            with trio.fail_after(30):
                received = await collect(proxy.url)

    assert TRUTH.compare(received) == Verdict()
    assert struck == [fault]
    assert proxy.connections == 3


async def test_a_refused_connection_is_tried_again_through_the_proxy() -> None:
    """As if the server had just been starting."""
    plan = faults_in_order(ConnectionFaults(is_refused=True))
    async with open_scripted_server(control=[control], data=[data]) as server:
        async with open_fault_proxy(server.url, plan) as proxy:
            with trio.fail_after(30):
                assert TRUTH.compare(await collect(proxy.url)) == Verdict()


async def test_a_proxy_cannot_stand_before_tls() -> None:
    """It says so at once."""
    with pytest.raises(InputError, match="wss"):
        async with open_fault_proxy("wss://host/backtest", faults_in_order()):
            pass


async def test_a_whole_session_runs_in_memory_in_virtual_time(autojump_clock: trio.testing.MockClock) -> None:
    """A half-open data connection is noticed at the keepalive deadline, which costs no real time."""
    network = MemoryNetwork()
    plan = faults_in_order(ConnectionFaults(), ConnectionFaults(downstream=(HalfOpen(at_message=30),)))
    async with open_scripted_server(control=[control], data=[lenient(data), data], network=network) as server:
        received = await collect(
            server.url, faulty_opener(network.open_stream, plan), Limits(drain_idle_seconds=60, closing_seconds=1.0)
        )

    assert TRUTH.compare(received) == Verdict()
    assert 45 <= trio.current_time() < 60
