"""A recorded transaction's swaps, rebuilt, and the transaction around them: a legacy one of the Whirlpool program.

The signature is the recorded one and signs nothing here: the archive has neither the blockhash nor the instructions around the swaps.
Limits are left out (threshold, price), because the pools are not in the state in which the limits were chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.message import Message
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from .archive import Swap

__all__ = ["WHIRLPOOL_PROGRAM", "rebuilt_transaction", "swap_instruction"]

WHIRLPOOL_PROGRAM = Pubkey.from_string("whirLbMiicVdio4qvUfM5KAg6Ct8VwpYzGff3uctyCc")
_SWAP = sha256(b"global:swap").digest()[:8]
"""Anchor's discriminator of the instruction."""
_NO_MINIMUM, _NO_MAXIMUM = 0, 2**64 - 1
"""The threshold for the other token's amount: of what comes out, or of what goes in."""
_LOWEST_SQRT_PRICE, _HIGHEST_SQRT_PRICE = 4_295_048_016, 79_226_673_515_401_279_992_447_579_055
"""As Q64.64 (`MIN_SQRT_PRICE_X64`, `MAX_SQRT_PRICE_X64`, orca-so/whirlpools, `math/tick_math.rs`)."""


def rebuilt_transaction(
    instructions: Sequence[Instruction], *, payer: Pubkey, signature: Signature, blockhash: bytes
) -> bytes:
    """Return the wire form of a transaction of these instructions.

    Args:
        instructions: In order.
        payer: Who pays the fee.
        signature: The recorded one; further signers, which the archive does not know, get zeros.
        blockhash: Of a block before.
    """
    message = Message.new_with_blockhash(instructions, payer, Hash.from_bytes(blockhash))
    further = message.header.num_required_signatures - 1
    return bytes(VersionedTransaction.populate(message, [signature, *[Signature.default()] * further]))


def swap_instruction(swap: Swap) -> Instruction:
    """Return a swap without its limits."""
    threshold = _NO_MINIMUM if swap.data_amount_specified_is_input else _NO_MAXIMUM
    price_limit = _LOWEST_SQRT_PRICE if swap.data_a_to_b else _HIGHEST_SQRT_PRICE
    data = (
        _SWAP
        + swap.data_amount.to_bytes(8, "little")
        + threshold.to_bytes(8, "little")
        + price_limit.to_bytes(16, "little")
        + bytes((swap.data_amount_specified_is_input, swap.data_a_to_b))
    )
    written = (
        swap.key_whirlpool,
        swap.key_token_owner_account_a,
        swap.key_vault_a,
        swap.key_token_owner_account_b,
        swap.key_vault_b,
        swap.key_tick_array_0,
        swap.key_tick_array_1,
        swap.key_tick_array_2,
    )
    return Instruction(
        WHIRLPOOL_PROGRAM,
        data,
        [
            AccountMeta(swap.key_token_program, is_signer=False, is_writable=False),
            AccountMeta(swap.key_token_authority, is_signer=True, is_writable=False),
            *(AccountMeta(address, is_signer=False, is_writable=True) for address in written),
            AccountMeta(swap.key_oracle, is_signer=False, is_writable=False),
        ],
    )
