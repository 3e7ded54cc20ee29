"""How what was executed compares with what was recorded."""

from __future__ import annotations

from typing import final

from ..bundle import RecordedOutcome
from .svm import Execution

__all__ = ["Tally"]


@final
class Tally:
    """Compares outcomes with the recorded ones; a transaction of which nothing is recorded counts as correct when it was executed."""

    def __init__(self) -> None:
        self._correct = self._incorrect = self._not_executed = self._balances = self._logs = 0

    def add(self, execution: Execution, recorded: RecordedOutcome | None) -> None:
        """Count one transaction."""
        if not execution.was_executed:
            self._not_executed += 1
            return

        if recorded is None or recorded.is_success == (execution.error is None):
            self._correct += 1
        else:
            self._incorrect += 1
        if recorded is None:
            return

        if recorded.post_balances is not None and recorded.post_balances != execution.post_balances:
            self._balances += 1
        if recorded.logs is not None and recorded.logs != execution.logs:
            self._logs += 1

    def counts(self) -> tuple[int, int, int, int, int]:
        """Correct, incorrect, not executed, other balances, other logs."""
        return self._correct, self._incorrect, self._not_executed, self._balances, self._logs
