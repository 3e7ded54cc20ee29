"""What a session's RPC makes of answers that are not as they should be, from a loopback server that says what a test tells it to."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio

from simclient.errors import HttpError, InputError, RemoteProtocolError, RpcError
from simclient.rpc import SessionRpc
from simclient.transport.http import open_http
from simclient.transport.limits import TransportLimits
from simclient.wire.accounts import AccountData, EncodedBinary

HANG_SECONDS = 30
"""Far more than anything here takes over loopback."""
ADDRESS = "11111111111111111111111111111111"
SIGNATURE = "1" * 64
Call = Callable[[SessionRpc], Awaitable[object]]


class Server:
    """Answers every request with the same body, and keeps what was asked."""

    def __init__(self, body: bytes, status: str) -> None:
        self._answer = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        self.asked: list[dict[str, object]] = []

    async def handle(self, stream: trio.SocketStream) -> None:
        while request := await _read_request(stream):
            self.asked.append(json.loads(request))
            await stream.send_all(self._answer)


async def _read_request(stream: trio.SocketStream) -> bytes:
    """Return the body of the next request, empty at the end."""
    data = b""
    while b"\r\n\r\n" not in data:
        received = await stream.receive_some()
        if not received:
            return b""
        data += received
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    )
    while len(body) < length:
        body += await stream.receive_some()
    return body


@asynccontextmanager
async def serving(body: bytes, status: str = "200 OK") -> AsyncGenerator[tuple[SessionRpc, Server]]:
    server = Server(body, status)
    limits = TransportLimits(max_message_bytes=100_000)
    with trio.fail_after(HANG_SECONDS):
        async with trio.open_nursery() as nursery, open_http(limits=limits) as client:
            listeners = await nursery.start(partial(trio.serve_tcp, server.handle, 0, host="127.0.0.1"))
            yield SessionRpc(f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}/rpc", client), server
            nursery.cancel_scope.cancel()


def result(value: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "result": value}).encode()


def valued(value: object) -> bytes:
    return result({"context": {"slot": 7}, "value": value})


def account(**changes: object) -> dict[str, object]:
    fields = {"lamports": 5, "owner": ADDRESS, "data": ["AAE=", "base64"], "executable": False, "rentEpoch": 2**64 - 1}
    return {**fields, **changes}


async def failure(call: Call, body: bytes) -> RemoteProtocolError:
    async with serving(body) as (rpc, _):
        with pytest.raises(RemoteProtocolError) as caught:
            await call(rpc)
    return caught.value


class TestErrors:
    async def test_an_error_object_is_typed(self) -> None:
        """Method, code, message and data of an error object are kept; the data as JSON text."""
        error = {"code": -32602, "message": "Invalid param: WrongSize", "data": {"a": [1]}}
        async with serving(json.dumps({"error": error, "id": 1}).encode()) as (rpc, _):
            with pytest.raises(RpcError, match=r"getSlot failed: Invalid param: WrongSize \(code -32602\)") as caught:
                await rpc.get_slot()

        assert (caught.value.method, caught.value.code, caught.value.data) == ("getSlot", -32602, '{"a": [1]}')

    async def test_an_error_without_data_has_none(self) -> None:
        """A null result beside an error does not hide it."""
        body = b'{"jsonrpc":"2.0","result":null,"error":{"code":-32005,"message":"behind"},"id":null}'
        async with serving(body) as (rpc, _):
            with pytest.raises(RpcError) as caught:
                await rpc.get_slot()

        assert (caught.value.code, caught.value.data) == (-32005, None)

    async def test_a_status_is_an_http_error(self) -> None:
        """A session that is not ready answers 503."""
        async with serving(b"starting", "503 Service Unavailable") as (rpc, _):
            with pytest.raises(HttpError) as caught:
                await rpc.get_slot()

        assert (caught.value.status, caught.value.body) == (503, "starting")

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"<html>",
            b"[]",
            b"null",
            b'{"result":1',
            b'{"id":1}',
            b'{"error":"no"}',
            b'{"error":{"code":"x","message":"y"}}',
            b'{"result":"\xff"}',
            b'{"result":' + b"[" * 40_000 + b"]" * 40_000,
        ],
    )
    async def test_what_is_not_json_rpc_is_refused(self, body: bytes) -> None:
        """The error names the method, and shows no more than 200 characters of the answer."""
        error = await failure(lambda rpc: rpc.get_slot(), body)

        assert "cannot read the answer to getSlot" in str(error)
        assert len(error.excerpt) <= 200


WRONG_RESULTS: dict[str, tuple[Call, bytes]] = {
    "a text for a slot": (lambda rpc: rpc.get_slot(), result("7")),
    "a fraction for a slot": (lambda rpc: rpc.get_slot(), result(7.5)),
    "a negative slot": (lambda rpc: rpc.get_slot(), result(-1)),
    "null for a height": (lambda rpc: rpc.get_block_height(), result(None)),
    "no value around a balance": (lambda rpc: rpc.get_balance(ADDRESS), result(5)),
    "negative lamports": (lambda rpc: rpc.get_account(ADDRESS), valued(account(lamports=-1))),
    "a text for lamports": (lambda rpc: rpc.get_account(ADDRESS), valued(account(lamports="5"))),
    "an account without an owner": (lambda rpc: rpc.get_account(ADDRESS), valued({"lamports": 5})),
    "data in another encoding": (lambda rpc: rpc.get_account(ADDRESS), valued(account(data=["AAE=", "base58"]))),
    "data that is not base64": (lambda rpc: rpc.get_account(ADDRESS), valued(account(data=["A!E=", "base64"]))),
    "data that is not ASCII": (lambda rpc: rpc.get_account(ADDRESS), valued(account(data=["é", "base64"]))),
    "data parsed": (lambda rpc: rpc.get_account(ADDRESS), valued(account(data={"parsed": {}}))),
    "too few accounts": (lambda rpc: rpc.get_multiple_accounts([ADDRESS, ADDRESS]), valued([account()])),
    "too many accounts": (lambda rpc: rpc.get_multiple_accounts([ADDRESS]), valued([None, None])),
    "a map of accounts": (lambda rpc: rpc.get_program_accounts(ADDRESS), result({ADDRESS: account()})),
    "an amount with a point": (
        lambda rpc: rpc.get_token_account_balance(ADDRESS),
        valued({"amount": "1.5", "decimals": 6}),
    ),
    "an amount beyond 64 bits": (
        lambda rpc: rpc.get_token_account_balance(ADDRESS),
        valued({"amount": "9" * 5000, "decimals": 6}),
    ),
    "a blockhash without a height": (lambda rpc: rpc.get_latest_blockhash(), valued({"blockhash": ADDRESS})),
    "a text for rent": (lambda rpc: rpc.get_minimum_balance_for_rent_exemption(1), result("890880")),
    "no transaction": (lambda rpc: rpc.get_transaction(SIGNATURE), result({"slot": "x"})),
    "a number for a transaction": (lambda rpc: rpc.get_transaction(SIGNATURE), result(7)),
    "logs of a simulation as a text": (lambda rpc: rpc.simulate_transaction(b"tx"), valued({"err": None, "logs": "x"})),
    "another number of simulated accounts": (
        lambda rpc: rpc.simulate_transaction(b"tx", accounts=[ADDRESS]),
        valued({"err": None, "accounts": []}),
    ),
    "a number for a signature": (lambda rpc: rpc.send_transaction(b"tx"), result(7)),
}


class TestResults:
    @pytest.mark.parametrize(("call", "body"), WRONG_RESULTS.values(), ids=WRONG_RESULTS)
    async def test_a_wrong_result_is_refused(self, call: Call, body: bytes) -> None:
        """A result that is not what the method gives is the server's fault, never a KeyError of ours."""
        await failure(call, body)

    async def test_unknown_fields_do_no_harm(self) -> None:
        """A newer server may say more."""
        async with serving(valued(account(space=2, invented={"a": 1}))) as (rpc, _):
            found = await rpc.get_account(ADDRESS)

        assert found is not None
        assert (found.data, found.space, found.rent_epoch) == (b"\x00\x01", 2, 2**64 - 1)

    async def test_the_return_data_of_a_simulation_is_decoded(self) -> None:
        """What a program returned arrives as bytes; without logs there are none."""
        value = {"err": None, "logs": None, "returnData": {"programId": ADDRESS, "data": ["AAE=", "base64"]}}
        async with serving(valued(value)) as (rpc, _):
            found = await rpc.simulate_transaction(b"tx")

        assert (found.return_data, found.logs, found.is_success) == (b"\x00\x01", (), True)

    async def test_many_addresses_are_asked_for_in_parts(self) -> None:
        """One request asks for at most 100 accounts, and none is sent for no address."""
        async with serving(valued([None] * 100)) as (rpc, server):
            assert await rpc.get_multiple_accounts([ADDRESS] * 200) == (None,) * 200
            assert await rpc.get_multiple_accounts([]) == ()

        assert len(server.asked) == 2

    async def test_a_cancelled_call_leaves_a_usable_client(self) -> None:
        """A call that is given up does not disturb the next one."""
        async with serving(result(7)) as (rpc, _):
            with trio.CancelScope() as scope:
                scope.cancel()
                await rpc.get_slot()

            assert await rpc.get_slot() == 7


