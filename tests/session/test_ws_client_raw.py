"""What simulator-client 0.9.0 and 0.28.0 demand of a raw session and of the client, end to end over real WebSockets.

Each test has the name of the one in `tests/ws_client.rs` of those crates that demands it.
"""

from __future__ import annotations

import json
from importlib.metadata import version

import pytest
import trio

from simclient.errors import HttpError, RemoteError
from simclient.session.client.client import open_client
from simclient.session.request import create_request
from simclient.testing import ControlPeer, HttpAnswer, HttpRequest, open_scripted_server
from simclient.wire.failures import NoMoreBlocks
from simclient.wire.generation import NEWEST, Generation
from simclient.wire.requests import AttachSession, CloseSession, Continue, CreateSession
from simclient.wire.responses import (
    ErrorEvent,
    ReadyForContinue,
    SessionAttached,
    SessionCreated,
    SessionsCreated,
    SessionsCreatedV2,
    SlotNotification,
    Status,
    Success,
)

HANG_SECONDS = 10
REQUEST = create_request(start_slot=100, slot_count=5)
PARALLEL = create_request(start_slot=100, end_slot=105, parallel=True)
CREATED = SessionCreated(session_id="s1", rpc_endpoint="http://rpc")
both_generations = pytest.mark.parametrize("generation", [Generation.V0_9, NEWEST])


async def test_creates_session_waits_ready_advances_and_closes() -> None:
    """Two slots are two notifications, the last of them 102, and the session is ready again; close is answered with success."""

    async def control(peer: ControlPeer) -> None:
        request = await peer.expect(CreateSession)
        assert (request.params.start_slot, request.params.end_slot, request.parallel) == (100, 105, False)
        await peer.send(CREATED, ReadyForContinue())
        assert await peer.expect(Continue) == Continue(advance_count=2)
        await peer.send(
            Status(status="decodedTransactions"),
            SlotNotification(slot=101),
            SlotNotification(slot=102),
            ReadyForContinue(),
        )
        await peer.expect(CloseSession)
        await peer.send(Success())
        await peer.hold()

    with trio.fail_after(HANG_SECONDS):
        async with open_scripted_server(control=[control], api_key="k") as server:
            async with open_client(server.url, api_key="k") as client, client.open_session(REQUEST) as session:
                assert (session.session_id, session.rpc_url) == ("s1", "http://rpc")
                assert await session.wait_ready()
                result = await session.advance(2)
                assert (result.slots, result.last_slot, result.is_ready) == (2, 102, True)
                assert result.statuses == {"decodedTransactions": 1}
                await session.close()


async def test_surfaces_remote_error() -> None:
    """The server's answer that there are no more blocks is raised with its typed payload."""

    async def control(peer: ControlPeer) -> None:
        await peer.expect(CreateSession)
        await peer.send(CREATED, ReadyForContinue())
        await peer.expect(Continue)
        await peer.send(ErrorEvent(failure=NoMoreBlocks()))

    with trio.fail_after(HANG_SECONDS):
        async with open_scripted_server(control=[control], api_key="k") as server:
            async with open_client(server.url, api_key="k") as client:
                async with client.open_session(create_request(start_slot=100, end_slot=100)) as session:
                    await session.wait_ready()
                    with pytest.raises(RemoteError) as caught:
                        await session.continue_until_ready(1)

    assert caught.value.payload == NoMoreBlocks()


@both_generations
async def test_creates_parallel_sessions_and_returns_ids(generation: Generation) -> None:
    """The parameters stand flat beside `parallel: true`, and the ids that the server lists are returned."""

    async def control(peer: ControlPeer) -> None:
        said = json.loads(await peer.receive_message())
        assert said["method"] == "createBacktestSession"
        assert said["params"]["parallel"] is True
        assert said["params"]["startSlot"] == 100
        assert "request" not in said["params"]
        if generation is Generation.V0_9:
            await peer.send(SessionsCreated(session_ids=("s1", "s2")))
        else:
            await peer.send(
                SessionsCreatedV2(
                    control_session_id="p", session_ids=("s1", "s2"), task_ids=("t1",), start_slots=(100,)
                )
            )
        await peer.hold()

    with trio.fail_after(HANG_SECONDS):
        async with open_scripted_server(control=[control], api_key="k", generation=generation) as server:
            async with open_client(server.url, api_key="k") as client:
                created = await client.create_sessions(PARALLEL)

    assert [one.session_id for one in created] == ["s1", "s2"]
    expected = [None, None] if generation is Generation.V0_9 else ["t1", None]
    assert [one.task_id for one in created] == expected
    assert all(not isinstance(request, CloseSession) for request in server.requests), "the sessions live on"


