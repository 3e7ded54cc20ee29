"""When a completed run may say so."""

from __future__ import annotations

from simclient.protocol.drain import DrainMachine, DrainState
from simclient.wire.responses import Completed


def test_completed_waits_for_every_subscription() -> None:
    """The run is drained when `completed` and the end of each subscription have come, in this order."""
    drain = DrainMachine()
    drain.opened("a")
    drain.opened("b")
    drain.complete(Completed())
    assert drain.state.value == DrainState.DRAINING.value
    drain.ended("a")
    assert drain.state.value == DrainState.DRAINING.value
    drain.ended("b")
    assert drain.state.value == DrainState.DRAINED.value


def test_subscriptions_may_end_before_completed() -> None:
    """A run is not over because its streams are."""
    drain = DrainMachine()
    drain.opened("a")
    drain.ended("a")
    assert drain.state.value == DrainState.STREAMING.value
    drain.complete(Completed())
    assert drain.state.value == DrainState.DRAINED.value


def test_a_run_without_subscriptions_is_drained_at_once() -> None:
    """There is nothing to wait for."""
    drain = DrainMachine()
    drain.complete(Completed())
    assert drain.state.value == DrainState.DRAINED.value
