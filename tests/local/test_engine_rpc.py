"""The RPC of an engine: Solana's methods and Solana's error codes."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import zstandard
from solders.transaction import VersionedTransaction

from simclient.local.bundle import open_bundle, shipped_bundle
from simclient.local.engine import Engine, open_engine

from .blocks import (
    BLOCK_TIME,
    FIRST_SLOT,
    LAMPORTS,
    PAYEE_ADDRESS,
    PAYER_ADDRESS,
    POOR,
    SYSTEM_PROGRAM,
    blockhash,
    pay,
    write_payments,
)
from .rpc_calls import call, error, raw

TOKEN_PROGRAM = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
POOR_ADDRESS = str(POOR.pubkey())
FIRST_PAYMENT = pay(1_000_000)


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncGenerator[Engine]:
    """Give an engine that has executed the first of five payments."""
    path = write_payments(tmp_path / "payments.bundle")
    async with open_engine(path, start_slot=FIRST_SLOT, end_slot=2**63) as engine:
        await engine.execute_slot()
        yield engine


async def test_an_account_is_given_in_the_encoding_asked_for(engine: Engine) -> None:
    """`getAccountInfo` knows base64, base58 and base64+zstd, and has null for no account."""
    account = (await call(engine, "getAccountInfo", PAYEE_ADDRESS, {"encoding": "base64"}))["value"]
    packed = (await call(engine, "getAccountInfo", SYSTEM_PROGRAM, {"encoding": "base64+zstd"}))["value"]["data"]
    missing = await call(engine, "getAccountInfo", POOR_ADDRESS)

    assert (account["lamports"], account["owner"], account["space"]) == (LAMPORTS + 1_000_000, SYSTEM_PROGRAM, 0)
    assert zstandard.decompress(b64decode(packed[0])) == b"system_program"
    assert (missing["value"], missing["context"]["slot"]) == (None, FIRST_SLOT)


async def test_a_slice_of_the_data_is_enough(engine: Engine) -> None:
    """`dataSlice` cuts the data."""
    options = {"encoding": "base64", "dataSlice": {"offset": 1, "length": 3}}
    account = (await call(engine, "getAccountInfo", SYSTEM_PROGRAM, options))["value"]

    assert b64decode(account["data"][0]) == b"yst"


async def test_several_accounts_come_in_the_order_asked_for(engine: Engine) -> None:
    """`getMultipleAccounts` keeps order, repetition and absence."""
    addresses = [PAYEE_ADDRESS, POOR_ADDRESS, PAYEE_ADDRESS]
    accounts = (await call(engine, "getMultipleAccounts", addresses))["value"]

    assert [a and a["lamports"] for a in accounts] == [LAMPORTS + 1_000_000, None, LAMPORTS + 1_000_000]


async def test_the_block_is_that_of_the_last_slot(engine: Engine) -> None:
    """Slot, height, time and epoch are those of the last block executed."""
    assert await call(engine, "getSlot") == FIRST_SLOT
    assert await call(engine, "getBlockHeight") == FIRST_SLOT
    assert await call(engine, "getBlockTime", FIRST_SLOT) == BLOCK_TIME + FIRST_SLOT
    assert (await call(engine, "getEpochInfo"))["slotIndex"] == FIRST_SLOT
    assert (await call(engine, "getHealth"), "solana-core" in await call(engine, "getVersion")) == ("ok", True)


async def test_the_latest_blockhash_is_valid(engine: Engine) -> None:
    """The blockhash given is the one that is valid."""
    latest = (await call(engine, "getLatestBlockhash"))["value"]["blockhash"]

    assert (await call(engine, "isBlockhashValid", latest))["value"] is True
    assert (await call(engine, "isBlockhashValid", PAYEE_ADDRESS))["value"] is False
    assert latest != str(blockhash(0))


async def test_an_executed_transaction_is_found(engine: Engine) -> None:
    """`getTransaction` gives what was executed, and null for what was not."""
    executed = VersionedTransaction.from_bytes(FIRST_PAYMENT).signatures[0]
    other = VersionedTransaction.from_bytes(pay(3)).signatures[0]

    assert (await call(engine, "getTransaction", str(executed)))["slot"] == FIRST_SLOT
    assert await call(engine, "getTransaction", str(other)) is None


async def test_a_simulation_changes_nothing(engine: Engine) -> None:
    """`simulateTransaction` says what would come of it, with the accounts asked for."""
    options = {"encoding": "base64", "accounts": {"addresses": [PAYEE_ADDRESS]}, "replaceRecentBlockhash": True}
    value = (await call(engine, "simulateTransaction", b64encode(pay(9)).decode(), options))["value"]
    after = (await call(engine, "getBalance", PAYEE_ADDRESS))["value"]

    assert (value["err"], value["accounts"][0]["lamports"]) == (None, LAMPORTS + 1_000_009)
    assert after == LAMPORTS + 1_000_000


async def test_a_sent_transaction_goes_into_the_next_slot(engine: Engine) -> None:
    """`sendTransaction` gives the signature; the transaction is executed in the next slot, and counted after the slot's own."""
    signature = await call(engine, "sendTransaction", b64encode(pay(9)).decode(), {"encoding": "base64"})
    await engine.execute_slot()

    assert (await call(engine, "getTransaction", signature))["transactionIndex"] == 1


