"""The RPC's blocks and transactions."""

from __future__ import annotations

from base64 import b64decode

import pytest
from solders.hash import Hash
from solders.pubkey import Pubkey
from solders.rpc.responses import (
    GetBlockResp,
    GetSignaturesForAddressResp,
    GetSignatureStatusesResp,
    GetTransactionResp,
)
from solders.signature import Signature

from simclient.local.engine import Engine

from .blocks import BLOCK_TIME, FIRST_SLOT, PAYEE_ADDRESS, PAYER_ADDRESS, SYSTEM_PROGRAM, blockhash, pay
from .history import LAST_SLOT, LATEST, MEMO, TOO_MUCH, V0_PAYMENT, signature_of, text
from .rpc_calls import call, error

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
    """In `jsonParsed` each account has its part, and the instructions of programs that are known are objects."""
    found = await call(engine, "getTransaction", signature_of(pay(1)), {"encoding": "jsonParsed"})

    message = found["transaction"]["message"]
    assert message["accountKeys"] == [
        {"pubkey": PAYER_ADDRESS, "signer": True, "writable": True, "source": "transaction"},
        {"pubkey": PAYEE_ADDRESS, "signer": False, "writable": True, "source": "transaction"},
        {"pubkey": SYSTEM_PROGRAM, "signer": False, "writable": False, "source": "transaction"},
    ]
    assert message["instructions"] == [
        {
            "program": "system",
            "programId": SYSTEM_PROGRAM,
            "parsed": {
                "type": "transfer",
                "info": {"source": PAYER_ADDRESS, "destination": PAYEE_ADDRESS, "lamports": 1},
            },
            "stackHeight": 1,
        }
    ]


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
