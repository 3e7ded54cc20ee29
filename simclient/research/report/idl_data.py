"""What a run says in the words of its programs' IDLs: instructions, events and accounts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import final

import attrs

from ...errors import RemoteProtocolError
from ..balances import state_of
from ..idl import Decoded, Idl
from ..records import AccountDiffRecord, TransactionRecord
from ..run_file import RunFile

__all__ = ["CallCount", "DecodedAccount", "DecodedRun", "read_decoded"]

_ACCOUNTS = 200
"""So many accounts are shown, those first that were written most often."""


@attrs.frozen(kw_only=True)
class CallCount:
    """How often an instruction was executed."""

    name: str
    count: int
    failed: int
    """In transactions that failed."""


@attrs.frozen(kw_only=True)
class DecodedAccount:
    """An account of a program, as the run left it."""

    account: str
    name: str
    """Of its type, after the program's."""
    writes: int
    slot: int
    """Of the last write."""
    fields: str
    """JSON."""


@attrs.frozen(kw_only=True)
class DecodedRun:
    """What the IDLs say of a run."""

    calls: tuple[CallCount, ...] = ()
    """The most frequent first."""
    events: tuple[tuple[str, int], ...] = ()
    """Names and counts, the most frequent first."""
    accounts: tuple[DecodedAccount, ...] = ()
    """The most frequently written first."""
    has_instructions: bool = True
    """Whether the file has the instructions of transactions."""


def read_decoded(run: RunFile, idls: Sequence[Idl]) -> DecodedRun:
    """Read a run once more, for what IDLs say of it.

    Raises:
        RunFileError: The file is damaged.
    """
    if not idls:
        return DecodedRun()

    reading = _Reading(idls)
    for event in run.events():
        if isinstance(event, TransactionRecord):
            reading.take_transaction(event)
        elif isinstance(event, AccountDiffRecord):
            reading.take_diff(event)
    return reading.result()


@final
class _Reading:
    """The state of the pass."""

    def __init__(self, idls: Sequence[Idl]) -> None:
        self._idls = idls
        self._calls: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._events: Counter[str] = Counter()
        self._writes: Counter[str] = Counter()
        self._last: dict[str, AccountDiffRecord] = {}
        self._transactions = self._with_instructions = 0

    def take_transaction(self, transaction: TransactionRecord) -> None:
        """Count its instructions and events."""
        instructions = transaction.instructions
        self._transactions += 1
        self._with_instructions += instructions is not None
        for idl in self._idls:
            for instruction in instructions or ():
                call = idl.call(instruction)
                if call is not None:
                    self._calls[f"{idl.name}.{call.name}"] += 1
                    self._failed[f"{idl.name}.{call.name}"] += not transaction.success
            for event in idl.events_in(transaction.logs, instructions or ()):
                self._events[f"{idl.name}.{event.name}"] += 1

    def take_diff(self, diff: AccountDiffRecord) -> None:
        """Count a write, and keep the newest; what it says is only read at the end."""
        self._writes[diff.account] += 1
        newest = self._last.get(diff.account)
        if newest is None or diff.slot >= newest.slot:
            self._last[diff.account] = diff

    def result(self) -> DecodedRun:
        """Return what was read."""
        return DecodedRun(
            calls=tuple(
                CallCount(name=name, count=count, failed=self._failed[name])
                for name, count in self._calls.most_common()
            ),
            events=tuple(self._events.most_common()),
            accounts=tuple(self._accounts()),
            has_instructions=not self._transactions or bool(self._with_instructions),
        )

    def _accounts(self) -> Iterator[DecodedAccount]:
        """Yield the accounts of the programs."""
        shown = 0
        for account, writes in self._writes.most_common():
            found = self._decoded(self._last[account])
            if found is None:
                continue
            if shown == _ACCOUNTS:
                return

            idl, decoded = found
            shown += 1
            yield DecodedAccount(
                account=account,
                name=f"{idl.name}.{decoded.name}",
                writes=writes,
                slot=self._last[account].slot,
                fields=json.dumps(decoded.fields),
            )

    def _decoded(self, diff: AccountDiffRecord) -> tuple[Idl, Decoded] | None:
        """Return what an account holds, or held before it was closed."""
        state = state_of(diff.post_state) or state_of(diff.pre_state)
        if state is None:
            return None

        try:
            data = state.data or b""
        except RemoteProtocolError:
            return None
        for idl in self._idls:
            decoded = idl.account(data) if idl.address in (None, state.owner) else None
            if decoded is not None:
                return idl, decoded
        return None
