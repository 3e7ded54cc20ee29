"""The scripted server: scripts per connection, rude ends, and failures that come out."""

from __future__ import annotations

import itertools
from contextlib import AbstractAsyncContextManager

import pytest
import trio

from simclient.errors import ConnectError, ConnectionLost
from simclient.testing import (
    ClientGone,
    ControlPeer,
    DataPeer,
    HttpAnswer,
    HttpRequest,
    ScriptedServer,
    ScriptFailure,
    open_scripted_server,
)
from simclient.transport.websocket import WebSocket, open_websocket
from simclient.wire.codec import read_response, write_request
from simclient.wire.params import SessionParams
from simclient.wire.requests import CloseSession, Continue, CreateSession
from simclient.wire.responses import Completed, ReadyForContinue, SessionCreated, SlotNotification, Success

CREATE = write_request(CreateSession(params=SessionParams(start_slot=100, end_slot=105)))
CONTINUE = write_request(Continue())
CLOSE = write_request(CloseSession())
SUBSCRIBE = '{"jsonrpc":"2.0","id":1,"method":"accountDiffSubscribe","params":["11111111111111111111111111111111",{}]}'


def connect(server: ScriptedServer, path: str = "", key: str | None = None) -> AbstractAsyncContextManager[WebSocket]:
    """Connect as a client does."""
    return open_websocket(server.url + path, headers=[("X-API-Key", key)] if key else [])


async def test_a_control_script_says_and_expects_wire_values() -> None:
    """A script creates a session, lets it run to its end, and answers the goodbye."""

    async def control(peer: ControlPeer) -> None:
        create = await peer.accept_create("s7")
        assert create.params.start_slot == 100
        await peer.send(ReadyForContinue(), SlotNotification(slot=100), seq_id=5)
        await peer.expect(Continue)
        await peer.send(Completed())
        await peer.accept_close()

    async with open_scripted_server(control=[control]) as server, connect(server) as socket:
        await socket.send(CREATE)
        created = read_response(await socket.receive()).response
        assert isinstance(created, SessionCreated)
        assert created.rpc_endpoint == "/backtest/s7"
        numbered = [read_response(await socket.receive()) for _ in range(2)]
        assert [message.seq_id for message in numbered] == [5, 6]
        await socket.send(CONTINUE)
        await socket.send(CLOSE)
        assert [read_response(await socket.receive()).response for _ in range(2)] == [Completed(), Success()]


async def test_successive_connections_take_successive_scripts() -> None:
    """The second connection runs the second script."""

    async def first(peer: ControlPeer) -> None:
        await peer.send_message("first")

    async def second(peer: ControlPeer) -> None:
        await peer.send_message("second")

    async with open_scripted_server(control=[first, second]) as server:
        said: list[str | bytes] = []
        for _ in range(2):
            async with connect(server) as socket:
                said.append(await socket.receive())

    assert said == ["first", "second"]


async def test_what_a_script_raises_comes_out_of_the_block_and_ends_its_body() -> None:
    """A failed expectation is the test's failure, even if the test waits for ever."""

    async def control(peer: ControlPeer) -> None:
        await peer.expect(Continue)

    with pytest.raises(ScriptFailure, match="control connection 1: expected Continue, the client sent CloseSession"):
        async with open_scripted_server(control=[control]) as server, connect(server) as socket:
            await socket.send(CLOSE)
            await trio.sleep_forever()


async def test_a_failed_script_comes_before_what_the_body_raises() -> None:
    """The body's error is often only what the failure caused; it is kept as the cause."""

    async def control(peer: ControlPeer) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        async with open_scripted_server(control=[control]) as server:
            try:
                async with connect(server):
                    await trio.sleep_forever()
            finally:
                raise ValueError("the client lost its connection")

    assert isinstance(caught.value.__cause__, ValueError)


async def test_the_body_s_own_error_passes_bare() -> None:
    """No group is put around it."""
    with pytest.raises(ValueError, match="mine"):
        async with open_scripted_server():
            raise ValueError("mine")


