"""A session is recorded from one simulator and served again by another: what was paid for once is iterated on offline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import attrs
import pytest
import trio

from simclient import (
    AccountData,
    AccountDiff,
    AccountDiffs,
    BeforeSlot,
    Completed,
    ErrorEvent,
    ExecutedTransaction,
    InputError,
    Logs,
    ReadyForContinue,
    RemoteError,
    ScheduledAction,
    SlotNotification,
    SubscriptionFailed,
    TransactionLogs,
    Transactions,
    open_backtest_session,
    open_client,
    open_parallel_session,
    open_recording,
)
from simclient.cli import main
from simclient.errors import BundleError
from simclient.local import LocalSimulator, open_local_simulator
from simclient.local.bundle import open_bundle, shipped_bundle
from simclient.wire.chunks import PROLOGUE, UINT32
from simclient.wire.recording import RecordingDecoder

TOKEN_PROGRAM = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
SYSTEM_PROGRAM = "11111111111111111111111111111111"
SUBSCRIPTIONS = (
    AccountDiffs(program=(TOKEN_PROGRAM, SYSTEM_PROGRAM)),
    Transactions(mentions=TOKEN_PROGRAM),
    Logs(mentions=TOKEN_PROGRAM),
)
SLOTS = 40
HANG_SECONDS = 60

with open_bundle(shipped_bundle()) as market:
    FIRST_SLOT = market.header.start_slot
LAST_SLOT = FIRST_SLOT + SLOTS - 1

Notification = AccountDiff | ExecutedTransaction | TransactionLogs


@attrs.define
class Received:
    """What a session gave."""

    notifications: list[Notification] = attrs.field(factory=list[Notification])
    slots: list[int] = attrs.field(factory=list[int])
    completed: Completed | None = None
    balance: int | None = None

    def raw(self, kind: type[Notification]) -> list[bytes]:
        """Return the messages of a kind, those of each subscription together: their order among each other means nothing."""
        found = [one for one in self.notifications if isinstance(one, kind)]
        return [one.raw for one in sorted(found, key=lambda one: one.subscription_id)]


async def run(
    simulator: LocalSimulator,
    *,
    record: Path | None = None,
    start: int = FIRST_SLOT,
    end: int = LAST_SLOT,
    step: int = 7,
    leave_after: int | None = None,
    replay_account_state: bool = False,
    subscriptions: Sequence[AccountDiffs | Transactions | Logs] = SUBSCRIPTIONS,
) -> Received:
    """Run a session, recording it if there is a file for that."""
    found = Received()
    with trio.fail_after(HANG_SECONDS):
        async with open_backtest_session(
            simulator.url,
            start_slot=start,
            end_slot=end,
            subscriptions=subscriptions,
            send_summary=True,
            replay_account_state=replay_account_state,
        ) as session:
            if record is None:
                return await take(session, session, found, step, leave_after)

            async with open_recording(record, session, subscriptions=subscriptions, url=simulator.url) as events:
                return await take(session, events, found, step, leave_after)


async def take(session, events, found: Received, step: int, leave_after: int | None) -> Received:  # type: ignore[no-untyped-def]
    async for event in events:
        match event:
            case ReadyForContinue():
                if leave_after is not None and len(found.slots) >= leave_after:
                    return found
                await session.advance(step)
            case SlotNotification(slot=slot):
                found.slots.append(slot)
            case AccountDiff() | ExecutedTransaction() | TransactionLogs():
                found.notifications.append(event)
            case ErrorEvent(failure=failure):
                raise RemoteError(str(failure), payload=failure)
            case Completed():
                found.completed = event
            case _:
                pass
    return found


@pytest.fixture
async def recorded(tmp_path: Path) -> tuple[Path, Received]:
    """Record a run over the market."""
    path = tmp_path / "run.recording"
    async with open_local_simulator() as simulator:
        return path, await run(simulator, record=path)


async def test_a_recording_gives_the_same_bytes_again(recorded: tuple[Path, Received]) -> None:
    """Every notification of every subscription comes again, in its order and byte for byte, and so do slots and summary."""
    path, first = recorded
    async with open_local_simulator(recordings=[path]) as simulator:
        again = await run(simulator, step=13)

    for kind in (AccountDiff, ExecutedTransaction, TransactionLogs):
        assert len(first.raw(kind)) > 50
        assert again.raw(kind) == first.raw(kind)
    assert again.slots == first.slots
    assert again.completed == first.completed
    assert first.completed is not None
    assert first.completed.summary is not None
    assert first.completed.summary.correct_simulation > 50


async def test_a_part_of_the_range_can_be_had(recorded: tuple[Path, Received]) -> None:
    """A session over some of the recorded slots gives those of their notifications that it asks for."""
    path, first = recorded
    start, end = FIRST_SLOT + 10, FIRST_SLOT + 19
    async with open_local_simulator(recordings=[path]) as simulator:
        again = await run(simulator, start=start, end=end, subscriptions=[Logs(mentions=TOKEN_PROGRAM)])

    expected = [
        n.result_bytes for n in first.notifications if isinstance(n, TransactionLogs) and start <= n.slot <= end
    ]
    assert [notification.result_bytes for notification in again.notifications] == expected
    assert again.slots == [slot for slot in first.slots if start <= slot <= end]


async def test_the_original_speed_can_be_had(recorded: tuple[Path, Received]) -> None:
    """At a speed, the time between slots is waited for; at a high one it is soon over."""
    path, first = recorded
    async with open_local_simulator(recordings=[path], speed=1000) as simulator:
        again = await run(simulator)

    assert again.slots == first.slots


async def test_recorded_accounts_can_be_read(recorded: tuple[Path, Received]) -> None:
    """Over RPC an account is as its last diff left it; what needs more than accounts is refused."""
    path, first = recorded
    last = max((n for n in first.notifications if isinstance(n, AccountDiff)), key=lambda diff: diff.slot)
    same = [n for n in first.notifications if isinstance(n, AccountDiff) and n.account == last.account]
    last = same[-1]
    assert last.account is not None
    assert last.post is not None
    async with open_local_simulator(recordings=[path]) as simulator:
        async with open_backtest_session(simulator.url, start_slot=FIRST_SLOT, end_slot=LAST_SLOT) as session:
            async for event in session:
                if isinstance(event, ReadyForContinue):
                    await session.advance(SLOTS - 1)
                    break
            async for event in session:
                if isinstance(event, ReadyForContinue):
                    await session.advance(1)
                if isinstance(event, SlotNotification) and event.slot == LAST_SLOT:
                    break
            account = await session.rpc.get_account(last.account)
            with pytest.raises(RemoteError, match="A recording cannot answer getLatestBlockhash"):
                await session.rpc.get_latest_blockhash()

    assert account is not None
    assert (account.lamports, account.data) == (last.post.lamports, last.post.data)


async def test_what_was_not_recorded_is_refused(recorded: tuple[Path, Received]) -> None:
    """A subscription that the recorded session did not have fails, and says which there are."""
    path, _ = recorded
    async with open_local_simulator(recordings=[path]) as simulator:
        with pytest.raises(SubscriptionFailed, match=f"it has: accountDiffSubscribe {TOKEN_PROGRAM}"):
            await run(simulator, subscriptions=[Logs(mentions=SYSTEM_PROGRAM)])


async def test_nothing_is_executed(recorded: tuple[Path, Received]) -> None:
    """A transaction for a recording is refused, and the session goes on."""
    path, _ = recorded
    refusals: list[ErrorEvent] = []
    async with open_local_simulator(recordings=[path]) as simulator:
        async with open_backtest_session(simulator.url, start_slot=FIRST_SLOT, end_slot=LAST_SLOT) as session:
            with trio.fail_after(HANG_SECONDS):
                async for event in session:
                    match event:
                        case ReadyForContinue():
                            await session.advance(SLOTS, transactions=() if refusals else (bytes([1]) + bytes(100),))
                        case ErrorEvent():
                            refusals.append(event)
                        case _:
                            pass

    assert len(refusals) == 1
    assert "a recording executes nothing" in str(refusals[0].failure)


async def test_account_states_are_replayed_from_recordings_only(recorded: tuple[Path, Received]) -> None:
    """A session that asks for `replayAccountState` is served from a recording; a bundle has only transactions."""
    path, first = recorded
    async with open_local_simulator([shipped_bundle()], recordings=[path]) as simulator:
        again = await run(simulator, replay_account_state=True)
        with pytest.raises(RemoteError, match="bundle"):
            await run(simulator, replay_account_state=True, end=LAST_SLOT + 1)

    assert again.raw(AccountDiff) == first.raw(AccountDiff)


async def test_accounts_can_be_overridden_in_a_replay_of_states(recorded: tuple[Path, Received]) -> None:
    """An action that only sets accounts needs no execution: from its slot on they are read as it says."""
    path, _ = recorded
    anchor = BeforeSlot(slots=(FIRST_SLOT + 5,))
    account = AccountData.build(lamports=42, owner=SYSTEM_PROGRAM)
    posted = ScheduledAction(anchor=anchor, account_overrides={TOKEN_PROGRAM: account})
    seen: list[int | None] = []
    async with open_local_simulator(recordings=[path]) as simulator:
        async with open_backtest_session(
            simulator.url, start_slot=FIRST_SLOT, end_slot=LAST_SLOT, replay_account_state=True, actions=[posted]
        ) as session:
            with trio.fail_after(HANG_SECONDS):
                async for event in session:
                    if isinstance(event, Completed):
                        break
                    if isinstance(event, ReadyForContinue):
                        found = await session.rpc.get_account(TOKEN_PROGRAM)
                        seen.append(None if found is None else found.lamports)
                        await session.advance(5 if len(seen) < 3 else SLOTS)

    assert seen[0] != 42
    assert seen[1] != 42
    assert seen[2] == 42


async def test_recorded_account_states_are_listed_to_those_who_ask(recorded: tuple[Path, Received]) -> None:
    """A recording is a range of blocks to everybody, and one of account state to clients that know of that."""
    path, _ = recorded
    async with (
        open_local_simulator([shipped_bundle()], recordings=[path]) as simulator,
        open_client(simulator.url) as client,
    ):
        blocks = await client.available_ranges()
        states = await client.available_ranges(kind="account_state")

    assert [(one.bundle_start_slot, one.kind) for one in blocks] == [(FIRST_SLOT, None)] * 2
    assert [(one.bundle_start_slot, one.max_bundle_end_slot) for one in states] == [(FIRST_SLOT, LAST_SLOT)]


async def test_a_parallel_run_can_be_had_of_a_recording(recorded: tuple[Path, Received]) -> None:
    """Split into pieces, a recording gives every slot's notifications in one of the sub-sessions."""
    path, first = recorded
    found = Received()
    async with open_local_simulator(recordings=[path], split_slots=10) as simulator:
        with trio.fail_after(HANG_SECONDS):
            async with open_parallel_session(
                simulator.url,
                start_slot=FIRST_SLOT,
                end_slot=LAST_SLOT,
                subscriptions=SUBSCRIPTIONS,
                replay_account_state=True,
            ) as parallel:
                assert len(parallel) == SLOTS // 10
                async with trio.open_nursery() as nursery:
                    for session in parallel:
                        nursery.start_soon(take, session, session, found, 10, None)

    found_bytes = sorted(notification.result_bytes for notification in found.notifications)
    assert found_bytes == sorted(notification.result_bytes for notification in first.notifications)


