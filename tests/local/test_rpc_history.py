"""The RPC's blocks, transactions and simulations, and what callers cannot make it do."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.compute_budget import set_compute_unit_price
from solders.hash import Hash
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.rpc.responses import (
    GetBlockResp,
    GetRecentPrioritizationFeesResp,
    GetSignaturesForAddressResp,
    GetSignatureStatusesResp,
    GetTransactionResp,
    SimulateTransactionResp,
)
from solders.signature import Signature
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from simclient.local.bundle import BundleSlot
from simclient.local.engine import Engine, open_engine
from simclient.local.engine.ledger import Ledger
from simclient.local.engine.loaded import LoadedBundle
from simclient.local.engine.messages import Execute, Load
from simclient.local.engine.replay import Replay
from simclient.local.engine.rpc import RpcServer

from .blocks import (
    BLOCK_TIME,
    FIRST_SLOT,
    LAMPORTS,
    PAYEE,
    PAYEE_ADDRESS,
    PAYER,
    PAYER_ADDRESS,
    POOR,
    SYSTEM_PROGRAM,
    blockhash,
    pay,
    write_blocks,
)
from .rpc_calls import call, error, raw

LAST_SLOT = FIRST_SLOT + 3
"""The slot before it is skipped."""
MEMO = pay(3, note="thanks")
V0_PAYMENT = bytes(
    VersionedTransaction(
        MessageV0.try_compile(
            PAYER.pubkey(),
            [transfer(TransferParams(from_pubkey=PAYER.pubkey(), to_pubkey=PAYEE.pubkey(), lamports=5))],
            list[AddressLookupTableAccount](),
            Hash.from_bytes(blockhash(1)),
        ),
        [PAYER],
    )
)
TOO_MUCH = pay(LAMPORTS * 9)
BLOCKS = {FIRST_SLOT: [pay(1), pay(2)], FIRST_SLOT + 1: [MEMO, V0_PAYMENT], LAST_SLOT: [TOO_MUCH]}
LATEST = {"maxSupportedTransactionVersion": 0}

Json = Any


def signature_of(wire: bytes) -> str:
    return str(VersionedTransaction.from_bytes(wire).signatures[0])


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncGenerator[Engine]:
    """Give an engine that has executed three blocks."""
    path = write_blocks(tmp_path / "blocks.bundle", BLOCKS, end_slot=LAST_SLOT + 5)
    async with open_engine(path, start_slot=FIRST_SLOT, end_slot=2**63) as engine:
        for _ in BLOCKS:
            await engine.execute_slot()
        yield engine


async def text(engine: Engine, method: str, *params: object) -> str:
    """Call a method, and return the whole answer as text."""
    body = b'{"jsonrpc":"2.0","id":1,"method":"%b","params":%b}'
    return (await engine.rpc(body % (method.encode(), msgspec.json.encode(params)))).decode()


# Blocks


async def test_a_block_has_its_transactions(engine: Engine) -> None:
    """`getBlock` gives the block's own facts and every transaction in order."""
    block = await call(engine, "getBlock", FIRST_SLOT + 1, LATEST)

    assert (block["parentSlot"], block["blockHeight"]) == (FIRST_SLOT, FIRST_SLOT + 1)
    assert block["blockhash"] == str(Hash.from_bytes(blockhash(FIRST_SLOT + 1)))
    assert block["previousBlockhash"] == str(Hash.from_bytes(blockhash(FIRST_SLOT)))
    assert [t["version"] for t in block["transactions"]] == ["legacy", 0]
    assert [t["transaction"]["signatures"][0] for t in block["transactions"]] == [
        signature_of(MEMO),
        signature_of(V0_PAYMENT),
    ]