NO_UNICODE = AccountData(data=EncodedBinary(data="\ud800"), executable=False, lamports=1, owner=ADDRESS, space=1)
UNUSABLE: dict[str, Call] = {
    "a short address": lambda rpc: rpc.get_account("abc"),
    "an address of another alphabet": lambda rpc: rpc.get_balance("0" * 32),
    "one bad address of several": lambda rpc: rpc.get_multiple_accounts([ADDRESS, "abc"]),
    "a program that is none": lambda rpc: rpc.get_program_accounts(""),
    "a token account that is none": lambda rpc: rpc.get_token_account_balance(None),
    "a short signature": lambda rpc: rpc.get_transaction(ADDRESS),
    "an endless signature": lambda rpc: rpc.get_transaction("1" * 10**6),
    "a signature with a blank": lambda rpc: rpc.get_transaction(" " * 64),
    "a text for a transaction": lambda rpc: rpc.send_transaction("AQAB"),
    "a number for a transaction": lambda rpc: rpc.simulate_transaction(7),
    "a bad address in a simulation": lambda rpc: rpc.simulate_transaction(b"tx", accounts=["abc"]),
    "a bad address to modify": lambda rpc: rpc.modify_accounts({"abc": AccountData.build(lamports=1, owner=ADDRESS)}),
    "data with a lone surrogate": lambda rpc: rpc.modify_accounts({ADDRESS: NO_UNICODE}),
}


@pytest.mark.parametrize("call", UNUSABLE.values(), ids=UNUSABLE)
async def test_what_cannot_be_used_is_refused_before_the_request(call: Call) -> None:
    """Addresses, signatures, transactions and texts are checked; the server hears nothing of a wrong one."""
    async with serving(result(None)) as (rpc, server):
        with pytest.raises(InputError):
            await call(rpc)

    assert server.asked == []
