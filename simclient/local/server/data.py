"""The data plane of one connection: subscriptions in, notifications and end markers out.

A subscription is a position in the session's log: there is no queue per reader, and a slow one holds up its own session only. One
without `replayFromSlot` begins with the oldest notification kept, not with the next one: a client whose socket is lost before its first
notification comes back without a cursor, and counts on that. The subscriptions of one connection are served together, in the order in which
things happened: the official client keeps one cursor for all of them, so that what is behind it must have been sent to each.
Compressed notifications of one connection are one zstd stream; acknowledgements are text.

Source: `SubscribeConfig`, simulator-api 0.9.0 ("rather than streaming the full history"), and `subscribe` in `managed/subscription.rs`,
simulator-client 0.9.0 and 0.28.0.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import final

import attrs
import msgspec
import trio

from ...errors import ConnectionLost, RemoteProtocolError
from ...transport.frames import encode_frames
from ...wire.addresses import is_address
from ...wire.compression import StreamCompressor
from ...wire.jsonrpc import (
    INVALID_PARAMS,
    PARSE_ERROR,
    RequestId,
    RpcRequest,
    SubscribeRequest,
    UnsubscribeRequest,
    read_rpc_request,
    write_acknowledgement,
    write_error,
    write_notification,
    write_result,
    write_subscription_complete,
)
from ...wire.subscriptions import (
    ACCOUNT_DIFFS,
    ACTIONS,
    ADDRESSED,
    DIAGNOSTICS,
    LOGS,
    REPLACEMENTS,
    TRANSACTIONS,
)
from ..engine import Kind, Note, wanted_results
from .limits import SimulatorLimits
from .reading import Reading
from .replay_log import Reader
from .session import ServedSession
from .websocket import Farewell, ServerSocket

__all__ = ["DataConnection"]

_BATCH_ITEMS = 512
"""Items of the log looked at per turn."""
_BATCH_BYTES = 256 * 2**10
"""Written at once; about what a reader takes with one read."""
_SERVER_ERROR = -32000
"""The first of the codes that JSON-RPC leaves to servers."""
_GONE = 1001
_KIND_OF: Mapping[str, Kind | None] = {
    ACCOUNT_DIFFS: "accountDiff",
    TRANSACTIONS: "transaction",
    LOGS: "logs",
    ACTIONS: "action",
    DIAGNOSTICS: "diagnostic",
    REPLACEMENTS: None,  # there is no router here, so that nothing ever comes but the end
}


@attrs.define(eq=False)
class _Subscription:
    number: int
    request: SubscribeRequest
    reader: Reader
    is_acknowledged: bool = False
    """Before that nothing is sent."""

    @property
    def notification(self) -> str:
        """The method of its notifications."""
        return self.request.key.method.replace("Subscribe", "Notification")

    def results(self, note: Note) -> Iterable[bytes]:
        """Return the JSON of what it is to receive of a note."""
        key = self.request.key
        return wanted_results(note, _KIND_OF[key.method], key.address, of_program=key.is_program)


@final
class DataConnection:
    """One data socket of a session."""

    def __init__(self, socket: ServerSocket, session: ServedSession, reading: Reading, limits: SimulatorLimits) -> None:
        self._socket = socket
        self._reading = reading
        self._session = session
        self._limits = limits
        self._subscriptions: dict[int, _Subscription] = {}
        self._last_number = 0
        self._compressor = StreamCompressor()

    async def listen(self) -> None:
        """Serve the client's requests until it has gone."""
        while True:
            text = await self._socket.receive()
            try:
                request = await self._reading.read(text, read_rpc_request)
            except RemoteProtocolError as error:
                await self._refuse_unreadable(text, error)
                continue

            match request:
                case SubscribeRequest():
                    await self._subscribe(request)
                case UnsubscribeRequest(request_id=request_id, subscription_id=number):
                    was_there = self._drop(number)
                    await self._socket.send_text(write_result(request_id, b"true" if was_there else b"false"))
                case RpcRequest():
                    await self._forward(request, text)

    async def speak(self) -> Farewell:
        """Send notifications as they come, until the session has gone; a completed one only after the end markers."""
        while not self._session.has_ended or self._session.has_completed:
            if not await self._send_some() and await self._nothing_comes():
                break
        return Farewell(code=_GONE, reason="the session has ended")

    async def _nothing_comes(self) -> bool:
        """Wait until something has changed; True: that will not be, as the session has ended and nobody subscribes."""
        may_leave = self._session.has_ended and not self._subscriptions
        with trio.move_on_after(self._limits.close_seconds if may_leave else math.inf) as waiting:
            await self._session.bell.wait()
        return waiting.cancelled_caught

    def leave(self) -> None:
        """The socket has gone."""
        for number in list(self._subscriptions):
            self._drop(number)

    async def _subscribe(self, request: SubscribeRequest) -> None:
        if request.key.method in ADDRESSED and not is_address(request.key.address):
            message = f"Invalid params: {request.key.address[:60]!r} is not base58 of 32 bytes"
            await self._socket.send_text(write_error(request.request_id, INVALID_PARAMS, message))
            return

        refusal = self._session.source.why_not(request.key)
        if refusal is not None:
            await self._socket.send_text(write_error(request.request_id, INVALID_PARAMS, refusal))
            return

        log = self._session.notifications
        slot = request.replay_from_slot
        start = log.oldest if slot is None else self._session.position_of(slot)
        if start < log.oldest:
            message = (
                f"slot {slot} is no longer kept for replay; the oldest notification kept has position {log.oldest}"
            )
            await self._socket.send_text(write_error(request.request_id, _SERVER_ERROR, message))
            return
        if len(self._subscriptions) >= self._limits.max_subscriptions:
            message = f"there are {self._limits.max_subscriptions} subscriptions on this socket already"
            await self._socket.send_text(write_error(request.request_id, _SERVER_ERROR, message))
            return

        self._last_number += 1
        number = self._last_number
        subscription = self._subscriptions[number] = _Subscription(number, request, log.add_reader(start))
        await self._socket.send_text(write_acknowledgement(request.request_id, number))
        subscription.is_acknowledged = True
        self._session.bell.ring()

    async def _refuse_unreadable(self, text: str | bytes, error: RemoteProtocolError) -> None:
        """Answer what is not a request; one with an id had wrong parameters."""
        request_id = _request_id(text)
        code = PARSE_ERROR if request_id is None else INVALID_PARAMS
        await self._socket.send_text(write_error(request_id, code, str(error)))

    async def _send_some(self) -> bool:
        """Send what a few items of the log hold for those who are furthest behind; False: there is nothing, and nothing was awaited."""
        log = self._session.notifications
        readers = [one for one in self._subscriptions.values() if one.is_acknowledged]
        start = min((one.reader.position for one in readers), default=log.end)
        behind = [one for one in readers if one.reader.position == start]
        joined_at = min((one.reader.position for one in readers if one.reader.position > start), default=log.end)
        frames, position = self._frames_for(behind, start, joined_at)
        if position > start:
            self._session.bell.ring()  # there may be room again
        for one in behind:
            one.reader.position = position
            if self._session.has_completed and position == log.end:
                frames.append((False, write_subscription_complete(one.number)))
                self._drop(one.number)
        if frames:
            await self._socket.send(encode_frames(frames))
        elif position > start:
            await trio.lowlevel.checkpoint()
        return position > start or bool(frames)

    def _frames_for(
        self, subscriptions: Sequence[_Subscription], start: int, end: int
    ) -> tuple[list[tuple[bool, bytes]], int]:
        """Return what the next items of the log mean for each of them, item by item, and where that ends."""
        frames: list[tuple[bool, bytes]] = []
        size, position = 0, start
        for note in self._session.notifications.read(start, min(_BATCH_ITEMS, end - start)):
            for one in subscriptions:
                for result in one.results(note):
                    frames.append(self._frame(one, result))
                    size += len(frames[-1][1])
            position += 1
            if size > _BATCH_BYTES:
                break
        return frames, position

    def _frame(self, subscription: _Subscription, result: bytes) -> tuple[bool, bytes]:
        message = write_notification(subscription.notification, subscription.number, result)
        if not subscription.request.compress:
            return False, message

        return True, self._compressor.compress(message)

    def _drop(self, number: int) -> bool:
        subscription = self._subscriptions.pop(number, None)
        if subscription is None:
            return False

        self._session.notifications.remove_reader(subscription.reader)
        self._session.bell.ring()
        return True

    async def _forward(self, request: RpcRequest, text: str | bytes) -> None:
        """Answer any other method as the HTTP endpoint does."""
        engine = self._session.engine
        if engine is None:
            await self._socket.send_text(write_error(request.request_id, _SERVER_ERROR, "the session is not ready"))
            return

        answer: bytes | str
        try:
            answer = await engine.rpc(text.encode() if isinstance(text, str) else text)
        except ConnectionLost as error:
            answer = write_error(request.request_id, _SERVER_ERROR, str(error))
        await self._socket.send_large(answer)


class _Identified(msgspec.Struct):
    id: RequestId = None


def _request_id(text: str | bytes) -> RequestId:
    try:
        return msgspec.json.decode(text, type=_Identified).id
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
