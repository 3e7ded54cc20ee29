"""Parallel sessions, end to end over real WebSockets: several sub-sessions over one control socket."""

from __future__ import annotations

import pytest
import trio

from simclient.errors import LocalProtocolError, RemoteProtocolError
from simclient.session.inbox import Event
from simclient.testing import ControlPeer, DataPeer, Verdict, numbered_diffs, open_scripted_server
from simclient.wire.requests import CloseSession, ContinueSubSession, ContinueSubSessionTo, CreateSession
from simclient.wire.responses import (
    Completed,
    Paused,
    ReadyForContinue,
    SessionCreated,
    SessionsCreated,
    SessionsCreatedV2,
    SlotNotification,
    Status,
)

from .parallel_sessions import RANGES, diffs, parallel_over, run_all, run_to_the_end, run_two
from .sessions import WATCH


async def test_sub_sessions_are_driven_over_one_socket() -> None:
    """Each has its own range, events and end; the create carries `parallel` and a token, the close is one for all."""
    async with open_scripted_server(control=[run_two]) as server:
        async with parallel_over(server) as parallel:
            assert [(s.start_slot, s.end_slot) for s in parallel] == list(RANGES)
            assert (parallel.session_id, len(parallel)) == ("p1", 2)
            events = await run_all(parallel)

    assert events == [
        [ReadyForContinue(), SlotNotification(slot=100), Completed()],
        [ReadyForContinue(), SlotNotification(slot=150), Completed()],
    ]
    create = server.requests[0]
    assert isinstance(create, CreateSession)
    assert create.parallel
    assert len(create.create_token or "") == 32
    assert isinstance(server.requests[-1], CloseSession)
    assert server.control_connections == 1


async def test_sub_sessions_may_be_read_one_after_another() -> None:
    """What the second has to say waits until it is read."""
    async with open_scripted_server(control=[run_two]) as server:
        async with parallel_over(server) as parallel:
            events: list[list[Event]] = [[], []]
            for session, into in zip(parallel, events, strict=True):
                await run_to_the_end(session, into)

    assert [into[-1] for into in events] == [Completed(), Completed()]


async def test_each_sub_session_has_its_own_data_plane() -> None:
    """Notifications come by the endpoint of their sub-session, and are drained before its `Completed`."""
    truths = {"s1": numbered_diffs(30, slots=range(100, 150)), "s2": numbered_diffs(30, slots=range(150, 200))}

    async def data(peer: DataPeer) -> None:
        await peer.accept_subscribe()
        await peer.notify(*truths[peer.session_id].results)
        await peer.complete()
        await peer.hold()

    async with open_scripted_server(control=[run_two], data=[data, data]) as server:
        async with parallel_over(server, watch=WATCH) as parallel:
            events = await run_all(parallel)

    assert [truth.compare(diffs(into)) for truth, into in zip(truths.values(), events, strict=True)] == [Verdict()] * 2
    assert [into[-1] for into in events] == [Completed(), Completed()]


async def test_a_reconnect_names_the_cursor_of_each_sub_session() -> None:
    """Replayed events are given once; a sub-session that has said nothing has no cursor."""

    async def first(peer: ControlPeer) -> None:
        await peer.accept_parallel_create(*RANGES, (200, 249))
        await peer.send_to("s1", ReadyForContinue(), SlotNotification(slot=100), seq_id=1)
        await peer.send_to("s2", ReadyForContinue(), seq_id=7)
        await seen.wait()
        await peer.close(1012, "management handoff")

    async def second(peer: ControlPeer) -> None:
        attach = await peer.accept_parallel_attach("s1", "s2", "s3")
        assert (attach.control_session_id, dict(attach.last_sequences)) == ("p1", {"s1": 2, "s2": 7})
        await peer.send_to("s1", ReadyForContinue(), SlotNotification(slot=100), Completed(), seq_id=1)
        await peer.send_to("s2", ReadyForContinue(), Completed(), seq_id=7)
        await peer.send_to("s3", Completed(), seq_id=1)
        await peer.accept_close()

    seen = trio.Event()
    async with open_scripted_server(control=[first, second]) as server, parallel_over(server) as parallel:
        one, two, three = parallel
        assert [await anext(one), await anext(one)] == [ReadyForContinue(), SlotNotification(slot=100)]
        assert await anext(two) == ReadyForContinue()
        seen.set()
        assert [[event async for event in session] for session in (one, two, three)] == [[Completed()]] * 3
        assert one.statistics().replays_dropped == 2