async def test_a_cut_recording_is_served_to_its_end(recorded: tuple[Path, Received], tmp_path: Path) -> None:
    """What is there is given, and then the session fails and says that the file was cut, and where."""
    path, first = recorded
    whole = path.read_bytes()
    cut = tmp_path / "cut.recording"
    last_chunk = PROLOGUE.size
    while (after := last_chunk + UINT32.size + int.from_bytes(whole[last_chunk : last_chunk + 4], "little")) < len(
        whole
    ):
        last_chunk = after
    cut.write_bytes(whole[: last_chunk + 100])
    decoder = RecordingDecoder()
    kept = sum(len(chunk.moments) for chunk in decoder.feed(cut.read_bytes()))
    found = Received()
    async with open_local_simulator(recordings=[cut]) as simulator:
        with pytest.raises(RemoteError, match=f"was cut or damaged: byte {last_chunk}: the file ends here"):
            async with open_backtest_session(
                simulator.url, start_slot=FIRST_SLOT, end_slot=LAST_SLOT, subscriptions=SUBSCRIPTIONS
            ) as session:
                with trio.fail_after(HANG_SECONDS):
                    await take(session, session, found, 1, None)

    assert kept > 0
    assert 0 < len(found.notifications) < len(first.notifications)
    assert found.slots == first.slots[: len(found.slots)]


