"""An execution as the note that the server gets: its facts packed, and the addresses by which it is found."""

from __future__ import annotations

from typing import Final

import msgspec
from solders.transaction_metadata import InnerInstruction

from .accounts import address_text
from .facts import PackedInstruction, TransactionFacts
from .svm import Change, Execution, Machine
from .transaction_json import returned_by
from .values import AccountChange, ExecutedNote

__all__ = ["executed_note"]

_ENCODER: Final = msgspec.msgpack.Encoder()


def executed_note(machine: Machine, execution: Execution, tx_index: int, wire: bytes) -> ExecutedNote:
    """Return the note of a transaction; `wire` are its own bytes."""
    facts = msgspec.Raw(_ENCODER.encode(_facts(machine, execution, tx_index, wire)))
    changes = tuple(map(_account_change, execution.changes))
    return ExecutedNote(
        tuple(dict.fromkeys(map(address_text, execution.keys.all))),
        changes,
        facts,
        len(facts) + sum([len(change.pre) + len(change.post) for change in changes]),
    )


def _facts(machine: Machine, execution: Execution, tx_index: int, wire: bytes) -> TransactionFacts:
    keys, meta = execution.keys, execution.meta
    return TransactionFacts(
        slot=machine.slot,
        block_time=machine.block_time,
        tx_index=tx_index,
        signature=str(execution.transaction.signatures[0]),
        error=execution.error,
        logs=execution.logs,
        wire=wire,
        fee=meta.fee() if execution.was_executed else 0,
        compute_units=meta.compute_units_consumed(),
        before=execution.before,
        after=execution.after,
        decimals={mint: machine.decimals(mint) for mint in _mints(execution)},
        inner=[
            (index, list(map(_inner_instruction, inner)))
            for index, inner in enumerate(meta.inner_instructions())
            if inner
        ],
        loaded_writable=tuple(map(address_text, keys.loaded_writable)),
        loaded_readonly=tuple(map(address_text, keys.loaded_readonly)),
        returned=returned_by(meta),
    )


def _mints(execution: Execution) -> set[str]:
    return {holding[0] for seen in (execution.before, execution.after) for _, holding in seen if holding is not None}


def _inner_instruction(called: InnerInstruction) -> PackedInstruction:
    instruction = called.instruction()
    return instruction.program_id_index, instruction.accounts, instruction.data, called.stack_height()


def _account_change(change: Change) -> AccountChange:
    _, pre, post = change
    owners = pre.owners if pre.owners == post.owners else pre.owners + post.owners
    return AccountChange(address_text(change.address), owners, pre.packed, post.packed)
