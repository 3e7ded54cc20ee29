"""A transaction as the engine sees it: its keys, what it may write, and its instructions as JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
from solders.account import Account
from solders.compute_budget import ID as COMPUTE_BUDGET
from solders.hash import Hash
from solders.instruction import CompiledInstruction
from solders.message import Message, MessageV0, MessageV1, TransactionConfig
from solders.pubkey import Pubkey
from solders.transaction import SanitizeError, VersionedTransaction

from ...errors import InputError
from ...wire.addresses import encode_base58
from .accounts import address_text

__all__ = [
    "Keys",
    "compute_unit_price",
    "instruction_json",
    "keys_of",
    "raise_compute_limit",
    "read_transaction",
    "rebuilt",
    "transaction_json",
    "version_of",
]

_LOOKUP_TABLE_HEADER_BYTES = 56
"""Before the addresses of an on-chain lookup table (`LOOKUP_TABLE_META_SIZE` of the address lookup table program)."""
_SET_COMPUTE_UNIT_PRICE = 3
"""The first byte of that instruction; a u64 follows."""
_SET_COMPUTE_UNIT_LIMIT = 2
"""The first byte of that instruction; a u32 follows."""
_U32_MAX = 2**32 - 1


@attrs.frozen(kw_only=True)
class Keys:
    """Every address of a transaction, in the order of indexes: static, loaded writable, loaded readonly."""

    all: tuple[Pubkey, ...]
    writable: tuple[Pubkey, ...]
    """In the same order."""
    loaded_writable: tuple[Pubkey, ...]
    loaded_readonly: tuple[Pubkey, ...]


def read_transaction(wire: bytes) -> VersionedTransaction:
    """Parse a transaction of any version.

    Raises:
        InputError: It is not one, or it contradicts itself: too few signatures, an index beyond its keys.
    """
    try:
        transaction = VersionedTransaction.from_bytes(wire)
        transaction.sanitize()
    except (ValueError, SanitizeError) as error:
        raise InputError(f"not a transaction: {error}") from error

    return transaction


def version_of(transaction: VersionedTransaction) -> int | str:
    """Return the version as Solana's RPC writes it."""
    match transaction.message:
        case MessageV1():
            return 1
        case MessageV0():
            return 0
        case _:
            return "legacy"


def keys_of(transaction: VersionedTransaction, get_account: Callable[[Pubkey], Account | None]) -> Keys:
    """Resolve the keys of a transaction; a lookup table that is missing or too short gives none."""
    message = transaction.message
    static = tuple(message.account_keys)
    header = message.header
    signed_writable = header.num_required_signatures - header.num_readonly_signed_accounts
    last_writable = len(static) - header.num_readonly_unsigned_accounts
    writable = static[:signed_writable] + static[header.num_required_signatures : last_writable]
    loaded_writable: list[Pubkey] = []
    loaded_readonly: list[Pubkey] = []
    if isinstance(message, MessageV0):
        for lookup in message.address_table_lookups:
            table = get_account(lookup.account_key)
            loaded_writable += _looked_up(table, lookup.writable_indexes)
            loaded_readonly += _looked_up(table, lookup.readonly_indexes)
    return Keys(
        all=(*static, *loaded_writable, *loaded_readonly),
        writable=(*writable, *loaded_writable),
        loaded_writable=tuple(loaded_writable),
        loaded_readonly=tuple(loaded_readonly),
    )


def compute_unit_price(transaction: VersionedTransaction) -> int:
    """Return what a transaction offers per compute unit, in millionths of a lamport; 0 where it does not say."""
    message = transaction.message
    for instruction in message.instructions:
        data = bytes(instruction.data)
        if _is_budget(instruction, message.account_keys) and len(data) == 9 and data[0] == _SET_COMPUTE_UNIT_PRICE:
            return int.from_bytes(data[1:], "little")
    return 0


def raise_compute_limit(transaction: VersionedTransaction, extra: int) -> VersionedTransaction:
    """Return the transaction with `extra` compute units on top of each limit that it sets; its signatures stay."""
    message = transaction.message
    keys = message.account_keys
    raised = [
        _raised(instruction, extra) if _sets_the_limit(instruction, keys) else instruction
        for instruction in message.instructions
    ]
    config = _raised_config(message.config, extra) if isinstance(message, MessageV1) else None
    return rebuilt(transaction, instructions=raised, config=config)


