"""The replay of a recording, in place of one of a bundle: the same requests, and nothing is executed.

- Every slot gives the notifications that were recorded for it, their results byte for byte, to subscriptions that the recorded session had.
- An account that was recorded is in the state after the last slot, for the RPC; of all others nothing is known.
- Transactions, modifications and stops within a slot are refused: there is nothing to execute them on.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Final, final

from solders.account import Account
from solders.pubkey import Pubkey

from ...errors import BundleError, InputError, RemoteProtocolError
from ...wire.addresses import is_address
from ...wire.notifications import AccountDiff, AccountState, ActionReport, ExecutedTransaction, TransactionLogs
from ...wire.program_address import UPGRADEABLE_LOADER
from ...wire.recording import RecordedKey
from ...wire.subscriptions import ACCOUNT_DIFFS, ACTIONS, LOGS, TRANSACTIONS
from ..bundle import Signatures
from ..engine.accounts import ABSENT
from ..engine.ledger import Ledger
from ..engine.messages import Execute, Executed, ExecutedSlot, Load, Scouted
from ..engine.overrides import Overrides
from ..engine.svm import Machine
from ..engine.values import Kind, Note, Published
from .index import RecordedSlot, ServedNotification, read_recording

__all__ = ["RPC_METHODS", "Playback"]

RPC_METHODS: Final = frozenset(
    {
        "getAccountInfo",
        "getBalance",
        "getHealth",
        "getMultipleAccounts",
        "getProgramAccounts",
        "getSlot",
        "getTokenAccountBalance",
        "getTokenAccountsByOwner",
        "getTokenAccountsByDelegate",
        "getVersion",
    }
)
"""What can be answered from accounts alone."""
_KINDS: dict[str, Kind] = {
    ACCOUNT_DIFFS: "accountDiff",
    TRANSACTIONS: "transaction",
    LOGS: "logs",
    ACTIONS: "action",
}
_METHODS: dict[type[ServedNotification], str] = {
    AccountDiff: ACCOUNT_DIFFS,
    ExecutedTransaction: TRANSACTIONS,
    TransactionLogs: LOGS,
    ActionReport: ACTIONS,
}
_TURN_BYTES: Final = 2**20
"""After so many bytes of notifications an answer is given."""
_NOTHING_COMPARED = (0, 0, 0, 0, 0)
_U64_MAX: Final = 2**64 - 1


@final
class Playback:
    """The recording, and where the session is in it."""

    def __init__(self, path: Path, load: Load) -> None:
        """Open a recording and go to the start slot.

        Raises:
            BundleError: It cannot be read.
            InputError: The session asks for what needs execution.
        """
        if load.filters or load.signers or load.probes or any(action.transactions for action in load.actions):
            raise InputError(
                "a recording executes nothing: discoveries, signer filters, probes and actions with transactions"
                " cannot be had from it"
            )

        self._recorded = read_recording(path)
        self._end_slot = load.end_slot
        self._speed = load.speed
        self.machine = Machine(Signatures.ABSENT)
        self.ledger = Ledger()
        self.overrides = Overrides(load.actions)
        self._slots = self._recorded.slots
        self._next = 0
        self._last_at: int | None = None
        self._is_from_the_beginning = not self._slots or load.start_slot <= self._slots[0].slot
        while self._next < len(self._slots) and self._slots[self._next].slot < load.start_slot:
            self._play(self._slots[self._next])

    @property
    def next_slot(self) -> int | None:
        """The next slot that was recorded; the one after the last where the recording ends too early."""
        if self._next < len(self._slots):
            slot = self._slots[self._next].slot
        elif self._recorded.is_complete or not self._slots:
            return None
        else:
            slot = self._slots[-1].slot + 1
        return slot if slot <= self._end_slot else None

    def close(self) -> None:
        """Close the file."""
        self._recorded.close()

    def send(self, transaction: object) -> None:
        """Refuse a transaction.

        Raises:
            InputError: Always.
        """
        raise InputError("a recording executes nothing: replay a bundle to send transactions")

    def look_ahead(self, request_id: int, most_slots: int) -> Scouted:
        """Find nothing."""
        return Scouted(request_id, [], None)

    def execute(self, request: Execute) -> Executed:
        """Give the next slots.

        Raises:
            InputError: Something is to be executed, or to stop within a slot.
            BundleError: The recording ends here, before its session did.
        """
        if request.transactions or request.modifications:
            raise InputError("a recording executes nothing: replay a bundle to send transactions or set accounts")
        if request.stop_at is not None:
            raise InputError("a recording has no batches: pause after a slot")
        if self._next == len(self._slots):
            raise BundleError(self._recorded.why_it_ends())

        executed: list[ExecutedSlot] = []
        size = 0
        while len(executed) < request.most_slots and size <= _TURN_BYTES and self._may_play(request):
            executed.append(self._play(self._slots[self._next]))
            size += sum(note.size for note in executed[-1].notes)
        return Executed(request.id, executed, self.next_slot)

    def _may_play(self, request: Execute) -> bool:
        last = self._end_slot if request.last_slot is None else min(self._end_slot, request.last_slot)
        return self._next < len(self._slots) and self._slots[self._next].slot <= last

    def _play(self, slot: RecordedSlot) -> ExecutedSlot:
        self._next += 1
        has_summary = self._next == len(self._slots) and self._recorded.is_complete and self._is_from_the_beginning
        notifications = self._recorded.notifications(slot)
        for notification in notifications:
            if isinstance(notification, AccountDiff):
                self._set(notification)
        self.machine.slot = slot.slot
        self.overrides.move_to(slot.slot)
        return ExecutedSlot(
            slot.slot,
            _dealt(notifications, self._recorded.header.keys),
            self._summary() if has_summary else _NOTHING_COMPARED,
            None,
            slot.errors,
            self._delay(slot),
        )

    def _delay(self, slot: RecordedSlot) -> float:
        """Return how long to wait before this slot is given, in seconds."""
        before, self._last_at = self._last_at, slot.at_microseconds
        if before is None or self._speed is None:
            return 0.0

        return max(0, slot.at_microseconds - before) / 1e6 / self._speed

    def _summary(self) -> tuple[int, int, int, int, int]:
        summary = self._recorded.summary
        return (
            summary.correct_simulation,
            summary.incorrect_simulation,
            summary.execution_errors,
            summary.balance_diff,
            summary.log_diff,
        )

    def _set(self, diff: AccountDiff) -> None:
        """Keep the state after a diff; programs are passed over, as nothing runs them."""
        if diff.account is None or not is_address(diff.account):
            return

        account = ABSENT if diff.post is None else _account(diff.post)
        if account is None:
            return

        # LiteSVM refuses sysvars that it cannot read; its error has no class that can be imported.
        with suppress(Exception):
            self.machine.set_account(Pubkey.from_string(diff.account), account)


def _account(state: AccountState) -> Account | None:
    """Return an account as it was recorded; None where too little of it was, or it is a program, or cannot be one."""
    owner, lamports = state.owner, state.lamports
    if owner is None or lamports is None or not is_address(owner) or lamports > _U64_MAX:
        return None
    if state.executable or owner == UPGRADEABLE_LOADER:
        return None

    try:
        data = state.data
    except RemoteProtocolError:
        return None  # servers send what they like; it is given on as it came all the same
    return None if data is None else Account(lamports, data, Pubkey.from_string(owner), False)


def _dealt(notifications: list[ServedNotification], keys: tuple[RecordedKey, ...]) -> list[Note]:
    """Give each notification to one of the recorded subscriptions that it may have come by.

    One that concerned several came once for each, with the same result: these copies are dealt out, one to each.
    """
    copies: Counter[tuple[str, bytes]] = Counter()
    found: list[Note] = []
    for notification in notifications:
        method, result = _METHODS[type(notification)], notification.result_bytes
        candidates = _candidates(notification, result, [key for key in keys if key.method == method])
        if not candidates:
            continue
        key = candidates[copies[method, result] % len(candidates)]
        copies[method, result] += 1
        addresses = (key.address,)
        found.append(
            Published(_KINDS[method], () if key.is_program else addresses, addresses if key.is_program else (), result)
        )
    return found


def _candidates(notification: ServedNotification, result: bytes, keys: list[RecordedKey]) -> list[RecordedKey]:
    """Return the subscriptions of its kind that a notification may have come by; all of them where it does not say."""
    match notification:
        case AccountDiff():
            states = (notification.pre, notification.post)
            owners = {state.owner for state in states if state is not None}
            fitting = [k for k in keys if (k.address in owners if k.is_program else k.address == notification.account)]
        case ExecutedTransaction() | TransactionLogs():
            fitting = [key for key in keys if key.address.encode() in result]
        case ActionReport():
            fitting = keys
    return fitting or keys
