"""The control plane of the simulator, over real sockets and with another client than ours."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest

from simclient.errors import InputError
from simclient.local import open_local_simulator
from simclient.local.server.limits import SimulatorLimits

from .blocks import FIRST_SLOT, LAMPORTS, PAYEE_ADDRESS, SYSTEM_PROGRAM, pay, write_blocks
from .clients import Message, closing_code, creation, failure, going_on, old_creation, open_control, post, slots

LAST_SLOT = FIRST_SLOT + 4


def methods(messages: list[Message]) -> list[str]:
    return [message["method"] for message in messages]


# The life of a session


async def test_a_session_lives_from_its_creation_to_its_close(payments: Path) -> None:
    """Created, ready, two slots, ready, the rest, completed, closed."""
    async with open_local_simulator([payments]) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, LAST_SLOT)
        first = await control.advance(2)
        rest = await control.advance(2**64 - 1)
        assert (slots(first), slots(rest)) == ([1000, 1001], [1002, 1003, 1004])
        assert (methods(first)[-1], methods(rest)[-1]) == ("readyForContinue", "completed")
        assert (await control.ask("closeBacktestSession"))["method"] == "success"
        assert await closing_code(control.socket) == 1000


async def test_events_are_numbered_from_one(payments: Path) -> None:
    """Every event has the next sequence number; the answers to requests have none."""
    async with open_local_simulator([payments]) as simulator, open_control(simulator) as control:
        await control.send("createBacktestSession", creation(FIRST_SLOT, LAST_SLOT))
        created, *ready = await control.until("readyForContinue")
        events = [*ready, *await control.advance(9)]

    assert "seqId" not in created
    assert [event["seqId"] for event in events] == list(range(1, len(events) + 1))


async def test_the_summary_comes_when_asked_for(payments: Path) -> None:
    """With `sendSummary` the end says how the outcomes compare."""
    async with open_local_simulator([payments]) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, LAST_SLOT, sendSummary=True)
        completed = (await control.advance(9))[-1]

    assert completed["params"]["summary"]["correctSimulation"] == 5


async def test_a_range_without_blocks_is_told(tmp_path: Path) -> None:
    """A range in which every slot was skipped ends with the typed error."""
    path = write_blocks(tmp_path / "gaps.bundle", {10: [], 20: []})
    async with open_local_simulator([path]) as simulator, open_control(simulator) as control:
        await control.ask("createBacktestSession", creation(11, 19))
        error = (await control.until("error"))[-1]

    assert failure(error) == {"noProducedBlocksInRange": {"start_slot": 11, "end_slot": 19}}


async def test_continue_to_ends_in_paused(payments: Path) -> None:
    """`continueTo` runs the whole slot and pauses; then the session takes the next request."""
    async with open_local_simulator([payments]) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, LAST_SLOT)
        await control.send("continueTo", {"slot": FIRST_SLOT + 1, "batchIndex": None})
        seen = await control.until("paused", "readyForContinue")
        assert (slots(seen), seen[-1]["params"]) == ([FIRST_SLOT, FIRST_SLOT + 1], {"slot": FIRST_SLOT + 1})
        assert slots(await control.advance()) == [FIRST_SLOT + 2]


async def test_continue_to_a_skipped_slot_pauses_there(tmp_path: Path) -> None:
    """A target that was skipped is reached when the last block before it was executed."""
    path = write_blocks(tmp_path / "gaps.bundle", {10: [], 13: [], 20: []})
    async with open_local_simulator([path]) as simulator, open_control(simulator) as control:
        await control.create(10, 20)
        await control.send("continueTo", {"slot": 15, "batchIndex": None})
        seen = await control.until("paused", "readyForContinue")

    assert (slots(seen), seen[-1]["params"]) == ([10, 13], {"slot": 15})


async def test_continue_to_the_end_completes(payments: Path) -> None:
    """At the end of the range `completed` comes instead of `paused`."""
    async with open_local_simulator([payments]) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, LAST_SLOT)
        await control.send("continueTo", {"slot": LAST_SLOT, "batchIndex": None})
        assert methods(await control.until("paused", "completed"))[-1] == "completed"


async def test_what_a_user_adds_is_announced(payments: Path) -> None:
    """Given transactions and accounts have their statuses, in the order of what happens."""
    account = {"lamports": 7_000_000, "owner": SYSTEM_PROGRAM, "data": {"data": "", "encoding": "base64"}}
    async with open_local_simulator([payments]) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, LAST_SLOT)
        seen = await control.advance(
            transactions=[b64encode(pay(1)).decode()],
            modifyAccountStates={PAYEE_ADDRESS: {**account, "executable": False, "space": 0}},
        )
        balance = await post(simulator, control.endpoint, "getBalance", PAYEE_ADDRESS)

    assert [m["params"]["status"] for m in seen if m["method"] == "status"] == [
        "decodedTransactions",
        "appliedAccountModifications",
        "readyToExecuteUserTransactions",
        "executedUserTransactions",
        "executingBlockTransactions",
        "executedBlockTransactions",
    ]
    assert balance.json()["result"]["value"] == 7_000_000 + 1 + 1_000_000


# Bad requests


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"method": "nothing"}', '{"method": "continue", "params": {"advanceCount": "5"}}', "\x00"],
)
async def test_what_cannot_be_read_is_refused(payments: Path, text: str) -> None:
    """A message that is no request is answered with invalidRequest, and the connection goes on."""
    async with open_local_simulator([payments]) as simulator, open_control(simulator) as control:
        await control.socket.send_message(text)
        assert "invalidRequest" in str(failure(await control.receive()))
        await control.create(FIRST_SLOT, LAST_SLOT)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        (creation(FIRST_SLOT, LAST_SLOT + 1), "bundleNotFound"),
        (creation(LAST_SLOT, FIRST_SLOT), "invalidRequest"),
        ({**creation(FIRST_SLOT, LAST_SLOT), "agents": [{"agentType": "arb"}]}, "agents are not served"),
        (old_creation(FIRST_SLOT, LAST_SLOT + 1), "no bundle covers slots 1000 to 1005"),
    ],
    ids=["no-bundle", "reversed", "agents", "no-bundle-for-0.9"],
)
async def test_a_session_that_cannot_be_is_refused(payments: Path, params: Message, expected: str) -> None:
    """A range that nobody has, a reversed one and what is not served are refused, in words that the client's generation knows."""
    async with open_local_simulator([payments]) as simulator, open_control(simulator) as control:
        assert expected in str(failure(await control.ask("createBacktestSession", params)))


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("continue", going_on()),
        ("closeBacktestSession", None),
        ("resumeAttachedSession", None),
        ("attachBacktestSession", {"session_id": "nobody", "last_sequence": None}),
    ],
)
async def test_a_request_without_a_session_is_refused(payments: Path, method: str, params: object) -> None:
    """What needs a session is refused where there is none."""
    async with open_local_simulator([payments]) as simulator, open_control(simulator) as control:
        failure(await control.ask(method, params))


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        (going_on(transactions=["!"]), ("invalidTransactionEncoding", "index", 0)),
        (going_on(transactions=[b64encode(pay(1)).decode(), "AAAA"]), ("invalidTransactionFormat", "index", 1)),
        (going_on(0), ("invalidRequest", "error", "advanceCount is 0; give at least 1")),
    ],
    ids=["base64", "transaction", "no-slot"],
)
async def test_a_bad_continue_leaves_the_session_ready(
    payments: Path, params: Message, expected: tuple[str, str, object]
) -> None:
    """A refused `continue` says what was wrong and where; the session is ready for the next, and nothing was executed."""
    kind, member, value = expected
    async with open_local_simulator([payments]) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, LAST_SLOT)
        await control.send("continue", params)
        error = (await control.until("error"))[-1]
        assert error["params"][kind][member] == value
        if "seqId" in error:
            assert methods(await control.until("readyForContinue")) == ["readyForContinue"]
        assert slots(await control.advance()) == [FIRST_SLOT]


