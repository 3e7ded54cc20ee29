"""A small bundle for tests of commands: one wallet pays another in every slot."""

from __future__ import annotations

import hashlib
from pathlib import Path

from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import Message
from solders.system_program import TransferParams, transfer
from solders.transaction import Transaction, VersionedTransaction

from simclient.local.bundle import BundleAccount, BundleHeader, BundleSlot, BundleTransaction, write_bundle

FIRST_SLOT = 1_000
PAYER = Keypair.from_seed(bytes([1]) * 32)
PAYEE = Keypair.from_seed(bytes([2]) * 32)
LAMPORTS = 10_000_000_000
SYSTEM_PROGRAM = "11111111111111111111111111111111"


def blockhash(slot: int) -> bytes:
    """Return a blockhash of a slot's own."""
    return hashlib.sha256(slot.to_bytes(8, "little")).digest()


def write_payments(path: Path, *, slots: int = 20, payments: int = 1, first_slot: int = FIRST_SLOT) -> Path:
    """Write a bundle of consecutive slots with so many payments of 1,000,000 lamports and more in each."""
    accounts = [
        BundleAccount(address=bytes(key.pubkey()), lamports=LAMPORTS, owner=bytes(32), data=b"", executable=False)
        for key in (PAYER, PAYEE)
    ]
    header = BundleHeader(
        name="payments",
        start_slot=first_slot,
        end_slot=first_slot + slots - 1,
        created_by="tests",
        origin="made for tests",
        account_count=len(accounts),
    )
    blocks = (
        BundleSlot(
            slot=slot,
            parent_slot=slot - 1,
            blockhash=blockhash(slot),
            block_height=slot,
            block_time=1_700_000_000 + slot,
            transactions=tuple(payment(slot, number) for number in range(payments)),
        )
        for slot in range(first_slot, first_slot + slots)
    )
    write_bundle(path, header, sorted(accounts, key=lambda account: account.address), blocks)
    return path


def payment(slot: int, number: int) -> BundleTransaction:
    """Return one payment, different from all others of its slot."""
    recent = Hash.from_bytes(blockhash(slot - 1))
    instruction = transfer(
        TransferParams(from_pubkey=PAYER.pubkey(), to_pubkey=PAYEE.pubkey(), lamports=1_000_000 + number)
    )
    message = Message.new_with_blockhash([instruction], PAYER.pubkey(), recent)
    signed = VersionedTransaction.from_legacy(Transaction([PAYER], message, recent))
    return BundleTransaction(wire=bytes(signed))
