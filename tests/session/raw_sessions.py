"""What the tests of raw sessions share: a session against a script, and messages that no wait asks for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from simclient.session.client.client import open_client
from simclient.session.limits import Limits
from simclient.session.raw.session import RawSession
from simclient.session.request import create_request
from simclient.testing import ControlPeer, ControlScript, DataScript, open_scripted_server
from simclient.wire.discovery import ProgramExecuted
from simclient.wire.failures import SimulationError
from simclient.wire.responses import ControlResponse, DiscoveryBatch, ErrorEvent, Status, UnknownResponse

from .sessions import PROGRAM

HANG_SECONDS = 10
REQUEST = create_request(start_slot=100, end_slot=105)
DISCOVERY = DiscoveryBatch(slot=101, batch_index=3, matched=(ProgramExecuted(program=PROGRAM),))
ODD = ErrorEvent(failure=SimulationError(error="odd"))
NEWS = UnknownResponse(method="news", raw='{"method":"news","params":{}}')
STATUS = Status(status="executingBlockTransactions")


@asynccontextmanager
async def raw_session(control: ControlScript, *, limits: Limits = Limits()) -> AsyncIterator[RawSession]:  # noqa: B008
    """Open a raw session against a script."""
    with trio.fail_after(HANG_SECONDS):
        async with open_scripted_server(control=[control]) as server, open_client(server.url, limits=limits) as client:
            async with client.open_session(REQUEST) as session:
                yield session


@asynccontextmanager
async def one_subscription(data: DataScript) -> AsyncIterator[RawSession]:
    """Open a raw session against a server with one data socket."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.accept_close()

    with trio.fail_after(HANG_SECONDS):
        async with open_scripted_server(control=[control], data=[data]) as server, open_client(server.url) as client:
            async with client.open_session(REQUEST) as session:
                yield session


async def everything(session: RawSession) -> list[ControlResponse]:
    return [event async for event in session]