async def test_an_account_that_cannot_be_set_leaves_the_session_ready(payments: Path) -> None:
    """A modification that the machine refuses is an error, then `readyForContinue`; the good one beside it is undone."""
    account = {"lamports": 7, "owner": SYSTEM_PROGRAM, "data": {"data": "", "encoding": "base64"}, "space": 0}
    modifications = {
        PAYEE_ADDRESS: {**account, "executable": False},
        "SysvarC1ock11111111111111111111111111111111": {**account, "executable": False},
    }
    async with open_local_simulator([payments]) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, LAST_SLOT)
        seen = await control.advance(modifyAccountStates=modifications)
        assert methods(seen) == ["error", "readyForContinue"]
        assert "SysvarC1ock" in str(failure(seen[0]))
        balance = await post(simulator, control.endpoint, "getBalance", PAYEE_ADDRESS)
        assert balance.json()["result"]["value"] == LAMPORTS


async def test_a_second_continue_before_ready_is_refused(payments: Path) -> None:
    """Of two requests sent at once one is carried out, and the other refused."""
    async with open_local_simulator([payments]) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, LAST_SLOT)
        await control.send("continue", going_on())
        assert "not ready" in str(failure(await control.ask("continue", going_on())))
        await control.until("readyForContinue")
        assert slots(await control.advance()) == [FIRST_SLOT + 1]


