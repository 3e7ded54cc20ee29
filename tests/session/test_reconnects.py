"""The control connection drops at every moment of a session's life; the user sees each event once.

Each way to lose a socket is tried in each phase: cut, reset, a handoff, and silence past the keepalive deadline.
Losses before there is a session are in `test_opening.py`, those at its end in `test_leaving.py`.
"""

from __future__ import annotations

import pytest
import trio
import trio.testing

from simclient.session.inbox import Event
from simclient.testing import (
    ControlPeer,
    DataPeer,
    HttpAnswer,
    HttpRequest,
    Verdict,
    account_diff,
    numbered_diffs,
    open_scripted_server,
)
from simclient.wire.failures import SimulationError
from simclient.wire.notifications import AccountDiff
from simclient.wire.requests import AttachSession, Continue, CreateSession, ResumeAttachedSession
from simclient.wire.responses import (
    Completed,
    ControlResponse,
    ErrorEvent,
    Paused,
    ReadyForContinue,
    SessionAttached,
    SessionCreated,
    SlotNotification,
    Success,
)

from .sessions import (
    WATCH,
    WATCHFUL,
    Ending,
    advance_to_the_end,
    come_back_to_close,
    endings,
    open_session,
    read_to_the_end,
)

TRUTH = numbered_diffs(40, slots=range(100, 106))


@endings
async def test_it_comes_back_after_a_loss_in_mid_run(end: Ending) -> None:
    """The client attaches with the sequence of the last event seen; what is replayed twice is given once, and the run goes on."""
    slots = [SlotNotification(slot=slot) for slot in (100, 101, 102)]
    log: list[ControlResponse] = [ReadyForContinue(), *slots, ReadyForContinue()]

    async def first(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(log[0], seq_id=1)
        assert (await peer.expect(Continue)).advance_count == 2
        await peer.send(log[1], log[2], seq_id=2)
        await end(peer)

    async def second(peer: ControlPeer) -> None:
        attach = await peer.expect(AttachSession)
        last = attach.last_sequence
        assert last in (1, 2, 3)
        await peer.send(SessionAttached(session_id="s1", rpc_endpoint=peer.rpc_endpoint("s1")))
        await peer.send(*log[last - 1 :], seq_id=last)
        await peer.expect(ResumeAttachedSession)
        await peer.send(Success())
        await peer.expect(Continue)
        await peer.send(Completed(), seq_id=6)
        await peer.accept_close()

    async with open_scripted_server(control=[first, second]) as server:
        async with open_session(server, limits=WATCHFUL) as session:
            events = await advance_to_the_end(session)
            statistics = session.statistics()

    assert events == [*log, Completed()]
    assert statistics.control_reconnects == 1


async def start(peer: ControlPeer) -> None:
    """Create a session and say that it is ready, as event 1."""
    await peer.accept_create()
    await peer.send(ReadyForContinue(), seq_id=1)
    await peer.expect(Continue)
    await peer.send(SlotNotification(slot=100), seq_id=2)


async def finish(peer: ControlPeer) -> None:
    """Take the client up again after event 2, replaying it too, and complete."""
    attach = await peer.accept_attach(SlotNotification(slot=100), SlotNotification(slot=101), seq_id=2)
    assert attach.last_sequence == 2
    await peer.send(Completed(), seq_id=4)
    await peer.accept_close()


EVENTS = [ReadyForContinue(), SlotNotification(slot=100), SlotNotification(slot=101), Completed()]


@endings
async def test_it_comes_back_after_a_loss_during_attach(end: Ending) -> None:
    """The attach that nobody answered is asked again on the next socket."""

    async def first(peer: ControlPeer) -> None:
        await start(peer)
        peer.cut()

    async def second(peer: ControlPeer) -> None:
        await peer.expect(AttachSession)
        await end(peer)

    async with (
        open_scripted_server(control=[first, second, finish]) as server,
        open_session(server, limits=WATCHFUL) as session,
    ):
        assert await advance_to_the_end(session) == EVENTS
        assert session.statistics().control_reconnects == 2


@endings
async def test_it_comes_back_after_a_loss_during_resume(end: Ending) -> None:
    """Events replayed before the resume was answered count as seen: the next attach says so."""

    async def first(peer: ControlPeer) -> None:
        await start(peer)
        peer.cut()

    async def second(peer: ControlPeer) -> None:
        await peer.expect(AttachSession)
        await peer.send(SessionAttached(session_id="s1", rpc_endpoint=peer.rpc_endpoint("s1")))
        await peer.send(SlotNotification(slot=101), seq_id=3)
        await peer.expect(ResumeAttachedSession)
        await end(peer)

    async def third(peer: ControlPeer) -> None:
        attach = await peer.accept_attach(Completed(), seq_id=4)
        assert attach.last_sequence == 3
        await peer.accept_close()

    async with (
        open_scripted_server(control=[first, second, third]) as server,
        open_session(server, limits=WATCHFUL) as session,
    ):
        assert await advance_to_the_end(session) == EVENTS


@endings
async def test_a_loss_during_the_drain_loses_nothing(end: Ending) -> None:
    """After `completed` the control plane is not needed: the data is drained, and the session closed on a new socket."""
    drained = trio.Event()

    async def first(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue(), Completed(), seq_id=1)
        await end(peer)
        drained.set()

    async def data(peer: DataPeer) -> None:
        await peer.accept_subscribe()
        await peer.notify(account_diff(100))
        await drained.wait()
        await peer.notify(account_diff(101))
        await peer.complete()
        await peer.hold()

    async with open_scripted_server(control=[first, come_back_to_close], data=[data]) as server:
        async with open_session(server, watch=WATCH, limits=WATCHFUL) as session:
            events = await read_to_the_end(session)

    assert [event.slot for event in events if isinstance(event, AccountDiff)] == [100, 101]
    assert events[-1] == Completed()


async def test_a_data_socket_lost_during_the_drain_is_waited_for() -> None:
    """`completed` has come, the stream is cut, and still nothing is lost or doubled."""
    is_draining = trio.Event()

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue(), Completed())
        is_draining.set()
        await peer.accept_close()

    async def first(peer: DataPeer) -> None:
        await peer.accept_subscribe()
        await is_draining.wait()
        await peer.notify(*TRUTH.results[:20])
        peer.cut()

    async def second(peer: DataPeer) -> None:
        request = await peer.accept_subscribe(2)
        await peer.notify(*TRUTH.results_from(request.replay_from_slot), subscription_id=2)
        await peer.complete(2)
        await peer.hold()

    async with open_scripted_server(control=[control], data=[first, second]) as server:
        async with open_session(server, watch=WATCH) as session:
            events = await read_to_the_end(session)

    assert TRUTH.compare(event for event in events if isinstance(event, AccountDiff)) == Verdict()
    assert isinstance(events[-1], Completed)


