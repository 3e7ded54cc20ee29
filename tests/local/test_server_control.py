"""The control plane of the simulator, over real sockets and with another client than ours."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest
import trio

from simclient.errors import InputError
from simclient.local import open_local_simulator
from simclient.local.server.limits import SimulatorLimits

from .blocks import FIRST_SLOT, LAMPORTS, PAYEE_ADDRESS, SYSTEM_PROGRAM, pay, write_blocks, write_payments
from .clients import Control, Message, closing_code, creation, going_on, old_creation, open_control, post

LAST_SLOT = FIRST_SLOT + 4


@pytest.fixture
def payments(tmp_path: Path) -> Path:
    return write_payments(tmp_path / "payments.bundle")


def methods(messages: list[Message]) -> list[str]:
    return [message["method"] for message in messages]


def slots(messages: list[Message]) -> list[int]:
    return [message["params"] for message in messages if message["method"] == "slotNotification"]


def failure(message: Message) -> object:
    assert message["method"] == "error", message
    return message["params"]


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


# Coming back


async def attached(control: Control, to: Control, last_sequence: int | None) -> Message:
    return await control.ask("attachBacktestSession", {"session_id": to.session_id, "last_sequence": last_sequence})


async def test_attaching_replays_what_was_missed(payments: Path) -> None:
    """After `attachBacktestSession` come exactly the events after the last one seen; the run goes on after the resume."""
    async with open_local_simulator([payments]) as simulator:
        async with open_control(simulator) as first:
            await first.create(FIRST_SLOT, LAST_SLOT, disconnectTimeoutSecs=60)
            ready = first.last_sequence
            await first.send("continue", going_on(2))
            await first.receive()
        async with open_control(simulator) as second:
            answer = await attached(second, first, ready)
            assert (answer["method"], answer["params"]["session_id"]) == ("sessionAttached", first.session_id)
            missed = await second.until("readyForContinue")
            assert [event["seqId"] for event in missed] == list(range(ready + 1, second.last_sequence + 1))
            assert slots(missed) == [FIRST_SLOT, FIRST_SLOT + 1]
            assert (await second.ask("resumeAttachedSession"))["method"] == "success"
            assert slots(await second.advance()) == [FIRST_SLOT + 2]


@pytest.mark.parametrize("last_sequence", [None, 0])
async def test_attaching_without_a_sequence_replays_everything(payments: Path, last_sequence: int | None) -> None:
    """No last sequence means everything from the first event."""
    async with open_local_simulator([payments]) as simulator, open_control(simulator) as first:
        await first.create(FIRST_SLOT, LAST_SLOT)
        async with open_control(simulator) as second:
            await attached(second, first, last_sequence)
            assert (await second.receive())["seqId"] == 1


async def test_attaching_after_the_future_is_refused(payments: Path) -> None:
    """A sequence number that was never given is refused."""
    async with open_local_simulator([payments]) as simulator, open_control(simulator) as first:
        await first.create(FIRST_SLOT, LAST_SLOT)
        async with open_control(simulator) as second:
            failure(await attached(second, first, 1_000))


async def test_the_one_who_attaches_supersedes_the_other(payments: Path) -> None:
    """The connection that held the session is closed with 4001, and its going does not end the session."""
    async with open_local_simulator([payments]) as simulator, open_control(simulator) as second:
        async with open_control(simulator) as first:
            await first.create(FIRST_SLOT, LAST_SLOT)
            await attached(second, first, first.last_sequence)
            assert await closing_code(first.socket) == 4001
        assert slots(await second.advance()) == [FIRST_SLOT]


async def test_without_a_timeout_a_session_ends_with_its_client(payments: Path) -> None:
    """When the client of a session without a disconnect timeout has gone, the session has too."""
    async with open_local_simulator([payments]) as simulator:
        async with open_control(simulator) as first:
            await first.create(FIRST_SLOT, LAST_SLOT)
        with trio.fail_after(10):
            while (await post(simulator, first.endpoint, "getSlot")).status_code != 404:
                await trio.lowlevel.checkpoint()
        async with open_control(simulator) as second:
            assert "sessionNotFound" in str(failure(await attached(second, first, None)))


async def test_another_key_cannot_attach(payments: Path) -> None:
    """A session is its creator's: with another API key, or without one, it cannot be taken up."""
    async with open_local_simulator([payments]) as simulator, open_control(simulator, "one key") as first:
        await first.create(FIRST_SLOT, LAST_SLOT)
        for key in ("another key", ""):
            async with open_control(simulator, key) as other:
                assert failure(await attached(other, first, None)) == "sessionOwnerMismatch"
        async with open_control(simulator, "one key") as second:
            assert (await attached(second, first, None))["method"] == "sessionAttached"


# Names and tokens


async def test_a_name_is_given_once(payments: Path) -> None:
    """A name is answered in lower case, and refused ever after, also when its session is over."""
    named = {**creation(FIRST_SLOT, LAST_SLOT), "parallel": False}
    async with open_local_simulator([payments]) as simulator:
        async with open_control(simulator) as first:
            created = await first.ask("createBacktestSession", {**named, "name": "My.Run-1"})
            assert created["params"]["session_name"] == "my.run-1"
            await first.ask("closeBacktestSession")
        async with open_control(simulator) as second:
            answer = await second.ask("createBacktestSession", {**named, "name": "my.RUN-1", "createToken": "0" * 32})
            assert failure(answer) == {"sessionNameTaken": {"session_name": "my.run-1"}}


@pytest.mark.parametrize("name", ["", "-run", "run.", "my run", "a" * 101])
async def test_a_bad_name_is_refused(payments: Path, name: str) -> None:
    """A name that breaks the rule is refused with the rule."""
    async with open_local_simulator([payments]) as simulator, open_control(simulator) as control:
        answer = await control.ask("createBacktestSession", {**creation(FIRST_SLOT, LAST_SLOT), "name": name})
        assert "1 to 100 letters" in str(failure(answer))


async def test_the_same_token_gives_the_same_session(payments: Path) -> None:
    """A creation sent again with its token finds what the first one made, and all events come again."""
    params = {**creation(FIRST_SLOT, LAST_SLOT), "name": "mine", "createToken": "1" * 32, "disconnectTimeoutSecs": 60}
    async with open_local_simulator([payments]) as simulator:
        async with open_control(simulator) as first:
            one = await first.ask("createBacktestSession", params)
            await first.until("readyForContinue")
        async with open_control(simulator) as second:
            again = await second.ask("createBacktestSession", params)
            assert again == one
            assert (await second.until("readyForContinue"))[0]["seqId"] == 1
            assert slots(await second.advance()) == [FIRST_SLOT]


async def test_a_token_of_a_session_that_is_gone_makes_another(payments: Path) -> None:
    """When the first session ended with its socket, the same creation has its name again."""
    params = {**creation(FIRST_SLOT, LAST_SLOT), "name": "mine", "createToken": "1" * 32}
    async with open_local_simulator([payments]) as simulator:
        async with open_control(simulator) as first:
            one = await first.ask("createBacktestSession", params)
            await first.ask("closeBacktestSession")
        async with open_control(simulator) as second:
            other = await second.ask("createBacktestSession", params)

    assert other["params"]["session_name"] == "mine"
    assert other["params"]["session_id"] != one["params"]["session_id"]


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
