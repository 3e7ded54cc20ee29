"""What simulator-client 0.9.0 and 0.28.0 demand of a parallel session, end to end over real WebSockets.

Each test has the name of the one in `tests/ws_client.rs` of those crates that demands it.
"""

from __future__ import annotations

import pytest
import trio

from simclient.errors import RemoteProtocolError
from simclient.protocol.budget import BudgetLimits
from simclient.session.backtest import BacktestSession
from simclient.session.inbox import Event
from simclient.session.limits import Limits
from simclient.session.parallel import open_parallel_session
from simclient.testing import ControlPeer, open_scripted_server
from simclient.wire.requests import AttachParallelSession, ContinueSubSession, CreateSession
from simclient.wire.responses import (
    Completed,
    ParallelSessionAttached,
    ReadyForContinue,
    SessionCreated,
    SessionEvent,
    SessionsCreatedV2,
    SlotNotification,
    SubSessionEvent,
    Success,
)
from simclient.wire.summary import SessionSummary

HANG_SECONDS = 10
QUICK = Limits(reconnect=BudgetLimits(first_delay_seconds=0.01))


async def say(peer: ControlPeer, session_id: str, seq_id: int, event: SessionEvent) -> None:
    """Send an event of one sub-session."""
    await peer.send(SubSessionEvent(session_id=session_id, seq_id=seq_id, event=event))


async def run_to_the_end(session: BacktestSession) -> list[Event]:
    """Advance once when the sub-session is ready; return its events."""
    events: list[Event] = []
    async for event in session:
        events.append(event)
        if isinstance(event, ReadyForContinue):
            await session.advance(100)
    return events


async def test_parallel_multiplex_drives_all_sub_sessions_to_completion() -> None:
    """Events go to their sub-session, each `continue` names its own, and each summary arrives at its own."""

    async def control(peer: ControlPeer) -> None:
        assert (await peer.expect(CreateSession)).parallel
        for session_id, start in (("s1", 100), ("s2", 200)):
            await peer.send(SessionCreated(session_id=session_id, rpc_endpoint=f"http://rpc/{session_id}"))
            await say(peer, session_id, 1, SlotNotification(slot=start))
        await peer.send(
            SessionsCreatedV2(
                control_session_id="p", session_ids=("s1", "s2"), start_slots=(100, 200), end_slots=(199, 299)
            )
        )
        await say(peer, "s1", 2, ReadyForContinue())
        await say(peer, "s2", 2, ReadyForContinue())
        for _ in range(2):
            asked = await peer.expect(ContinueSubSession)
            summary = SessionSummary(correct_simulation=1 if asked.session_id == "s1" else 2)
            await say(peer, asked.session_id, 3, Completed(summary=summary))
        await peer.accept_close()

    ended: dict[str, list[Event]] = {}

    async def drive(session: BacktestSession) -> None:
        ended[session.session_id] = await run_to_the_end(session)

    with trio.fail_after(HANG_SECONDS):
        async with open_scripted_server(control=[control], api_key="k") as server:
            async with open_parallel_session(server.url, start_slot=100, end_slot=299, api_key="k") as parallel:
                assert parallel.session_id == "p"
                async with trio.open_nursery() as nursery:
                    for session in parallel:
                        nursery.start_soon(drive, session)

    assert ended == {
        name: [
            SlotNotification(slot=start),
            ReadyForContinue(),
            Completed(summary=SessionSummary(correct_simulation=correct)),
        ]
        for name, start, correct in (("s1", 100, 1), ("s2", 200, 2))
    }


async def test_parallel_multiplex_reconnects_and_dedups_replay() -> None:
    """The attach carries the cursor of each sub-session, and what is replayed up to it is dropped."""

    async def first(peer: ControlPeer) -> None:
        await peer.expect(CreateSession)
        await peer.send(SessionCreated(session_id="s1", rpc_endpoint="http://rpc/s1"))
        await say(peer, "s1", 1, SlotNotification(slot=100))
        await peer.send(
            SessionsCreatedV2(control_session_id="p", session_ids=("s1",), start_slots=(100,), end_slots=(199,))
        )
        peer.cut()

    async def second(peer: ControlPeer) -> None:
        request = await peer.expect(AttachParallelSession)
        assert request == AttachParallelSession(control_session_id="p", last_sequences={"s1": 1})
        await peer.send(ParallelSessionAttached(control_session_id="p", session_ids=("s1",)))
        await say(peer, "s1", 1, SlotNotification(slot=100))
        await say(peer, "s1", 2, ReadyForContinue())
        # Ours resumes after the attach; that client does not.
        while not isinstance(request := await peer.receive_request(), ContinueSubSession):  # type: ignore[assignment]
            await peer.send(Success())
        assert request.session_id == "s1"
        await say(peer, "s1", 3, Completed())
        await peer.accept_close()

    with trio.fail_after(HANG_SECONDS):
        async with open_scripted_server(control=[first, second], api_key="k") as server:
            async with open_parallel_session(
                server.url, start_slot=100, end_slot=199, api_key="k", limits=QUICK
            ) as parallel:
                [session] = parallel
                events = await run_to_the_end(session)

    assert events == [SlotNotification(slot=100), ReadyForContinue(), Completed()]


async def test_parallel_multiplex_rejects_missing_sub_session_ranges() -> None:
    """A server that does not say which slots a sub-session has is too old, and the create fails."""

    async def control(peer: ControlPeer) -> None:
        await peer.expect(CreateSession)
        await peer.send(SessionCreated(session_id="s1", rpc_endpoint="http://rpc/s1"))
        await peer.send(SessionsCreatedV2(control_session_id="p", session_ids=("s1",)))
        await peer.hold()

    with trio.fail_after(HANG_SECONDS), pytest.raises(RemoteProtocolError, match="too old"):
        async with open_scripted_server(control=[control], api_key="k") as server:
            async with open_parallel_session(server.url, start_slot=100, end_slot=199, api_key="k"):
                pass


async def test_managed_parallel_resend_keeps_the_create_token() -> None:
    """A create that drops half-way is sent again, with the same name and token; the echoed name is read."""
    tokens: list[str | None] = []

    async def first(peer: ControlPeer) -> None:
        tokens.append((await peer.expect(CreateSession)).create_token)
        peer.cut()

    async def second(peer: ControlPeer) -> None:
        request = await peer.expect(CreateSession)
        assert request.name == "my-run"
        tokens.append(request.create_token)
        await peer.send(
            SessionCreated(session_id="s1", rpc_endpoint="http://rpc/s1", session_name="my-run"),
            SessionsCreatedV2(
                control_session_id="p",
                control_session_name="my-run",
                session_ids=("s1",),
                start_slots=(100,),
                end_slots=(199,),
            ),
        )
        await peer.accept_close()

    with trio.fail_after(HANG_SECONDS):
        async with open_scripted_server(control=[first, second], api_key="k") as server:
            async with open_parallel_session(
                server.url, start_slot=100, end_slot=199, name="my-run", api_key="k", limits=QUICK
            ) as parallel:
                assert parallel.session_name == "my-run"
                [session] = parallel
                assert session.session_name == "my-run"

    assert tokens[0] is not None
    assert tokens == [tokens[0]] * 2