async def test_data_keeps_flowing_while_control_reconnects() -> None:
    """Notifications arrive between the loss of the control socket and its return, each once and in order."""
    control_is_lost, all_arrived = trio.Event(), trio.Event()

    async def first(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue(), seq_id=1)
        await peer.expect(Continue)
        await peer.send(SlotNotification(slot=100), seq_id=2)
        peer.cut()
        control_is_lost.set()

    async def second(peer: ControlPeer) -> None:
        await all_arrived.wait()
        await peer.accept_attach(Completed(), seq_id=3)
        await peer.accept_close()

    async def data(peer: DataPeer) -> None:
        await peer.accept_subscribe()
        await control_is_lost.wait()
        await peer.notify(*TRUTH.results)
        await peer.complete()
        await peer.hold()

    received: list[Event] = []
    async with open_scripted_server(control=[first, second], data=[data]) as server:
        async with open_session(server, watch=WATCH) as session:
            with trio.fail_after(10):
                async for event in session:
                    received.append(event)
                    if isinstance(event, ReadyForContinue):
                        await session.advance(6)
                    if session.statistics().notifications == len(TRUTH.diffs):
                        all_arrived.set()

    assert TRUTH.compare(event for event in received if isinstance(event, AccountDiff)) == Verdict()
    assert received[-1] == Completed()


async def test_a_paused_session_says_so_once() -> None:
    """`Paused` is an event like the others: replayed, it is dropped, and the session may be advanced after it."""

    async def first(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue(), Paused(slot=101), seq_id=1)
        peer.cut()

    async def second(peer: ControlPeer) -> None:
        await peer.accept_attach(Paused(slot=101), seq_id=2)
        await peer.send(Completed(), seq_id=3)
        await peer.accept_close()

    async with open_scripted_server(control=[first, second]) as server, open_session(server) as session:
        events = await read_to_the_end(session)

    assert events == [ReadyForContinue(), Paused(slot=101), Completed()]


