"""Faults on demand: the words of `--chaos`, and a simulator that is served with them."""

from __future__ import annotations

import pytest

from simclient.errors import InputError
from simclient.local.chaos import CHAOS_KINDS, read_chaos
from simclient.transport.faults import (
    Bandwidth,
    ConnectionFaults,
    Cut,
    Fault,
    HalfOpen,
    Latency,
    Slicer,
    Stall,
    random_faults,
)


@pytest.mark.parametrize(
    ("specification", "fault"),
    [
        ("latency:seconds=0.05", Latency(seconds=0.05)),
        ("latency:seconds=0.05,jitter_seconds=0.02", Latency(seconds=0.05, jitter_seconds=0.02)),
        ("bandwidth:bytes_per_second=5000", Bandwidth(bytes_per_second=5000)),
        ("slicer:most_bytes=7", Slicer(most_bytes=7)),
        ("cut", Cut()),
        ("cut:at_message=50", Cut(at_message=50)),
        ("stall:at_byte=20000,seconds=5", Stall(at_byte=20_000, seconds=5)),
        ("half-open:at_message=0", HalfOpen(at_message=0)),
    ],
)
def test_a_fault_is_named_by_its_kind_and_its_fields(specification: str, fault: Fault) -> None:
    """The options of a kind are the fields of the fault, and it is in force on every connection, downstream."""
    plan = read_chaos([specification])

    assert plan(0) == plan(1_000) == ConnectionFaults(downstream=(fault,))


def test_several_are_in_force_together() -> None:
    """Each specification adds its own, in its direction and on its connections."""
    plan = read_chaos(["cut:at_byte=5,connections=2", "latency:seconds=1,direction=upstream", "refuse:connections=1"])

    latency = Latency(seconds=1)
    assert plan(0) == ConnectionFaults(downstream=(Cut(at_byte=5),), upstream=(latency,), is_refused=True)
    assert plan(1) == ConnectionFaults(downstream=(Cut(at_byte=5),), upstream=(latency,))
    assert plan(2) == ConnectionFaults(upstream=(latency,))


def test_random_faults_are_those_of_the_seed() -> None:
    """`random` is the plan that `simclient.testing` has for the same seed."""
    assert [read_chaos(["random:seed=7"])(n) for n in range(9)] == [
        random_faults(7, connections=None)(n) for n in range(9)
    ]
    assert read_chaos(["random:seed=7,connections=3"])(3) == ConnectionFaults()


@pytest.mark.parametrize(
    ("specification", "said"),
    [
        ("", "there are bandwidth, corrupt"),
        ("lag", "no kind of fault is called 'lag'; there are"),
        ("latency", "missing required field `seconds`"),
        ("latency:seconds", "'seconds' is not OPTION=VALUE"),
        ("latency:seconds=1,seconds=2", "each option once"),
        ("latency:seconds=soon", "Expected `float`"),
        ("latency:seconds=-1", "less than 0"),
        ("latency:seconds=nan", "less than 0"),
        ("latency:seconds=1,direction=sideways", "neither downstream nor upstream"),
        ("cut:at_bite=5", "cut has no option 'at_bite'"),
        ("cut:at_byte=1.5", "Expected `int"),
        ("refuse:connections=some", "connections is 'some'"),
        ("refuse:seconds=1", "refuse has no option 'seconds'"),
    ],
)
def test_what_cannot_be_read_is_named(specification: str, said: str) -> None:
    """A mistake is said with the words that were written."""
    with pytest.raises(InputError) as caught:
        read_chaos([specification])

    assert f"--chaos {specification!r}" in str(caught.value)
    assert said in str(caught.value)


def test_every_kind_is_known() -> None:
    """The list that a message shows is the list that is read."""
    assert len(CHAOS_KINDS) == 11
