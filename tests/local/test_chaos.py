"""Faults on demand: the words of `--chaos`, and a simulator that is served with them."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from simclient import ExecutedTransaction, ReadyForContinue, Transactions, open_backtest_session
from simclient.errors import InputError
from simclient.local import open_local_simulator
from simclient.local.chaos import CHAOS_KINDS, read_chaos
from simclient.protocol.budget import BudgetLimits
from simclient.session.limits import Limits
from simclient.transport.faults import (
    Bandwidth,
    Close,
    ConnectionFaults,
    Cut,
    Fault,
    HalfOpen,
    Latency,
    Slicer,
    Stall,
    random_faults,
)

from .blocks import FIRST_SLOT, PAYEE_ADDRESS, write_payments


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
        ("close:at_message=5,code=1001", Close(at_message=5, code=1001)),
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
        ("", "there are bandwidth, close"),
        ("lag", "no kind of fault is called 'lag'; there are"),
        ("latency", "missing required field `seconds`"),
        ("latency:seconds", "'seconds' is not OPTION=VALUE"),
        ("latency:seconds=1,seconds=2", "each option once"),
        ("latency:seconds=soon", "Expected `float`"),
        ("latency:seconds=-1", "less than 0"),
        ("latency:seconds=nan", "less than 0"),
        ("latency:seconds=1,direction=sideways", "neither downstream nor upstream"),
        ("cut:at_bite=5", "cut has no option 'at_bite'; its options are at_byte, at_message, direction, connections"),
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


async def test_a_session_loses_nothing_on_a_faulty_simulator(tmp_path: Path) -> None:
    """Connections that are cut, reset and refused delay a session, and neither lose nor double anything."""
    bundle = write_payments(tmp_path / "payments.bundle", slots=30, payments=4)
    faults = read_chaos(["cut:at_message=40,connections=3", "reset:at_message=70", "refuse:connections=1"])
    quick = Limits(reconnect=BudgetLimits(first_delay_seconds=0.01, longest_delay_seconds=0.05))
    signatures: list[str | None] = []
    async with (
        open_local_simulator([bundle], faults=faults) as simulator,
        open_backtest_session(
            simulator.url,
            start_slot=FIRST_SLOT,
            end_slot=FIRST_SLOT + 29,
            subscriptions=[Transactions(mentions=PAYEE_ADDRESS)],
            disconnect_timeout_seconds=60,
            limits=quick,
        ) as session,
    ):
        with trio.fail_after(60):
            async for event in session:
                if isinstance(event, ReadyForContinue):
                    await session.advance(5)
                if isinstance(event, ExecutedTransaction):
                    signatures.append(event.signature)
        statistics = session.statistics()

    assert len(signatures) == len(set(signatures)) == 120
    assert statistics.data_reconnects > 0


def test_every_kind_is_known() -> None:
    """The list that a message shows is the list that is read."""
    assert len(CHAOS_KINDS) == 12
