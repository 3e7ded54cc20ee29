"""Whole sessions under random faults, in memory and virtual time, against a model server that knows everything it ever said.

`python -m simclient.testing.soak --runs 10000` does the same, longer.
"""

from __future__ import annotations

import pytest

from simclient.errors import SimClientError
from simclient.session.options import Delivery
from simclient.testing.soak.trial import run_trial
from simclient.testing.soak.trials import corrupting_trial, random_trial

RUNS = 500
RUNS_AT_ONCE = 50


@pytest.mark.parametrize("first", range(0, RUNS, RUNS_AT_ONCE))
def test_whatever_breaks_everything_is_received_once_and_in_order_or_one_typed_error_comes_out(first: int) -> None:
    """Notifications per key, control events, and requests; nothing hangs and nothing is left open."""
    outcomes = [run_trial(random_trial(seed)) for seed in range(first, first + RUNS_AT_ONCE)]

    assert [(outcome.seed, outcome.fault) for outcome in outcomes if outcome.fault] == []
    struck = sum((outcome.struck for outcome in outcomes), start=type(outcomes[0].struck)())
    assert set(struck) == {"Cut", "Reset", "HalfOpen", "Stall"}
    assert sum(outcome.is_exact for outcome in outcomes) >= RUNS_AT_ONCE * 9 // 10
    assert sum(outcome.reconnects for outcome in outcomes) > RUNS_AT_ONCE


def test_whatever_is_corrupted_nothing_hangs_leaks_or_raises_an_untyped_error() -> None:
    """Below TLS a flipped bit may pass unseen; what it must not do is break the program."""
    outcomes = [run_trial(corrupting_trial(seed)) for seed in range(100)]

    assert [(outcome.seed, outcome.damage) for outcome in outcomes if outcome.damage] == []
    assert sum(outcome.struck["Corrupt"] for outcome in outcomes) > 100


def test_the_faults_do_make_duplicates_where_the_client_lets_them_through() -> None:
    """The control run: with de-duplication off the same faults show, so that its absence elsewhere proves something."""
    outcomes = [run_trial(random_trial(seed, delivery=Delivery.AT_LEAST_ONCE)) for seed in range(30)]

    assert sum(outcome.verdict.duplicated for outcome in outcomes) > 30
    assert all(outcome.verdict.lost == 0 for outcome in outcomes if outcome.has_completed)


def test_faults_without_end_spend_the_budget_and_end_in_one_typed_error() -> None:
    """Every connection breaks before it is of use: the run fails in bounded virtual time, and what was received is a beginning."""
    for seed in range(5):
        outcome = run_trial(random_trial(seed, connections=10**6, events=4000))
        assert outcome.fault is None
        assert outcome.is_exact or isinstance(outcome.error, SimClientError)


def test_the_same_seed_gives_the_same_run() -> None:
    """To the virtual second, so that a seed that fails can be looked into."""
    assert run_trial(random_trial(3)) == run_trial(random_trial(3))
