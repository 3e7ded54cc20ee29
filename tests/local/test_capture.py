"""Capture from a live node: what a node on loopback gives is kept, replayed and, where it broke off, taken up again."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import h11
import pytest
import trio

from simclient.errors import ConnectionLost, InputError, RemoteProtocolError, SimClientError
from simclient.local import open_local_simulator
from simclient.local.agreement import compare_with_history
from simclient.local.bundle import open_bundle
from simclient.local.nodes import CaptureReport, build_bundle, capture_range
from simclient.local.nodes.node import Patience

from .blocks import FIRST_SLOT, MEMO_PROGRAM, PAYEE_ADDRESS, PAYER, PAYER_ADDRESS, pay, write_blocks, write_payments
from .clients import Control, open_control

Json = Any
Answer = tuple[int, Json]
LAST_SLOT = FIRST_SLOT + 9
EAGER = Patience(first_wait_seconds=0.001, poll_seconds=0.01, block_seconds=10.0)
SECRET = "s3cretkey"


class FakeNode:
    """Answers each request by a function, and remembers what was asked."""

    def __init__(self, answer: Callable[[str, list[Json]], Answer]) -> None:
        self.url = ""
        self.asked: list[str] = []
        self._answer = answer

    async def serve(self, stream: trio.SocketStream) -> None:
        """Serve one connection."""
        http = h11.Connection(h11.SERVER)
        async with stream:
            while True:
                body = b""
                while not isinstance(event := http.next_event(), h11.EndOfMessage):
                    if event is h11.NEED_DATA:
                        data = await stream.receive_some()
                        http.receive_data(data)
                    elif isinstance(event, h11.Data):
                        body += event.data
                    elif isinstance(event, h11.ConnectionClosed):
                        return
                request = json.loads(body)
                self.asked.append(request["method"])
                status, answer = self._answer(request["method"], request["params"])
                if not status:
                    return  # hangs up
                text = (
                    answer if isinstance(answer, bytes) else json.dumps({"jsonrpc": "2.0", "id": 1, **answer}).encode()
                )
                head = h11.Response(status_code=status, headers=[("content-length", str(len(text)))])
                await stream.send_all(
                    b"".join(http.send(part) or b"" for part in (head, h11.Data(data=text), h11.EndOfMessage()))
                )
                http.start_next_cycle()


@asynccontextmanager
async def fake_node(answer: Callable[[str, list[Json]], Answer]) -> AsyncGenerator[FakeNode]:
    """Serve a node on loopback."""
    node = FakeNode(answer)
    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        node.url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}/{SECRET}?api-key={SECRET}"
        nursery.start_soon(trio.serve_listeners, node.serve, [listener])
        yield node
        nursery.cancel_scope.cancel()


async def capture(url: str, folder: Path, **options: Json) -> CaptureReport:
    return await capture_range(url, folder, **{"patience": EAGER, **options})


@pytest.fixture
def payments(tmp_path: Path) -> Path:
    return write_payments(tmp_path / "payments.bundle", slots=10, payments=2)


async def test_what_is_captured_live_is_replayed_exactly(payments: Path, tmp_path: Path) -> None:
    """Accounts first, then the blocks as they come, from a node that goes on meanwhile: the replay agrees with it in everything."""
    async with open_local_simulator([payments]) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, LAST_SLOT)
        await control.advance(3)
        url = f"http://127.0.0.1:{simulator.port}{control.endpoint}"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(go_on, control)
            report = await capture(url, tmp_path / "node", accounts=[PAYER_ADDRESS, PAYEE_ADDRESS], slots=5)

    assert (report.start_slot, report.end_slot, report.blocks) == (FIRST_SLOT + 3, FIRST_SLOT + 7, 5)
    assert (report.accounts, report.late_accounts) == (2, 0)
    built = build_bundle([tmp_path / "node"], tmp_path / "again.bundle")
    assert (built.transactions, built.accounts_known_late, built.unknown_accounts) == (10, 0, 0)
    found = compare_with_history(tmp_path / "again.bundle")
    assert (found.outcomes.equal, found.balances.equal, found.logs.equal) == (10, 10, 10)


async def go_on(control: Control) -> None:
    """Execute slot after slot."""
    for _ in range(5):
        await trio.sleep(0.02)
        await control.advance()


async def test_what_the_transactions_touch_is_asked_for_afterwards(tmp_path: Path) -> None:
    """Blocks of the past: every account that is touched is asked for, programs with their code, and counted as known late."""
    memo = str(MEMO_PROGRAM)
    path = write_blocks(tmp_path / "b.bundle", {FIRST_SLOT: [pay(1), pay(2, note="hello")], FIRST_SLOT + 2: [pay(3)]})
    async with open_local_simulator([path]) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, FIRST_SLOT + 2)
        await control.advance(9)
        url = f"http://127.0.0.1:{simulator.port}{control.endpoint}"
        options: Json = {"start_slot": FIRST_SLOT, "slots": 3, "mentions": [memo]}
        report = await capture(url, tmp_path / "node", **options)
        again = await capture(url, tmp_path / "node", **options)

    assert (report.blocks, report.accounts, report.late_accounts) == (2, 0, 2)
    assert (again.blocks, again.late_accounts) == (2, 0)
    assert again.requests == 1  # for the skipped slot, of which nothing is kept
    built = build_bundle([tmp_path / "node"], tmp_path / "again.bundle", mentions=[memo])
    assert (built.transactions, built.others_left_out, built.accounts_known_late) == (1, 2, 2)
    with open_bundle(tmp_path / "again.bundle") as reader:
        assert memo in reader.header.origin


async def test_a_programs_code_is_asked_for_too(tmp_path: Path) -> None:
    """With a program come the accounts that it owns, the program itself, and its ProgramData."""
    loader = "BPFLoaderUpgradeab1e11111111111111111111111"
    code = str(PAYER.pubkey())

    def answer(method: str, params: list[Json]) -> Answer:
        if method == "getProgramAccounts":
            return 200, result([{"pubkey": PAYEE_ADDRESS, "account": account("1" * 32, b"")}])
        if method == "getMultipleAccounts":
            known = {
                str(MEMO_PROGRAM): account(loader, b"\2\0\0\0" + bytes(PAYER.pubkey())),
                code: account(loader, b"\3"),
            }
            return 200, result([known.get(address) for address in params[0]])
        return 200, {"error": {"code": -32001, "message": "Block 1000 cleaned up, does not exist on node."}}

    async with fake_node(answer) as node:
        with pytest.raises(InputError, match="refused getBlock: Block 1000 cleaned up"):
            await capture(node.url, tmp_path / "node", programs=[str(MEMO_PROGRAM)], slots=1)

    assert node.asked == ["getProgramAccounts", "getMultipleAccounts", "getMultipleAccounts", "getBlock"]


async def test_what_speaks_of_now_is_asked_again(tmp_path: Path) -> None:
    """A node that is busy, behind, gone or not there yet is asked until it answers."""
    troubles: list[Answer] = [
        (429, b"slow down"),
        (503, b""),
        (0, b""),
        (200, {"error": {"code": -32005, "message": "Node is behind by 42 slots"}}),
    ]
    skipped: Answer = (200, {"error": {"code": -32009, "message": "Slot 7 was skipped"}})

    def answer(method: str, params: list[Json]) -> Answer:
        return troubles.pop() if troubles and params[0] == 8 else skipped

    async with fake_node(answer) as node:
        report = await capture(node.url, tmp_path / "node", start_slot=7, slots=2)

    assert (report.blocks, report.requests, troubles) == (0, 6, [])


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        ((429, b"no"), ConnectionLost, "asked 3 times for getBlock: HTTP 429"),
        ((401, b"no"), ConnectionLost, "HTTP 401; check the key"),
        ((200, b"<html>"), RemoteProtocolError, "not JSON-RPC"),
        ((200, {"error": "strange"}), InputError, "refused getBlock: strange"),
        ((200, {"error": {"code": -32004, "message": "not yet"}}), ConnectionLost, "no block of slot 7 within 0.05 s"),
    ],
    ids=["busy", "key", "html", "strange", "still"],
)
async def test_a_node_that_does_not_answer(
    tmp_path: Path, answer: Answer, kind: type[SimClientError], said: str
) -> None:
    """What asking again does not mend is an error that says what the node said, and shows nothing of the URL but its host."""
    patience = Patience(first_wait_seconds=0.001, poll_seconds=0.01, block_seconds=0.05 if "0.05" in said else 30)
    async with fake_node(lambda method, params: answer) as node:
        with pytest.raises(kind, match=said) as caught:
            await capture(node.url, tmp_path / "node", start_slot=7, slots=1, patience=patience)

    text = "".join(map(str, (caught.value, *getattr(caught.value, "__notes__", ()), caught.value.__cause__)))
    assert "127.0.0.1" in text
    assert SECRET not in text


@pytest.mark.parametrize("url", ["ftp://host/" + SECRET, SECRET, "https://user:" + SECRET + "@host"])
async def test_a_url_that_is_none_is_not_shown(tmp_path: Path, url: str) -> None:
    """What is in the place of the URL may be a key."""
    with pytest.raises(InputError, match="http://") as caught:
        await capture(url, tmp_path / "node", slots=1)
    assert SECRET not in str(caught.value)


def result(value: Json) -> Json:
    return {"result": {"context": {"slot": 999}, "value": value}}


def account(owner: str, data: bytes) -> Json:
    return {"lamports": 1, "owner": owner, "data": [b64encode(data).decode(), "base64"], "executable": False}
