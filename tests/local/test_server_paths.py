"""The RPC and the other paths of the simulator, and what is not served there; over real sockets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from simclient.local import open_local_simulator

from .blocks import FIRST_SLOT, LAMPORTS, PAYEE_ADDRESS, write_payments
from .clients import get, handshake_status, open_control, post

LAST_SLOT = FIRST_SLOT + 4


async def test_the_state_is_that_after_the_last_slot(payments: Path) -> None:
    """The RPC endpoint answers from the state after the last slot that was executed."""
    async with open_local_simulator([payments]) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, LAST_SLOT)
        await control.advance(2)
        answer = (await post(simulator, control.endpoint, "getBalance", PAYEE_ADDRESS)).json()

    assert answer["result"] == {"context": answer["result"]["context"], "value": LAMPORTS + 2_000_001}
    assert answer["result"]["context"]["slot"] == FIRST_SLOT + 1


async def test_rpc_before_the_bundle_is_loaded_is_not_ready(payments: Path) -> None:
    """Until the engine has loaded the endpoint answers 503, and afterwards 200."""
    async with open_local_simulator([payments]) as simulator, open_control(simulator) as control:
        params = {"startSlot": FIRST_SLOT, "endSlot": LAST_SLOT, "signerFilter": [], "sendSummary": False, "agents": []}
        endpoint = (await control.ask("createBacktestSession", params))["params"]["rpc_endpoint"]
        early = await post(simulator, endpoint, "getSlot")
        await control.until("readyForContinue")
        later = await post(simulator, endpoint, "getSlot")

    assert (early.status_code, early.headers["retry-after"], later.status_code) == (503, "1", 200)


async def test_an_unknown_session_has_no_endpoint(payments: Path) -> None:
    """RPC and WebSocket of a session that is not there are answered with 404."""
    async with open_local_simulator([payments]) as simulator:
        assert (await post(simulator, "/backtest/nobody", "getSlot")).status_code == 404
        assert await handshake_status(simulator, "/backtest/nobody") == 404


async def test_the_ranges_are_those_of_the_bundles(payments: Path) -> None:
    """`/available-ranges` says what can be replayed."""
    async with open_local_simulator([payments]) as simulator:
        [served] = (await get(simulator, "/available-ranges")).json()

    assert (served["bundle_start_slot"], served["max_bundle_end_slot"]) == (FIRST_SLOT, LAST_SLOT)


@pytest.mark.parametrize("of", [lambda path: path, str, lambda path: [str(path)]], ids=["path", "text", "list"])
async def test_one_bundle_may_be_named_alone(payments: Path, of: Callable[[Path], Path | str | list[str]]) -> None:
    """A path, a text or several: each names files, never the letters of a text."""
    async with open_local_simulator(of(payments)) as simulator:
        [served] = (await get(simulator, "/available-ranges")).json()
        assert served["bundle_start_slot"] == FIRST_SLOT


@pytest.mark.parametrize(("path", "status"), [("/", 404), ("/backtest", 426), ("/available-ranges/x", 404)])
async def test_other_paths_are_refused(payments: Path, path: str, status: int) -> None:
    """What is not served is refused with a typed body."""
    async with open_local_simulator([payments]) as simulator:
        answer = await get(simulator, path)

    assert (answer.status_code, set(answer.json()["error"])) == (status, {"kind", "message"})


@pytest.mark.parametrize("headers", [{"host": "evil.example"}, {"origin": "https://evil.example"}])
@pytest.mark.parametrize("path", ["/available-ranges", "/backtest"])
async def test_web_pages_are_refused(payments: Path, path: str, headers: dict[str, str]) -> None:
    """A foreign Host or Origin is answered with 403 on every path."""
    async with open_local_simulator([payments]) as simulator:
        assert (await get(simulator, path, headers)).status_code == 403


async def test_a_bundle_put_in_anothers_place_is_read_anew(tmp_path: Path) -> None:
    """A session begun after the file was replaced has the new file's state; one that runs goes on with the old one's."""
    path = write_payments(tmp_path / "b.bundle")
    async with open_local_simulator([path]) as simulator, open_control(simulator) as before:
        await before.create(FIRST_SLOT, LAST_SLOT)
        write_payments(tmp_path / "new.bundle", payments=2).rename(path)
        gains = []
        async with open_control(simulator) as after:
            await after.create(FIRST_SLOT, LAST_SLOT)
            for control in (before, after):
                await control.advance(9)
                balance = (await post(simulator, control.endpoint, "getBalance", PAYEE_ADDRESS)).json()["result"][
                    "value"
                ]
                gains.append((balance - LAMPORTS) // 1_000_000)

    assert gains == [5, 10]
