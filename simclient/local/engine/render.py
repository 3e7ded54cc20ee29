"""Executions as the JSON that subscribers receive: account diffs, transactions and logs."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence

import msgspec
from solders.transaction_metadata import TransactionMetadata

from .accounts import TokenAccount, address_text, ui_account, ui_amount
from .svm import Execution, Machine
from .transactions import instruction_json, transaction_json, version_of
from .values import Published

__all__ = ["notes_of", "return_data_json", "transaction_result"]


def notes_of(machine: Machine, execution: Execution, tx_index: int) -> Iterator[tuple[Published, bool]]:
    """Give the notifications of one transaction in order, each with whether it is the transaction's own."""
    signature = str(execution.transaction.signatures[0])
    slot = machine.slot
    for change in execution.changes:
        address = address_text(change.address)
        result = {
            "context": {"slot": slot},
            "account": address,
            "signature": signature,
            "tx_index": tx_index,
            "block_time": machine.block_time,
            "pre": ui_account(change.pre),
            "post": ui_account(change.post),
        }
        states = (change.pre, change.post)
        owners = dict.fromkeys(address_text(state.owner) for state in states if state is not None)
        yield Published("accountDiff", (address,), tuple(owners), msgspec.json.encode(result)), False

    mentioned = tuple(dict.fromkeys(map(address_text, execution.keys.all)))
    yield Published("transaction", mentioned, (), transaction_result(machine, execution, tx_index)), True
    logs = {
        "context": {"slot": slot},
        "value": {"signature": signature, "err": execution.error, "logs": execution.logs},
    }
    yield Published("logs", mentioned, (), msgspec.json.encode(logs)), False


def transaction_result(machine: Machine, execution: Execution, tx_index: int) -> bytes:
    """Return what `getTransaction` gives for it in the `json` encoding."""
    meta, error = execution.meta, execution.error
    result = {
        "slot": machine.slot,
        "blockTime": machine.block_time,
        "transactionIndex": tx_index,
        "version": version_of(execution.transaction),
        "transaction": transaction_json(execution.transaction),
        "meta": {
            "err": error,
            "status": {"Ok": None} if error is None else {"Err": error},
            "fee": meta.fee() if execution.was_executed else 0,
            "preBalances": execution.pre_balances,
            "postBalances": execution.post_balances,
            "preTokenBalances": _token_balances(machine, execution.pre_tokens),
            "postTokenBalances": _token_balances(machine, execution.post_tokens),
            "innerInstructions": _inner_instructions(meta),
            "logMessages": execution.logs,
            "computeUnitsConsumed": meta.compute_units_consumed(),
            "rewards": [],
            "loadedAddresses": {
                "writable": [str(key) for key in execution.keys.loaded_writable],
                "readonly": [str(key) for key in execution.keys.loaded_readonly],
            },
            **return_data_json(meta),
        },
    }
    return msgspec.json.encode(result)


def return_data_json(meta: TransactionMetadata) -> dict[str, object]:
    """Return the `returnData` field; nothing where the transaction returned nothing."""
    returned = meta.return_data()
    data = bytes(returned.data)
    if not data:
        return {}

    return {"returnData": {"programId": str(returned.program_id), "data": [b64encode(data).decode("ascii"), "base64"]}}


def _token_balances(machine: Machine, tokens: Sequence[TokenAccount | None]) -> list[dict[str, object]]:
    return [
        {
            "accountIndex": index,
            "mint": address_text(token[0]),
            "owner": address_text(token[1]),
            "uiTokenAmount": ui_amount(token[2], machine.decimals(token[0])),
        }
        for index, token in enumerate(tokens)
        if token is not None
    ]


def _inner_instructions(meta: TransactionMetadata) -> list[dict[str, object]]:
    return [
        {"index": index, "instructions": [instruction_json(i.instruction(), i.stack_height()) for i in inner]}
        for index, inner in enumerate(meta.inner_instructions())
        if inner
    ]
