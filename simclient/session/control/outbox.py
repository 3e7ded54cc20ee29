"""Requests on their way to one control socket: written in order by one task, and known for what was never begun.

The machines bound how many there can be: a handful per session.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import final

import trio

from ...errors import ConnectionLost
from ...transport.websocket import WebSocket
from ...wire.codec import write_request
from ...wire.requests import ControlRequest

__all__ = ["Outbox"]


@final
class Outbox:
    """What the writer of one socket has still to write."""

    def __init__(self) -> None:
        self._requests: deque[ControlRequest] = deque()
        self._more = trio.Event()
        self._written = trio.Event()
        self._written.set()

    def take_back(self) -> Sequence[ControlRequest]:
        """Return, and never write, what was not begun to be written: the server cannot have read it."""
        unwritten = tuple(self._requests)
        self._requests.clear()
        return unwritten

    def put(self, request: ControlRequest) -> None:
        """Add a request at the end."""
        self._requests.append(request)
        self._more.set()
        if self._written.is_set():
            self._written = trio.Event()

    async def flush(self) -> None:
        """Wait until everything is written, or the socket is lost."""
        await self._written.wait()

    async def write_to(self, socket: WebSocket) -> None:
        """Write requests in order until the socket is lost, which its reader notices by itself."""
        try:
            while True:
                while self._requests:
                    await socket.send(write_request(self._requests.popleft()))
                self._more = trio.Event()
                self._written.set()
                await self._more.wait()
        except ConnectionLost:
            return
        finally:
            self._written.set()
