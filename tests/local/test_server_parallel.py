"""Parallel sessions over real sockets and with another client than ours: one control socket, several sub-sessions."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from simclient.local import LocalSimulator, open_local_simulator

from .blocks import FIRST_SLOT, LAMPORTS, PAYEE_ADDRESS, write_payments
from .clients import Control, Message, closing_code, creation, get, going_on, open_control, open_data, post, slots

LAST_SLOT = FIRST_SLOT + 9
HALF = 5


@pytest.fixture
def payments(tmp_path: Path) -> Path:
    return write_payments(tmp_path / "payments.bundle", slots=10)


async def create(control: Control, **params: object) -> list[Message]:
    """Create a parallel session over the whole bundle; return the answers."""
    await control.send("createBacktestSession", {**creation(FIRST_SLOT, LAST_SLOT), "parallel": True, **params})
    return await control.until("sessionsCreatedV2", "error")


async def events_until(control: Control, *waiting: tuple[str, str]) -> dict[str, list[Message]]:
    """Return the events by sub-session, each with its `seq_id`, until each of these has said its method."""
    seen: dict[str, list[Message]] = {}
    left = set(waiting)
    while left:
        message = await control.receive()
        assert message["method"] == "sessionEventV2", message
        params = message["params"]
        seen.setdefault(params["session_id"], []).append({**params["event"], "seq_id": params["seq_id"]})
        left.discard((params["session_id"], params["event"]["method"]))
    return seen


async def ready(control: Control, ids: list[str]) -> None:
    await events_until(control, *((one, "readyForContinue") for one in ids))


async def go(control: Control, session_id: str, count: int = 1) -> None:
    await control.send("continueSessionV1", {"sessionId": session_id, "request": going_on(count)})


async def balance(simulator: LocalSimulator, session_id: str) -> int:
    answer = await post(simulator, f"/backtest/{session_id}", "getBalance", PAYEE_ADDRESS)
    value: int = answer.json()["result"]["value"]
    return value


async def test_a_parallel_session_is_split_at_the_pieces(payments: Path) -> None:
    """Each piece becomes a sub-session with an endpoint of its own; then come their ids and ranges, index by index."""
    async with open_local_simulator([payments], split_slots=HALF) as simulator, open_control(simulator) as control:
        *created, all_of_them = await create(control)
        ids = [one["params"]["session_id"] for one in created]

    assert [one["params"]["rpc_endpoint"] for one in created] == [f"/backtest/{one}" for one in ids]
    assert all_of_them["params"] == {
        "control_session_id": all_of_them["params"]["control_session_id"],
        "session_ids": ids,
        "task_ids": [None, None],
        "start_slots": [FIRST_SLOT, FIRST_SLOT + HALF],
        "end_slots": [FIRST_SLOT + HALF - 1, LAST_SLOT],
    }


async def test_a_closed_run_still_gives_what_was_missed_of_each_sub_session(payments: Path) -> None:
    """The official client closes a run as soon as all have completed, and brings back the data sockets that were down."""
    async with open_local_simulator([payments], split_slots=HALF) as simulator, open_control(simulator) as control:
        *created, _ = await create(control)
        ids = [one["params"]["session_id"] for one in created]
        await ready(control, ids)
        for session_id in ids:
            await go(control, session_id, HALF)
        await events_until(control, *((one, "completed") for one in ids))
        assert (await control.ask("closeBacktestSession"))["method"] == "success"

        seen: list[int] = []
        for one in created:
            control.endpoint = one["params"]["rpc_endpoint"]
            async with open_data(simulator, control) as data:
                await data.subscribe(1, "accountDiffSubscribe", PAYEE_ADDRESS)
                seen += [m["params"]["result"]["context"]["slot"] for m in (await data.until_complete())[:-1]]

    assert seen == list(range(FIRST_SLOT, LAST_SLOT + 1))


async def test_a_parallel_session_is_split_over_the_bundles(tmp_path: Path) -> None:
    """Without pieces there is a sub-session per bundle."""
    paths = [
        write_payments(tmp_path / "one.bundle", slots=5),
        write_payments(tmp_path / "two.bundle", slots=5, first_slot=FIRST_SLOT + 5),
    ]
    async with open_local_simulator(paths) as simulator, open_control(simulator) as control:
        assert (await create(control))[-1]["params"]["start_slots"] == [FIRST_SLOT, FIRST_SLOT + 5]


async def test_the_pieces_are_among_the_ranges(payments: Path) -> None:
    """`/available-ranges` gives the bundle and its pieces."""
    async with open_local_simulator([payments], split_slots=HALF) as simulator:
        ranges = (await get(simulator, "/available-ranges")).json()

    assert [(one["bundle_start_slot"], one["max_bundle_end_slot"]) for one in ranges] == [
        (FIRST_SLOT, LAST_SLOT),
        (FIRST_SLOT, FIRST_SLOT + HALF - 1),
        (FIRST_SLOT + HALF, LAST_SLOT),
    ]


async def test_sub_sessions_run_on_their_own(payments: Path) -> None:
    """Each numbers its events from 1, goes on when it is told to, and has the state of its own range."""
    async with open_local_simulator([payments], split_slots=HALF) as simulator, open_control(simulator) as control:
        one, other = (await create(control))[-1]["params"]["session_ids"]
        await ready(control, [one, other])
        await go(control, other, 9)
        seen = (await events_until(control, (other, "completed")))[other]
        assert slots(seen) == list(range(FIRST_SLOT + HALF, LAST_SLOT + 1))
        assert [event["seq_id"] for event in seen] == list(range(seen[0]["seq_id"], seen[0]["seq_id"] + len(seen)))
        assert await balance(simulator, one) == LAMPORTS
        await go(control, one)
        assert slots((await events_until(control, (one, "readyForContinue")))[one]) == [FIRST_SLOT]


async def test_each_sub_session_has_its_own_data_plane(payments: Path) -> None:
    """A subscription to a sub-session gives its slots only, and ends with it."""
    async with open_local_simulator([payments], split_slots=HALF) as simulator, open_control(simulator) as control:
        created = await create(control)
        first, second = [one["params"]["session_id"] for one in created[:-1]]
        await ready(control, [first, second])
        control.endpoint = created[1]["params"]["rpc_endpoint"]
        async with open_data(simulator, control) as data:
            await data.subscribe(1, "accountDiffSubscribe", PAYEE_ADDRESS)
            await go(control, first, 9)
            await go(control, second, 9)
            seen = await data.until_complete()

    assert [m["params"]["result"]["context"]["slot"] for m in seen[:-1]] == list(
        range(FIRST_SLOT + HALF, LAST_SLOT + 1)
    )


async def test_a_sub_session_pauses_where_it_is_told(payments: Path) -> None:
    """`continueToSessionV1` runs one sub-session to a slot and pauses it."""
    async with open_local_simulator([payments], split_slots=HALF) as simulator, open_control(simulator) as control:
        one, other = (await create(control))[-1]["params"]["session_ids"]
        await ready(control, [one, other])
        going_to = {"slot": FIRST_SLOT + 2, "batchIndex": None}
        await control.send("continueToSessionV1", {"sessionId": one, "request": going_to})
        seen = (await events_until(control, (one, "paused")))[one]

    assert (slots(seen), seen[-1]["params"]) == ([FIRST_SLOT, FIRST_SLOT + 1, FIRST_SLOT + 2], {"slot": FIRST_SLOT + 2})


async def test_attaching_replays_each_from_its_own_cursor(payments: Path) -> None:
    """After a lost socket each sub-session's events come from the cursor given for it; one without a cursor from its first."""
    async with open_local_simulator([payments], split_slots=HALF) as simulator:
        async with open_control(simulator) as first:
            created = (await create(first))[-1]["params"]
            one, other = created["session_ids"]
            await ready(first, [one, other])
            await go(first, one, 2)
            seen = (await events_until(first, (one, "readyForContinue")))[one]
        cursor = seen[-3]["seq_id"]
        async with open_control(simulator) as second:
            attach = {
                "control_session_id": created["control_session_id"],
                "last_sequences": {one: cursor, "backtest_of_another_attempt": 5},
            }
            answer = await second.ask("attachParallelControlSessionV2", attach)
            assert (answer["method"], answer["params"]["session_ids"]) == ("parallelSessionAttachedV2", [one, other])
            replayed = await events_until(second, (one, "readyForContinue"), (other, "readyForContinue"))
            assert replayed[one] == seen[-2:]
            assert replayed[other][0]["seq_id"] == 1
            assert (await second.ask("resumeAttachedSession"))["method"] == "success"
            await go(second, one)
            assert slots((await events_until(second, (one, "readyForContinue")))[one]) == [FIRST_SLOT + 2]


