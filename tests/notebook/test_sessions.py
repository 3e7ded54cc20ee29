"""Sessions across the cells of a notebook: read, advanced and closed by code that is not asynchronous."""

from __future__ import annotations

import gc
import threading
import traceback
from itertools import islice

import httpx2
import pytest
import trio

from simclient import (
    AccountDiff,
    AccountDiffs,
    BudgetLimits,
    Completed,
    ConnectError,
    DiscoveryPause,
    InputError,
    Limits,
    LocalProtocolError,
    ProgramExecuted,
    ReadyForContinue,
    RemoteError,
    SessionClosed,
    Transactions,
)
from simclient.notebook import (
    NotebookSimulator,
    close_all,
    open_backtest_session,
    open_local_simulator,
    open_parallel_session,
)
from simclient.notebook.portal import the_portal
from simclient.session.inbox import Event
from simclient.testing import ControlPeer, open_scripted_server
from simclient.wire.failures import AdvanceSlotFailed
from simclient.wire.requests import CreateSession
from simclient.wire.responses import ErrorEvent, SlotNotification

from .cells import (
    FIRST_SLOT,
    LAST_RESORT_SECONDS,
    TOKEN_PROGRAM,
    WATCH,
    answer,
    interrupted,
    open_session,
    read_asynchronously,
    wait_until_ready,
)

QUICK = Limits(reconnect=BudgetLimits(first_delay_seconds=0.01), closing_seconds=0.5)


def diffs(events: list[Event]) -> list[Event]:
    return [event for event in events if isinstance(event, AccountDiff)]


def places(events: list[Event]) -> list[tuple[int, str | None]]:
    return [(event.slot, event.account) for event in events if isinstance(event, AccountDiff)]


# Reading


def test_a_session_gives_what_the_asynchronous_one_gives(simulator: NotebookSimulator) -> None:
    """The same diffs, each once, and `Completed` last."""
    with open_session(simulator.url) as session:
        events = [answer(session, event) for event in session]

    assert diffs(events) == diffs(read_asynchronously(simulator.url))
    assert isinstance(events[-1], Completed)


def test_another_cell_reads_on_where_the_last_one_stopped(simulator: NotebookSimulator) -> None:
    """A loop that was left, single events and batches are one stream."""
    session = open_session(simulator.url)
    events: list[Event] = []
    for event in session:
        events.append(answer(session, event))
        if len(events) == 25:
            break
    events.append(answer(session, next(session)))
    for batch in session.batches():
        events += [answer(session, event) for event in batch]
        if len(events) > 60:
            break
    events += [answer(session, event) for event in session]

    assert diffs(events) == diffs(read_asynchronously(simulator.url))
    assert list(session) == []


def test_two_sessions_live_side_by_side(simulator: NotebookSimulator) -> None:
    """Read in turns, each gives its own events."""
    first, second = open_session(simulator.url), open_session(simulator.url)
    events: tuple[list[Event], list[Event]] = ([], [])
    for one, other in zip(first, second, strict=True):
        events[0].append(answer(first, one))
        events[1].append(answer(second, other))

    assert diffs(events[0]) == diffs(events[1]) == diffs(read_asynchronously(simulator.url))


def test_the_state_after_a_slot_is_read_between_two_cells(simulator: NotebookSimulator) -> None:
    """The RPC methods return their results."""
    session = open_session(simulator.url)
    wait_until_ready(session)
    session.advance(3)
    wait_until_ready(session)

    assert session.rpc.get_slot() == FIRST_SLOT + 2
    session.rpc.set_balance(TOKEN_PROGRAM, 5)
    assert session.rpc.get_balance(TOKEN_PROGRAM) == 5
    assert session.statistics().last_slot == FIRST_SLOT + 2


def test_a_stream_of_its_own_is_read_apart(simulator: NotebookSimulator) -> None:
    """A subscription that is opened later ends with the range."""
    session = open_session(simulator.url, slots=10)
    wait_until_ready(session)
    with session.subscribe(Transactions(mentions=TOKEN_PROGRAM)) as stream:
        session.advance(10)
        transactions = list(stream)

    assert (
        {*range(FIRST_SLOT, FIRST_SLOT + 10)}
        > {transaction.slot for transaction in transactions}
        > {FIRST_SLOT, FIRST_SLOT + 9}
    )
    assert isinstance([*session][-1], Completed)


def test_a_session_stops_before_each_matching_batch(simulator: NotebookSimulator) -> None:
    """Discoveries are iterated like events, and state is read at each."""
    session = open_backtest_session(
        simulator.url, start_slot=FIRST_SLOT, slot_count=9, discoveries=[ProgramExecuted(program=TOKEN_PROGRAM)]
    )
    pauses: list[DiscoveryPause] = []
    for pause in islice(session.discoveries(), 3):
        assert session.rpc.get_slot() <= pause.slot
        pauses.append(pause)

    assert [pause.slot for pause in pauses] == sorted(pause.slot for pause in pauses)
    assert len(pauses) == 3


