"""The reconnect budget: delays, jitter, and when it is spent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simclient.protocol.budget import BudgetLimits, ReconnectBudget


def budget(random: float = 0.5, **limits: float) -> ReconnectBudget:
    return ReconnectBudget(BudgetLimits(**limits), lambda: random)  # type: ignore[arg-type]


def test_delays_double_from_one_second_to_thirty() -> None:
    """In the middle of the jitter the delays are 1, 2, 4, 8, 16, 30, 30 seconds."""
    spent = budget()
    assert [spent.failed(0.0) for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]


@pytest.mark.parametrize(("random", "delay"), [(0.0, 0.8), (0.5, 1.0), (1.0, 1.2)])
def test_jitter_is_a_fifth_either_way(random: float, delay: float) -> None:
    """The first delay lies between 0.8 and 1.2 seconds."""
    assert budget(random).failed(10.0) == pytest.approx(10.0 + delay)


def test_it_is_spent_after_twenty_attempts() -> None:
    """The twenty-first failure in a row gets no further attempt."""
    spent = budget(total_seconds=1e9)
    assert all(spent.failed(0.0) is not None for _ in range(20))
    assert spent.failed(0.0) is None


def test_it_is_spent_after_three_hundred_seconds() -> None:
    """No attempt starts more than 300 seconds after the first failure."""
    spent = budget()
    assert spent.failed(0.0) == 1.0
    assert spent.failed(297.0) == 299.0
    assert spent.failed(299.0) is None


def test_thirty_seconds_up_make_it_whole() -> None:
    """A connection that was up for 30 seconds starts the count again, one that was up for less does not."""
    spent = budget()
    spent.failed(0.0)
    spent.connected(1.0)
    assert spent.failed(30.9) == pytest.approx(32.9)
    spent.connected(33.0)
    assert spent.failed(63.0) == pytest.approx(64.0)


@given(st.lists(st.floats(0, 400), min_size=1, max_size=60), st.floats(0, 1, exclude_max=True))
def test_it_never_allows_more_than_its_attempts(times: list[float], random: float) -> None:
    """However failures are spread, at most 20 attempts are allowed when nothing was ever up."""
    spent = budget(random)
    allowed = [at for at in sorted(times) if spent.failed(at) is not None]
    assert len(allowed) <= 20
    assert all(at <= sorted(times)[0] + 300 for at in allowed)
