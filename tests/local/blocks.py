"""Small bundles for tests of the engine and the server: a payer pays a payee, in the slots asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from simclient.local.bundle import BundleAccount, BundleHeader, BundleSlot, BundleTransaction, write_bundle

FIRST_SLOT = 1_000
BLOCK_TIME = 1_700_000_000
"""Of slot 0, if there were one; each slot takes a second."""
PAYER = Keypair.from_seed(b"\x01" * 32)
PAYEE = Keypair.from_seed(b"\x02" * 32)
POOR = Keypair.from_seed(b"\x03" * 32)
PAYER_ADDRESS, PAYEE_ADDRESS = str(PAYER.pubkey()), str(PAYEE.pubkey())
LAMPORTS = 10_000_000_000
FEE = 5_000
SYSTEM_PROGRAM = "11111111111111111111111111111111"
MEMO_PROGRAM = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")


def blockhash(slot: int) -> bytes:
    """Return a blockhash of a slot's own."""
    return sha256(slot.to_bytes(8, "little")).digest()


def pay(lamports: int, *, payer: Keypair = PAYER, note: str = "") -> bytes:
    """Return a payment to the payee; payments that are not to be one transaction differ in amount or note."""
    instructions = [
        transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=PAYEE.pubkey(), lamports=lamports)),
        *([Instruction(MEMO_PROGRAM, note.encode(), [])] if note else []),
    ]
    message = Message.new_with_blockhash(instructions, payer.pubkey(), Hash.from_bytes(blockhash(0)))
    return bytes(VersionedTransaction(message, [payer]))


def write_blocks(
    path: Path,
    blocks: Mapping[int, Sequence[bytes]],
    *,
    end_slot: int | None = None,
    more: Sequence[BundleAccount] = (),
) -> Path:
    """Write a bundle of these slots, each with these transactions."""
    accounts = [
        *(
            BundleAccount(address=bytes(key.pubkey()), lamports=LAMPORTS, owner=bytes(32), data=b"", executable=False)
            for key in (PAYER, PAYEE)
        ),
        *more,
    ]
    slots = sorted(blocks)
    header = BundleHeader(
        name=path.stem,
        start_slot=slots[0],
        end_slot=end_slot or slots[-1],
        created_by="tests",
        origin="made for tests",
        account_count=len(accounts),
    )
    parents = [slots[0] - 1, *slots]
    write_bundle(
        path,
        header,
        accounts,
        [
            BundleSlot(
                slot=slot,
                parent_slot=parent,
                blockhash=blockhash(slot),
                block_height=slot,
                block_time=BLOCK_TIME + slot,
                transactions=tuple(BundleTransaction(wire=wire) for wire in blocks[slot]),
            )
            for slot, parent in zip(slots, parents, strict=False)
        ],
    )
    return path


def write_payments(path: Path, *, slots: int = 5, payments: int = 1, first_slot: int = FIRST_SLOT) -> Path:
    """Write a bundle of consecutive slots with payments of 1,000,000 lamports and more, each different."""
    return write_blocks(
        path,
        {
            first_slot + index: [pay(1_000_000 + index * payments + number) for number in range(payments)]
            for index in range(slots)
        },
    )