@pytest.mark.parametrize("encoding", ["json", "jsonParsed", "base64", "base58", "binary"])
@pytest.mark.parametrize("details", ["full", "accounts", "signatures", "none"])
async def test_solders_reads_every_form_of_a_block(engine: Engine, encoding: str, details: str) -> None:
    """The types of Solana's own clients read what is served, in each encoding and at each level of detail."""
    options = {"encoding": encoding, "transactionDetails": details, **LATEST}
    found = GetBlockResp.from_json(await text(engine, "getBlock", FIRST_SLOT + 1, options))

    assert isinstance(found, GetBlockResp)
    assert found.value is not None
    assert found.value.parent_slot == FIRST_SLOT
    assert len(found.value.transactions or ()) == (2 if details in ("full", "accounts") else 0)
    assert len(found.value.signatures or ()) == (2 if details == "signatures" else 0)


async def test_blocks_are_listed(engine: Engine) -> None:
    """`getBlocks` leaves skipped slots out, and takes an end or a configuration."""
    everything = [FIRST_SLOT, FIRST_SLOT + 1, LAST_SLOT]
    assert await call(engine, "getBlocks", 0) == everything
    assert await call(engine, "getBlocks", 0, {"commitment": "confirmed"}) == everything
    assert await call(engine, "getBlocks", FIRST_SLOT + 1, FIRST_SLOT + 2) == [FIRST_SLOT + 1]
    assert await call(engine, "getBlocksWithLimit", FIRST_SLOT, 2) == everything[:2]
    assert await call(engine, "getFirstAvailableBlock") == FIRST_SLOT


@pytest.mark.parametrize(("slot", "code"), [(FIRST_SLOT - 1, -32001), (LAST_SLOT - 1, -32007), (LAST_SLOT + 1, -32004)])
async def test_a_block_that_there_is_not_is_refused_with_the_reason(engine: Engine, slot: int, code: int) -> None:
    """Forgotten, skipped and not yet there are three errors, as on Solana's nodes."""
    assert (await error(engine, "getBlock", slot))["code"] == code
    assert (await error(engine, "getBlockTime", slot))["code"] == code


async def test_a_version_that_the_caller_does_not_read_is_refused(engine: Engine) -> None:
    """Without `maxSupportedTransactionVersion` there are only legacy transactions, and no word of versions."""
    for method, what in (("getBlock", FIRST_SLOT + 1), ("getTransaction", signature_of(V0_PAYMENT))):
        found = await error(engine, method, what)
        assert found["code"] == -32015
        assert '"maxSupportedTransactionVersion": 0' in found["message"]
    assert "version" not in await call(engine, "getTransaction", signature_of(MEMO))
    assert (await call(engine, "getTransaction", signature_of(V0_PAYMENT), LATEST))["version"] == 0


async def test_recent_blockhashes_are_valid(engine: Engine) -> None:
    """`isBlockhashValid` knows the blocks of the last 150."""
    for slot, is_valid in ((LAST_SLOT, True), (FIRST_SLOT, True), (LAST_SLOT - 1, False)):
        found = await call(engine, "isBlockhashValid", str(Hash.from_bytes(blockhash(slot))))
        assert found["value"] is is_valid


# Transactions


@pytest.mark.parametrize("encoding", ["json", "jsonParsed", "base64", "base58", "binary"])
@pytest.mark.parametrize("wire", [MEMO, V0_PAYMENT, TOO_MUCH], ids=["memo", "v0", "failed"])
async def test_solders_reads_every_form_of_a_transaction(engine: Engine, encoding: str, wire: bytes) -> None:
    """The types of Solana's own clients read `getTransaction` in each encoding."""
    answer = await text(engine, "getTransaction", signature_of(wire), {"encoding": encoding, **LATEST})
    found = GetTransactionResp.from_json(answer)

    assert isinstance(found, GetTransactionResp)
    assert found.value is not None
    assert found.value.block_time is not None
    assert BLOCK_TIME + FIRST_SLOT < found.value.block_time <= BLOCK_TIME + LAST_SLOT


