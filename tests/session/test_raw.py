"""The raw session over real WebSockets: its cursor, its subscriptions, its sub-sessions and its coverage."""

from __future__ import annotations

import pytest
import trio

from simclient.errors import InputError, LocalProtocolError, RemoteError, SubscriptionFailed
from simclient.local import open_local_simulator
from simclient.local.bundle import open_bundle, shipped_bundle
from simclient.session.client.client import open_client
from simclient.session.request import create_request
from simclient.testing import ControlPeer, DataPeer, account_diff, open_scripted_server
from simclient.wire.failures import InvalidRequest, SessionOwnershipBusy
from simclient.wire.notifications import AccountDiff
from simclient.wire.requests import Continue, ContinueSubSession, CreateSession, ResumeAttachedSession
from simclient.wire.responses import (
    Completed,
    ErrorEvent,
    ReadyForContinue,
    SessionAttached,
    SessionCreated,
    SessionsCreatedV2,
    SlotNotification,
    Status,
    SubSessionEvent,
    Success,
)
from simclient.wire.subscriptions import AccountDiffs

from .raw_sessions import HANG_SECONDS, REQUEST, STATUS, everything, one_subscription, raw_session
from .sessions import PROGRAM

# The cursor


async def test_the_cursor_stays_before_what_was_not_handed_out() -> None:
    """Attaching with it brings back what waits unread; a replay is dropped."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(STATUS, ReadyForContinue(), seq_id=7)
        await peer.send(STATUS, seq_id=7)
        await peer.send(SlotNotification(slot=100), Completed(), seq_id=9)
        await peer.accept_close()

    async with raw_session(control) as session:
        await session.wait_ready()
        cursors = [session.last_sequence]
        assert await anext(session) == STATUS
        cursors.append(session.last_sequence)
        assert await everything(session) == [SlotNotification(slot=100), Completed()]
        assert [*cursors, session.last_sequence] == [None, 8, 10]


async def test_a_replayed_error_does_not_refuse_the_attach() -> None:
    """A numbered error between attach and resume is an event; an unnumbered one is the answer, and may be asked again."""
    busy = SessionOwnershipBusy(reason="handoff")

    async def control(peer: ControlPeer) -> None:
        await peer.receive_request()
        await peer.send(ErrorEvent(failure=InvalidRequest(error="old")), seq_id=3)
        await peer.send(SessionAttached(session_id="s1", rpc_endpoint="/r"))
        await peer.expect(ResumeAttachedSession)
        await peer.send(ErrorEvent(failure=busy))
        await peer.expect(ResumeAttachedSession)
        await peer.send(STATUS, seq_id=4)
        await peer.send(Success())
        await peer.accept_close()

    with trio.fail_after(HANG_SECONDS):
        async with open_scripted_server(control=[control]) as server, open_client(server.url) as client:
            async with client.attach_session("s1", 2) as session:
                with pytest.raises(RemoteError) as caught:
                    await session.resume()
                assert caught.value.payload == busy
                await session.resume()
                assert session.last_sequence == 2
                assert await anext(session) == ErrorEvent(failure=InvalidRequest(error="old"))
                assert await anext(session) == STATUS
                assert session.last_sequence == 4


# Subscriptions


async def test_a_stream_begins_acknowledged_and_ends_at_its_marker() -> None:
    """What a request causes after it is not missed; the data socket carries no key and says where to begin."""
    has_advanced = trio.Event()

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue())
        await peer.expect(Continue)
        has_advanced.set()
        await peer.send(SlotNotification(slot=101), ReadyForContinue())
        await peer.accept_close()

    async def data(peer: DataPeer) -> None:
        request = await peer.accept_subscribe()
        assert (request.key.method, request.replay_from_slot) == ("accountDiffSubscribe", 99)
        await has_advanced.wait()
        await peer.notify(*map(account_diff, (99, 101)))
        await peer.complete()
        await peer.hold()

    with trio.fail_after(HANG_SECONDS):
        async with open_scripted_server(control=[control], data=[data], api_key="k") as server:
            async with open_client(server.url, api_key="k") as client, client.open_session(REQUEST) as session:
                async with session.subscribe(AccountDiffs(program=PROGRAM), replay_from_slot=99) as diffs:
                    await session.wait_ready()
                    await session.advance(1)
                    assert [diff.slot async for diff in diffs if isinstance(diff, AccountDiff)] == [99, 101]


async def test_a_stream_does_not_come_back() -> None:
    """What came before the cut is given, then the failure with its last slot; there is no second connection."""

    async def data(peer: DataPeer) -> None:
        await peer.accept_subscribe()
        await peer.notify(account_diff(100))
        peer.cut()

    async with one_subscription(data) as session:
        async with session.subscribe(AccountDiffs(program=PROGRAM)) as diffs:
            received = [await anext(diffs)]
            with pytest.raises(SubscriptionFailed) as caught:
                received.append(await anext(diffs))
    assert (len(received), caught.value.last_slot) == (1, 100)


async def test_a_refused_subscription_does_not_open_its_block() -> None:
    """The cause is the server's error."""

    async def data(peer: DataPeer) -> None:
        await peer.refuse_subscribe(await peer.receive_subscribe(), -32602, "no such account")
        await peer.hold()

    async with one_subscription(data) as session:
        with pytest.raises(SubscriptionFailed, match="no such account"):
            async with session.subscribe(AccountDiffs(program=PROGRAM)):
                pytest.fail("the block was entered")