async def test_closing_ends_all_sub_sessions(payments: Path) -> None:
    """`closeBacktestSession` ends the parallel session as a whole."""
    async with open_local_simulator([payments], split_slots=HALF) as simulator, open_control(simulator) as control:
        ids = (await create(control))[-1]["params"]["session_ids"]
        await ready(control, ids)
        assert (await control.ask("closeBacktestSession"))["method"] == "success"
        assert await closing_code(control.socket) == 1000
        assert [(await post(simulator, f"/backtest/{one}", "getSlot")).status_code for one in ids] == [404, 404]


async def test_one_sub_session_can_be_closed(payments: Path) -> None:
    """`closeSessionV1` is answered by an event of that sub-session, whose endpoint is then gone; the other goes on."""
    async with open_local_simulator([payments], split_slots=HALF) as simulator, open_control(simulator) as control:
        one, other = (await create(control))[-1]["params"]["session_ids"]
        await ready(control, [one, other])
        await control.send("closeSessionV1", {"sessionId": one})
        await events_until(control, (one, "success"))
        assert (await post(simulator, f"/backtest/{one}", "getSlot")).status_code == 404
        await go(control, one)
        assert "sessionNotFound" in str((await control.receive())["params"])
        await go(control, other)
        await events_until(control, (other, "readyForContinue"))


