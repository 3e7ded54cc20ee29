"""What befalls one sub-session of a parallel session, and what the others notice of it; end to end over real WebSockets."""

from __future__ import annotations

from contextlib import suppress

import attrs
import pytest
import trio
import trio.testing

from simclient.errors import RemoteError, SubscriptionFailed
from simclient.testing import ClientGone, ControlPeer, DataPeer, account_diff, open_scripted_server
from simclient.wire.failures import AdvanceSlotFailed, SessionNotFound, SimulationError
from simclient.wire.notifications import AccountDiff
from simclient.wire.requests import AttachParallelSession, ContinueSubSession
from simclient.wire.responses import Completed, ErrorEvent, ReadyForContinue, SessionEvent, Status

from .parallel_sessions import QUICK_IN_DRAIN, RANGES, parallel_over, run_all
from .sessions import QUICK, WATCH


class SecondFails:
    """A control script: the second of two sub-sessions fails when it may; the first completes when it may."""

    def __init__(self) -> None:
        self.may_fail = trio.Event()
        self.may_complete = trio.Event()

    async def __call__(self, peer: ControlPeer) -> None:
        await peer.accept_parallel_create(*RANGES)
        await peer.send_to("s1", ReadyForContinue(), seq_id=1)
        await self.may_fail.wait()
        await peer.send_to("s2", ErrorEvent(failure=AdvanceSlotFailed(slot=150, error="no")), seq_id=1)
        await self.may_complete.wait()
        await peer.send_to("s1", Completed(), seq_id=2)
        await peer.accept_close()


async def test_a_failed_sub_session_leaves_the_others_alone_if_so_chosen() -> None:
    """Its own iterator raises, with its range; the other one runs to its end."""
    script = SecondFails()
    async with open_scripted_server(control=[script]) as server:
        async with parallel_over(server, keep_going=True) as parallel:
            one, two = parallel
            assert await anext(one) == ReadyForContinue()
            script.may_fail.set()
            with pytest.raises(RemoteError) as caught:
                await anext(two)
            script.may_complete.set()
            assert [event async for event in one] == [Completed()]
            assert parallel.failures == {two: caught.value}

    assert "in the sub-session over the slots 150 to 199" in caught.value.__notes__


async def test_a_failed_sub_session_ends_the_others_by_default() -> None:
    """Every iterator raises the one error."""
    script = SecondFails()
    async with open_scripted_server(control=[script]) as server:
        async with parallel_over(server) as parallel:
            one, two = parallel
            assert await anext(one) == ReadyForContinue()
            script.may_fail.set()
            with pytest.raises(RemoteError) as first:
                await anext(two)
            with pytest.raises(RemoteError) as second:
                await anext(one)
            script.may_complete.set()

    assert first.value is second.value


async def test_a_failure_that_nobody_reads_ends_the_block() -> None:
    """It comes out of the block, bare."""
    script = SecondFails()
    script.may_complete.set()
    async with open_scripted_server(control=[script]) as server:
        with pytest.raises(RemoteError, match="slot 150 could not be executed"):
            async with parallel_over(server):
                script.may_fail.set()
                await trio.sleep_forever()


