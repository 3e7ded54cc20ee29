"""The RPC's fees and simulations."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

from solders.compute_budget import set_compute_unit_price
from solders.hash import Hash
from solders.message import Message
from solders.pubkey import Pubkey
from solders.rpc.responses import GetRecentPrioritizationFeesResp, SimulateTransactionResp
from solders.signature import Signature
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from simclient.local.engine import Engine, open_engine

from .blocks import FIRST_SLOT, PAYEE, PAYEE_ADDRESS, PAYER, PAYER_ADDRESS, POOR, SYSTEM_PROGRAM, pay, write_blocks
from .history import LAST_SLOT, TOO_MUCH, text
from .rpc_calls import call, error


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