async def test_a_create_that_drops_half_way_is_tried_again_with_the_same_token() -> None:
    """What the lost attempt announced is forgotten; what its sub-sessions said before is kept if they are announced again."""
    tokens: list[str | None] = []

    async def first(peer: ControlPeer) -> None:
        tokens.append((await peer.expect(CreateSession)).create_token)
        for session_id in ("lost", "s1"):
            await peer.send(SessionCreated(session_id=session_id, rpc_endpoint=peer.rpc_endpoint("nowhere")))
        await peer.send_to("s1", Status(status="startingRuntime"), seq_id=1)
        peer.cut()

    async def second(peer: ControlPeer) -> None:
        tokens.append((await peer.accept_parallel_create(*RANGES)).create_token)
        await peer.send_to("s1", Status(status="startingRuntime"), Completed(), seq_id=1)
        await peer.send_to("s2", Completed(), seq_id=1)
        await peer.accept_close()

    async with open_scripted_server(control=[first, second]) as server, parallel_over(server) as parallel:
        assert [s.session_id for s in parallel] == ["s1", "s2"]
        assert await run_all(parallel) == [[Status(status="startingRuntime"), Completed()], [Completed()]]
        assert parallel.sub_sessions[0].statistics().possible_orphans == 0

    assert tokens[0] == tokens[1]
    assert tokens[0] is not None


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (SessionsCreatedV2(control_session_id="p", session_ids=("s1", "s2")), "0 first and 0 last slots"),
        (
            SessionsCreatedV2(control_session_id="p", session_ids=("s1", "s2"), start_slots=(1, 2), end_slots=(1,)),
            "2 first and 1 last slots",
        ),
        (
            SessionsCreatedV2(control_session_id="p", session_ids=("s1", "x"), start_slots=(1, 2), end_slots=(1, 2)),
            "where 2 of 2",
        ),
        (SessionsCreated(session_ids=("s1", "s2")), "form of 0.9"),
    ],
    ids=["no ranges", "unequal ranges", "an id never announced", "0.9"],
)
async def test_a_server_that_does_not_say_the_ranges_is_too_old(
    answer: SessionsCreatedV2 | SessionsCreated, message: str
) -> None:
    """A sub-session without a range cannot be driven: that is an error of the create."""

    async def control(peer: ControlPeer) -> None:
        await peer.expect(CreateSession)
        for session_id in ("s1", "s2"):
            await peer.send(SessionCreated(session_id=session_id, rpc_endpoint=peer.rpc_endpoint(session_id)))
        await peer.send(answer)
        await peer.hold()

    async with open_scripted_server(control=[control]) as server:
        with pytest.raises(RemoteProtocolError, match=message):
            async with parallel_over(server):
                raise AssertionError("it was opened")


async def test_a_lost_continue_of_one_sub_session_is_sent_again() -> None:
    """Its fate is resolved for each sub-session by itself."""

    async def first(peer: ControlPeer) -> None:
        await peer.accept_parallel_create(*RANGES)
        await peer.send_to("s1", ReadyForContinue(), seq_id=1)
        await peer.expect(ContinueSubSession)
        peer.cut()

    async def second(peer: ControlPeer) -> None:
        await peer.accept_parallel_attach("s1", "s2")
        again = await peer.expect(ContinueSubSession)
        assert (again.session_id, again.request.advance_count) == ("s1", 50)
        await peer.send_to("s1", Completed(), seq_id=2)
        await peer.send_to("s2", Completed(), seq_id=1)
        await peer.accept_close()

    async with open_scripted_server(control=[first, second]) as server, parallel_over(server) as parallel:
        await run_all(parallel)
        assert [s.statistics().continues_resent for s in parallel] == [1, 0]


async def test_a_sub_session_can_stop_before_a_batch() -> None:
    """`advance_to` goes out as `continueToSessionV1`, which the Rust client's sub-sessions cannot."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_parallel_create(*RANGES)
        await peer.send_to("s2", ReadyForContinue(), seq_id=1)
        asked = await peer.expect(ContinueSubSessionTo)
        assert (asked.session_id, asked.request.slot, asked.request.batch_index) == ("s2", 160, 3)
        await peer.send_to("s2", Paused(slot=160, batch_index=3), Completed(), seq_id=2)
        await peer.send_to("s1", Completed(), seq_id=1)
        await peer.accept_close()

    async with open_scripted_server(control=[control]) as server, parallel_over(server) as parallel:
        one, two = parallel
        assert await anext(two) == ReadyForContinue()
        await two.advance_to(160, batch_index=3)
        assert [event async for event in two] == [Paused(slot=160, batch_index=3), Completed()]
        assert [event async for event in one] == [Completed()]


async def test_a_sub_session_is_not_detached_alone() -> None:
    """They share a connection."""
    async with open_scripted_server(control=[run_two]) as server, parallel_over(server) as parallel:
        with pytest.raises(LocalProtocolError, match="parallel session"):
            await parallel.sub_sessions[0].detach()
        await run_all(parallel)


async def test_leaving_the_block_closes_the_whole() -> None:
    """One `closeBacktestSession`, also when the body raises."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_parallel_create(*RANGES)
        await peer.accept_close()

    async with open_scripted_server(control=[control]) as server:
        with pytest.raises(ZeroDivisionError):
            async with parallel_over(server):
                raise ZeroDivisionError
    assert isinstance(server.requests[-1], CloseSession)
