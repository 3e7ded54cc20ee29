"""Whole sessions over TLS: the simulator behind a relay that ends TLS, as a service on the network stands behind one."""

from __future__ import annotations

import ssl
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from functools import partial

import pytest
import trio
import trustme

from simclient import AccountDiff, AccountDiffs, Completed, ReadyForContinue, open_backtest_session
from simclient.local import open_local_simulator
from simclient.local.bundle import open_bundle, shipped_bundle

TOKEN_PROGRAM = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
AUTHORITY = trustme.CA()


class Relay:
    """Ends TLS, and carries the bytes on. A connection that it is told of is cut, once, after so many bytes to the client."""

    def __init__(self, port: int, *, cut_after_bytes: int | None) -> None:
        self._port = port
        self._cut_after_bytes = cut_after_bytes
        self.cuts = 0

    async def serve(self, client: trio.SSLStream[trio.SocketStream]) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async with client, await trio.open_tcp_stream("127.0.0.1", self._port) as server:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._carry, client, server, None)
                    await self._carry(server, client, self._cut_after_bytes)
                    nursery.cancel_scope.cancel()

    async def _carry(self, source: trio.abc.Stream, sink: trio.abc.Stream, cut_after_bytes: int | None) -> None:
        carried = 0
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for data in source:
                await sink.send_all(data)
                carried += len(data)
                if cut_after_bytes is not None and carried > cut_after_bytes and not self.cuts:
                    self.cuts += 1
                    return


@asynccontextmanager
async def relayed(url: str, *, cut_after_bytes: int | None) -> AsyncGenerator[tuple[str, Relay]]:
    """Put a relay in front of a server; give its URL."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    AUTHORITY.issue_cert("127.0.0.1").configure_cert(context)
    relay = Relay(int(url.rpartition(":")[2].partition("/")[0]), cut_after_bytes=cut_after_bytes)
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(
            partial(trio.serve_ssl_over_tcp, relay.serve, 0, context, host="127.0.0.1", https_compatible=True)
        )
        port = listeners[0].transport_listener.socket.getsockname()[1]
        yield url.replace("ws://", "wss://").replace(url.rpartition(":")[2].partition("/")[0], str(port)), relay
        nursery.cancel_scope.cancel()


async def diffs_of(url: str, first_slot: int, slots: int, *, compress: bool) -> Counter[bytes]:
    """Replay all slots; return the results of all diffs, with how often each came."""
    trust = ssl.create_default_context()
    AUTHORITY.configure_trust(trust)
    seen: Counter[bytes] = Counter()
    async with open_backtest_session(
        url,
        start_slot=first_slot,
        slot_count=slots,
        subscriptions=[AccountDiffs(program=TOKEN_PROGRAM)],
        compress=compress,
        ssl_context=trust if url.startswith("wss") else None,
    ) as session:
        async for event in session:
            match event:
                case ReadyForContinue():
                    await session.advance(50)
                case AccountDiff():
                    seen[event.result_bytes] += 1
                case Completed():
                    break
                case _:
                    pass
    return seen


@pytest.mark.parametrize("compress", [True, False], ids=["zstd", "plain"])
@pytest.mark.parametrize("cut_after_bytes", [None, 20_000], ids=["whole", "cut"])
async def test_a_session_over_tls_brings_the_same(compress: bool, cut_after_bytes: int | None) -> None:
    """Each notification once, as without TLS, also where a connection is cut in the middle of the data."""
    with open_bundle(shipped_bundle()) as reader:
        first_slot, slots = reader.header.start_slot, reader.header.end_slot - reader.header.start_slot
    with trio.fail_after(120):
        async with open_local_simulator() as simulator:
            plain = await diffs_of(simulator.url, first_slot, slots, compress=compress)
            async with relayed(simulator.url, cut_after_bytes=cut_after_bytes) as (url, relay):
                assert await diffs_of(url, first_slot, slots, compress=compress) == plain
    assert plain
    assert bool(relay.cuts) is (cut_after_bytes is not None)
