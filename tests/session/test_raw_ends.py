"""What a raw session over real WebSockets is refused, what it says of its errors, and how it ends."""

from __future__ import annotations

import pytest
import trio

from simclient.errors import (
    ConnectError,
    ConnectionLost,
    InputError,
    LocalProtocolError,
    RemoteError,
    RemoteProtocolError,
    SessionClosed,
)
from simclient.session.client.client import open_client
from simclient.session.limits import Limits
from simclient.testing import ControlPeer, open_scripted_server
from simclient.wire.failures import InvalidTransactionFormat, SessionNameTaken
from simclient.wire.requests import CloseSession, Continue, CreateSession
from simclient.wire.responses import (
    Completed,
    ControlResponse,
    ErrorEvent,
    ReadyForContinue,
    SessionsCreatedV2,
    SlotNotification,
    Success,
)
from simclient.wire.summary import SessionSummary

from .raw_sessions import REQUEST, STATUS, everything, raw_session

# Errors


async def test_a_session_that_is_not_ready_is_not_advanced() -> None:
    """Nothing is sent."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.accept_close()

    async with raw_session(control) as session:
        with pytest.raises(LocalProtocolError, match="not ready"):
            await session.advance(1)


async def test_a_refused_request_leaves_the_session_ready() -> None:
    """The error says which transaction; then the session takes another request."""
    failure = InvalidTransactionFormat(index=0, error="short")

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue())
        await peer.expect(Continue)
        await peer.send(ErrorEvent(failure=failure))
        await peer.expect(Continue)
        await peer.send(SlotNotification(slot=101), ReadyForContinue())
        await peer.accept_close()

    async with raw_session(control) as session:
        await session.wait_ready()
        with pytest.raises(RemoteError, match="transaction 0") as caught:
            await session.advance(1, transactions=[b"x"])
        assert caught.value.payload == failure
        assert (await session.advance(1)).last_slot == 101


async def test_a_refused_create_is_typed() -> None:
    """The payload is the server's."""
    failure = SessionNameTaken(session_name="mine")

    async def control(peer: ControlPeer) -> None:
        await peer.expect(CreateSession)
        await peer.send(STATUS, ErrorEvent(failure=failure))
        await peer.hold()

    with pytest.raises(RemoteError, match="mine") as caught:
        async with raw_session(control):
            pass
    assert caught.value.payload == failure


async def test_a_list_does_not_answer_a_plain_create() -> None:
    """One session was asked for."""

    async def control(peer: ControlPeer) -> None:
        await peer.expect(CreateSession)
        await peer.send(SessionsCreatedV2(control_session_id="p", session_ids=("s1",)))
        await peer.hold()

    with pytest.raises(RemoteProtocolError, match="list of sessions"):
        async with raw_session(control):
            pass


async def test_an_unanswered_create_is_given_up() -> None:
    """After `response_seconds`."""

    async def control(peer: ControlPeer) -> None:
        await peer.expect(CreateSession)
        await peer.hold()

    with pytest.raises(ConnectionLost, match=r"said nothing for 0\.05 s"):
        async with raw_session(control, limits=Limits(response_seconds=0.05)):
            pass


async def test_what_came_before_a_cut_is_given_before_the_error() -> None:
    """There is no reconnect."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(STATUS, SlotNotification(slot=100))
        peer.cut()

    async with raw_session(control) as session:
        events: list[ControlResponse] = []
        with pytest.raises(ConnectionLost):
            async for event in session:
                events.append(event)  # noqa: PERF401
        assert events == [STATUS, SlotNotification(slot=100)]


async def test_a_remote_host_needs_a_key_for_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is missed before anything is connected to; the client itself opens without."""
    monkeypatch.delenv("SIMULATOR_API_KEY", raising=False)
    async with open_client("simulator.invalid") as client:
        with pytest.raises(InputError, match=r"no API key for https://simulator\.invalid"):
            async with client.open_session(REQUEST):
                pass


async def test_a_wrong_key_is_a_connect_error(api_key_canary: str) -> None:
    """And is not shown."""
    async with open_scripted_server(api_key="another") as server, open_client(server.url) as client:
        with pytest.raises(ConnectError, match="check the API key") as caught:
            async with client.open_session(REQUEST):
                pass
    assert api_key_canary not in repr(caught.value)
    assert api_key_canary not in repr(client)


async def test_what_a_url_hides_is_not_shown() -> None:
    """A query may carry a key."""
    async with open_client("wss://simulator.example/backtest?api-key=secret", api_key="k") as client:
        assert repr(client) == "<SimulatorClient wss://simulator.example/backtest>"


# Ends


@pytest.mark.parametrize("how", ["end", "exception", "cancellation"])
async def test_leaving_the_block_closes_the_session(how: str) -> None:
    """The server sees the close and a close frame, however the block is left."""
    close_codes: list[int] = []

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.expect(CloseSession)
        await peer.send(Success())
        close_codes.append(await peer.hold())

    with trio.CancelScope() as scope:
        try:
            async with raw_session(control):
                if how == "exception":
                    raise KeyError(how)
                if how == "cancellation":
                    scope.cancel()
                    await trio.sleep_forever()
        except KeyError:
            assert how == "exception"
    assert close_codes == ([1000] if how != "cancellation" else [])


async def test_a_session_that_was_closed_is_used_no_more() -> None:
    """What waits unread can still be taken; requests are refused; closing again does nothing."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(STATUS)
        await peer.accept_close()

    async with raw_session(control) as session:
        await session.close()
        await session.close()
        assert await everything(session) == [STATUS]
        with pytest.raises(SessionClosed):
            await session.send(Continue())
        with pytest.raises(SessionClosed):
            await session.wait_ready()


@pytest.mark.parametrize("end", ["cut", "reset"])
async def test_a_socket_that_ends_at_the_close_is_an_answer(end: str) -> None:
    """Some servers answer so."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.expect(CloseSession)
        getattr(peer, end)()

    async with raw_session(control) as session:
        await session.close()


async def test_completed_answers_a_close() -> None:
    """The range ended just then; the event is not lost."""
    completed = Completed(summary=SessionSummary(correct_simulation=1))

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.expect(CloseSession)
        await peer.send(SlotNotification(slot=105), completed)
        await peer.hold()

    async with raw_session(control) as session:
        await session.close()
        assert session.completed == completed
        assert await everything(session) == [SlotNotification(slot=105), completed]


async def test_a_silent_server_does_not_hold_the_block() -> None:
    """Leaving is bounded by `closing_seconds`."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.hold_until_gone()

    async with raw_session(control, limits=Limits(closing_seconds=0.2)):
        pass
