"""Scheduled actions, overrides and probes, over real sockets and with another client than ours."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from pathlib import Path

import pytest
import zstandard
from solders.keypair import Keypair

from simclient.local import LocalSimulator, open_local_simulator

from .blocks import FEE, FIRST_SLOT, LAMPORTS, PAYEE_ADDRESS, PAYER_ADDRESS, pay
from .clients import Control, Message, creation, going_on, open_control, open_data, post
from .four_batches import BLOCK, LAST_SLOT, MEMO, balance, methods

PROGRAM_EXECUTED = {"kind": "programExecuted", "value": MEMO}


def packed(value: object) -> str:
    """Return a value as the blobs of 0.28: base64 of zstd of JSON."""
    return b64encode(zstandard.compress(json.dumps(value).encode())).decode()


def action(anchor: Message, *transactions: bytes, **more: object) -> Message:
    return {"anchor": anchor, "transactions": packed([b64encode(t).decode() for t in transactions]), **more}


def state(lamports: int) -> Message:
    """Return an account of the system program."""
    data = {"data": "", "encoding": "base64"}
    return {"lamports": lamports, "owner": "1" * 32, "data": data, "executable": False, "space": 0}


def probe(**params: object) -> Message:
    """Return a probe after every slot."""
    return {"anchor": {"at": "afterEverySlot"}, "markets": [MEMO], "usdValues": [100], **params}


async def refusal(control: Control, **params: object) -> str:
    """Ask for a session that cannot be; return why."""
    answer = await control.ask("createBacktestSession", {**creation(FIRST_SLOT, LAST_SLOT), **params})
    error: str = answer["params"]["invalidRequest"]["error"]
    return error


async def results_of(simulator: LocalSimulator, *actions: Message) -> tuple[list[Message], int]:
    """Run the bundle with these actions; return their results, and what the payee gained."""
    async with open_control(simulator) as control:
        await control.create(FIRST_SLOT, LAST_SLOT, actions=packed(list(actions)))
        async with open_data(simulator, control) as data:
            assert "result" in await data.subscribe(1, "actionSubscribe", None)
            await control.advance(2**64 - 1)
            results = [m["params"]["result"] for m in (await data.until_complete())[:-1]]
        return results, await balance(simulator, control)


async def test_a_simulated_action_leaves_no_trace(bundle: Path) -> None:
    """Its transactions see each other's writes, in order, and the account asked for; the replay does not see them."""
    simulated = action(
        {"at": "beforeSlot", "slots": packed([FIRST_SLOT + 1] * 2)},
        pay(10),
        pay(20),
        returnAccounts=[PAYEE_ADDRESS],
        label="probe",
    )
    async with open_local_simulator([bundle]) as simulator:
        [result], gained = await results_of(simulator, simulated)

    assert gained == 7 + 10 + 8
    assert result["accounts"][0]["lamports"] == LAMPORTS + 7 + 30
    assert [outcome.get("err") for outcome in result["transactionOutcomes"]] == [None, None]
    assert (result["slot"], result["actionIndex"], result["label"], result["committed"]) == (
        FIRST_SLOT + 1,
        0,
        "probe",
        False,
    )


async def test_a_sent_action_stays(bundle: Path) -> None:
    """What is sent changes the replayed world."""
    sent = action({"at": "afterSlot", "slots": packed([FIRST_SLOT])}, pay(1_000), kind="send")
    async with open_local_simulator([bundle]) as simulator:
        [result], gained = await results_of(simulator, sent)

    assert (result["committed"], result["transactionOutcomes"][0]["fee"], gained) == (True, FEE, 7 + 10 + 8 + 1_000)


async def test_every_anchor_has_its_place(bundle: Path) -> None:
    """Slot anchors fire at their slots, those of a cadence at its multiples, match anchors at each matching batch."""
    actions = [
        action({"at": "beforeEverySlot", "everyNSlots": 2}, pay(11), returnAccounts=[PAYEE_ADDRESS]),
        action({"at": "afterEverySlot"}, pay(12), returnAccounts=[PAYEE_ADDRESS]),
        action({"at": "beforeMatch", "filter": PROGRAM_EXECUTED}, pay(13), returnAccounts=[PAYEE_ADDRESS]),
        action({"at": "afterMatch", "filter": PROGRAM_EXECUTED}, pay(14), returnAccounts=[PAYEE_ADDRESS]),
    ]
    async with open_local_simulator([bundle]) as simulator:
        results, _ = await results_of(simulator, *actions)

    own = {index: 11 + index for index in range(4)}
    seen = [
        (
            r["actionIndex"],
            r["slot"] - FIRST_SLOT,
            r.get("batchIndex"),
            r["accounts"][0]["lamports"] - LAMPORTS - own[r["actionIndex"]],
        )
        for r in results
    ]
    assert seen == [
        (0, 0, None, 0),
        (1, 0, None, 7),
        (2, 1, 1, 8),
        (3, 1, 1, 10),
        (2, 1, 3, 13),
        (3, 1, 3, 17),
        (1, 1, None, 17),
        (0, 2, None, 17),
        (1, 2, None, 25),
    ]
    assert b64decode(results[2]["matched"]["data"]) == BLOCK[1]
    assert results[2]["txIndex"] == 1