async def test_going_back_is_refused(payments: Path) -> None:
    """`continueTo` a slot that was executed is refused."""
    async with open_local_simulator([payments]) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, LAST_SLOT)
        await control.advance(2)
        answer = await control.ask("continueTo", {"slot": FIRST_SLOT, "batchIndex": None})

    assert "is behind" in str(failure(answer))


async def test_a_connection_has_one_session(payments: Path) -> None:
    """A second creation or attachment on the same connection is refused."""
    async with open_local_simulator([payments]) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, LAST_SLOT)
        failure(await control.ask("createBacktestSession", creation(FIRST_SLOT, LAST_SLOT)))
        attach = {"session_id": control.session_id, "last_sequence": None}
        failure(await control.ask("attachBacktestSession", attach))


# Capacity


async def test_without_a_place_a_session_is_refused(payments: Path) -> None:
    """When there are as many sessions as there may be, the next one is refused at once."""
    limits = SimulatorLimits(max_sessions=1)
    async with open_local_simulator([payments], limits=limits) as simulator, open_control(simulator) as first:
        await first.create(FIRST_SLOT, LAST_SLOT)
        async with open_control(simulator) as second:
            answer = await second.ask("createBacktestSession", creation(FIRST_SLOT, LAST_SLOT))
            assert "close one first" in str(failure(answer))


async def test_a_creation_waits_for_a_place(payments: Path) -> None:
    """With `capacityWaitTimeoutSecs` a creation waits until another session has ended; meanwhile a second one is refused."""
    limits = SimulatorLimits(max_sessions=1)
    async with open_local_simulator([payments], limits=limits) as simulator, open_control(simulator) as first:
        await first.create(FIRST_SLOT, LAST_SLOT)
        async with open_control(simulator) as second:
            await second.send(
                "createBacktestSession", {**creation(FIRST_SLOT, LAST_SLOT), "capacityWaitTimeoutSecs": 30}
            )
            refused = await second.ask("createBacktestSession", creation(FIRST_SLOT, LAST_SLOT))
            assert "is creating a session already" in str(failure(refused))
            await first.ask("closeBacktestSession")
            assert (await second.receive())["method"] == "sessionCreated"


async def test_sessions_are_isolated(payments: Path) -> None:
    """What happens in one session is not seen in another."""
    async with (
        open_local_simulator([payments]) as simulator,
        open_control(simulator) as one,
        open_control(simulator) as other,
    ):
        await one.create(FIRST_SLOT, LAST_SLOT)
        await other.create(FIRST_SLOT, LAST_SLOT)
        await one.advance(3)
        balances = [
            (await post(simulator, control.endpoint, "getBalance", PAYEE_ADDRESS)).json()["result"]["value"]
            for control in (one, other)
        ]

    assert balances == [LAMPORTS + 3_000_003, LAMPORTS]


async def test_a_taken_port_is_named() -> None:
    """Listening where somebody listens already fails with the port in the message."""
    async with open_local_simulator() as simulator:
        with pytest.raises(InputError, match=f"port {simulator.port} is taken"):
            async with open_local_simulator(port=simulator.port):
                pass