async def test_the_bytes_of_a_transaction_are_its_own(engine: Engine) -> None:
    """In base64 a transaction comes as it stood in its block."""
    found = await call(engine, "getTransaction", signature_of(V0_PAYMENT), {"encoding": "base64", **LATEST})
    assert b64decode(found["transaction"][0]) == V0_PAYMENT


async def test_parsed_keys_say_what_they_may_do(engine: Engine) -> None:
    """In `jsonParsed` each account has its part, and instructions name their program and accounts."""
    found = await call(engine, "getTransaction", signature_of(pay(1)), {"encoding": "jsonParsed"})

    message = found["transaction"]["message"]
    assert message["accountKeys"] == [
        {"pubkey": PAYER_ADDRESS, "signer": True, "writable": True, "source": "transaction"},
        {"pubkey": PAYEE_ADDRESS, "signer": False, "writable": True, "source": "transaction"},
        {"pubkey": SYSTEM_PROGRAM, "signer": False, "writable": False, "source": "transaction"},
    ]
    assert message["instructions"][0]["programId"] == SYSTEM_PROGRAM
    assert message["instructions"][0]["accounts"] == [PAYER_ADDRESS, PAYEE_ADDRESS]


async def test_signatures_of_an_address_come_newest_first(engine: Engine) -> None:
    """`getSignaturesForAddress` pages with `before` and `until`, exclusive both, and has memos and errors."""
    everything = [signature_of(wire) for wire in (TOO_MUCH, V0_PAYMENT, MEMO, pay(2), pay(1))]
    found = await call(engine, "getSignaturesForAddress", PAYEE_ADDRESS)
    page = await call(
        engine,
        "getSignaturesForAddress",
        PAYEE_ADDRESS,
        {"before": everything[0], "until": everything[4], "limit": 2},
    )
    typed = GetSignaturesForAddressResp.from_json(await text(engine, "getSignaturesForAddress", PAYEE_ADDRESS))

    assert [one["signature"] for one in found] == everything
    assert [one["signature"] for one in page] == everything[1:3]
    assert (found[2]["memo"], found[0]["err"] is None, found[0]["slot"]) == ("[6] thanks", False, LAST_SLOT)
    assert isinstance(typed, GetSignaturesForAddressResp)
    assert await call(engine, "getSignaturesForAddress", str(Pubkey.new_unique())) == []


async def test_statuses_are_final(engine: Engine) -> None:
    """`getSignatureStatuses` has null for what it does not know."""
    signatures = [signature_of(TOO_MUCH), str(Signature.default()), signature_of(MEMO)]
    answer = await text(engine, "getSignatureStatuses", signatures, {"searchTransactionHistory": True})
    found = GetSignatureStatusesResp.from_json(answer)

    assert isinstance(found, GetSignatureStatusesResp)
    failed, unknown, success = found.value
    assert failed is not None
    assert success is not None
    assert (unknown, failed.err is None, success.err, success.slot) == (None, False, None, FIRST_SLOT + 1)


# Simulations


def message_of(*, price: int, to: Pubkey = PAYEE.pubkey()) -> Message:  # noqa: B008  # a constant
    instructions = [
        set_compute_unit_price(price),
        transfer(TransferParams(from_pubkey=PAYER.pubkey(), to_pubkey=to, lamports=5_000_000)),
    ]
    return Message.new_with_blockhash(instructions, PAYER.pubkey(), Hash.default())


async def test_a_fee_includes_the_priority_fee(engine: Engine) -> None:
    """`getFeeForMessage` adds what the message offers per compute unit to the fee per signature."""
    plain, dear = (b64encode(bytes(message_of(price=price))).decode() for price in (0, 1_000_000))

    assert (await call(engine, "getFeeForMessage", plain))["value"] == 5_000
    assert (await call(engine, "getFeeForMessage", dear))["value"] > 5_000


