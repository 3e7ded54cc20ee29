"""The driver of a run (`simclient.research.run`), on the embedded simulator: here for the bundle that it shares with the commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import trio

from simclient.errors import InputError, RemoteError
from simclient.local import open_local_simulator
from simclient.research.run import run_backtest
from simclient.research.values import RunConfig, RunCounts, RunResult, RunStatus, SilentObserver, StartedRun
from simclient.testing import ControlPeer, open_scripted_server
from simclient.wire.failures import ClerkError
from simclient.wire.requests import Continue
from simclient.wire.responses import ErrorEvent, ReadyForContinue
from simclient.wire.subscriptions import Transactions

from .bundles import FIRST_SLOT, PAYEE, PAYER, write_payments

HANG_SECONDS = 60.0


class Listener(SilentObserver):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.has_started = trio.Event()
        self.results: list[RunResult] = []

    def started(self, run: StartedRun) -> None:
        """Note that there is a session."""
        self.has_started.set()

    def finished(self, result: RunResult) -> None:
        """Keep the result."""
        self.results.append(result)


def config(url: str, slots: int, output: Path | None = None) -> RunConfig:
    """Watch the same payments by payer and by payee."""
    watched = (Transactions(mentions=str(PAYER.pubkey())), Transactions(mentions=str(PAYEE.pubkey())))
    return RunConfig(
        url=url, start_slot=FIRST_SLOT, end_slot=FIRST_SLOT + slots - 1, subscriptions=watched, output=output
    )


async def test_a_transaction_of_two_subscriptions_is_taken_once(tmp_path: Path) -> None:
    """It is one line and counts once; its second coming is said."""
    output = tmp_path / "run.ndjson"
    listener = Listener()
    with trio.fail_after(HANG_SECONDS):
        async with open_local_simulator([write_payments(tmp_path / "x.bundle", slots=10)]) as simulator:
            result = await run_backtest(config(simulator.url, 10, output), observer=listener)

    assert listener.results == [result]
    assert (result.status, result.counts.slots) == (RunStatus.COMPLETED, 10)
    assert (result.counts.transactions, result.counts.duplicates_dropped) == (10, 10)
    lines = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    assert [line["type"] for line in lines].count("tx") == 10


async def test_a_cancelled_run_tells_its_observer_and_goes_on_cancelling(tmp_path: Path) -> None:
    """The summary is written although the caller does not wait for it."""
    output = tmp_path / "run.ndjson"
    listener = Listener()
    with trio.fail_after(HANG_SECONDS):
        bundle = write_payments(tmp_path / "x.bundle", slots=2_000, payments=2)
        async with open_local_simulator([bundle]) as simulator, trio.open_nursery() as nursery:
            with trio.CancelScope() as scope:
                nursery.start_soon(_cancel_when_started, listener, scope)
                await run_backtest(config(simulator.url, 2_000, output), observer=listener)

    assert scope.cancelled_caught
    assert [result.status for result in listener.results] == [RunStatus.CANCELLED]
    last = json.loads(output.read_text(encoding="utf-8").splitlines()[-1])
    assert (last["type"], last["data"]["status"]) == ("summary", "cancelled")


async def test_an_observer_that_fails_ends_the_run_with_its_own_error(tmp_path: Path) -> None:
    """It comes out bare, after the session was closed and the summary written."""

    class Failing(Listener):
        def progressed(self, counts: RunCounts) -> None:
            raise RuntimeError("no more paper")

    listener = Failing()
    with trio.fail_after(HANG_SECONDS):
        bundle = write_payments(tmp_path / "x.bundle", slots=2_000, payments=2)
        async with open_local_simulator([bundle]) as simulator:
            with pytest.raises(RuntimeError, match="no more paper"):
                await run_backtest(config(simulator.url, 2_000), observer=listener)

    assert [(result.status, result.reason) for result in listener.results] == [(RunStatus.FAILED, "no more paper")]


async def test_a_server_that_only_answers_with_errors_is_given_up() -> None:
    """Its last error is the failure; the run does not ask for ever."""

    async def refuse_everything(peer: ControlPeer) -> None:
        await peer.accept_create()
        for _ in range(3):
            await peer.send(ReadyForContinue())
            await peer.expect(Continue)
            await peer.send(ErrorEvent(failure=ClerkError(error="no store")))
        await peer.send(ReadyForContinue())
        await peer.accept_close()

    with trio.fail_after(HANG_SECONDS):
        async with open_scripted_server(control=[refuse_everything]) as server:
            with pytest.raises(RemoteError, match="executes no slot, 3 times in a row"):
                await run_backtest(RunConfig(url=server.url, start_slot=1, end_slot=3))


def test_a_reversed_range_is_refused_before_anything() -> None:
    """So is an advance by nothing."""
    with pytest.raises(InputError, match="reversed"):
        RunConfig(url="ws://localhost", start_slot=5, end_slot=4)
    with pytest.raises(InputError, match="cannot advance by 0 slots"):
        RunConfig(url="ws://localhost", start_slot=5, end_slot=5, advance_slots=0)


def test_a_key_is_in_no_representation() -> None:
    """A configuration may be printed."""
    assert "hush" not in repr(RunConfig(url="wss://example.com", start_slot=1, end_slot=2, api_key="hush"))


async def _cancel_when_started(listener: Listener, scope: trio.CancelScope) -> None:
    await listener.has_started.wait()
    scope.cancel()
