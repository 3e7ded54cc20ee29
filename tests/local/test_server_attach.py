"""Coming back to a session of the simulator, by its id, its name or its token; over real sockets and with another client than ours."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from simclient.local import open_local_simulator

from .blocks import FIRST_SLOT
from .clients import Control, Message, closing_code, creation, failure, going_on, open_control, post, slots

LAST_SLOT = FIRST_SLOT + 4


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