async def test_recent_prices_are_those_of_the_blocks(tmp_path: Path) -> None:
    """Of each block the least price is given, or the least among those that write an account if that is more."""
    dear = bytes(VersionedTransaction(message_of(price=700), [PAYER]))
    cheap = bytes(VersionedTransaction(message_of(price=300, to=POOR.pubkey()), [PAYER]))
    path = write_blocks(
        tmp_path / "prices.bundle", {FIRST_SLOT: [dear, cheap], FIRST_SLOT + 1: [pay(1)], LAST_SLOT: []}
    )
    async with open_engine(path, start_slot=FIRST_SLOT, end_slot=LAST_SLOT) as engine:
        for _ in range(3):
            await engine.execute_slot()
        least = await call(engine, "getRecentPrioritizationFees")
        unwritten = await call(engine, "getRecentPrioritizationFees", [SYSTEM_PROGRAM])
        answer = await text(engine, "getRecentPrioritizationFees", [PAYEE_ADDRESS])
    written = GetRecentPrioritizationFeesResp.from_json(answer)

    assert [(one["slot"], one["prioritizationFee"]) for one in least] == [
        (FIRST_SLOT, 300),
        (FIRST_SLOT + 1, 0),
        (LAST_SLOT, 0),
    ]
    assert unwritten == least
    assert isinstance(written, GetRecentPrioritizationFeesResp)
    assert [one.prioritization_fee for one in written.value] == [700, 0, 0]


async def test_solders_reads_a_simulation(engine: Engine) -> None:
    """Accounts, inner instructions and the replaced blockhash are as Solana's own clients expect them."""
    options = {
        "encoding": "base64",
        "replaceRecentBlockhash": True,
        "innerInstructions": True,
        "accounts": {"encoding": "base64", "addresses": [PAYEE_ADDRESS]},
    }
    found = SimulateTransactionResp.from_json(
        await text(engine, "simulateTransaction", b64encode(pay(9)).decode(), options)
    )

    assert isinstance(found, SimulateTransactionResp)
    assert found.value.err is None
    assert found.value.accounts is not None
    assert found.value.accounts[0] is not None


async def test_a_failed_simulation_has_no_accounts(engine: Engine) -> None:
    """Where the transaction fails, null stands for each account asked for."""
    options = {"encoding": "base64", "accounts": {"addresses": [PAYEE_ADDRESS, PAYER_ADDRESS]}}
    value = (await call(engine, "simulateTransaction", b64encode(TOO_MUCH).decode(), options))["value"]

    assert value["accounts"] == [None, None]
    assert value["err"] == {"InstructionError": [0, {"Custom": 1}]}


async def test_wrong_signatures_are_found_where_asked(engine: Engine) -> None:
    """A signature that signs nothing is Solana's -32003 with `sigVerify`, and no matter without; a sent one is checked."""
    unsigned = VersionedTransaction.populate(message_of(price=0), [Signature.default()])
    wire = b64encode(bytes(unsigned)).decode()

    assert (await call(engine, "simulateTransaction", wire, {"encoding": "base64"}))["value"]["err"] is None
    checked = await error(engine, "simulateTransaction", wire, {"encoding": "base64", "sigVerify": True})
    sent = await error(engine, "sendTransaction", wire, {"encoding": "base64"})
    assert (checked["code"], sent["code"]) == (-32003, -32003)


async def test_a_preflight_says_why_in_solanas_words(engine: Engine) -> None:
    """The message is the one that Solana's tools show."""
    found = await error(engine, "sendTransaction", b64encode(TOO_MUCH).decode(), {"encoding": "base64"})
    assert found["message"] == (
        "Transaction simulation failed: Error processing Instruction 0: custom program error: 0x1"
    )


