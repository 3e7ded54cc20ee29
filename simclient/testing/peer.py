"""What a script holds: the server's end of one control or data connection.

Both ends can say what the protocol has (the helpers answer as the hosted service does), and what no polite server would say: nothing,
garbage, a close code out of nowhere, half a frame, FIN or RST. Waiting for something that the client does not do raises `ScriptFailure`
with what it did instead; the server brings that out of its block.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar, final

from ..errors import RemoteProtocolError
from ..wire.codec import read_request, write_response
from ..wire.compression import StreamCompressor
from ..wire.generation import NEWEST, Generation
from ..wire.jsonrpc import (
    SubscribeRequest,
    read_rpc_request,
    write_acknowledgement,
    write_error,
    write_notification,
    write_subscription_complete,
)
from ..wire.requests import (
    AttachParallelSession,
    AttachSession,
    CloseSession,
    ControlRequest,
    CreateSession,
    ResumeAttachedSession,
)
from ..wire.responses import (
    ControlResponse,
    ParallelSessionAttached,
    SessionAttached,
    SessionCreated,
    SessionEvent,
    SessionsCreatedV2,
    SubSessionEvent,
    Success,
)
from .connection import Connection, HttpAnswer, ScriptFailure

__all__ = ["ControlPeer", "DataPeer", "Peer"]

Request = TypeVar("Request")


class Peer:
    """The server's end of one connection.

    The upgrade to a WebSocket is answered by the first method that needs one; before it, a script may `refuse`, send garbage, or cut.
    When the script returns, the connection ends with FIN.
    """

    def __init__(self, connection: Connection) -> None:
        """Take the connection; the server does this."""
        self._connection = connection

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._connection.label}>"

    @property
    def path(self) -> str:
        """The path the client asked for."""
        return self._connection.request.path

    @property
    def headers(self) -> Mapping[str, str]:
        """What the client sent with its request, by lower-case name."""
        return self._connection.request.headers

    async def accept(self) -> None:
        """Answer the upgrade now, and say nothing yet."""
        await self._connection.accept()

    async def refuse(self, status: int, *, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        """Answer the upgrade with an HTTP status, such as 503."""
        await self._connection.send_bytes(HttpAnswer(status=status, body=body, headers=headers or {}).encode())

    async def receive_message(self) -> str | bytes:
        """Return the client's next message as it came.

        Raises:
            ClientGone: There will be none.
        """
        return await self._connection.receive()

    async def send_message(self, message: str | bytes) -> None:
        """Send a text frame or a binary frame.

        Raises:
            ClientGone: The client has left.
        """
        await self._connection.send(message)

    async def send_bytes(self, data: bytes) -> None:
        """Send bytes below WebSocket: garbage, or the beginning of a frame."""
        await self._connection.send_bytes(data)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Send a close frame, such as 1012 of a handoff; the TCP connection stays open until the script returns."""
        await self._connection.close(code, reason)

    async def ping(self) -> None:
        """Send a ping and wait for the client's pong.

        Raises:
            ClientGone: The client has left.
        """
        await self._connection.ping()

    def cut(self) -> None:
        """End the connection with FIN, without a close frame."""
        self._connection.cut()

    def reset(self) -> None:
        """End the connection with RST."""
        self._connection.reset()

    def stop_answering_pings(self) -> None:
        """Let pings go unanswered: to a client that listens for any traffic, the connection is silent from now on."""
        self._connection.stop_answering_pings()

    def freeze(self) -> None:
        """Read nothing more: the client's bytes pile up, as with a machine that vanished. The server's block may end all the same."""
        self._connection.freeze()

    async def hold(self) -> int:
        """Hold the connection open until the client says goodbye or is gone; return the close code, 1006 where there was none."""
        return await self._connection.wait_left()

    async def hold_until_gone(self) -> int:
        """Hold the connection open, whatever the client says, until it has closed its end of TCP; return the close code."""
        return await self._connection.wait_gone()

    def _fail(self, expected: str, found: object) -> ScriptFailure:
        return ScriptFailure(f"{self._connection.label}: expected {expected}, the client sent {found!r}")