async def test_what_is_wrong_is_said_by_the_sub_session(payments: Path) -> None:
    """A refused request for a sub-session is an event of that one; the bare `error` is for unknown ids and missing addresses."""
    async with open_local_simulator([payments], split_slots=HALF) as simulator, open_control(simulator) as control:
        one, other = (await create(control))[-1]["params"]["session_ids"]
        await ready(control, [one, other])
        await control.send("continueSessionV1", {"sessionId": one, "request": going_on(transactions=["!"])})
        refused = (await events_until(control, (one, "error")))[one]
        assert refused[-1]["params"]["invalidTransactionEncoding"]["index"] == 0
        await control.send("continue", going_on())
        assert "continueSessionV1" in str((await control.receive())["params"])
        await go(control, "backtest_nobody")
        assert (await control.receive())["params"] == {"sessionNotFound": {"session_id": "backtest_nobody"}}
        await go(control, one)
        await events_until(control, (one, "readyForContinue"))


async def test_a_sub_session_can_be_attached_alone(payments: Path) -> None:
    """A sub-session attached by its own id is a single session from then on, as the unmanaged official client uses it."""
    async with open_local_simulator([payments], split_slots=HALF) as simulator, open_control(simulator) as control:
        one, other = (await create(control))[-1]["params"]["session_ids"]
        await ready(control, [one, other])
        async with open_control(simulator) as single:
            attach = {"session_id": other, "last_sequence": None}
            assert (await single.ask("attachBacktestSession", attach))["method"] == "sessionAttached"
            assert (await single.until("readyForContinue"))[0]["seqId"] == 1
            assert slots(await single.advance())[0] == FIRST_SLOT + HALF
            await go(control, one)
            assert set(await events_until(control, (one, "readyForContinue"))) == {one}


async def test_a_parallel_session_outlives_its_socket_by_default(payments: Path) -> None:
    """Without `disconnectTimeoutSecs` a parallel session is kept for a while; with 0 it ends with its client."""
    async with open_local_simulator([payments], split_slots=HALF) as simulator:
        control_ids = []
        for params in ({}, {"disconnectTimeoutSecs": 0}):
            async with open_control(simulator) as control:
                created = (await create(control, **params))[-1]["params"]
                control_ids.append(created["control_session_id"])
        with trio.fail_after(10):
            while (await post(simulator, f"/backtest/{created['session_ids'][0]}", "getSlot")).status_code != 404:
                await trio.lowlevel.checkpoint()
        answers = []
        for control_id in control_ids:
            async with open_control(simulator) as control:
                attach = {"control_session_id": control_id, "last_sequences": {}}
                answers.append((await control.ask("attachParallelControlSessionV2", attach))["method"])

    assert answers == ["parallelSessionAttachedV2", "error"]


async def test_a_range_that_cannot_be_split_is_refused(payments: Path) -> None:
    """A range that nobody has is refused with the typed error."""
    async with open_local_simulator([payments], split_slots=HALF) as simulator, open_control(simulator) as control:
        [error] = await create(control, endSlot=LAST_SLOT + 1)

    assert error["params"] == {"bundleNotFound": {"start_slot": FIRST_SLOT, "end_slot": LAST_SLOT + 1}}
