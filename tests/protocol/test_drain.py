"""When a completed run may say so."""

from __future__ import annotations

from simclient.protocol.drain import DrainMachine, DrainState
from simclient.wire.responses import Completed


def state_of(drain: DrainMachine) -> DrainState:
    return drain.state


def test_completed_waits_for_every_subscription() -> None:
    """The run is drained when `completed` and the end of each subscription have come, in this order."""
    drain = DrainMachine()
    drain.opened("a")
    drain.opened("b")
    drain.complete(Completed())
    assert state_of(drain) is DrainState.DRAINING
    drain.ended("a")
    assert state_of(drain) is DrainState.DRAINING
    drain.ended("b")
    assert state_of(drain) is DrainState.DRAINED


def test_subscriptions_may_end_before_completed() -> None:
    """A run is not over because its streams are."""
    drain = DrainMachine()
    drain.opened("a")
    drain.ended("a")
    assert state_of(drain) is DrainState.STREAMING
    drain.complete(Completed())
    assert state_of(drain) is DrainState.DRAINED


def test_a_run_without_subscriptions_is_drained_at_once() -> None:
    """There is nothing to wait for."""
    drain = DrainMachine()
    drain.complete(Completed())
    assert state_of(drain) is DrainState.DRAINED
