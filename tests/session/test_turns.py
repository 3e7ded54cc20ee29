"""Many subscriptions that drop together come back in an orderly way."""

from __future__ import annotations

from collections import Counter

import trio
import trio.testing

from simclient.protocol.budget import BudgetLimits, ReconnectBudget
from simclient.session.data.turns import FREE_ATTEMPTS, ReconnectTurns
from simclient.session.limits import Limits
from simclient.session.managed import open_backtest_session
from simclient.testing import ControlPeer, DataPeer, open_scripted_server
from simclient.wire.responses import Completed, ReadyForContinue
from simclient.wire.subscriptions import AccountDiffs

PROGRAMS = (
    "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
    "whirLbMiicVdio4qvUfM5KAg6Ct8VwpYzGff3uctyCc",
    "1" * 32,
)


async def test_the_first_attempts_are_free() -> None:
    """Up to five failures nobody waits for anybody."""
    turns = ReconnectTurns()
    async with turns.turn(FREE_ATTEMPTS), turns.turn(FREE_ATTEMPTS):
        pass


async def test_then_there_is_one_attempt_at_a_time(autojump_clock: trio.testing.MockClock) -> None:
    """In the order in which they asked."""
    turns = ReconnectTurns()
    order: list[tuple[str, float]] = []

    async def attempt(name: str) -> None:
        async with turns.turn(FREE_ATTEMPTS + 1):
            order.append((name, trio.current_time()))
            await trio.sleep(10)

    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        for name in ("a", "b", "c"):
            nursery.start_soon(attempt, name)
            await trio.testing.wait_all_tasks_blocked()

    assert [(name, round(at - began)) for name, at in order] == [("a", 0), ("b", 10), ("c", 20)]


async def test_a_turn_ends_when_the_stream_is_up(autojump_clock: trio.testing.MockClock) -> None:
    """The attempt goes on as a stream; the next one may try."""
    turns = ReconnectTurns()
    async with turns.turn(FREE_ATTEMPTS + 1) as turn:
        turn.give_back()
        turn.give_back()
        with trio.fail_after(1):
            async with turns.turn(FREE_ATTEMPTS + 1):
                pass


async def test_a_turn_that_is_cancelled_is_given_back() -> None:
    """Also one that was only waited for."""
    turns = ReconnectTurns()
    with trio.move_on_after(0.01):
        async with turns.turn(FREE_ATTEMPTS + 1):
            with trio.move_on_after(0):
                async with turns.turn(FREE_ATTEMPTS + 1):
                    raise AssertionError("there are two turns")
            await trio.sleep_forever()
    with trio.fail_after(1):
        async with turns.turn(FREE_ATTEMPTS + 1):
            pass


def test_waiting_in_line_does_not_use_up_the_budget() -> None:
    """An hour in line after a failure leaves 300 s as they were."""
    budget = ReconnectBudget(BudgetLimits(jitter=0), lambda: 0.5)
    assert budget.failed(0.0) == 1.0
    budget.discount(3600.0)
    assert budget.failed(3601.0) == 3603.0


async def test_subscriptions_that_fail_often_subscribe_one_after_another() -> None:
    """Each of three is cut six times before it is up; then, while one waits for its acknowledgement, no other one tries."""
    cuts: Counter[str] = Counter()
    trying = 0
    most_trying = 0

    async def data(peer: DataPeer) -> None:
        nonlocal trying, most_trying
        request = await peer.receive_subscribe()
        if cuts[request.key.address] <= FREE_ATTEMPTS:
            cuts[request.key.address] += 1
            peer.cut()
            return

        trying += 1
        most_trying = max(most_trying, trying)
        await trio.sleep(0.1)  # the others would try now
        trying -= 1
        await peer.acknowledge(request)
        await peer.complete()
        await peer.hold()

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue(), Completed())
        await peer.accept_close()

    scripts = iter([data] * (FREE_ATTEMPTS + 2) * len(PROGRAMS))
    quick = Limits(reconnect=BudgetLimits(first_delay_seconds=0.01, longest_delay_seconds=0.01))
    async with open_scripted_server(control=[control], data=scripts) as server:
        async with open_backtest_session(
            server.url,
            start_slot=100,
            end_slot=105,
            subscriptions=[AccountDiffs(program=program) for program in PROGRAMS],
            limits=quick,
        ) as session:
            with trio.fail_after(20):
                events = [event async for event in session]

    assert events[-1] == Completed()
    assert most_trying == 1