# What callers cannot do


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("getSlot", ({"minContextSlot": LAST_SLOT + 1},), -32016),
        ("getSlot", ({"commitment": "sure"},), -32602),
        ("getBlock", (FIRST_SLOT, {"commitment": "processed"}), -32602),
        ("getBlock", (FIRST_SLOT, {"transactionDetails": "some"}), -32602),
        ("getBlocks", (0, 2**40), -32602),
        ("getBlocksWithLimit", (0, 2**40), -32602),
        ("getTransaction", ("1" * 10_000_000,), -32602),
        ("getSignatureStatuses", ([str(Signature.default())] * 257,), -32602),
        ("getSignaturesForAddress", (PAYEE_ADDRESS, {"limit": 0}), -32602),
        ("getSignaturesForAddress", (PAYEE_ADDRESS, {"limit": True}), -32602),
        ("getAccountInfo", (PAYEE_ADDRESS, {"encoding": "hex"}), -32602),
        ("getAccountInfo", (PAYEE_ADDRESS, {"dataSlice": {"offset": -1, "length": 5}}), -32602),
        ("getAccountInfo", (PAYEE_ADDRESS, {"dataSlice": {"offset": 1}}), -32602),
        ("getProgramAccounts", (SYSTEM_PROGRAM, {"filters": [{"dataSize": 0}] * 5}), -32602),
        ("getProgramAccounts", (SYSTEM_PROGRAM, {"filters": [{"dataSize": True}]}), -32602),
        (
            "getProgramAccounts",
            (SYSTEM_PROGRAM, {"filters": [{"memcmp": {"offset": 0, "bytes": "1" * 10**7}}]}),
            -32602,
        ),
        ("getProgramAccounts", (SYSTEM_PROGRAM, {"filters": [{"memcmp": {"offset": 0, "bytes": [256]}}]}), -32602),
        ("simulateTransaction", ("1" * 10_000_000,), -32602),
        ("simulateTransaction", (b64encode(bytes(5_000)).decode(), {"encoding": "base64"}), -32602),
        (
            "simulateTransaction",
            (b64encode(MEMO).decode(), {"encoding": "base64", "accounts": {"addresses": [PAYEE_ADDRESS] * 99}}),
            -32602,
        ),
        ("getLargestAccounts", ({"filter": "all"},), -32602),
    ],
)
async def test_bad_options_are_refused(engine: Engine, method: str, params: tuple[object, ...], code: int) -> None:
    """Options are read strictly, and nothing that is long is shown or decoded."""
    found = await error(engine, method, *params)

    assert found["code"] == code
    assert len(found["message"]) < 500


async def test_base58_is_for_short_data(engine: Engine) -> None:
    """The default encoding of `getAccountInfo` is Solana's old one, which long data is refused in."""
    data = {"data": b64encode(bytes(129)).decode(), "encoding": "base64"}
    await call(engine, "modifyAccounts", {PAYEE_ADDRESS: {"lamports": 5, "owner": SYSTEM_PROGRAM, "data": data}})

    found = await error(engine, "getAccountInfo", PAYEE_ADDRESS)
    part = {"encoding": "base58", "dataSlice": {"offset": 1, "length": 128}}
    assert (found["code"], "use Base64" in found["message"]) == (-32600, True)
    assert (await call(engine, "getAccountInfo", PAYEE_ADDRESS, part))["value"]["data"] == ["1" * 128, "base58"]


async def test_the_session_knows_its_own_supply(engine: Engine) -> None:
    """`getSupply` and `getLargestAccounts` are about the accounts that the session has."""
    supply = (await call(engine, "getSupply"))["value"]
    largest = (await call(engine, "getLargestAccounts"))["value"]

    assert {one["address"] for one in largest} == {PAYER_ADDRESS, PAYEE_ADDRESS}
    assert supply["total"] == supply["circulating"] == sum(one["lamports"] for one in largest)


