"""What a session does about names that do not resolve, and about a wall clock that jumps."""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio

from simclient.errors import ConnectError
from simclient.session.managed import open_backtest_session
from simclient.testing import DataPeer, Verdict, numbered_diffs, open_scripted_server
from simclient.wire.notifications import AccountDiff
from simclient.wire.responses import Completed, ReadyForContinue
from simclient.wire.subscriptions import AccountDiffs

from .sessions import PROGRAM, QUICK, complete_at_once

TRUTH = numbered_diffs(40, slots=range(100, 106))
DAY_SECONDS = 86_400

Lookup = Callable[[], Awaitable[str]]


@asynccontextmanager
async def looking_up(lookup: Lookup) -> AsyncIterator[None]:
    """Have `localhost` looked up by `lookup`, which gives an address or raises."""

    class Resolver(trio.abc.HostnameResolver):
        async def getaddrinfo(  # type: ignore[override]
            self, host: bytes | None, port: bytes | str | int | None, *rest: object
        ) -> list[tuple[int, int, int, str, tuple[str, int]]]:
            assert isinstance(port, int)
            return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (await lookup(), port))]

        async def getnameinfo(self, sockaddr: object, flags: int) -> tuple[str, str]:
            raise AssertionError("nobody asks")

    before = trio.socket.set_custom_hostname_resolver(Resolver())
    try:
        yield
    finally:
        trio.socket.set_custom_hostname_resolver(before)


async def test_a_name_that_does_not_resolve_is_tried_again() -> None:
    """The resolver may be back in a moment."""
    answers = iter([False, False])

    async def lookup() -> str:
        if not next(answers, True):
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return "127.0.0.1"

    async with open_scripted_server(control=[complete_at_once]) as server, looking_up(lookup):
        url = server.url.replace("127.0.0.1", "localhost")
        async with open_backtest_session(url, start_slot=100, end_slot=105, limits=QUICK) as session:
            with trio.fail_after(10):
                assert [event async for event in session] == [ReadyForContinue(), Completed()]


async def test_a_name_that_never_resolves_is_a_connect_error() -> None:
    """It says which, and what to check."""

    async def lookup() -> str:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async with looking_up(lookup):
        with pytest.raises(ConnectError, match=r"localhost:1/backtest.*Name or service not known.*check the address"):
            async with open_backtest_session("ws://localhost:1", start_slot=100, end_slot=105, limits=QUICK):
                raise AssertionError("it was opened")


async def test_a_resolver_that_hangs_does_not_hold_up_the_leaving() -> None:
    """The look-up runs in a thread that cannot be killed; it is left to itself."""
    let_go = trio.Event()

    async def lookup() -> str:
        await trio.to_thread.run_sync(time.sleep, 8.0, abandon_on_cancel=True)
        return "127.0.0.1"

    async with looking_up(lookup):
        began = trio.current_time()
        with trio.move_on_after(0.2):
            async with open_backtest_session("ws://localhost:1", start_slot=100, end_slot=105, limits=QUICK):
                let_go.set()
        assert trio.current_time() - began < 5.0  # the promise of the docstring; a hang fails
    assert not let_go.is_set()


@pytest.mark.parametrize("jump", [DAY_SECONDS, -DAY_SECONDS], ids=["a day on", "a day back"])
async def test_a_wall_clock_that_jumps_changes_nothing(monkeypatch: pytest.MonkeyPatch, jump: int) -> None:
    """Only monotonic time decides: each look at the wall clock is a day away from the last."""
    looks = itertools.count()
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + jump * next(looks))

    async def data(peer: DataPeer) -> None:
        await peer.accept_subscribe()
        await peer.notify(*TRUTH.results)
        await peer.complete()
        await peer.hold()

    watch = [AccountDiffs(program=PROGRAM)]
    async with open_scripted_server(control=[complete_at_once], data=[data]) as server:
        async with open_backtest_session(
            server.url, start_slot=100, end_slot=105, subscriptions=watch, limits=QUICK
        ) as session:
            with trio.fail_after(10):
                received = [event async for event in session if isinstance(event, AccountDiff)]
            statistics = session.statistics()

    assert TRUTH.compare(received) == Verdict()
    assert (statistics.control_reconnects, statistics.data_reconnects) == (0, 0)