def test_the_parts_of_a_parallel_session_are_read_one_after_the_other(no_leaked_sockets: None) -> None:
    """Together they give the whole range."""
    with (
        open_local_simulator(split_slots=120) as simulator,
        open_parallel_session(simulator.url, start_slot=FIRST_SLOT, slot_count=239, subscriptions=WATCH) as parallel,
    ):
        events = [answer(part, event) for part in parallel for event in part]
        whole = read_asynchronously(simulator.url, slots=240)

    assert len(parallel) == 2
    assert places(events) == places(whole)
    close_all()


# Ctrl-C


def test_ctrl_c_ends_the_wait_and_the_session_lives_on(simulator: NotebookSimulator) -> None:
    """The cell ends with KeyboardInterrupt, the next one reads on."""
    session = open_session(simulator.url)
    wait_until_ready(session)

    def wait_for_nothing() -> None:
        next(session)  # nothing comes before the session is advanced

    assert interrupted(wait_for_nothing, after_seconds=0.05)
    session.advance(40)
    assert diffs(list(session)) == diffs(read_asynchronously(simulator.url))


def test_ctrl_c_at_any_moment_loses_no_event_and_repeats_none(simulator: NotebookSimulator) -> None:
    """The loop is interrupted hundreds of times, wherever it is."""
    session = open_session(simulator.url)
    wait_until_ready(session)
    session.advance(40)
    events: list[Event] = []

    def read() -> None:
        for event in session:
            events.append(event)  # noqa: PERF402  # what `extend` has taken is lost when it is interrupted

    interrupts = 0
    while interrupted(read, after_seconds=0.0005):
        interrupts += 1

    assert interrupts
    assert diffs(events) == diffs(read_asynchronously(simulator.url))


def test_ctrl_c_while_a_session_is_opened_leaves_nothing_behind(no_leaked_sockets: None) -> None:
    """The server that does not answer the create sees the connection end."""
    has_gone = threading.Event()

    async def control(peer: ControlPeer) -> None:
        await peer.expect(CreateSession)
        await peer.hold_until_gone()  # Ctrl-C comes in place of an answer
        has_gone.set()

    server = the_portal().open(open_scripted_server(control=[control]), name="scripted server")

    def open_it() -> None:
        open_backtest_session(server.value.url, start_slot=100, slot_count=1, limits=QUICK)

    assert interrupted(open_it, after_seconds=0.2)
    server.close()

    assert has_gone.is_set()
    close_all()


# Errors


def test_errors_are_those_of_the_asynchronous_functions(simulator: NotebookSimulator) -> None:
    """Each is raised in the cell that asked, and only there."""
    with pytest.raises(InputError):
        open_backtest_session(simulator.url, start_slot=5, end_slot=4)
    with pytest.raises(RemoteError):
        open_backtest_session(simulator.url, start_slot=5, slot_count=4)
    with pytest.raises(ConnectError):
        open_backtest_session("ws://127.0.0.1:1/backtest", start_slot=5, slot_count=4, limits=QUICK)
    with pytest.raises(TypeError):
        open_backtest_session(simulator.url, strat_slot=5)  # type: ignore[call-arg]

    session = open_session(simulator.url)
    wait_until_ready(session)
    session.advance(1)
    with pytest.raises(LocalProtocolError):
        session.advance(1)
    assert [answer(session, event) for event in session]


def test_an_error_in_a_cell_leaves_the_session_open_and_one_in_a_with_block_closes_it(
    simulator: NotebookSimulator,
) -> None:
    """The error is the cell's own."""
    session = open_session(simulator.url)
    with pytest.raises(ZeroDivisionError):
        for _ in session:
            raise ZeroDivisionError
    assert session.is_open
    with pytest.raises(ZeroDivisionError), session:
        raise ZeroDivisionError
    assert not session.is_open


def test_a_session_that_fails_gives_what_it_had_received_and_then_its_error(no_leaked_sockets: None) -> None:
    """Also when nobody read before it failed: between two cells nobody does."""
    failed = ErrorEvent(failure=AdvanceSlotFailed(slot=101, error="no"))

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue())
        await peer.send(SlotNotification(slot=100))
        await peer.send(failed)
        await peer.accept_close()

    server = the_portal().open(open_scripted_server(control=[control]), name="scripted server")
    session = open_backtest_session(server.value.url, start_slot=100, slot_count=1)
    _wait_until_it_has_failed(session)
    assert session.is_open
    assert next(session) == ReadyForContinue()
    assert next(session) == SlotNotification(slot=100)
    with pytest.raises(RemoteError, match="no"):
        list(session)
    session.close()
    server.close()
    close_all()


