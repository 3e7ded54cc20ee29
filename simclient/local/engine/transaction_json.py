"""An executed transaction as `getTransaction` gives it in the `json` encoding, from what was packed of it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import TransactionMetadata

from ...wire.addresses import encode_base58
from .accounts import ui_amount
from .facts import Holding, PackedInstruction, TransactionFacts
from .transactions import transaction_json, version_of

__all__ = ["return_data_json", "returned_by", "transaction_result"]

_FACTS: Final = msgspec.msgpack.Decoder(TransactionFacts)


def transaction_result(packed: bytes | msgspec.Raw) -> bytes:
    """Return the JSON of packed `TransactionFacts`."""
    facts = _FACTS.decode(packed)
    transaction = VersionedTransaction.from_bytes(facts.wire)
    error = facts.error
    result = {
        "slot": facts.slot,
        "blockTime": facts.block_time,
        "transactionIndex": facts.tx_index,
        "version": version_of(transaction),
        "transaction": transaction_json(transaction),
        "meta": {
            "err": error,
            "status": {"Ok": None} if error is None else {"Err": error},
            "fee": facts.fee,
            "preBalances": [lamports for lamports, _ in facts.before],
            "postBalances": [lamports for lamports, _ in facts.after],
            "preTokenBalances": _token_balances(facts.before, facts.decimals),
            "postTokenBalances": _token_balances(facts.after, facts.decimals),
            "innerInstructions": [
                {"index": index, "instructions": list(map(_inner_instruction, inner))} for index, inner in facts.inner
            ],
            "logMessages": facts.logs,
            "computeUnitsConsumed": facts.compute_units,
            "rewards": [],
            "loadedAddresses": {"writable": facts.loaded_writable, "readonly": facts.loaded_readonly},
            **return_data_json(facts.returned),
        },
    }
    return msgspec.json.encode(result)


def returned_by(meta: TransactionMetadata) -> tuple[str, bytes] | None:
    """Return the program that returned data, and the data; None where nothing was returned."""
    returned = meta.return_data()
    data = bytes(returned.data)
    return (str(returned.program_id), data) if data else None


def return_data_json(returned: tuple[str, bytes] | None) -> dict[str, object]:
    """Return the `returnData` field; nothing where the transaction returned nothing."""
    if returned is None:
        return {}

    program, data = returned
    return {"returnData": {"programId": program, "data": [b64encode(data).decode("ascii"), "base64"]}}


def _token_balances(
    accounts: Sequence[tuple[int, Holding | None]], decimals: Mapping[str, int]
) -> list[dict[str, object]]:
    return [
        {
            "accountIndex": index,
            "mint": holding[0],
            "owner": holding[1],
            "uiTokenAmount": ui_amount(holding[2], decimals[holding[0]]),
        }
        for index, (_, holding) in enumerate(accounts)
        if holding is not None
    ]


def _inner_instruction(instruction: PackedInstruction) -> dict[str, object]:
    program, accounts, data, stack_height = instruction
    return {
        "programIdIndex": program,
        "accounts": list(accounts),
        "data": encode_base58(data),
        "stackHeight": stack_height,
    }
