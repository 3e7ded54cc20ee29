"""A session cancelled at every single step of the scheduler: nothing is left, and the server knows that it has ended."""

from __future__ import annotations

from simclient.testing.soak.trial import run_trial
from simclient.testing.soak.trials import cancelled_trial


def test_a_session_cancelled_at_any_step_of_any_task_is_closed_and_leaves_nothing() -> None:
    """From the first step of opening it to the last one of the goodbye; also where `completed` overtakes the answer to the goodbye."""
    steps = run_trial(cancelled_trial(None)).steps
    outcomes = {step: run_trial(cancelled_trial(step)) for step in range(1, steps + 1)}

    assert {step: outcome.damage for step, outcome in outcomes.items() if outcome.damage} == {}
    assert [step for step, outcome in outcomes.items() if outcome.open_sessions or outcome.problems] == []
    assert sum(outcome.was_cancelled for outcome in outcomes.values()) > 300
    assert all(outcome.was_cancelled or outcome.has_completed for outcome in outcomes.values())
