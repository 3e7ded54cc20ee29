"""How far a replay agrees with history: every transaction of a bundle executed, and compared with what was recorded of it.

What was not recorded is not counted. Movements of tokens are counted by what they were in history: into a token account, or out of it.
For a swap that names what is paid in, the one into the vault agrees by itself, and the one out of it is what the program computed.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import final

import attrs
import msgspec

from ..errors import BundleError, InputError
from .bundle import BundleSlot, BundleTransaction, RecordedOutcome, RecordedTokenBalance, open_bundle
from .engine.svm import Execution, Machine
from .engine.transactions import read_transaction

__all__ = ["Agreement", "Compared", "Movements", "compare_with_history"]

_BANDS = (0.001, 0.01, 0.1)
"""How far a movement may be from history's, as a part of it, to count in each band."""


@attrs.frozen(kw_only=True)
class Compared:
    """How often something was recorded, and how often the replay had the same."""

    equal: int
    total: int


@attrs.frozen(kw_only=True)
class Movements:
    """Amounts that token accounts gained or lost in one transaction, compared with history's; each counts in one place only."""

    total: int
    exact: int
    within_a_thousandth: int
    within_a_hundredth: int
    within_a_tenth: int
    farther: int
    missing: int
    """Nothing moved here, as when the transaction failed."""


@attrs.frozen(kw_only=True)
class Agreement:
    """What came of every transaction of a bundle, beside what was recorded."""

    slots: int
    transactions: int
    outcomes: Compared
    """Whether it succeeded."""
    not_executed: int
    """The runtime refused them before their first instruction."""
    fees: Compared
    compute_units: Compared
    logs: Compared
    balances: Compared
    """All lamports balances of a transaction together."""
    moved_in: Movements
    moved_out: Movements
    errors: tuple[tuple[str, int], ...]
    """Those of the replay as JSON, the most frequent first."""


def compare_with_history(path: Path | str) -> Agreement:
    """Execute a whole bundle and compare.

    Raises:
        BundleError: It cannot be read or executed.
    """
    comparison = _Comparison()
    with open_bundle(path) as reader:
        machine = Machine(reader.header.signatures)
        for account in reader.accounts():
            machine.load(account)
        for block in reader.slots():
            _execute(machine, block, comparison)
    return comparison.result()


def _execute(machine: Machine, block: BundleSlot, comparison: _Comparison) -> None:
    machine.begin(block)
    comparison.slots += 1
    for transaction in block.transactions:
        comparison.add(_execution(machine, transaction, block.slot), transaction.recorded)


def _execution(machine: Machine, transaction: BundleTransaction, slot: int) -> Execution:
    try:
        return machine.execute(read_transaction(transaction.wire))
    except InputError as error:
        raise BundleError(f"a recorded transaction of slot {slot} cannot be executed: {error}") from error


@final
class _Comparison:
    """The counts."""

    def __init__(self) -> None:
        self.slots = self._transactions = self._not_executed = 0
        self._errors: Counter[str] = Counter()
        self._equal: Counter[str] = Counter()
        self._total: Counter[str] = Counter()
        self._bands: Counter[tuple[str, int]] = Counter()

    def add(self, execution: Execution, recorded: RecordedOutcome | None) -> None:
        """Count one transaction."""
        self._transactions += 1
        self._not_executed += not execution.was_executed
        if execution.error is not None:
            self._errors[msgspec.json.encode(execution.error).decode()] += 1
        if recorded is None:
            return

        meta = execution.meta
        self._compare("outcome", recorded.is_success, execution.error is None)
        self._compare("fee", recorded.fee, meta.fee())
        self._compare("compute units", recorded.compute_units, meta.compute_units_consumed())
        self._compare("logs", recorded.logs, tuple(meta.logs()))
        self._compare("balances", recorded.post_balances, execution.post_balances)
        places = {bytes(key): index for index, key in enumerate(execution.keys.all)}
        for balance in recorded.token_balances or ():
            self._compare_movement(execution, places, balance)

    def result(self) -> Agreement:
        """Return what was counted."""
        return Agreement(
            slots=self.slots,
            transactions=self._transactions,
            outcomes=self._compared("outcome"),
            not_executed=self._not_executed,
            fees=self._compared("fee"),
            compute_units=self._compared("compute units"),
            logs=self._compared("logs"),
            balances=self._compared("balances"),
            moved_in=self._movements("in"),
            moved_out=self._movements("out"),
            errors=tuple(self._errors.most_common()),
        )

    def _compare(self, what: str, recorded: object, found: object) -> None:
        if recorded is not None:
            self._total[what] += 1
            self._equal[what] += recorded == found

    def _compare_movement(self, execution: Execution, places: dict[bytes, int], balance: RecordedTokenBalance) -> None:
        history = balance.post_amount - balance.pre_amount
        if not history:
            return

        moved = _moved(execution, places.get(balance.address))
        direction = "in" if history > 0 else "out"
        self._total[direction] += 1
        self._bands[direction, _band(history, moved)] += 1

    def _compared(self, what: str) -> Compared:
        return Compared(equal=self._equal[what], total=self._total[what])

    def _movements(self, direction: str) -> Movements:
        exact, *bands, farther, missing = (self._bands[direction, band] for band in range(len(_BANDS) + 3))
        return Movements(
            total=self._total[direction],
            exact=exact,
            within_a_thousandth=bands[0],
            within_a_hundredth=bands[1],
            within_a_tenth=bands[2],
            farther=farther,
            missing=missing,
        )


def _moved(execution: Execution, place: int | None) -> int:
    """Return what a token account gained here; an account that is not there holds nothing."""
    if place is None:
        return 0

    (_, before), (_, after) = execution.before[place], execution.after[place]
    return (0 if after is None else after[2]) - (0 if before is None else before[2])


def _band(history: int, moved: int) -> int:
    """Return 0 for the same amount, then one for each band, then farther, then nothing moved."""
    if history == moved:
        return 0
    if not moved:
        return len(_BANDS) + 2

    distance = abs(history - moved) / abs(history)
    return next((index for index, band in enumerate(_BANDS, 1) if distance <= band), len(_BANDS) + 1)
