"""Scheduled actions: transactions that a session simulates or sends by itself, before or after chosen slots and batches.

- Several transactions of one action see each other's writes, in order; the first that fails is the last that runs.
- What is simulated leaves no trace: every account that it wrote is put back. Signatures are not verified.
- What earlier actions have overridden (`overrides.py`) is seen by what is simulated.
- What is sent is executed like a user's transaction: it is published, and everything later sees it.

Source: `ScheduledAction`, simulator-api 0.28.0, and `ActionResultNotification`, simulator-client 0.28.0.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import final

import attrs
import msgspec
from solders.account import Account
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata, TransactionMetadata

from ...errors import InputError
from .accounts import ABSENT, account_state, read_modified
from .blocks import ReadBlock
from .messages import Action, Probe
from .overrides import Overrides
from .svm import Execution, Machine, error_of
from .transaction_json import return_data_json, returned_by
from .transactions import read_transaction
from .values import Published

__all__ = ["Anchor", "DueAction", "ScheduledActions", "note_of", "outcomes_of"]

Outcome = dict[str, object]


@attrs.frozen(kw_only=True)
class Anchor:
    """Where in the replay an action is carried out."""

    slot: int
    batch: int | None = None
    """None: at the slot's boundary."""
    place: int | None = None
    """In the block, of the transaction that matched."""
    matched: bytes | None = None
    """That transaction."""


@attrs.frozen(kw_only=True)
class DueAction:
    """What is to be done now."""

    index: int
    """The action's place among those of the session."""
    action: Action
    transactions: tuple[VersionedTransaction, ...]
    overrides: tuple[tuple[Pubkey, Account], ...]
    anchor: Anchor


@final
class ScheduledActions:
    """The actions of a session, and when each is due.

    Raises:
        InputError: An action has a transaction or an account that is none.
    """

    def __init__(self, actions: Sequence[Action], probes: Sequence[Probe] = ()) -> None:
        self._actions = [
            (action, _transactions(action, index), tuple(map(read_modified, action.overrides)))
            for index, action in enumerate(actions)
        ]
        self.probes = probes
        """What a router is asked."""
        self.overrides = Overrides(actions)
        self.need_batches = any(action.match is not None for action in actions)
        """Whether an action waits for batches."""

    def at_slot(self, slot: int, *, is_before: bool) -> Iterator[DueAction]:
        """Give what is due before, or after, a slot that has a block."""
        for index, (action, transactions, overrides) in enumerate(self._actions):
            if not transactions or action.is_before is not is_before or action.match is not None:
                continue
            if action.slots is not None:
                transactions = tuple(t for t, s in zip(transactions, action.slots, strict=True) if s == slot)
            elif action.every_slots is None or slot % action.every_slots:
                continue
            if transactions:
                anchor = Anchor(slot=slot)
                yield DueAction(
                    index=index, action=action, transactions=transactions, overrides=overrides, anchor=anchor
                )

    def at_batch(self, block: ReadBlock, number: int, *, is_before: bool) -> Iterator[DueAction]:
        """Give what is due before, or after, a batch."""
        for index, (action, transactions, overrides) in enumerate(self._actions):
            if action.match is None or action.is_before is not is_before:
                continue
            places = block.matching(block.batches[number], action.match)
            if places:
                matched = bytes(block.transactions[places[0]][0])
                anchor = Anchor(slot=block.block.slot, batch=number, place=places[0], matched=matched)
                yield DueAction(
                    index=index, action=action, transactions=transactions, overrides=overrides, anchor=anchor
                )

    def simulate(self, machine: Machine, due: DueAction) -> Published:
        """Run an action without keeping anything of it, but what it overrides by what it ends with."""
        outcomes: list[Outcome] = []
        ended = dict(due.overrides)
        with _Overlay(machine) as overlay:
            for address, account in (self.overrides.active | ended).items():
                overlay.set(address, account)
            for transaction in due.transactions:
                result = machine.simulate(transaction)
                if isinstance(result, FailedTransactionMetadata):
                    outcomes.append(outcome_of(result.meta(), error_of(result)))
                    break
                outcomes.append(outcome_of(result.meta(), None))
                for address, account in result.post_accounts():
                    ended[address] = Account.from_bytes(bytes(account))
                    overlay.set(address, ended[address])
            else:
                if due.action.feeds_overrides:
                    self.overrides.set(due.anchor.slot, due.index, ended)
            return note_of(machine, due, outcomes)


def outcome_of(meta: TransactionMetadata, error: object) -> Outcome:
    """Return what became of one transaction."""
    failed = {} if error is None else {"err": error if isinstance(error, str) else _text(error)}
    logs, units = meta.logs(), meta.compute_units_consumed()
    return {**failed, "logs": logs, "unitsConsumed": units, "fee": meta.fee(), **return_data_json(returned_by(meta))}


def outcomes_of(executions: Sequence[Execution]) -> list[Outcome]:
    """Return what became of transactions that were sent."""
    return [outcome_of(execution.meta, execution.error) for execution in executions]


def note_of(machine: Machine, due: DueAction, outcomes: Sequence[Outcome]) -> Published:
    """Return the notification of an action that was carried out."""
    anchor, action = due.anchor, due.action
    matched = None if anchor.matched is None else b64encode(anchor.matched).decode("ascii")
    result: dict[str, object] = {
        "context": {"slot": anchor.slot},
        "slot": anchor.slot,
        "batchIndex": anchor.batch,
        "txIndex": anchor.place,
        "actionIndex": due.index,
        "label": action.label,
        "committed": action.is_committed,
        "transactionOutcomes": outcomes,
        "accounts": [account_state(machine.get_account(Pubkey.from_string(a))) for a in action.return_accounts],
        "matched": None if matched is None else {"data": matched, "encoding": "base64"},
    }
    said = {name: value for name, value in result.items() if value is not None}
    return Published("action", ("",), (), msgspec.json.encode(said))


@final
class _Overlay:
    """Accounts as they are for a while; leaving the block puts them back."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._before: dict[Pubkey, Account] = {}
        self._verifies = True

    def __enter__(self) -> _Overlay:
        self._verifies = self._machine.svm.get_sigverify()
        self._machine.svm = self._machine.svm.with_sigverify(False)
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._machine.svm = self._machine.svm.with_sigverify(self._verifies)
        for address, account in self._before.items():
            self._machine.set_account(address, account)

    def set(self, address: Pubkey, account: Account) -> None:
        """Set an account until the block is left."""
        self._before.setdefault(address, self._machine.get_account(address) or ABSENT)
        self._machine.set_account(address, account)


def _transactions(action: Action, index: int) -> tuple[VersionedTransaction, ...]:
    parsed: list[VersionedTransaction] = []
    for number, wire in enumerate(action.transactions):
        try:
            parsed.append(read_transaction(wire))
        except InputError as error:
            raise InputError(f"transaction {number} of action {index}: {error}") from error
    return tuple(parsed)


def _text(error: object) -> str:
    return msgspec.json.encode(error).decode()
