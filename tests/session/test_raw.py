"""The raw session over real WebSockets: what its waits take, what they leave, and how it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio

from simclient.errors import (
    ConnectError,
    ConnectionLost,
    InputError,
    LocalProtocolError,
    RemoteError,
    RemoteProtocolError,
    SessionClosed,
    SubscriptionFailed,
)
from simclient.local import open_local_simulator
from simclient.local.bundle import open_bundle, shipped_bundle
from simclient.session.client.client import open_client
from simclient.session.limits import Limits
from simclient.session.raw.session import RawSession
from simclient.session.request import create_request
from simclient.testing import ControlPeer, ControlScript, DataPeer, DataScript, account_diff, open_scripted_server
from simclient.wire.discovery import ProgramExecuted
from simclient.wire.failures import (
    InvalidRequest,
    InvalidTransactionFormat,
    SessionNameTaken,
    SessionOwnershipBusy,
    SimulationError,
)
from simclient.wire.notifications import AccountDiff
from simclient.wire.requests import (
    CloseSession,
    Continue,
    ContinueSubSession,
    ContinueTo,
    CreateSession,
    ResumeAttachedSession,
)
from simclient.wire.responses import (
    Completed,
    ControlResponse,
    DiscoveryBatch,
    ErrorEvent,
    Paused,
    ReadyForContinue,
    SessionAttached,
    SessionCreated,
    SessionsCreatedV2,
    SlotNotification,
    Status,
    SubSessionEvent,
    Success,
    UnknownResponse,
)
from simclient.wire.subscriptions import AccountDiffs
from simclient.wire.summary import SessionSummary

pytest_plugins = ["simclient.testing.fixtures"]

HANG_SECONDS = 10
PROGRAM = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
REQUEST = create_request(start_slot=100, end_slot=105)
DISCOVERY = DiscoveryBatch(slot=101, batch_index=3, matched=(ProgramExecuted(program=PROGRAM),))
ODD = ErrorEvent(failure=SimulationError(error="odd"))
NEWS = UnknownResponse(method="news", raw='{"method":"news","params":{}}')
STATUS = Status(status="executingBlockTransactions")


@asynccontextmanager
async def raw_session(control: ControlScript, *, limits: Limits = Limits()) -> AsyncIterator[RawSession]:  # noqa: B008
    """Open a raw session against a script."""
    with trio.fail_after(HANG_SECONDS):
        async with open_scripted_server(control=[control]) as server, open_client(server.url, limits=limits) as client:
            async with client.open_session(REQUEST) as session:
                yield session


async def everything(session: RawSession) -> list[ControlResponse]:
    return [event async for event in session]


class TestWaits:
    async def test_what_a_wait_does_not_take_is_given_by_iteration_in_order(self) -> None:
        """Discoveries, simulation errors, statuses, slots and unknown messages outlive every wait."""

        async def control(peer: ControlPeer) -> None:
            await peer.expect(CreateSession)
            await peer.send(NEWS, SessionCreated(session_id="s1", rpc_endpoint="/r"), STATUS, DISCOVERY)
            await peer.send(ReadyForContinue())
            await peer.expect(Continue)
            await peer.send(SlotNotification(slot=101), ODD, DISCOVERY, NEWS, STATUS, ReadyForContinue())
            await peer.expect(Continue)
            await peer.send(Completed())
            await peer.accept_close()

        async with raw_session(control) as session:
            await session.wait_ready()
            await session.advance(1)
            last = await session.advance(1)
            assert last.completed == Completed()
            assert await everything(session) == [NEWS, STATUS, DISCOVERY, ODD, DISCOVERY, NEWS]

    async def test_a_status_that_waits_unread_counts(self) -> None:
        """A wait for a status looks at what was kept first, and leaves the rest in order."""

        async def control(peer: ControlPeer) -> None:
            await peer.accept_create()
            await peer.send(Status(status="a"), Status(status="b"), ReadyForContinue(), Completed())
            await peer.accept_close()

        async with raw_session(control) as session:
            await session.wait_ready()
            await session.wait_for_status("b")
            with pytest.raises(LocalProtocolError, match="'c' will not come"):
                await session.wait_for_status("c")
            assert await everything(session) == [Status(status="a"), Completed()]

    async def test_every_event_is_shown_as_it_comes(self) -> None:
        """The callback of `advance` sees what is taken and what is kept."""

        async def control(peer: ControlPeer) -> None:
            await peer.accept_create()
            await peer.send(ReadyForContinue())
            await peer.expect(Continue)
            await peer.send(STATUS, ODD, SlotNotification(slot=101), ReadyForContinue())
            await peer.accept_close()

        seen: list[ControlResponse] = []
        async with raw_session(control) as session:
            await session.wait_ready()
            await session.advance(1, on_event=seen.append)

        assert seen == [STATUS, ODD, SlotNotification(slot=101), ReadyForContinue()]

    async def test_a_ready_that_overtakes_its_slots_is_waited_for(self) -> None:
        """`advance` wants both, `continue_until_ready` only the ready."""

        async def control(peer: ControlPeer) -> None:
            await peer.accept_create()
            await peer.send(ReadyForContinue())
            await peer.expect(Continue)
            await peer.send(ReadyForContinue(), SlotNotification(slot=101))
            await peer.expect(Continue)
            await peer.send(ReadyForContinue(), SlotNotification(slot=102))
            await peer.accept_close()

        async with raw_session(control) as session:
            await session.wait_ready()
            assert (await session.advance(1)).last_slot == 101
            assert (await session.continue_until_ready(1)).last_slot is None

    async def test_a_run_to_a_batch_stops_there(self) -> None:
        """`advance_to` gives the pause."""

        async def control(peer: ControlPeer) -> None:
            await peer.accept_create()
            await peer.send(ReadyForContinue())
            assert await peer.expect(ContinueTo) == ContinueTo(slot=101, batch_index=3)
            await peer.send(DISCOVERY, Paused(slot=101, batch_index=3))
            await peer.accept_close()

        async with raw_session(control) as session:
            await session.wait_ready()
            result = await session.advance_to(101, batch_index=3)
            assert result.paused == Paused(slot=101, batch_index=3)
            assert await anext(session) == DISCOVERY

    async def test_a_cancelled_advance_loses_nothing(self) -> None:
        """What had come is in the progress, and the rest can be waited for."""
        may_finish = trio.Event()

        async def control(peer: ControlPeer) -> None:
            await peer.accept_create()
            await peer.send(ReadyForContinue())
            await peer.expect(Continue)
            await peer.send(SlotNotification(slot=101), DISCOVERY)
            await may_finish.wait()
            await peer.send(SlotNotification(slot=102), ReadyForContinue())
            await peer.accept_close()

        async with raw_session(control) as session:
            await session.wait_ready()
            with trio.CancelScope() as scope:
                await session.advance(2, on_event=lambda event: scope.cancel() if event == DISCOVERY else None)
            assert (session.progress.slots, session.progress.is_over) == (1, False)

            may_finish.set()
            assert await session.wait_ready()
            assert session.progress.slots == 2
            assert [await anext(session), await anext(session)] == [DISCOVERY, SlotNotification(slot=102)]

    async def test_too_much_unread_is_refused_and_can_be_taken(self) -> None:
        """At the bound a wait says so and reads nothing; after the events were taken it goes on."""

        async def control(peer: ControlPeer) -> None:
            await peer.accept_create()
            await peer.send(STATUS, STATUS, STATUS, ReadyForContinue())
            await peer.accept_close()

        async with raw_session(control, limits=Limits(control_backlog=2)) as session:
            with pytest.raises(LocalProtocolError, match="2 messages wait unread"):
                await session.wait_ready()
            assert [await anext(session), await anext(session)] == [STATUS, STATUS]
            assert await session.wait_ready()

    async def test_only_one_task_reads(self) -> None:
        """A second reader is told, and the first is not disturbed."""
        may_be_ready = trio.Event()

        async def control(peer: ControlPeer) -> None:
            await peer.accept_create()
            await may_be_ready.wait()
            await peer.send(ReadyForContinue())
            await peer.accept_close()

        async with raw_session(control) as session, trio.open_nursery() as nursery:
            nursery.start_soon(session.wait_ready)
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(LocalProtocolError, match="another task reads"):
                await session.wait_ready()
            may_be_ready.set()


class TestErrors:
    async def test_a_session_that_is_not_ready_is_not_advanced(self) -> None:
        """Nothing is sent."""

        async def control(peer: ControlPeer) -> None:
            await peer.accept_create()
            await peer.accept_close()

        async with raw_session(control) as session:
            with pytest.raises(LocalProtocolError, match="not ready"):
                await session.advance(1)

    async def test_a_refused_request_leaves_the_session_ready(self) -> None:
        """The error says which transaction; then the session takes another request."""
        failure = InvalidTransactionFormat(index=0, error="short")

        async def control(peer: ControlPeer) -> None:
            await peer.accept_create()
            await peer.send(ReadyForContinue())
            await peer.expect(Continue)
            await peer.send(ErrorEvent(failure=failure))
            await peer.expect(Continue)
            await peer.send(SlotNotification(slot=101), ReadyForContinue())
            await peer.accept_close()

        async with raw_session(control) as session:
            await session.wait_ready()
            with pytest.raises(RemoteError, match="transaction 0") as caught:
                await session.advance(1, transactions=[b"x"])
            assert caught.value.payload == failure
            assert (await session.advance(1)).last_slot == 101

    async def test_a_refused_create_is_typed(self) -> None:
        """The payload is the server's."""
        failure = SessionNameTaken(session_name="mine")

        async def control(peer: ControlPeer) -> None:
            await peer.expect(CreateSession)
            await peer.send(STATUS, ErrorEvent(failure=failure))
            await peer.hold()

        with pytest.raises(RemoteError, match="mine") as caught:
            async with raw_session(control):
                pass
        assert caught.value.payload == failure

    async def test_a_list_does_not_answer_a_plain_create(self) -> None:
        """One session was asked for."""

        async def control(peer: ControlPeer) -> None:
            await peer.expect(CreateSession)
            await peer.send(SessionsCreatedV2(control_session_id="p", session_ids=("s1",)))
            await peer.hold()

        with pytest.raises(RemoteProtocolError, match="list of sessions"):
            async with raw_session(control):
                pass

    async def test_an_unanswered_create_is_given_up(self) -> None:
        """After `response_seconds`."""

        async def control(peer: ControlPeer) -> None:
            await peer.expect(CreateSession)
            await peer.hold()

        with pytest.raises(ConnectionLost, match=r"said nothing for 0\.05 s"):
            async with raw_session(control, limits=Limits(response_seconds=0.05)):
                pass

    async def test_what_came_before_a_cut_is_given_before_the_error(self) -> None:
        """There is no reconnect."""

        async def control(peer: ControlPeer) -> None:
            await peer.accept_create()
            await peer.send(STATUS, SlotNotification(slot=100))
            peer.cut()

        async with raw_session(control) as session:
            events: list[ControlResponse] = []
            with pytest.raises(ConnectionLost):
                async for event in session:
                    events.append(event)  # noqa: PERF401
            assert events == [STATUS, SlotNotification(slot=100)]

    async def test_a_remote_host_needs_a_key_for_sessions(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is missed before anything is connected to; the client itself opens without."""
        monkeypatch.delenv("SIMULATOR_API_KEY", raising=False)
        async with open_client("simulator.invalid") as client:
            with pytest.raises(InputError, match=r"no API key for https://simulator\.invalid"):
                async with client.open_session(REQUEST):
                    pass

    async def test_a_wrong_key_is_a_connect_error(self, api_key_canary: str) -> None:
        """And is not shown."""
        async with open_scripted_server(api_key="another") as server, open_client(server.url) as client:
            with pytest.raises(ConnectError, match="check the API key") as caught:
                async with client.open_session(REQUEST):
                    pass
        assert api_key_canary not in repr(caught.value)
        assert api_key_canary not in repr(client)

    async def test_what_a_url_hides_is_not_shown(self) -> None:
        """A query may carry a key."""
        async with open_client("wss://simulator.example/backtest?api-key=secret", api_key="k") as client:
            assert repr(client) == "<SimulatorClient wss://simulator.example/backtest>"


class TestCursor:
    async def test_the_cursor_stays_before_what_was_not_handed_out(self) -> None:
        """Attaching with it brings back what waits unread; a replay is dropped."""

        async def control(peer: ControlPeer) -> None:
            await peer.accept_create()
            await peer.send(STATUS, ReadyForContinue(), seq_id=7)
            await peer.send(STATUS, seq_id=7)
            await peer.send(SlotNotification(slot=100), Completed(), seq_id=9)
            await peer.accept_close()

        async with raw_session(control) as session:
            await session.wait_ready()
            cursors = [session.last_sequence]
            assert await anext(session) == STATUS
            cursors.append(session.last_sequence)
            assert await everything(session) == [SlotNotification(slot=100), Completed()]
            assert [*cursors, session.last_sequence] == [None, 8, 10]

    async def test_a_replayed_error_does_not_refuse_the_attach(self) -> None:
        """A numbered error between attach and resume is an event; an unnumbered one is the answer, and may be asked again."""
        busy = SessionOwnershipBusy(reason="handoff")

        async def control(peer: ControlPeer) -> None:
            await peer.receive_request()
            await peer.send(ErrorEvent(failure=InvalidRequest(error="old")), seq_id=3)
            await peer.send(SessionAttached(session_id="s1", rpc_endpoint="/r"))
            await peer.expect(ResumeAttachedSession)
            await peer.send(ErrorEvent(failure=busy))
            await peer.expect(ResumeAttachedSession)
            await peer.send(STATUS, seq_id=4)
            await peer.send(Success())
            await peer.accept_close()

        with trio.fail_after(HANG_SECONDS):
            async with open_scripted_server(control=[control]) as server, open_client(server.url) as client:
                async with client.attach_session("s1", 2) as session:
                    with pytest.raises(RemoteError) as caught:
                        await session.resume()
                    assert caught.value.payload == busy
                    await session.resume()
                    assert session.last_sequence == 2
                    assert await anext(session) == ErrorEvent(failure=InvalidRequest(error="old"))
                    assert await anext(session) == STATUS
                    assert session.last_sequence == 4


class TestEnds:
    @pytest.mark.parametrize("how", ["end", "exception", "cancellation"])
    async def test_leaving_the_block_closes_the_session(self, how: str) -> None:
        """The server sees the close and a close frame, however the block is left."""
        close_codes: list[int] = []

        async def control(peer: ControlPeer) -> None:
            await peer.accept_create()
            await peer.expect(CloseSession)
            await peer.send(Success())
            close_codes.append(await peer.hold())

        with trio.CancelScope() as scope:
            try:
                async with raw_session(control):
                    if how == "exception":
                        raise KeyError(how)
                    if how == "cancellation":
                        scope.cancel()
                        await trio.sleep_forever()
            except KeyError:
                assert how == "exception"
        assert close_codes == ([1000] if how != "cancellation" else [])

    async def test_a_session_that_was_closed_is_used_no_more(self) -> None:
        """What waits unread can still be taken; requests are refused; closing again does nothing."""

        async def control(peer: ControlPeer) -> None:
            await peer.accept_create()
            await peer.send(STATUS)
            await peer.accept_close()

        async with raw_session(control) as session:
            await session.close()
            await session.close()
            assert await everything(session) == [STATUS]
            with pytest.raises(SessionClosed):
                await session.send(Continue())
            with pytest.raises(SessionClosed):
                await session.wait_ready()

    @pytest.mark.parametrize("end", ["cut", "reset"])
    async def test_a_socket_that_ends_at_the_close_is_an_answer(self, end: str) -> None:
        """Some servers answer so."""

        async def control(peer: ControlPeer) -> None:
            await peer.accept_create()
            await peer.expect(CloseSession)
            getattr(peer, end)()

        async with raw_session(control) as session:
            await session.close()

    async def test_completed_answers_a_close(self) -> None:
        """The range ended just then; the event is not lost."""
        completed = Completed(summary=SessionSummary(correct_simulation=1))

        async def control(peer: ControlPeer) -> None:
            await peer.accept_create()
            await peer.expect(CloseSession)
            await peer.send(SlotNotification(slot=105), completed)
            await peer.hold()

        async with raw_session(control) as session:
            await session.close()
            assert session.completed == completed
            assert await everything(session) == [SlotNotification(slot=105), completed]

    async def test_a_silent_server_does_not_hold_the_block(self) -> None:
        """Leaving is bounded by `closing_seconds`."""

        async def control(peer: ControlPeer) -> None:
            await peer.accept_create()
            await peer.hold_until_gone()

        async with raw_session(control, limits=Limits(closing_seconds=0.2)):
            pass


class TestSubscriptions:
    async def test_a_stream_begins_acknowledged_and_ends_at_its_marker(self) -> None:
        """What a request causes after it is not missed; the data socket carries no key and says where to begin."""
        has_advanced = trio.Event()

        async def control(peer: ControlPeer) -> None:
            await peer.accept_create()
            await peer.send(ReadyForContinue())
            await peer.expect(Continue)
            has_advanced.set()
            await peer.send(SlotNotification(slot=101), ReadyForContinue())
            await peer.accept_close()

        async def data(peer: DataPeer) -> None:
            request = await peer.accept_subscribe()
            assert (request.key.method, request.replay_from_slot) == ("accountDiffSubscribe", 99)
            await has_advanced.wait()
            await peer.notify(*map(account_diff, (99, 101)))
            await peer.complete()
            await peer.hold()

        with trio.fail_after(HANG_SECONDS):
            async with open_scripted_server(control=[control], data=[data], api_key="k") as server:
                async with open_client(server.url, api_key="k") as client, client.open_session(REQUEST) as session:
                    async with session.subscribe(AccountDiffs(program=PROGRAM), replay_from_slot=99) as diffs:
                        await session.wait_ready()
                        await session.advance(1)
                        assert [diff.slot async for diff in diffs if isinstance(diff, AccountDiff)] == [99, 101]

    async def test_a_stream_does_not_come_back(self) -> None:
        """What came before the cut is given, then the failure with its last slot; there is no second connection."""

        async def data(peer: DataPeer) -> None:
            await peer.accept_subscribe()
            await peer.notify(account_diff(100))
            peer.cut()

        async with one_subscription(data) as session:
            async with session.subscribe(AccountDiffs(program=PROGRAM)) as diffs:
                received = [await anext(diffs)]
                with pytest.raises(SubscriptionFailed) as caught:
                    received.append(await anext(diffs))
        assert (len(received), caught.value.last_slot) == (1, 100)

    async def test_a_refused_subscription_does_not_open_its_block(self) -> None:
        """The cause is the server's error."""

        async def data(peer: DataPeer) -> None:
            await peer.refuse_subscribe(await peer.receive_subscribe(), -32602, "no such account")
            await peer.hold()

        async with one_subscription(data) as session:
            with pytest.raises(SubscriptionFailed, match="no such account"):
                async with session.subscribe(AccountDiffs(program=PROGRAM)):
                    pytest.fail("the block was entered")


@asynccontextmanager
async def one_subscription(data: DataScript) -> AsyncIterator[RawSession]:
    """Open a raw session against a server with one data socket."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.accept_close()

    with trio.fail_after(HANG_SECONDS):
        async with open_scripted_server(control=[control], data=[data]) as server, open_client(server.url) as client:
            async with client.open_session(REQUEST) as session:
                yield session


class TestCancellation:
    @pytest.mark.parametrize(
        ("wait", "answer"),
        [
            (lambda session: session.wait_ready(), ReadyForContinue()),
            (lambda session: session.wait_for_status("executingBlockTransactions"), STATUS),
            (lambda session: anext(session), NEWS),
            (lambda session: session.close(), Success()),
        ],
        ids=["wait_ready", "wait_for_status", "iteration", "close"],
    )
    async def test_a_wait_that_was_cancelled_is_repeated(
        self, wait: Callable[[RawSession], Awaitable[object]], answer: ControlResponse
    ) -> None:
        """Nothing is lost, and nothing is asked twice."""
        was_cancelled = trio.Event()

        async def control(peer: ControlPeer) -> None:
            await peer.accept_create()
            await was_cancelled.wait()
            await peer.send(answer)
            await peer.expect(CloseSession)
            await peer.send(Success())
            await peer.hold()

        async with raw_session(control) as session:
            with trio.move_on_after(0.05) as scope:
                await wait(session)
            assert scope.cancelled_caught
            was_cancelled.set()
            await wait(session)

    async def test_a_cancelled_read_takes_nothing(self) -> None:
        """Neither the iterator nor a wait for a status that is there already."""

        async def control(peer: ControlPeer) -> None:
            await peer.accept_create()
            await peer.send(STATUS, ReadyForContinue())
            await peer.accept_close()

        async with raw_session(control) as session:
            await session.wait_ready()
            with trio.CancelScope() as scope:
                scope.cancel()
                await anext(session)
            with trio.CancelScope() as scope:
                scope.cancel()
                await session.wait_for_status(STATUS.status)
            assert session.take_unread() == [STATUS]


class TestParallel:
    async def test_sub_sessions_are_driven_by_send_and_iteration(self) -> None:
        """Events carry their session; the coverage is that of all of them; each has its own RPC."""

        async def control(peer: ControlPeer) -> None:
            await peer.expect(CreateSession)
            await peer.send(
                SessionCreated(session_id="s1", rpc_endpoint="/backtest/s1"),
                SessionsCreatedV2(
                    control_session_id="p",
                    session_ids=("s1", "s2"),
                    task_ids=(None, "t2"),
                    start_slots=(100, 103),
                    end_slots=(102, 105),
                ),
            )
            assert await peer.expect(ContinueSubSession) == ContinueSubSession(session_id="s2", request=Continue())
            for session_id, slots in (("s2", range(103, 106)), ("s1", range(100, 103))):
                for number, slot in enumerate(slots):
                    event = SlotNotification(slot=slot)
                    await peer.send(SubSessionEvent(session_id=session_id, event=event, seq_id=number))
                await peer.send(SubSessionEvent(session_id=session_id, event=Completed(), seq_id=9))
            await peer.accept_close()

        reported: list[str] = []
        request = create_request(start_slot=100, end_slot=105, parallel=True)
        with trio.fail_after(HANG_SECONDS):
            async with open_scripted_server(control=[control]) as server, open_client(server.url) as client:
                async with client.open_session(request, on_created=lambda one: reported.append(one.session_id)) as raw:
                    assert (raw.session_id, repr(raw)) == ("p", "<RawSession …p running>")
                    first, second = raw.sessions
                    assert (first.start_slot, first.end_slot, second.task_id) == (100, 102, "t2")
                    assert raw.rpc_of(first) is not None
                    with pytest.raises(InputError, match="not said where the RPC of session s2 is"):
                        raw.rpc_of(second)
                    with pytest.raises(LocalProtocolError, match="2 sub-sessions"):
                        _ = raw.rpc
                    await raw.send(ContinueSubSession(session_id="s2", request=Continue()))
                    assert not raw.coverage().is_whole
                    events = [await anext(raw) for _ in range(8)]
                    assert raw.coverage().is_whole

        assert reported == ["s1", "s2"]
        assert all(isinstance(event, SubSessionEvent) for event in events)


async def test_the_coverage_of_the_shipped_market_lacks_only_the_slots_without_a_block() -> None:
    """End to end on the embedded simulator: every slot once, none outside, and the attach takes up where the first socket left."""
    async with open_local_simulator() as simulator, open_client(simulator.url) as client:
        [market] = await client.available_ranges()
        first, last = market.bundle_start_slot, market.max_bundle_end_slot
        request = create_request(start_slot=first, end_slot=last, disconnect_timeout_seconds=60, send_summary=True)
        async with client.open_session(request) as session:
            await session.wait_ready()
            await session.continue_until_ready(50)
            assert await session.rpc.get_slot() == session.progress.last_slot
            half = session.coverage()
            assert [type(event) for event in session.take_unread()] == [Status]
            await session.detach()
        async with client.attach_session(session.session_id, session.last_sequence, is_ready=session.is_ready) as again:
            await again.resume()
            assert await again.wait_ready()
            assert again.take_unread() == []
            end = await again.continue_until_ready(1000)
            assert end.completed is not None
            assert end.completed.summary is not None
            rest = again.coverage(first, last)

    with open_bundle(shipped_bundle()) as bundle:
        blocks = [block.slot for block in bundle.slots()]
    assert (half.seen, rest.seen) == (50, len(blocks) - 50)
    assert (half.repeated, rest.repeated, half.outside, rest.outside) == (0, 0, (), ())
    assert rest.is_complete
    missed_by_both = _slots(half.missing) & _slots(rest.missing)
    assert missed_by_both == set(range(first, (last or 0) + 1)) - set(blocks)


def _slots(runs: tuple[tuple[int, int], ...]) -> set[int]:
    return {slot for begin, end in runs for slot in range(begin, end + 1)}