@final
class ControlPeer(Peer):
    """The server's end of a control connection."""

    def __init__(self, connection: Connection, *, rpc_endpoint: str, generation: Generation = NEWEST) -> None:
        """Take the connection; the server does this.

        Args:
            connection: An accepted connection.
            rpc_endpoint: What the data plane's address begins with; a session id follows.
            generation: Whose spelling to use.
        """
        super().__init__(connection)
        self._rpc_endpoint = rpc_endpoint
        self._generation = generation

    async def receive_request(self) -> ControlRequest:
        """Return the client's next request.

        Raises:
            ScriptFailure: It is not a request.
            ClientGone: There will be none.
        """
        message = await self.receive_message()
        try:
            return read_request(message)
        except RemoteProtocolError as error:
            raise self._fail("a control request", message) from error

    async def expect(self, kind: type[Request]) -> Request:
        """Return the client's next request, which is of this kind.

        Raises:
            ScriptFailure: It is of another.
            ClientGone: There will be none.
        """
        request = await self.receive_request()
        if not isinstance(request, kind):
            raise self._fail(kind.__name__, request)

        return request

    async def send(self, *responses: ControlResponse, seq_id: int | None = None) -> None:
        """Send responses, one after another.

        Args:
            responses: What to say.
            seq_id: The sequence number of the first; each one after it counts on. None: without.
        """
        for offset, response in enumerate(responses):
            number = None if seq_id is None else seq_id + offset
            await self.send_message(write_response(response, seq_id=number, generation=self._generation))

    async def accept_create(self, session_id: str = "s1") -> CreateSession:
        """Expect the request for a session, and say that it was created, with its data plane at this server."""
        request = await self.expect(CreateSession)
        await self.send(SessionCreated(session_id=session_id, rpc_endpoint=self.rpc_endpoint(session_id)))
        return request

    async def accept_attach(self, *replay: ControlResponse, seq_id: int | None = None) -> AttachSession:
        """Expect the client to come back and let it resume.

        Args:
            replay: Said between the answers to attach and resume: what the client missed.
            seq_id: The sequence number of the first of them.
        """
        request = await self.expect(AttachSession)
        endpoint = self.rpc_endpoint(request.session_id)
        await self.send(SessionAttached(session_id=request.session_id, rpc_endpoint=endpoint))
        await self.send(*replay, seq_id=seq_id)
        await self.expect(ResumeAttachedSession)
        await self.send(Success())
        return request

    async def accept_parallel_create(self, *ranges: tuple[int, int]) -> CreateSession:
        """Expect the request for a parallel session, and say that it was created.

        Args:
            ranges: The first and the last slot of each sub-session; their ids are `s1`, `s2` and so on, that of the whole is `p1`.
        """
        request = await self.expect(CreateSession)
        session_ids = tuple(f"s{number}" for number in range(1, len(ranges) + 1))
        for session_id in session_ids:
            await self.send(SessionCreated(session_id=session_id, rpc_endpoint=self.rpc_endpoint(session_id)))
        await self.send(
            SessionsCreatedV2(
                control_session_id="p1",
                session_ids=session_ids,
                start_slots=tuple(first for first, _ in ranges),
                end_slots=tuple(last for _, last in ranges),
            )
        )
        return request

    async def accept_parallel_attach(self, *session_ids: str) -> AttachParallelSession:
        """Expect the client to come back to a parallel session, and say that it has these sub-sessions."""
        request = await self.expect(AttachParallelSession)
        await self.send(ParallelSessionAttached(control_session_id=request.control_session_id, session_ids=session_ids))
        return request

    async def send_to(self, session_id: str, *events: SessionEvent, seq_id: int) -> None:
        """Send events of one sub-session, numbered from `seq_id` on."""
        for offset, event in enumerate(events):
            await self.send(SubSessionEvent(session_id=session_id, event=event, seq_id=seq_id + offset))

    async def accept_close(self) -> None:
        """Expect the client to end the session, say that it has ended, and hold the connection until the client has left."""
        await self.expect(CloseSession)
        await self.send(Success())
        await self.hold()

    def rpc_endpoint(self, session_id: str) -> str:
        """Return the address of a session's data plane: a path at this server, so that it holds behind a proxy too."""
        return f"{self._rpc_endpoint}/{session_id}"


@final
class DataPeer(Peer):
    """The server's end of a data connection."""

    def __init__(self, connection: Connection) -> None:
        """Take the connection; the server does this."""
        super().__init__(connection)
        self._compressor: StreamCompressor | None = None

    @property
    def session_id(self) -> str:
        """The session whose data plane the client asked for."""
        return self.path.rsplit("/", 1)[-1]

    async def receive_subscribe(self) -> SubscribeRequest:
        """Return the client's next subscribe request.

        Raises:
            ScriptFailure: It is something else.
            ClientGone: There will be none.
        """
        message = await self.receive_message()
        try:
            request = read_rpc_request(message)
        except RemoteProtocolError as error:
            raise self._fail("a subscribe request", message) from error

        if not isinstance(request, SubscribeRequest):
            raise self._fail("a subscribe request", message)

        return request

    async def acknowledge(self, request: SubscribeRequest, subscription_id: int = 1) -> None:
        """Say that the subscription exists; always a text frame."""
        await self.send_message(write_acknowledgement(request.request_id, subscription_id))

    async def refuse_subscribe(self, request: SubscribeRequest, code: int, message: str) -> None:
        """Say that there will be no such subscription."""
        await self.send_message(write_error(request.request_id, code, message))

    async def accept_subscribe(self, subscription_id: int = 1) -> SubscribeRequest:
        """Receive a subscribe request and acknowledge it."""
        request = await self.receive_subscribe()
        await self.acknowledge(request, subscription_id)
        return request

    def start_compressing(self) -> None:
        """Send notifications and end markers as binary frames of one zstd stream from now on."""
        self._compressor = StreamCompressor()

    async def notify(self, *results: bytes, subscription_id: int = 1, method: str = "accountDiffNotification") -> None:
        """Send notifications, one for each result (JSON)."""
        for result in results:
            await self._send_data(write_notification(method, subscription_id, result))

    async def complete(self, subscription_id: int = 1) -> None:
        """Send the end marker of a subscription."""
        await self._send_data(write_subscription_complete(subscription_id))

    async def _send_data(self, payload: bytes) -> None:
        if self._compressor is None:
            await self.send_message(payload.decode())
        else:
            await self.send_message(self._compressor.compress(payload))
