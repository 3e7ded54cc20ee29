"""Files that are no answers of a node: what is wrong is said with the file and the line, and nothing is written."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simclient.errors import InputError
from simclient.local.nodes import build_bundle
from simclient.local.nodes.answers import facts_of
from simclient.local.nodes.files import Place

from .blocks import FIRST_SLOT, PAYER_ADDRESS
from .node_files import ACCOUNTS, BLOCK, PAYMENT, WITH_CONTEXT, Files, Json, account, block, exchange


def changed(change: Callable[[Json], None]) -> Json:
    value = {"slot": FIRST_SLOT} | block(PAYMENT)
    change(value)
    return value


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("text", "neither a block nor an account"),
        ({}, "neither a block nor an account"),
        ({"address": account()}, "neither a block nor an account"),
        (block(PAYMENT), "a block without its slot"),
        ({"slot": "5", "block": BLOCK}, "a block without its slot"),
        ({"result": WITH_CONTEXT}, "an account without its address"),
        ({"result": {"context": {"slot": 5}, "value": [account()]}}, "accounts without their addresses"),
        (
            exchange("getMultipleAccounts", [[PAYER_ADDRESS]], {"context": {"slot": 7}, "value": []}),
            "0 accounts answer",
        ),
        (exchange("getSlot", [], 5), "answers to 'getSlot' hold no blocks"),
        (exchange("getAccountInfo", [PAYER_ADDRESS], {"value": None}), "without context and value"),
        ({"request": {}, "response": []}, "not two JSON objects"),
        ({"request": [{"id": 1}], "response": []}, "no answer to the request 1"),
        ({"error": {"code": -32005, "message": "busy"}}, "the node refused an answer: busy"),
        ({PAYER_ADDRESS: account() | {"lamports": -1}}, "$.lamports"),
        ({PAYER_ADDRESS: account() | {"owner": "me"}}, "is not an address"),
        ({PAYER_ADDRESS: account() | {"data": {"parsed": {}, "program": "spl-token"}}}, "not in bytes"),
        ({PAYER_ADDRESS: account() | {"data": ["?", "base64"]}}, "data that is not base64"),
        ({PAYER_ADDRESS: account() | {"data": ["AAAA", "base64+zstd"]}}, "data that is not base64+zstd"),
        ({PAYER_ADDRESS: account() | {"data": "1" * 7_000}}, "too long for that"),
        (changed(lambda value: value.update(blockhash="x")), "is not base58 of 32 bytes"),
        (changed(lambda value: value.update(blockTime=None)), "lacks its height, its time"),
        (
            changed(lambda value: value["transactions"][0].update(transaction={"message": {}})),
            'ask getBlock for "encoding"',
        ),
        (changed(lambda value: value["transactions"][0].update(transaction=["AAAA", "base64"])), "not a transaction"),
        (changed(lambda value: value["transactions"][0].update(meta={"fee": "5"})), "$.transactions[0].meta.fee"),
    ],
)
def test_what_cannot_be_read_is_named(files: Files, value: Json, said: str) -> None:
    """What is wrong is said with the file and the line, and nothing is written."""
    blocks, path = (
        files.write("blocks.json", {"slot": FIRST_SLOT - 1} | block(slot=FIRST_SLOT - 1)),
        files.write("bad.json", value),
    )
    with pytest.raises(InputError) as caught:
        build_bundle([blocks, path], files.output)

    assert f"{path}, line 1" in str(caught.value)
    assert said in str(caught.value)
    assert not files.output.exists()


ADDRESS_OR_TEXT = st.sampled_from(
    [PAYER_ADDRESS, "getBlock", "getAccountInfo", "getMultipleAccounts", "base64", "AAAA", ""]
)
KEYS = st.sampled_from(
    [
        *(
            "request",
            "response",
            "result",
            "error",
            "slot",
            "block",
            "pubkey",
            "account",
            "context",
            "value",
            "method",
            "params",
        ),
        *(
            "id",
            "code",
            "blockhash",
            "parentSlot",
            "blockHeight",
            "blockTime",
            "transactions",
            "transaction",
            "meta",
            "lamports",
        ),
        *("owner", "data", "encoding", PAYER_ADDRESS, "loadedAddresses", "postTokenBalances", "accountIndex"),
    ]
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2**65) | st.text(max_size=5) | ADDRESS_OR_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=30,
)


@settings(max_examples=300, deadline=None)
@given(value=ANYTHING, alone=st.sampled_from(["5.json", f"{PAYER_ADDRESS}.json", "x.json"]))
def test_whatever_the_json_it_is_read_or_refused(value: Json, alone: str) -> None:
    """No value makes anything else than facts or an error that names the place."""
    place = Place(path=Path(alone), line=3)
    refusal = f"{alone}, line 3"
    try:
        places = {fact.place for fact in facts_of(place, value)}
    except InputError as error:
        refusal, places = str(error), set()

    assert places <= {place}
    assert f"{alone}, line 3" in refusal


def test_numbers_that_no_u64_holds_are_refused(files: Files) -> None:
    """JSON knows larger numbers than the chain."""
    accounts = files.write("accounts.json", {PAYER_ADDRESS: account(2**64)})
    with pytest.raises(InputError, match="64 bits"):
        build_bundle([accounts, files.write("blocks.json", {"slot": FIRST_SLOT} | BLOCK)], files.output)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.json", b"{", "not JSON"),
        ("x.json", b"\xff", "not JSON"),
        ("x.json", b"[" * 100_000, "not JSON"),
        ("x.jsonl", b"[]\n[]\n{\n", "line 3: not JSON"),
        ("x.json.gz", b"no gzip", "Not a gzipped file"),
        ("x.json.zst", b"no zstd", "zstd"),
        ("x.json.gz", gzip.compress(b"[]" * 1_000, mtime=0)[:-12], "end-of-stream"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(files: Files, name: str, content: bytes, said: str) -> None:
    """Damage is said with the name of the file."""
    path = files.sources / name
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        build_bundle([path], files.output)

    assert str(path) in str(caught.value)
    assert said in str(caught.value)


def test_blocks_out_of_order_are_refused(files: Files) -> None:
    """What to do about it is said."""
    path = files.write("blocks.jsonl", {"slot": 10} | block(slot=10), {"slot": 9} | block(slot=9))
    with pytest.raises(InputError, match=r"line 2: slot 9 comes after slot 10; give the blocks in ascending order"):
        build_bundle([path], files.output)


def test_there_must_be_a_block(files: Files) -> None:
    """Accounts alone are no bundle."""
    with pytest.raises(InputError, match="no block"):
        build_bundle([files.write("accounts.json", ACCOUNTS)], files.output)
    with pytest.raises(InputError, match="No such file"):
        build_bundle([files.sources / "nowhere.json"], files.output)
