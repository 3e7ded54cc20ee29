"""A session that is left running, and taken up again by another block, as another process would."""

from __future__ import annotations

import pytest
import trio

from simclient.errors import InputError, LocalProtocolError, RemoteProtocolError, SessionClosed
from simclient.session.inbox import Event
from simclient.session.managed import open_backtest_session
from simclient.testing import ControlPeer, DataPeer, numbered_diffs, open_scripted_server
from simclient.wire.detached import DetachedSession
from simclient.wire.notifications import AccountDiff
from simclient.wire.requests import CloseSession, Continue, CreateSession
from simclient.wire.responses import Completed, ReadyForContinue, SlotNotification

from .sessions import QUICK, WATCH

TRUTH = numbered_diffs(30, slots=range(100, 106), copies=2)


def diffs(events: list[Event]) -> list[AccountDiff]:
    return [event for event in events if isinstance(event, AccountDiff)]


async def test_a_detached_session_is_taken_up_without_loss_or_repetition() -> None:
    """What was received before is given to the end; the next block gets what follows, from the middle of a slot on."""
    sent = trio.Event()

    async def first(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue(), SlotNotification(slot=100), seq_id=1)
        assert await peer.hold() == 1000

    async def first_data(peer: DataPeer) -> None:
        await peer.accept_subscribe()
        await peer.notify(*TRUTH.results[:33])
        sent.set()
        await peer.hold()

    async def second(peer: ControlPeer) -> None:
        attach = await peer.accept_attach(SlotNotification(slot=100), seq_id=2)
        assert (attach.session_id, attach.last_sequence) == ("s1", 2)
        await peer.expect(Continue)
        await peer.send(Completed(), seq_id=3)
        await peer.accept_close()

    async def second_data(peer: DataPeer) -> None:
        request = await peer.accept_subscribe()
        await peer.notify(*reversed(TRUTH.results_from(request.replay_from_slot)[:7]))
        await peer.notify(*TRUTH.results_from(request.replay_from_slot)[7:])
        await peer.complete()
        await peer.hold()

    before: list[Event] = []
    after: list[Event] = []
    async with open_scripted_server(control=[first, second], data=[first_data, second_data]) as server:
        with trio.fail_after(10):
            async with open_backtest_session(
                server.url, start_slot=100, end_slot=105, subscriptions=WATCH, limits=QUICK
            ) as session:
                while session.statistics().notifications < 33:
                    before.append(await anext(session))
                text = (await session.detach()).to_json()
                before += [event async for event in session]

            detached = DetachedSession.from_json(text)
            async with open_backtest_session(server.url, attach=detached, subscriptions=WATCH, limits=QUICK) as session:
                assert (session.start_slot, session.end_slot) == (100, 105)
                async for event in session:
                    after.append(event)
                    if isinstance(event, ReadyForContinue):
                        await session.advance(6)

        kinds = [type(request) for request in server.requests]

    assert len(diffs(before)) == 33
    verdict = TRUTH.compare(diffs(before) + diffs(after))
    assert (verdict.lost, verdict.duplicated, verdict.invented) == (0, 0, 0)
    assert [event for event in after if not isinstance(event, AccountDiff)] == [ReadyForContinue(), Completed()]
    assert kinds.count(CreateSession) == 1
    assert kinds.count(CloseSession) == 1


async def test_a_continue_of_unknown_fate_is_resolved_by_the_next_block() -> None:
    """It was written and nothing showed that it was taken: after the grace the next block sends it once more."""
    written = trio.Event()

    async def first(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue(), seq_id=1)
        await peer.expect(Continue)
        written.set()
        await peer.hold()

    async def second(peer: ControlPeer) -> None:
        await peer.accept_attach()
        assert (await peer.expect(Continue)).advance_count == 5
        await peer.send(Completed(), seq_id=2)
        await peer.accept_close()

    async with open_scripted_server(control=[first, second]) as server:
        with trio.fail_after(10):
            async with open_backtest_session(server.url, start_slot=100, end_slot=105, limits=QUICK) as session:
                assert isinstance(await anext(session), ReadyForContinue)
                await session.advance(5)
                await written.wait()
                detached = await session.detach()

            async with open_backtest_session(server.url, attach=detached, limits=QUICK) as session:
                assert [event async for event in session] == [Completed()]


async def test_a_session_is_taken_up_by_its_id() -> None:
    """Nothing is known of what was seen: all its control events are asked for again."""

    async def control(peer: ControlPeer) -> None:
        attach = await peer.accept_attach(ReadyForContinue(), SlotNotification(slot=100), seq_id=1)
        assert (attach.session_id, attach.last_sequence) == ("other", None)
        await peer.send(Completed(), seq_id=3)
        await peer.accept_close()

    async with open_scripted_server(control=[control]) as server:
        with trio.fail_after(10):
            async with open_backtest_session(server.url, attach="other", start_slot=100, end_slot=105) as session:
                events = [event async for event in session]

    assert events == [ReadyForContinue(), SlotNotification(slot=100), Completed()]


async def test_a_detached_session_cannot_be_used_by_its_old_block() -> None:
    """It belongs to whoever takes it up."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue())
        await peer.hold()

    async with open_scripted_server(control=[control]) as server:
        with trio.fail_after(10):
            async with open_backtest_session(server.url, start_slot=100, end_slot=105) as session:
                assert isinstance(await anext(session), ReadyForContinue)
                await session.detach()
                with pytest.raises(SessionClosed, match="attach="):
                    await session.advance()
                with pytest.raises(SessionClosed, match="attach="):
                    await session.detach()


async def test_a_session_that_the_server_would_drop_cannot_be_detached() -> None:
    """A disconnect timeout of 0 ends it with its socket."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.accept_close()

    async with open_scripted_server(control=[control]) as server:
        async with open_backtest_session(
            server.url, start_slot=100, end_slot=105, disconnect_timeout_seconds=0
        ) as session:
            with pytest.raises(LocalProtocolError, match="disconnect_timeout_seconds=0"):
                await session.detach()


async def test_a_range_is_given_once() -> None:
    """What was detached carries its range; an id does not."""
    detached = DetachedSession(session_id="s", start_slot=1, end_slot=2)
    with pytest.raises(InputError, match="carries the range"):
        async with open_backtest_session("ws://127.0.0.1:1/backtest", attach=detached, start_slot=1):
            pass
    with pytest.raises(InputError, match="say its range too"):
        async with open_backtest_session("ws://127.0.0.1:1/backtest", attach="s"):
            pass
    with pytest.raises(InputError, match="give the range"):
        async with open_backtest_session("ws://127.0.0.1:1/backtest"):
            pass


def test_what_was_not_detached_cannot_be_read() -> None:
    """The error says where it stops making sense."""
    with pytest.raises(RemoteProtocolError, match="endSlot"):
        DetachedSession.from_json('{"sessionId": "s", "startSlot": 1}')


@pytest.mark.parametrize(
    "argument", [{"name": "again"}, {"send_summary": True}, {"extra_compute_units": 1}], ids=lambda a: next(iter(a))
)
async def test_what_only_a_new_session_is_told_is_refused_beside_attach(argument: dict[str, object]) -> None:
    """It would be ignored."""
    detached = DetachedSession(session_id="s", start_slot=1, end_slot=2)
    with pytest.raises(InputError, match=next(iter(argument))):
        async with open_backtest_session("ws://127.0.0.1:1/backtest", attach=detached, **argument):  # type: ignore[arg-type]
            pass