async def test_a_recording_can_be_looked_at(
    recorded: tuple[Path, Received], capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """`simclient bundle info` says what is in a recording, also in one that was cut."""
    path, first = recorded
    cut = tmp_path / "cut.recording"
    cut.write_bytes(path.read_bytes()[:-10])
    assert main(["bundle", "info", str(path)]) == main(["bundle", "info", str(cut)]) == 0

    whole = capfd.readouterr().out
    assert f"events: {len(first.notifications):,} notifications, " in whole
    assert f"subscription: accountDiffSubscribe {TOKEN_PROGRAM} (program)" in whole
    assert "ended: completed" in whole
    assert "cut or damaged: byte" in whole


async def test_a_session_that_was_left_says_so(tmp_path: Path) -> None:
    """A recording of a session that was not read to its end is whole, and ends with the reason."""
    path = tmp_path / "left.recording"
    async with open_local_simulator() as simulator:
        first = await run(simulator, record=path, leave_after=14)
    async with open_local_simulator(recordings=[path]) as simulator:
        with pytest.raises(RemoteError, match="has ended there: it was left"):
            await run(simulator, end=LAST_SLOT)
        again = await run(simulator, end=first.slots[-1])

    assert again.slots == first.slots


async def test_a_cancelled_recording_is_whole(tmp_path: Path) -> None:
    """Cancelling the block writes what was received, and how it ended."""
    path = tmp_path / "cancelled.recording"
    async with open_local_simulator() as simulator:
        with trio.CancelScope() as scope:
            async with open_backtest_session(simulator.url, start_slot=FIRST_SLOT, end_slot=LAST_SLOT) as session:
                async with open_recording(path, session) as events:
                    async for event in events:
                        if isinstance(event, ReadyForContinue):
                            scope.cancel(reason="a test")
                            await trio.lowlevel.checkpoint()
    decoder = RecordingDecoder()
    moments = [moment for chunk in decoder.feed(path.read_bytes()) for moment in chunk.moments]
    decoder.finish()

    assert decoder.damage is None
    assert decoder.end is not None
    assert decoder.end.status == "cancelled"
    assert len(moments) >= 1


async def test_a_file_that_is_no_recording_is_refused(tmp_path: Path) -> None:
    """A bundle is not taken for a recording, nor a recording for a bundle; speeds are above 0."""
    path = tmp_path / "x.recording"
    path.write_bytes(b"something else, and long enough")
    for recording in (shipped_bundle(), path, tmp_path / "nowhere"):
        with pytest.raises(BundleError, match=recording.name):
            async with open_local_simulator(recordings=[recording]):
                pass
    with pytest.raises(InputError, match="0 times its speed"):
        async with open_local_simulator(recordings=[path], speed=0):
            pass


async def test_a_place_that_cannot_be_written_is_refused_at_once(tmp_path: Path) -> None:
    """Nothing is executed for a recording that could not be kept."""
    async with open_local_simulator() as simulator:
        with pytest.raises(InputError, match="there is no directory"):
            await run(simulator, record=tmp_path / "nowhere" / "run.recording")