def rebuilt(
    transaction: VersionedTransaction,
    *,
    blockhash: Hash | None = None,
    instructions: Sequence[CompiledInstruction] | None = None,
    config: TransactionConfig | None = None,
) -> VersionedTransaction:
    """Return the transaction with other parts, in its own version; its signatures stay, though they no longer sign it."""
    message = transaction.message
    header, keys = message.header, message.account_keys
    blockhash = message.recent_blockhash if blockhash is None else blockhash
    instructions = message.instructions if instructions is None else instructions
    changed: Message | MessageV0 | MessageV1
    match message:
        case MessageV1():
            changed = MessageV1(header, config or message.config, blockhash, keys, instructions)
        case MessageV0():
            changed = MessageV0(header, keys, blockhash, instructions, message.address_table_lookups)
        case _:
            changed = Message.new_with_compiled_instructions(
                header.num_required_signatures,
                header.num_readonly_signed_accounts,
                header.num_readonly_unsigned_accounts,
                keys,
                blockhash,
                instructions,
            )
    return VersionedTransaction.populate(changed, transaction.signatures)


def transaction_json(transaction: VersionedTransaction) -> dict[str, object]:
    """Return the transaction in Solana's `json` encoding."""
    message = transaction.message
    header = message.header
    fields: dict[str, object] = {
        "header": {
            "numRequiredSignatures": header.num_required_signatures,
            "numReadonlySignedAccounts": header.num_readonly_signed_accounts,
            "numReadonlyUnsignedAccounts": header.num_readonly_unsigned_accounts,
        },
        "accountKeys": [address_text(key) for key in message.account_keys],
        "recentBlockhash": str(message.recent_blockhash),
        "instructions": [instruction_json(instruction, 1) for instruction in message.instructions],
    }
    if isinstance(message, MessageV0):
        fields["addressTableLookups"] = [
            {
                "accountKey": str(lookup.account_key),
                "writableIndexes": list(lookup.writable_indexes),
                "readonlyIndexes": list(lookup.readonly_indexes),
            }
            for lookup in message.address_table_lookups
        ]
    return {"signatures": [str(signature) for signature in transaction.signatures], "message": fields}


def instruction_json(instruction: CompiledInstruction, stack_height: int | None) -> dict[str, object]:
    """Return an instruction in Solana's `json` encoding."""
    return {
        "programIdIndex": instruction.program_id_index,
        "accounts": list(instruction.accounts),
        "data": encode_base58(bytes(instruction.data)),
        "stackHeight": stack_height,
    }


def _looked_up(table: Account | None, indexes: bytes) -> list[Pubkey]:
    data = b"" if table is None else table.data[_LOOKUP_TABLE_HEADER_BYTES:]
    return [Pubkey.from_bytes(data[32 * i : 32 * i + 32]) for i in indexes if len(data) >= 32 * i + 32]


def _is_budget(instruction: CompiledInstruction, keys: Sequence[Pubkey]) -> bool:
    return instruction.program_id_index < len(keys) and keys[instruction.program_id_index] == COMPUTE_BUDGET


def _sets_the_limit(instruction: CompiledInstruction, keys: Sequence[Pubkey]) -> bool:
    data = bytes(instruction.data)
    return _is_budget(instruction, keys) and len(data) == 5 and data[0] == _SET_COMPUTE_UNIT_LIMIT


def _raised(instruction: CompiledInstruction, extra: int) -> CompiledInstruction:
    data = bytes(instruction.data)
    limit = min(int.from_bytes(data[1:], "little") + extra, _U32_MAX)
    return CompiledInstruction(
        instruction.program_id_index, data[:1] + limit.to_bytes(4, "little"), bytes(instruction.accounts)
    )


def _raised_config(config: TransactionConfig, extra: int) -> TransactionConfig:
    """A transaction of version 1 has its limit beside the instructions."""
    limit = config.compute_unit_limit
    return TransactionConfig(
        priority_fee=config.priority_fee,
        compute_unit_limit=None if limit is None else min(limit + extra, _U32_MAX),
        loaded_accounts_data_size_limit=config.loaded_accounts_data_size_limit,
        heap_size=config.heap_size,
    )