async def test_a_client_that_leaves_early_fails_the_script() -> None:
    """The error says with which code it left."""

    async def control(peer: ControlPeer) -> None:
        await peer.expect(Continue)

    with pytest.raises(ClientGone) as caught:
        async with open_scripted_server(control=[control]) as server, connect(server) as socket:
            await socket.aclose(1001)
            await trio.sleep_forever()

    assert caught.value.code == 1001


async def test_a_connection_too_many_fails_the_test() -> None:
    """A client must not connect more often than the scripts say."""
    with pytest.raises(ScriptFailure, match="no script") as caught:
        async with open_scripted_server() as server, connect(server):
            pass

    assert isinstance(caught.value.__cause__, ConnectError | None)


async def test_a_script_that_is_never_reached_fails_the_test() -> None:
    """A reconnect that does not happen is noticed."""
    with pytest.raises(ScriptFailure, match="never came for 2 of the 2 data scripts"):
        async with open_scripted_server(data=[_hold, _hold]):
            pass


async def test_scripts_without_an_end_need_not_be_used_up() -> None:
    """`itertools.repeat` serves however many connections there are."""
    async with open_scripted_server(data=itertools.repeat(_hold)) as server, connect(server, "/s1"):
        pass
    assert server.data_connections == 1


async def test_a_connection_left_open_fails_the_test() -> None:
    """A client that forgets a socket is noticed when the block ends."""
    with pytest.raises(ScriptFailure, match="these go on: data connection 1"):
        async with open_scripted_server(data=[_hold], exit_seconds=0.1) as server:
            stream = await trio.open_tcp_stream("127.0.0.1", server.port)
            await stream.send_all(_upgrade_request(server, path="/backtest/s1"))
            await stream.receive_some()
    await stream.aclose()


async def test_a_close_code_reaches_the_client() -> None:
    """1012 is how the service hands a session over."""

    async def control(peer: ControlPeer) -> None:
        await peer.close(1012, "management handoff")
        await peer.hold()

    async with open_scripted_server(control=[control]) as server, connect(server) as socket:
        with pytest.raises(ConnectionLost) as caught:
            await socket.receive()

    assert (caught.value.code, caught.value.reason) == (1012, "management handoff")


@pytest.mark.parametrize(("end", "error"), [("cut", None), ("reset", trio.BrokenResourceError)])
async def test_a_connection_ends_with_fin_or_rst(end: str, error: type[Exception] | None) -> None:
    """What was sent before a cut arrives; FIN reads as the end, RST as an error."""

    async def control(peer: ControlPeer) -> None:
        await peer.send_bytes(b"garbage")
        await peer_reads_all.wait()
        getattr(peer, end)()

    peer_reads_all = trio.Event()
    async with open_scripted_server(control=[control]) as server:
        stream = await trio.open_tcp_stream("127.0.0.1", server.port)
        async with stream:
            await stream.send_all(_upgrade_request(server))
            assert await stream.receive_some() == b"garbage"
            peer_reads_all.set()
            if error is None:
                assert await stream.receive_some() == b""
            else:
                with pytest.raises(error):
                    await stream.receive_some()


async def test_a_script_may_refuse_the_upgrade() -> None:
    """Status and body are the script's."""

    async def control(peer: ControlPeer) -> None:
        await peer.refuse(503, body=b"later", headers={"Retry-After": "7"})

    async with open_scripted_server(control=[control]) as server:
        stream = await trio.open_tcp_stream("127.0.0.1", server.port)
        async with stream:
            await stream.send_all(_upgrade_request(server))
            answer = await stream.receive_some()
    assert answer.startswith(b"HTTP/1.1 503")
    assert b"Retry-After: 7" in answer
    assert answer.endswith(b"later")


async def test_a_wrong_key_is_refused_and_takes_no_script() -> None:
    """The next connection, with the right key, runs the first script."""

    async def control(peer: ControlPeer) -> None:
        await peer.send_message("welcome")

    async with open_scripted_server(control=[control], api_key="right") as server:
        stream = await trio.open_tcp_stream("127.0.0.1", server.port)
        async with stream:
            await stream.send_all(_upgrade_request(server))
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 401")
        async with connect(server, key="right") as socket:
            assert await socket.receive() == "welcome"