# Parallel sessions


async def test_sub_sessions_are_driven_by_send_and_iteration() -> None:
    """Events carry their session; the coverage is that of all of them; each has its own RPC."""

    async def control(peer: ControlPeer) -> None:
        await peer.expect(CreateSession)
        await peer.send(
            SessionCreated(session_id="s1", rpc_endpoint="/backtest/s1"),
            SessionsCreatedV2(
                control_session_id="p",
                session_ids=("s1", "s2"),
                task_ids=(None, "t2"),
                start_slots=(100, 103),
                end_slots=(102, 105),
            ),
        )
        assert await peer.expect(ContinueSubSession) == ContinueSubSession(session_id="s2", request=Continue())
        for session_id, slots in (("s2", range(103, 106)), ("s1", range(100, 103))):
            for number, slot in enumerate(slots):
                event = SlotNotification(slot=slot)
                await peer.send(SubSessionEvent(session_id=session_id, event=event, seq_id=number))
            await peer.send(SubSessionEvent(session_id=session_id, event=Completed(), seq_id=9))
        await peer.accept_close()

    reported: list[str] = []
    request = create_request(start_slot=100, end_slot=105, parallel=True)
    with trio.fail_after(HANG_SECONDS):
        async with open_scripted_server(control=[control]) as server, open_client(server.url) as client:
            async with client.open_session(request, on_created=lambda one: reported.append(one.session_id)) as raw:
                assert (raw.session_id, repr(raw)) == ("p", "<RawSession …p running>")
                first, second = raw.sessions
                assert (first.start_slot, first.end_slot, second.task_id) == (100, 102, "t2")
                assert raw.rpc_of(first) is not None
                with pytest.raises(InputError, match="not said where the RPC of session s2 is"):
                    raw.rpc_of(second)
                with pytest.raises(LocalProtocolError, match="2 sub-sessions"):
                    _ = raw.rpc
                await raw.send(ContinueSubSession(session_id="s2", request=Continue()))
                assert not raw.coverage().is_whole
                events = [await anext(raw) for _ in range(8)]
                assert raw.coverage().is_whole

    assert reported == ["s1", "s2"]
    assert all(isinstance(event, SubSessionEvent) for event in events)


# Coverage


async def test_the_coverage_of_the_shipped_market_lacks_only_the_slots_without_a_block() -> None:
    """End to end on the embedded simulator: every slot once, none outside, and the attach takes up where the first socket left."""
    async with open_local_simulator() as simulator, open_client(simulator.url) as client:
        [market] = await client.available_ranges()
        first, last = market.bundle_start_slot, market.max_bundle_end_slot
        request = create_request(start_slot=first, end_slot=last, disconnect_timeout_seconds=60, send_summary=True)
        async with client.open_session(request) as session:
            await session.wait_ready()
            await session.continue_until_ready(50)
            assert await session.rpc.get_slot() == session.progress.last_slot
            half = session.coverage()
            assert [type(event) for event in session.take_unread()] == [Status]
            await session.detach()
        async with client.attach_session(session.session_id, session.last_sequence, is_ready=session.is_ready) as again:
            await again.resume()
            assert await again.wait_ready()
            assert again.take_unread() == []
            end = await again.continue_until_ready(1000)
            assert end.completed is not None
            assert end.completed.summary is not None
            rest = again.coverage(first, last)

    with open_bundle(shipped_bundle()) as bundle:
        blocks = [block.slot for block in bundle.slots()]
    assert (half.seen, rest.seen) == (50, len(blocks) - 50)
    assert (half.repeated, rest.repeated, half.outside, rest.outside) == (0, 0, (), ())
    assert rest.is_complete
    missed_by_both = _slots(half.missing) & _slots(rest.missing)
    assert missed_by_both == set(range(first, (last or 0) + 1)) - set(blocks)


def _slots(runs: tuple[tuple[int, int], ...]) -> set[int]:
    return {slot for begin, end in runs for slot in range(begin, end + 1)}