async def test_a_transaction_that_fails_its_preflight_is_not_sent(engine: Engine) -> None:
    """A transaction that would fail is refused with -32002, the error and the logs."""
    found = await error(engine, "sendTransaction", b64encode(pay(LAMPORTS * 2)).decode(), {"encoding": "base64"})

    assert (found["code"], found["data"]["err"]) == (-32002, {"InstructionError": [0, {"Custom": 1}]})
    assert found["data"]["logs"]


async def test_accounts_can_be_modified(engine: Engine) -> None:
    """`modifyAccounts` takes effect at once, and all or none."""
    account = {"lamports": 5, "owner": SYSTEM_PROGRAM, "data": {"data": "", "encoding": "base64"}}
    assert await call(engine, "modifyAccounts", {POOR_ADDRESS: account}) == 1
    bad = {POOR_ADDRESS: {**account, "lamports": 6}, PAYER_ADDRESS: {**account, "lamports": -1}}
    found = await error(engine, "modifyAccounts", bad)

    assert (found["code"], (await call(engine, "getBalance", POOR_ADDRESS))["value"]) == (-32602, 5)


async def test_a_token_account_has_its_amount() -> None:
    """`getTokenAccountBalance` and `getProgramAccounts` read the tokens of the market."""
    with open_bundle(shipped_bundle()) as bundle:
        start, end = bundle.header.start_slot, bundle.header.end_slot
    async with open_engine(shipped_bundle(), start_slot=start, end_slot=end) as engine:
        filters = [{"dataSize": 165}]
        found = await call(engine, "getProgramAccounts", TOKEN_PROGRAM, {"encoding": "base64", "filters": filters})
        amounts = [(await call(engine, "getTokenAccountBalance", f["pubkey"]))["value"] for f in found[:3]]
        mint = b64decode(found[0]["account"]["data"][0])[:32]
        same = [{"memcmp": {"offset": 0, "bytes": b64encode(mint).decode(), "encoding": "base64"}}, *filters]
        fewer = await call(engine, "getProgramAccounts", TOKEN_PROGRAM, {"encoding": "base64", "filters": same})

    assert 0 < len(fewer) < len(found)
    assert all(int(amount["amount"]) == round(amount["uiAmount"] * 10 ** amount["decimals"]) for amount in amounts)


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("nothing", (), -32601),
        ("getBalance", (), -32602),
        ("getBalance", ("not an address",), -32602),
        ("getBalance", (5,), -32602),
        ("getAccountInfo", (PAYEE_ADDRESS, "base64"), -32602),
        ("getMultipleAccounts", ([PAYEE_ADDRESS] * 101,), -32602),
        ("getBlockTime", (1,), -32001),
        ("getBlockTime", (2**40,), -32004),
        ("getTransaction", ("1",), -32602),
        ("sendTransaction", ("AAAA", {"encoding": "base64"}), -32602),
        ("sendTransaction", ("", {"encoding": "base64"}), -32602),
        (
            "simulateTransaction",
            (b64encode(pay(9)).decode(), {"encoding": "base64", "accounts": {"addresses": 5}}),
            -32602,
        ),
        ("getTokenAccountBalance", (PAYEE_ADDRESS,), -32602),
        ("getFeeForMessage", ("AAAA",), -32602),
        ("getProgramAccounts", (SYSTEM_PROGRAM, {"filters": [{}]}), -32602),
        ("modifyAccounts", ({},), -32602),
        ("modifyAccounts", ({PAYEE_ADDRESS: None},), -32602),
        ("getMinimumBalanceForRentExemption", (-1,), -32602),
    ],
)
async def test_errors_have_solanas_codes(engine: Engine, method: str, params: tuple[object, ...], code: int) -> None:
    """What is asked wrongly is refused with the code that Solana gives, and the engine goes on."""
    assert (await error(engine, method, *params))["code"] == code
    assert await call(engine, "getHealth") == "ok"


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"", -32700), (b"{", -32700), (b"[" * 100_000, -32700), (b"[]", -32600), (b"5", -32600), (b"{}", -32600)],
    ids=["empty", "cut", "deep", "no-batch", "number", "no-method"],
)
async def test_a_body_that_is_no_request_is_refused(engine: Engine, body: bytes, code: int) -> None:
    """What cannot be read is refused with the codes of JSON-RPC."""
    assert (await raw(engine, body))["error"]["code"] == code


async def test_a_batch_is_answered_in_order(engine: Engine) -> None:
    """Each request of a batch has its own answer, also beside a bad one."""
    answers = await raw(engine, [{"id": 7, "method": "getSlot"}, 5, {"id": "x", "method": "getHealth", "params": None}])

    assert [(a["id"], a.get("result")) for a in answers] == [(7, FIRST_SLOT), (None, None), ("x", "ok")]