async def test_a_failing_transaction_is_the_last_of_its_action(bundle: Path) -> None:
    """What comes after a failure is not run, and the failure is told; overrides are seen by the first transaction."""
    failing = action(
        {"at": "afterEverySlot", "everyNSlots": 1_000},
        pay(1),
        pay(2),
        accountOverrides={PAYER_ADDRESS: state(1)},
    )
    async with open_local_simulator([bundle]) as simulator:
        [result], gained = await results_of(simulator, failing)

    [outcome] = result["transactionOutcomes"]
    assert (outcome["err"], gained) == ("InsufficientFundsForFee", 25)


PAYMENT = action({"at": "afterEverySlot"}, pay(1))
BEFORE = {"at": "beforeSlot", "slots": packed([FIRST_SLOT])}
OVERRIDE = {"accountOverrides": {PAYEE_ADDRESS: state(1)}}


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (action({"at": "beforeSlot", "slots": packed([1, 2])}, pay(1)), "2 slots and 1 transactions"),
        (action({"at": "afterEverySlot"}), "neither transactions to run nor accountOverrides"),
        (action({"at": "afterEverySlot"}, **OVERRIDE), "need a beforeSlot anchor"),
        (action({"at": "afterEverySlot"}, pay(1), feedsReroute=True), "need a beforeSlot anchor"),
        (action(BEFORE, **OVERRIDE, kind="send"), "not valid for kind: send"),
        (action(BEFORE, accountOverrides={PAYEE_ADDRESS: {**state(1), "executable": True}}), "not supported"),
        (action(BEFORE, pay(1), resolve={"type": "quoteStamp"}), "resolve is not served"),
        ({"anchor": {"at": "afterEverySlot"}, "transactions": packed(["!"])}, "transaction 0 is not base64"),
    ],
    ids=["lengths", "empty", "anchor", "fed anchor", "sent", "program", "resolve", "base64"],
)
async def test_an_action_that_cannot_be_is_refused(bundle: Path, bad: Message, said: str) -> None:
    """A contradiction, and what is not served, is refused when the session is created, with the action's place."""
    async with open_local_simulator([bundle]) as simulator, open_control(simulator) as control:
        error = await refusal(control, actions=packed([PAYMENT, bad]))

    assert error.startswith("action 1: ")
    assert said in error


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"reroute": {}}, "leave reroute out"),
        ({"agents": [{"agentType": "arb", "seedTokenAccounts": {}, "arbRoutes": []}]}, "leave agents out"),
        ({"diagnosticProbes": [probe(markets=[])]}, "diagnostic probe 0: give 1 to 64 markets"),
        ({"diagnosticProbes": [probe(), probe(markets=[MEMO] * 2)]}, "diagnostic probe 1: give 1 to 64 markets"),
        ({"diagnosticProbes": [probe(usdValues=[10, 0])]}, "none of them 0"),
        ({"diagnosticProbes": [probe(anchor={"at": "beforeEverySlot"})]}, "only afterSlot and afterEverySlot"),
    ],
)
async def test_what_takes_a_router_is_refused(bundle: Path, params: Message, said: str) -> None:
    """Nothing is started that would wait for a router's results in vain; the refusal names the field and the way out."""
    async with open_local_simulator([bundle]) as simulator, open_control(simulator) as control:
        assert said in await refusal(control, **params)
        await control.create(FIRST_SLOT, LAST_SLOT)


async def test_nothing_is_sent_where_nothing_is_executed(bundle: Path) -> None:
    """A replay of account states cannot send an action's transactions, and says what else can be done."""
    sent = action({"at": "afterEverySlot"}, pay(1), kind="send")
    async with open_local_simulator([bundle]) as simulator, open_control(simulator) as control:
        error = await refusal(control, replayAccountState=True, actions=packed([sent]))

    assert error.startswith("action 0: kind: send is not possible with replayAccountState")


# Overrides