# A session that is served elsewhere after a handoff


async def test_data_and_rpc_follow_a_session_to_its_new_place() -> None:
    """The endpoint that the attach gives is the one that new data sockets and RPC use."""
    paths: list[str] = []

    def http(request: HttpRequest) -> HttpAnswer:
        paths.append(request.path)
        return HttpAnswer(body=b'{"jsonrpc":"2.0","id":1,"result":100}')

    async def first(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue(), seq_id=1)
        await has_data.wait()
        peer.cut()

    async def second(peer: ControlPeer) -> None:
        await peer.expect(AttachSession)
        await peer.send(SessionAttached(session_id="s1", rpc_endpoint=peer.rpc_endpoint("elsewhere")))
        await peer.expect(ResumeAttachedSession)
        await peer.send(Success(), Completed())
        has_moved.set()
        await peer.accept_close()

    async def here(peer: DataPeer) -> None:
        await peer.accept_subscribe()
        has_data.set()
        await has_moved.wait()
        peer.cut()

    async def there(peer: DataPeer) -> None:
        assert peer.path.endswith("/elsewhere")
        await peer.accept_subscribe()
        await peer.complete()
        await peer.hold()

    has_data, has_moved = trio.Event(), trio.Event()
    async with open_scripted_server(control=[first, second], data=[here, there], http=http) as server:
        async with open_session(server, watch=WATCH) as session:
            events = await read_to_the_end(session)
            assert await session.rpc.get_slot() == 100

    assert events[-1] == Completed()
    assert paths[-1].endswith("/elsewhere")


# What is said in a handshake, and what is damaged


@pytest.mark.parametrize("phase", ["create", "attach", "resume"])
async def test_a_simulation_error_is_no_refusal(phase: str) -> None:
    """One transaction could not be simulated: that is an event, wherever it comes."""
    error = ErrorEvent(failure=SimulationError(error="one transaction"))

    async def first(peer: ControlPeer) -> None:
        await peer.expect(CreateSession)
        await peer.send(*[error] * (phase == "create"))
        await peer.send(SessionCreated(session_id="s1", rpc_endpoint=peer.rpc_endpoint("s1")))
        peer.cut()

    async def second(peer: ControlPeer) -> None:
        await peer.expect(AttachSession)
        await peer.send(*[error] * (phase == "attach"))
        await peer.send(SessionAttached(session_id="s1", rpc_endpoint=peer.rpc_endpoint("s1")))
        await peer.expect(ResumeAttachedSession)
        await peer.send(*[error] * (phase == "resume"))
        await peer.send(Success(), Completed())
        await peer.accept_close()

    async with open_scripted_server(control=[first, second]) as server, open_session(server) as session:
        assert await read_to_the_end(session) == [error, Completed()]


@pytest.mark.parametrize("seq_id", [1, None], ids=["numbered", "unnumbered"])
async def test_one_damaged_message_is_made_good_by_a_reconnect(seq_id: int | None) -> None:
    """It may have been damaged on its way; only one that cannot be read again ends the run."""

    async def first(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue(), SlotNotification(slot=100), seq_id=seq_id)
        await peer.send_message('{"seqId":')
        await peer.hold()

    async def second(peer: ControlPeer) -> None:
        await peer.accept_attach(Completed(), seq_id=seq_id and 3)
        await peer.accept_close()

    async with open_scripted_server(control=[first, second]) as server, open_session(server) as session:
        events = await read_to_the_end(session)

    assert events[-1] == Completed()


async def test_the_first_damaged_message_after_a_reconnect_is_made_good() -> None:
    """The answers to attach and resume are no damage."""

    async def first(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue(), seq_id=1)
        peer.cut()

    async def second(peer: ControlPeer) -> None:
        await peer.accept_attach()
        await peer.send_message('{"seqId":')
        await peer.hold()

    async def third(peer: ControlPeer) -> None:
        await peer.accept_attach(Completed(), seq_id=2)
        await peer.accept_close()

    async with open_scripted_server(control=[first, second, third]) as server, open_session(server) as session:
        assert await read_to_the_end(session) == [ReadyForContinue(), Completed()]
