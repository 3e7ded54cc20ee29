"""The reconnect budget: when to try again after a connection failed, and when to give up.

Delays double from 1 s to 30 s with a jitter of ±20 %; at most 20 attempts in a row and 300 s in all; a connection that was up for
30 s makes the budget whole again. Source: the managed client of simulator-client 0.9.0.

Randomness and the clock are arguments: the same calls give the same decisions.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from ..errors import InputError

__all__ = ["BudgetLimits", "ReconnectBudget"]


@attrs.frozen(kw_only=True)
class BudgetLimits:
    """How patient a connection is; all times in seconds.

    Raises:
        InputError: A value is not a number of 0 or more, or the jitter is above 1.
    """

    first_delay_seconds: float = 1.0
    longest_delay_seconds: float = 30.0
    jitter: float = 0.2
    """The delay is multiplied by a factor between 1 - jitter and 1 + jitter."""
    attempts: int = 20
    total_seconds: float = 300.0
    """From the first failure in a row to the last attempt."""
    uptime_reset_seconds: float = 30.0

    def __attrs_post_init__(self) -> None:
        for name, value in attrs.asdict(self).items():
            if not (isinstance(value, int | float) and value >= 0):
                raise InputError(f"BudgetLimits({name}={value!r}) cannot be used: give a number of 0 or more")

        if self.jitter > 1:
            raise InputError(f"BudgetLimits(jitter={self.jitter!r}) cannot be used: give a share between 0 and 1")


class ReconnectBudget:
    """Counts failures in a row and says when the next attempt may start."""

    def __init__(self, limits: BudgetLimits, random: Callable[[], float]) -> None:
        """Start whole.

        Args:
            limits: How patient to be.
            random: Gives numbers in [0, 1) for the jitter.
        """
        self._limits = limits
        self._random = random
        self._failures = 0
        self._first_failure: float | None = None
        self._up_since: float | None = None

    @property
    def failures(self) -> int:
        """The failures in a row so far."""
        return self._failures

    def connected(self, now: float) -> None:
        """Note that the connection is up and useful."""
        self._up_since = now

    def failed(self, now: float) -> float | None:
        """Note that an attempt failed or a connection broke.

        Returns:
            When the next attempt may start, on the clock of `now`; None when the budget is spent.
        """
        self._forgive_if_it_was_up_long_enough(now)
        if self._first_failure is None:
            self._first_failure = now
        self._failures += 1
        if self._failures > self._limits.attempts:
            return None

        at = now + self._delay()
        return None if at - self._first_failure > self._limits.total_seconds else at

    def discount(self, seconds: float) -> None:
        """Leave time out of the account: what was spent waiting for others is not ours."""
        if self._first_failure is not None:
            self._first_failure += seconds

    def describe(self, now: float) -> str:
        """Say what was spent, for an error message."""
        seconds = 0.0 if self._first_failure is None else now - self._first_failure
        return f"{self._failures} failures in a row over {seconds:.0f} s"

    def _forgive_if_it_was_up_long_enough(self, now: float) -> None:
        if self._up_since is not None and now - self._up_since >= self._limits.uptime_reset_seconds:
            self._failures = 0
            self._first_failure = None
        self._up_since = None

    def _delay(self) -> float:
        limits = self._limits
        plain: float = min(limits.longest_delay_seconds, limits.first_delay_seconds * 2 ** (self._failures - 1))
        return plain * (1 + limits.jitter * (2 * self._random() - 1))