async def test_a_long_batch_is_refused(engine: Engine) -> None:
    """A batch has its bound; one answer says so."""
    assert (await raw(engine, [{"method": "getSlot"}] * 1_001))["error"]["code"] == -32600
    assert len(await raw(engine, [{"method": "getSlot"}] * 1_000)) == 1_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RpcServer]:
    path = write_blocks(tmp_path_factory.mktemp("rpc") / "blocks.bundle", BLOCKS)
    replay = Replay(LoadedBundle(path), Load(id=1, start_slot=FIRST_SLOT, end_slot=LAST_SLOT))
    replay.execute(Execute(id=2, transactions=[], modifications=[]))
    yield RpcServer(replay)
    replay.close()


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from([PAYEE_ADDRESS, "base64", "AAAA", signature_of(MEMO), b64encode(MEMO).decode(), "jsonParsed"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "encoding",
                    "filters",
                    "memcmp",
                    "offset",
                    "bytes",
                    "dataSlice",
                    "length",
                    "accounts",
                    "addresses",
                    "mint",
                ]
            )
            | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), params=st.lists(ANYTHING, max_size=4) | ANYTHING)
def test_nothing_that_is_asked_ends_the_engine(server: RpcServer, data: st.DataObject, params: object) -> None:
    """Whatever the parameters, the answer is a result or a typed error of bounded length."""
    method = data.draw(st.sampled_from(sorted(server.methods)))
    answer = server.answer(msgspec.json.encode({"id": 1, "method": method, "params": params}))

    assert b'"result"' in answer or b'"error":{"code":-3' in answer


def ask(server: RpcServer, *requests: Json) -> Json:
    return msgspec.json.decode(server.answer(msgspec.json.encode(list(requests))))


def test_a_scan_that_finds_too_much_is_ended(server: RpcServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that would be too long is Solana's error for that; a slice does not help against many accounts."""
    request = {"id": 1, "method": "getProgramAccounts", "params": [SYSTEM_PROGRAM, {"encoding": "base64"}]}
    assert {one["pubkey"] for one in ask(server, request)[0]["result"]} == {PAYER_ADDRESS, PAYEE_ADDRESS}
    monkeypatch.setattr("simclient.local.engine.rpc_accounts._MOST_ANSWER_BYTES", 511)

    assert ask(server, request)[0]["error"]["code"] == -32012


def test_a_batch_whose_answers_are_too_long_is_cut(server: RpcServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The requests after the limit are refused, each with its place in the batch."""
    monkeypatch.setattr("simclient.local.engine.rpc._MOST_BATCH_BYTES", 60)
    found = ask(server, *({"id": number, "method": "getSlot"} for number in range(4)))

    assert ["result" in one for one in found] == [True, True, False, False]
    assert "ask for less" in found[3]["error"]["message"]


def test_the_oldest_blocks_are_forgotten_whole() -> None:
    """The ledger keeps within its bytes; what is left of a block is all of it or nothing."""
    ledger = Ledger(most_bytes=20_000)
    for slot in range(1, 41):
        block = BundleSlot(
            slot=slot, parent_slot=slot - 1, blockhash=blockhash(slot), block_height=slot, block_time=slot
        )
        ledger.begin(block)
        for number in range(2):
            ledger.add(b"w" * 500, Signature(bytes([slot, number]) * 32), ("a",), None, b"r" * 1_000)

    slots = list(ledger.slots())
    assert 0 < len(slots) < 8
    assert slots == list(range(41 - len(slots), 41))
    assert [len(b.entries) for b in map(ledger.block, slots) if b is not None] == [2] * len(slots)
    assert ledger.entry(Signature(bytes([1, 0]) * 32)) is None
    assert len(list(ledger.newest_first())) == 2 * len(slots)
    assert (ledger.first_slot, ledger.transaction_count) == (slots[0], 80)


async def test_the_documentation_lists_every_method(server: RpcServer) -> None:
    """`docs/reference/rpc.md` has a row for each method, and none that there is not."""
    page = (Path(__file__).parents[2] / "docs" / "reference" / "rpc.md").read_text(encoding="utf-8")
    rows = {line.split("`")[1] for line in page.splitlines() if line.startswith("| `")}

    assert rows == set(server.methods)