async def test_declared_overrides_are_seen_from_outside(bundle: Path) -> None:
    """From its slot on an override is what reading by address and later simulations see; what the chain executes does not."""
    declared = action(
        {"at": "beforeSlot", "slots": packed([FIRST_SLOT + 1])}, accountOverrides={PAYEE_ADDRESS: state(2 * LAMPORTS)}
    )
    simulated = action({"at": "afterEverySlot"}, pay(1_000), returnAccounts=[PAYEE_ADDRESS])
    async with open_local_simulator([bundle]) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, LAST_SLOT, actions=packed([declared, simulated]))
        async with open_data(simulator, control) as data:
            await data.subscribe(1, "actionSubscribe", None)
            await data.subscribe(2, "accountDiffSubscribe", PAYEE_ADDRESS)
            await control.advance()
            assert await balance(simulator, control) == 7
            await control.advance()
            info = (await post(simulator, control.endpoint, "getAccountInfo", PAYEE_ADDRESS)).json()["result"]["value"]
            assert info["lamports"] == 2 * LAMPORTS
            await control.advance()
            seen = [m["params"]["result"] for m in (await data.until_complete(2)) if "result" in m["params"]]

    accounts = [one["accounts"][0]["lamports"] for one in seen if "accounts" in one]
    assert accounts == [LAMPORTS + 7 + 1_000, 2 * LAMPORTS + 1_000, 2 * LAMPORTS + 1_000]
    diffs = [one["post"]["lamports"] for one in seen if "post" in one]
    assert diffs[-1] == LAMPORTS + 7 + 10 + 8


async def test_later_overrides_win_and_earlier_ones_are_found(bundle: Path) -> None:
    """Of two for one account the later slot counts, at one slot the later action; one for a slot before the range counts, too."""
    actions = [
        action({"at": "beforeSlot", "slots": packed([LAST_SLOT])}, accountOverrides={PAYEE_ADDRESS: state(3)}),
        action({"at": "beforeSlot", "slots": packed([1, LAST_SLOT])}, accountOverrides={PAYER_ADDRESS: state(4)}),
        action({"at": "beforeSlot", "slots": packed([LAST_SLOT])}, accountOverrides={PAYEE_ADDRESS: state(6)}),
        action({"at": "beforeSlot", "slots": packed([FIRST_SLOT])}, accountOverrides={PAYEE_ADDRESS: state(2)}),
    ]
    seen = []
    async with open_local_simulator([bundle]) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, LAST_SLOT, actions=packed(actions))
        for _ in range(3):
            await control.advance()
            answer = await post(simulator, control.endpoint, "getMultipleAccounts", [PAYEE_ADDRESS, PAYER_ADDRESS])
            seen.append([account["lamports"] for account in answer.json()["result"]["value"]])

    assert seen == [[2, 4], [2, 4], [6, 4]]


async def test_what_an_action_ends_with_overrides(bundle: Path) -> None:
    """With `feedsReroute` the accounts that an action ends with are seen from outside; where a transaction of it fails, nothing is."""
    poor = Keypair()
    anchor = {"at": "beforeSlot", "slots": packed([FIRST_SLOT + 1])}
    fed, failing = action(anchor, pay(1_000), feedsReroute=True), action(anchor, pay(1, payer=poor), feedsReroute=True)
    for actions, expected in (([fed], 7 + 1_000), ([failing], 7 + 10)):
        async with open_local_simulator([bundle]) as simulator, open_control(simulator) as control:
            await control.create(FIRST_SLOT, LAST_SLOT, actions=packed(actions))
            await control.advance(2)
            assert await balance(simulator, control) == expected


# Probes


async def test_probes_are_answered_that_there_is_no_router(bundle: Path) -> None:
    """Each market at each value is answered after its slots, with the reason in `err`, as the service answers a router that fails."""
    probes = [
        probe(anchor={"at": "afterSlot", "slots": packed([LAST_SLOT])}, usdValues=[10, 20]),
        probe(anchor={"at": "afterEverySlot", "everyNSlots": 2}, label="even"),
    ]
    async with open_local_simulator([bundle]) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, LAST_SLOT, diagnosticProbes=probes)
        async with open_data(simulator, control) as data:
            await data.subscribe(1, "diagnosticSubscribe", None)
            await control.advance(9)
            results = [m["params"]["result"] for m in (await data.until_complete())[:-1]]

    seen = [(r["slot"] - FIRST_SLOT, r["probeIndex"], r["usdValue"], r["label"]) for r in results]
    assert seen == [(0, 1, 100, "even"), (2, 0, 10, None), (2, 0, 20, None), (2, 1, 100, "even")]
    assert {(r["market"], r["err"]) for r in results} == {(MEMO, "this simulator has no router to ask")}


@pytest.mark.parametrize("method", ["diagnosticSubscribe", "replacementSubscribe", "actionSubscribe"])
async def test_streams_without_anything_end(bundle: Path, method: str) -> None:
    """The session-wide streams are accepted, and end with their marker."""
    async with open_local_simulator([bundle]) as simulator, open_control(simulator) as control:
        await control.create(FIRST_SLOT, LAST_SLOT)
        async with open_data(simulator, control) as data:
            await data.subscribe(1, method, None)
            await control.send("continue", going_on(9))
            assert methods(await data.until_complete()) == ["subscriptionComplete"]
