"""What the wallets of the market do, as signed transactions of real programs."""

from __future__ import annotations

from collections.abc import Sequence

from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from ...wire import program_address
from .cast import MAKER, TOKEN_PROGRAM, USD, Mint, Wallet

__all__ = ["gift", "signed", "trade"]

_MEMO_PROGRAM = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
_ASSOCIATED_TOKEN_PROGRAM = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
_SYSTEM_PROGRAM = Pubkey.from_string(program_address.SYSTEM_PROGRAM)
_TRANSFER_CHECKED = 12
"""`TokenInstruction::TransferChecked`; amount (u64) and decimals (u8) follow."""
_CREATE_IDEMPOTENT = b"\1"
"""`AssociatedTokenAccountInstruction::CreateIdempotent`."""


def trade(taker: Wallet, mint: Mint, amount: int, cost: int, *, buys: bool, note: str) -> list[Instruction]:
    """Swap tokens for USD with the maker, both ways in one transaction.

    Args:
        taker: Who pays the fee.
        mint: What is traded.
        amount: Of the mint, in base units.
        cost: In base units of USD.
        buys: Whether the taker buys.
        note: The memo.
    """
    buyer, seller = (taker, MAKER) if buys else (MAKER, taker)
    makes_account = (
        [_create_account(taker, mint)] if buys and all(held is not mint for held, _ in taker.holdings) else []
    )
    return [
        _memo(note),
        *makes_account,
        _transfer(buyer, seller, USD, cost),
        _transfer(seller, buyer, mint, amount),
    ]


def gift(giver: Wallet, receiver: Wallet, lamports: int, note: str) -> list[Instruction]:
    """Send SOL."""
    params = TransferParams(from_pubkey=giver.address, to_pubkey=receiver.address, lamports=lamports)
    return [_memo(note), transfer(params)]


def signed(instructions: Sequence[Instruction], signers: Sequence[Keypair], blockhash: bytes) -> bytes:
    """Sign a transaction, the first signer paying, and return its wire form."""
    message = Message.new_with_blockhash(instructions, signers[0].pubkey(), Hash.from_bytes(blockhash))
    return bytes(VersionedTransaction(message, list(signers)))


def _memo(note: str) -> Instruction:
    return Instruction(_MEMO_PROGRAM, note.encode(), [])


def _transfer(giver: Wallet, receiver: Wallet, mint: Mint, amount: int) -> Instruction:
    data = bytes((_TRANSFER_CHECKED,)) + amount.to_bytes(8, "little") + bytes((mint.decimals,))
    return Instruction(
        TOKEN_PROGRAM,
        data,
        [
            AccountMeta(giver.account(mint), is_signer=False, is_writable=True),
            AccountMeta(mint.address, is_signer=False, is_writable=False),
            AccountMeta(receiver.account(mint), is_signer=False, is_writable=True),
            AccountMeta(giver.address, is_signer=True, is_writable=False),
        ],
    )


def _create_account(wallet: Wallet, mint: Mint) -> Instruction:
    return Instruction(
        _ASSOCIATED_TOKEN_PROGRAM,
        _CREATE_IDEMPOTENT,
        [
            AccountMeta(wallet.address, is_signer=True, is_writable=True),
            AccountMeta(wallet.account(mint), is_signer=False, is_writable=True),
            AccountMeta(wallet.address, is_signer=False, is_writable=False),
            AccountMeta(mint.address, is_signer=False, is_writable=False),
            AccountMeta(_SYSTEM_PROGRAM, is_signer=False, is_writable=False),
            AccountMeta(TOKEN_PROGRAM, is_signer=False, is_writable=False),
        ],
    )