async def test_a_failed_subscription_is_one_sub_session_s() -> None:
    """The other sub-session's data goes on."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_parallel_create(*RANGES)
        await peer.send_to("s1", Completed(), seq_id=1)
        await peer.send_to("s2", Completed(), seq_id=1)
        await peer.accept_close()

    async def data(peer: DataPeer) -> None:
        await peer.accept_subscribe()
        await peer.notify(account_diff(100))
        if peer.session_id == "s1":
            await peer.complete()
        await peer.hold()

    async with open_scripted_server(control=[control], data=[data, data]) as server:
        async with parallel_over(server, watch=WATCH, keep_going=True) as parallel:
            one, two = parallel
            assert [type(event) async for event in one] == [AccountDiff, Completed]
            assert isinstance(await anext(two), AccountDiff)
            with pytest.raises(SubscriptionFailed):
                await anext(two)


async def test_an_error_that_is_not_fatal_is_an_event_of_its_sub_session() -> None:
    """The other one does not hear of it; what is said to the whole, all hear."""
    error = ErrorEvent(failure=SimulationError(error="one transaction"))

    async def control(peer: ControlPeer) -> None:
        await peer.accept_parallel_create(*RANGES)
        await peer.send_to("s1", error, seq_id=1)
        await peer.send(ErrorEvent(failure=SimulationError(error="all")))
        for session_id in ("s1", "s2"):
            await peer.send_to(session_id, Completed(), seq_id=2)
        await peer.accept_close()

    async with open_scripted_server(control=[control]) as server, parallel_over(server) as parallel:
        everywhere = ErrorEvent(failure=SimulationError(error="all"))
        assert await run_all(parallel) == [[error, everywhere, Completed()], [everywhere, Completed()]]


async def test_a_sub_session_that_the_server_has_lost_fails() -> None:
    """It is not among those that the attach gives; nobody waits for it for ever."""

    async def first(peer: ControlPeer) -> None:
        await peer.accept_parallel_create(*RANGES)
        peer.cut()

    async def second(peer: ControlPeer) -> None:
        await peer.accept_parallel_attach("s1")
        await peer.send_to("s1", Completed(), seq_id=1)
        await peer.accept_close()

    async with open_scripted_server(control=[first, second]) as server:
        async with parallel_over(server, keep_going=True) as parallel:
            one, two = parallel
            with pytest.raises(RemoteError) as caught:
                await anext(two)
            assert [event async for event in one] == [Completed()]

    assert isinstance(caught.value.payload, SessionNotFound)


async def test_a_sub_session_that_nobody_reads_holds_up_no_other() -> None:
    """Its events beyond the bound are left aside, and asked for again when it is read; nothing is lost, nothing comes twice."""
    said: list[SessionEvent] = [*(Status(status=f"s{number}") for number in range(40)), Completed()]
    cursors: list[int] = []

    async def first(peer: ControlPeer) -> None:
        await peer.accept_parallel_create(*RANGES)
        await peer.send_to("s2", *said, seq_id=1)
        await peer.send_to("s1", ReadyForContinue(), Completed(), seq_id=1)
        await peer.hold()

    async def again(peer: ControlPeer) -> None:
        attach = await peer.accept_parallel_attach("s1", "s2")
        cursors.append(attach.last_sequences["s2"])
        await peer.send_to("s2", *said[cursors[-1] :], seq_id=cursors[-1] + 1)
        with suppress(ClientGone):
            await peer.accept_close()

    small = attrs.evolve(QUICK_IN_DRAIN, control_backlog=8)
    async with open_scripted_server(control=iter([first, *[again] * len(said)])) as server:
        async with parallel_over(server, limits=small) as parallel:
            one, two = parallel
            assert [event async for event in one] == [ReadyForContinue(), Completed()]
            received = [event async for event in two]

    assert received == said
    assert cursors[0] == small.control_backlog


async def test_a_slow_sub_session_costs_another_one_nothing() -> None:
    """The socket is given up to bring what was left aside; what the other one asks for meanwhile goes out on the next."""
    noise = [Status(status=f"{number}") for number in range(10)]

    async def first(peer: ControlPeer) -> None:
        await peer.accept_parallel_create(*RANGES)
        await peer.send_to("s2", ReadyForContinue(), seq_id=1)
        await peer.send_to("s1", *noise, seq_id=1)
        await peer.hold_until_gone()  # as the service: the close frame is not answered

    async def second(peer: ControlPeer) -> None:
        attach = await peer.expect(AttachParallelSession)
        await peer.send_message(
            '{"method":"parallelSessionAttachedV2","params":'
            '{"control_session_id":"p1","session_ids":["s1","s2"],"task_ids":[]}}'
        )
        asked = await peer.expect(ContinueSubSession)
        assert (asked.session_id, bool(asked.request.transactions)) == ("s2", True)
        last = attach.last_sequences["s1"]
        await peer.send_to("s2", Completed(), seq_id=2)
        await peer.send_to("s1", *noise[last:][:3], seq_id=last + 1)
        await peer.hold_until_gone()

    async with open_scripted_server(control=iter([first, second])) as server:
        async with parallel_over(server, limits=attrs.evolve(QUICK, control_backlog=4)) as parallel:
            one, two = parallel
            assert await anext(two) == ReadyForContinue()
            await trio.testing.wait_all_tasks_blocked(0.05)
            received = [await anext(one), await anext(one)]  # half empty: the socket is given up
            await trio.testing.wait_all_tasks_blocked(0.05)
            await two.advance(transactions=[b"signed"])
            assert [event async for event in two] == [Completed()]

    assert received == noise[:2]
