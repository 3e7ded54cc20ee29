"""What callers of the RPC cannot make it do."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from solders.signature import Signature

from simclient.local.bundle import BundleSlot
from simclient.local.engine import Engine
from simclient.local.engine.ledger import Ledger
from simclient.local.engine.loaded import LoadedBundle
from simclient.local.engine.messages import Execute, Load
from simclient.local.engine.replay import Replay
from simclient.local.engine.rpc import RpcServer

from .blocks import FIRST_SLOT, PAYEE_ADDRESS, PAYER_ADDRESS, SYSTEM_PROGRAM, blockhash, write_blocks
from .history import BLOCKS, LAST_SLOT, MEMO, Json, signature_of
from .rpc_calls import call, error, raw


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