@both_generations
async def test_creates_parallel_sessions_from_streamed_session_created_events(generation: Generation) -> None:
    """Where the list is empty the ids are those that were streamed, and each was reported as it came."""
    streamed: list[str] = []
    first_reported = trio.Event()

    async def control(peer: ControlPeer) -> None:
        assert (await peer.expect(CreateSession)).parallel
        await peer.send(SessionCreated(session_id="s1", rpc_endpoint="/backtest/s1", task_id="t1"))
        await first_reported.wait()
        await peer.send(SessionCreated(session_id="s2", rpc_endpoint="/backtest/s2"))
        if generation is Generation.V0_9:
            await peer.send(SessionsCreated(session_ids=()))
        else:
            await peer.send(SessionsCreatedV2(control_session_id="p", session_ids=()))
        await peer.hold()

    def report(session_id: str) -> None:
        streamed.append(session_id)
        first_reported.set()

    with trio.fail_after(HANG_SECONDS):
        async with open_scripted_server(control=[control], api_key="k", generation=generation) as server:
            async with open_client(server.url, api_key="k") as client:
                created = await client.create_sessions(PARALLEL, on_created=lambda one: report(one.session_id))

    assert streamed == ["s1", "s2"]
    assert [(one.session_id, one.task_id, one.rpc_endpoint) for one in created] == [
        ("s1", "t1", "/backtest/s1"),
        ("s2", None, "/backtest/s2"),
    ]


async def test_attaches_to_existing_session() -> None:
    """The attach carries the cursor, and the session has the name and the endpoint that the server gives."""

    async def control(peer: ControlPeer) -> None:
        assert await peer.expect(AttachSession) == AttachSession(session_id="s1", last_sequence=7)
        await peer.send(SessionAttached(session_id="s1", rpc_endpoint="http://rpc/s1", session_name="my-run"))
        await peer.hold()

    with trio.fail_after(HANG_SECONDS):
        async with open_scripted_server(control=[control], api_key="k") as server:
            async with open_client(server.url, api_key="k") as client:
                async with client.attach_session("s1", 7) as session:
                    assert (session.session_id, session.session_name) == ("s1", "my-run")
                    assert session.rpc_url == "http://rpc/s1"
                    assert session.last_sequence == 7
                    await session.detach()


async def test_named_single_session_is_sent_as_v1_and_reads_the_echoed_name() -> None:
    """A name goes with `parallel: false` and a token of 32 hex digits, and is read back."""

    async def control(peer: ControlPeer) -> None:
        params = json.loads(await peer.receive_message())["params"]
        assert (params["name"], params["parallel"]) == ("my-run", False)
        assert len(bytes.fromhex(params["createToken"])) == 16
        await peer.send(SessionCreated(session_id="s1", rpc_endpoint="http://rpc", session_name="my-run"))
        await peer.hold()

    with trio.fail_after(HANG_SECONDS):
        async with open_scripted_server(control=[control], api_key="k") as server:
            async with open_client(server.url, api_key="k") as client:
                async with client.open_session(create_request(start_slot=100, end_slot=105, name="my-run")) as session:
                    assert session.session_name == "my-run"
                    await session.detach()


async def test_tracks_last_sequence_from_sequenced_control_responses() -> None:
    """The cursor follows what was handed out."""

    async def control(peer: ControlPeer) -> None:
        assert await peer.expect(AttachSession) == AttachSession(session_id="s1", last_sequence=None)
        await peer.send(SessionAttached(session_id="s1", rpc_endpoint="http://rpc/s1"))
        await peer.send(ReadyForContinue(), Status(status="decodedTransactions"), seq_id=41)
        await peer.hold()

    with trio.fail_after(HANG_SECONDS):
        async with open_scripted_server(control=[control], api_key="k") as server:
            async with open_client(server.url, api_key="k") as client, client.attach_session("s1") as session:
                cursors = [session.last_sequence]
                assert await session.wait_ready()
                cursors.append(session.last_sequence)
                await session.wait_for_status("decodedTransactions")
                assert [*cursors, session.last_sequence] == [None, 41, 42]
                await session.detach()


async def test_raw_client_identifies_itself_on_http_and_websocket() -> None:
    """Both planes of the control host get the same `User-Agent`, ours and marked as raw."""
    agents: list[str] = []

    def http(request: HttpRequest) -> HttpAnswer:
        agents.append(request.headers["user-agent"])
        return HttpAnswer(status=404)

    async def control(peer: ControlPeer) -> None:
        agents.append(peer.headers["user-agent"])
        await peer.accept_create()
        await peer.accept_close()

    with trio.fail_after(HANG_SECONDS):
        async with open_scripted_server(control=[control], http=http) as server:
            async with open_client(server.url, user_agent="tool/1") as client:
                with pytest.raises(HttpError):
                    await client.available_ranges()
                async with client.open_session(REQUEST):
                    pass

    assert agents == [f"tool/1 simclient/{version('simclient')} (raw)"] * 2
