"""The figures of the table: what is said of all outcomes of a fault class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ..ground_truth import Verdict
from .trial import Outcome

__all__ = ["cancelled", "exact", "recovered", "typed"]


def exact(outcomes: Sequence[Outcome]) -> str:
    """Say what became of the notifications of the runs that completed, and how the others ended."""
    complete = [outcome for outcome in outcomes if outcome.has_completed]
    lost = sum(outcome.verdict.lost for outcome in complete)
    rest = [outcome.verdict for outcome in outcomes]
    total = Verdict(
        lost=lost,
        duplicated=sum(verdict.duplicated for verdict in rest),
        reordered=sum(verdict.reordered for verdict in rest),
        invented=sum(verdict.invented for verdict in rest),
    )
    figure = (
        f"{total.lost}/{total.duplicated}/{total.reordered}/{total.invented}, {len(complete)}/{len(outcomes)} complete"
    )
    errors = _errors(outcomes)
    return f"{figure}, {errors}" if errors else figure


def recovered(outcomes: Sequence[Outcome]) -> str:
    """Say also how long after the fault the connection was up again."""
    gaps = sorted(gap for outcome in outcomes for gap in outcome.gaps_seconds)
    if not gaps:
        return exact(outcomes)
    return f"{exact(outcomes)}; up again after {_percentile(gaps, 50):.1f} s (p50), {_percentile(gaps, 99):.1f} s (p99)"


def typed(outcomes: Sequence[Outcome]) -> str:
    """Say how the runs ended."""
    complete = sum(outcome.has_completed for outcome in outcomes)
    errors = _errors(outcomes)
    return ", ".join(text for text in (f"{complete}/{len(outcomes)} complete", errors) if text)


def cancelled(outcomes: Sequence[Outcome]) -> str:
    """Say at how many steps the session was cancelled, and what was left."""
    tested = sum(outcome.was_cancelled for outcome in outcomes)
    left = sum(outcome.leaked_streams + outcome.leaked_tasks for outcome in outcomes)
    closed = sum(not outcome.open_sessions for outcome in outcomes)
    return f"cancelled at {tested} steps; {left} left open; closed on the server {closed}/{len(outcomes)}"


def _errors(outcomes: Sequence[Outcome]) -> str:
    kinds = Counter(type(outcome.error).__name__ for outcome in outcomes if outcome.error is not None)
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))


def _percentile(sorted_values: Sequence[float], percent: int) -> float:
    return sorted_values[min(len(sorted_values) - 1, len(sorted_values) * percent // 100)]