async def test_a_key_on_the_data_plane_fails_the_test() -> None:
    """The key belongs to the control host only."""
    with pytest.raises(ScriptFailure, match="its API key to the data plane"):
        async with open_scripted_server(data=[_hold]) as server:
            stream = await trio.open_tcp_stream("127.0.0.1", server.port)
            async with stream:
                await stream.send_all(_upgrade_request(server, path="/backtest/s1", key="secret"))
                await trio.sleep_forever()


async def test_a_data_script_acknowledges_notifies_and_completes() -> None:
    """Text frames by default, binary ones of one zstd stream on request; the acknowledgement stays text."""

    async def data(peer: DataPeer) -> None:
        request = await peer.accept_subscribe(subscription_id=3)
        assert peer.session_id == "s1"
        assert request.replay_from_slot is None
        await peer.notify(b'{"context":{"slot":1}}', subscription_id=3)
        peer.start_compressing()
        await peer.complete(3)
        await peer.hold()

    async with open_scripted_server(data=[data]) as server, connect(server, "/s1") as socket:
        await socket.send(SUBSCRIBE)
        assert await socket.receive() == '{"jsonrpc":"2.0","id":1,"result":3}'
        assert '"slot":1' in await socket.receive()
        assert isinstance(await socket.receive(), bytes)


async def test_pings_are_answered_until_a_script_says_otherwise() -> None:
    """Also while the script waits for something else."""

    async def data(peer: DataPeer) -> None:
        await peer.receive_message()
        peer.stop_answering_pings()
        await peer.send_message("hush")
        await peer.receive_message()
        await peer.send_message("end")

    masked_ping, masked_text = b"\x89\x80mask", b"\x81\x80mask"
    async with open_scripted_server(data=[data]) as server:
        async with await trio.open_tcp_stream("127.0.0.1", server.port) as stream:
            await stream.send_all(_upgrade_request(server, path="/backtest/s1"))
            await stream.receive_some()
            await stream.send_all(masked_ping)
            assert await stream.receive_some() == b"\x8a\x00"
            await stream.send_all(masked_text)
            assert await stream.receive_some() == b"\x81\x04hush"
            await stream.send_all(masked_ping + masked_text)
            assert await stream.receive_some() == b"\x81\x03end"


async def test_a_frozen_connection_does_not_hold_up_the_end() -> None:
    """The script of a machine that vanished may wait for ever."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept()
        peer.freeze()
        await trio.sleep_forever()

    with trio.fail_after(5):
        async with open_scripted_server(control=[control]) as server, connect(server):
            pass


async def test_the_server_remembers_every_request() -> None:
    """Also those that came after the script had seen enough."""

    async def control(peer: ControlPeer) -> None:
        await peer.hold()

    async with open_scripted_server(control=[control]) as server:
        async with connect(server) as socket:
            await socket.send(CONTINUE)
            await socket.send(CLOSE)

    assert server.requests == (Continue(), CloseSession())


async def test_http_is_answered_by_a_function() -> None:
    """RPC and other requests see the path and the body."""

    def http(request: HttpRequest) -> HttpAnswer:
        assert request.path == "/backtest/s1"
        return HttpAnswer(body=request.body.upper())

    async with open_scripted_server(http=http) as server:
        stream = await trio.open_tcp_stream("127.0.0.1", server.port)
        async with stream:
            await stream.send_all(b"POST /backtest/s1 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")
            assert (await stream.receive_some()).endswith(b"HELLO")


async def _hold(peer: DataPeer) -> None:
    await peer.hold()


def _upgrade_request(server: ScriptedServer, *, path: str = "/backtest", key: str | None = None) -> bytes:
    key_line = f"X-API-Key: {key}\r\n" if key else ""
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{key_line}\r\n"
    ).encode()
