"""The machine: what it remembers of accounts is what they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from simclient.local.bundle import shipped_bundle
from simclient.local.engine import Published, open_engine
from simclient.local.engine.loaded import LoadedBundle
from simclient.local.engine.messages import Execute, Load
from simclient.local.engine.replay import Replay

from .blocks import PAYEE, PAYEE_ADDRESS, PAYER, PAYER_ADDRESS, blockhash, write_blocks
from .notes import diffs, published

CLOCK = "SysvarC1ock11111111111111111111111111111111"
LAST = 2**63


async def test_the_clock_is_no_transactions_doing(tmp_path: Path) -> None:
    """A transaction that names the clock as writable did not change it, though it changed since the one before."""
    path = write_blocks(tmp_path / "clock.bundle", {5: [pay_and_name_the_clock(1)], 6: [pay_and_name_the_clock(2)]})
    async with open_engine(path, start_slot=5, end_slot=6) as engine:
        results = [await engine.execute_slot() for _ in range(2)]

    assert [set(diffs(result)) for result in results] == [{PAYER_ADDRESS, PAYEE_ADDRESS}] * 2


def pay_and_name_the_clock(lamports: int) -> bytes:
    plain = transfer(TransferParams(from_pubkey=PAYER.pubkey(), to_pubkey=PAYEE.pubkey(), lamports=lamports))
    clock = AccountMeta(Pubkey.from_string(CLOCK), is_signer=False, is_writable=True)
    instruction = Instruction(plain.program_id, plain.data, [*plain.accounts, clock])
    message = Message.new_with_blockhash([instruction], PAYER.pubkey(), Hash.from_bytes(blockhash(0)))
    return bytes(VersionedTransaction(message, [PAYER]))


def test_what_is_forgotten_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that remembers no account between transactions says the same as one that does."""
    remembered = first_slots_of_the_market()
    monkeypatch.setattr("simclient.local.engine.svm._MOST_STATE_BYTES", 0)
    monkeypatch.setattr("simclient.local.engine.svm._MOST_GLANCES", 0)

    assert first_slots_of_the_market() == remembered


def first_slots_of_the_market() -> list[list[Published]]:
    bundle = LoadedBundle(shipped_bundle())
    start = bundle.reader.header.start_slot
    replay = Replay(bundle, Load(id=1, start_slot=start, end_slot=start + 20))
    slots = []
    while replay.next_slot is not None:
        slots += replay.execute(Execute(id=1, transactions=[], modifications=[], most_slots=LAST)).slots
    replay.close()
    return [published(slot) for slot in slots]