def _wait_until_it_has_failed(session: object) -> None:
    async def failed() -> None:
        with trio.fail_after(LAST_RESORT_SECONDS):
            while session._value._run.failure is None:  # type: ignore[attr-defined]  # noqa: ASYNC110  # nothing says it
                await trio.sleep(0.01)

    the_portal().call(failed, name="wait for the failure")


def test_a_session_that_failed_unread_raises_that_when_it_is_closed(no_leaked_sockets: None) -> None:
    """Once: closing again does nothing."""

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ErrorEvent(failure=AdvanceSlotFailed(slot=101, error="no")))
        await peer.accept_close()

    server = the_portal().open(open_scripted_server(control=[control]), name="scripted server")
    session = open_backtest_session(server.value.url, start_slot=100, slot_count=1)
    _wait_until_it_has_failed(session)
    with pytest.raises(RemoteError, match="no"):
        session.close()
    session.close()
    server.close()
    close_all()


def test_waiting_inside_of_a_trio_program_is_refused(simulator: NotebookSimulator) -> None:
    """It would stop every other task: the error says what to use."""

    async def program() -> None:
        await trio.lowlevel.checkpoint()
        open_session(simulator.url)

    with pytest.raises(LocalProtocolError, match="asynchronous functions of simclient"):
        trio.run(program)


# Ends


def test_closing_twice_is_closing_once(simulator: NotebookSimulator) -> None:
    """What is used after the end says so."""
    session = open_session(simulator.url)
    session.close()
    session.close()

    with pytest.raises(SessionClosed):
        session.advance(1)
    with pytest.raises(SessionClosed):
        next(session)
    assert "closed" in repr(session)


def test_a_session_that_nothing_refers_to_is_closed_on_the_server(simulator: NotebookSimulator) -> None:
    """As happens when a cell is run again: its state is gone from the server."""
    session = open_session(simulator.url)
    rpc_url = session.rpc_url
    del session
    gc.collect()

    async def gone() -> None:
        with trio.fail_after(LAST_RESORT_SECONDS):
            async with httpx2.AsyncClient() as http:
                while (await http.post(rpc_url, json={})).status_code != 404:  # noqa: ASYNC110  # a server's
                    await trio.sleep(0.01)

    the_portal().call(gone, name="wait for the end")


def test_closing_everything_closes_handles_and_the_thread(no_leaked_sockets: None) -> None:
    """What was open says so when it is used; what is opened afterwards works."""
    simulator = open_local_simulator()
    session = open_session(simulator.url)
    close_all()

    assert not any(thread.name == "simclient.notebook" for thread in threading.enumerate())
    with pytest.raises(SessionClosed, match="open it anew"):
        session.advance(1)
    session.close()
    simulator.close()
    with open_local_simulator() as another:
        assert wait_until_ready(open_session(another.url))
    close_all()


def test_closing_everything_ends_a_wait_in_another_thread(simulator: NotebookSimulator) -> None:
    """The thread that waits hears of it."""
    session = open_session(simulator.url)
    wait_until_ready(session)
    heard: list[BaseException] = []

    def read() -> None:
        try:
            next(session)
        except SessionClosed as error:
            heard.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    close_all()
    thread.join(LAST_RESORT_SECONDS)

    assert [type(error) for error in heard] == [SessionClosed]


def test_a_key_is_in_no_error_and_no_repr(simulator: NotebookSimulator, api_key_canary: str) -> None:
    """Not even where a traceback shows locals, as IPython can; but for the cell's own."""
    with pytest.raises(RemoteError) as refused:
        open_backtest_session(simulator.url, start_slot=5, slot_count=4, api_key=api_key_canary)
    below_the_cell = traceback.walk_tb(refused.tb.tb_next)
    frames = traceback.StackSummary.extract(below_the_cell, capture_locals=True)
    session = open_backtest_session(simulator.url, start_slot=FIRST_SLOT, slot_count=1, api_key=api_key_canary)

    assert len(frames) > 5
    assert api_key_canary not in str([frame.locals for frame in frames])
    assert api_key_canary not in repr(session) + repr(session.rpc) + repr(vars(session))


def test_subscriptions_are_named_in_the_repr_of_a_stream(simulator: NotebookSimulator) -> None:
    """So that a cell shows what it holds."""
    session = open_session(simulator.url)
    with session.subscribe(AccountDiffs(program=TOKEN_PROGRAM)) as stream:
        assert TOKEN_PROGRAM in repr(stream)
