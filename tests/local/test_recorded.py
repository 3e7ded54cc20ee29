"""A recording played back, whatever is in it: by slot, to the subscriptions that it may have come by."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from solders.pubkey import Pubkey

from simclient.errors import BundleError, InputError
from simclient.local.engine import Published
from simclient.local.engine.messages import Execute, ExecutedSlot, Load
from simclient.local.recorded.playback import Playback
from simclient.wire.recording import RecordedKey, RecordingEncoder, RecordingHeader, compressed

A, B, PROGRAM, OTHER_PROGRAM = (str(Pubkey.from_bytes(bytes([n]) * 32)) for n in (1, 2, 3, 4))
CLOCK = "SysvarC1ock11111111111111111111111111111111"
Json = Any

ACCOUNT_KEY = RecordedKey(method="accountDiffSubscribe", address=A)
PROGRAM_KEY = RecordedKey(method="accountDiffSubscribe", address=PROGRAM, is_program=True)
LOGS_A, LOGS_B = (RecordedKey(method="logsSubscribe", address=address) for address in (A, B))


def state(lamports: int = 5, owner: str = PROGRAM, data: Json = None) -> Json:
    data = [b64encode(b"data").decode(), "base64"] if data is None else data
    return {"lamports": lamports, "owner": owner, "data": data, "executable": False, "rentEpoch": 0, "space": 4}


def notification(kind: str, result: Json) -> bytes:
    value = {"jsonrpc": "2.0", "method": f"{kind}Notification", "params": {"subscription": 1, "result": result}}
    return json.dumps(value).encode()


def diff(slot: int, account: Json = A, post: Json = None, **more: Json) -> bytes:
    result = {"context": {"slot": slot}, "account": account, "pre": None, "post": post or state(), **more}
    return notification("accountDiff", result)


def logs(slot: int, *lines: str) -> bytes:
    return notification("logs", {"context": {"slot": slot}, "value": {"signature": "s", "err": None, "logs": lines}})


def event(method: str, params: Json = None) -> str:
    return json.dumps({"method": method} if params is None else {"method": method, "params": params})


def said(slot: int) -> str:
    return event("slotNotification", slot)


COMPLETED = event("completed", {"summary": {"correctSimulation": 7, "incorrectSimulation": 1, "executionErrors": 0,
                                            "balanceDiff": 0, "logDiff": 0}})  # fmt: skip


def playback(
    tmp_path: Path, *moments: str | bytes, keys: tuple[RecordedKey, ...] = (ACCOUNT_KEY, PROGRAM_KEY), **load: Json
) -> Playback:
    """Play a recording of these events (texts) and notifications (bytes), a millisecond apart."""
    encoder = RecordingEncoder()
    encoder.begin(RecordingHeader(created_by="tests", url="", start_slot=1, end_slot=9, started_utc="", keys=keys))
    for number, moment in enumerate(moments):
        if isinstance(moment, str):
            encoder.control(number * 1_000, moment.encode())
        else:
            encoder.data(number * 1_000, moment)
    encoder.end("left", None)
    path = tmp_path / "x.recording"
    path.write_bytes(encoder.prologue() + compressed(encoder.take()))
    return Playback(path, Load(**{"id": 1, "start_slot": 1, "end_slot": 9, **load}))


def play(played: Playback, **request: Json) -> list[ExecutedSlot]:
    """Play to the end, and close the file."""
    found: list[ExecutedSlot] = []
    try:
        while played.next_slot is not None:
            asked = {"id": 1, "transactions": [], "modifications": [], "most_slots": 4, **request}
            found += played.execute(Execute(**asked)).slots
    finally:
        played.close()
    return found


def published(slot: ExecutedSlot) -> list[Published]:
    """Return what a slot gives; of a recording all is ready to be sent."""
    return [note for note in slot.notes if isinstance(note, Published)]


def test_notifications_belong_to_their_slot_whenever_they_came(tmp_path: Path) -> None:
    """Control events came first, and two sockets took turns: each slot has its own all the same, in their order."""
    first, second, late = diff(1, lamports=1), diff(2), diff(1, lamports=2)
    slots = play(playback(tmp_path, said(1), said(2), said(4), COMPLETED, first, second, late))

    assert [slot.slot for slot in slots] == [1, 2, 4]
    assert [[p.result for p in published(slot)] for slot in slots] == [
        [json.dumps(json.loads(raw)["params"]["result"]).encode() for raw in of_slot]
        for of_slot in ([first, late], [second], [])
    ]


def test_copies_are_dealt_to_the_subscriptions_that_they_came_by(tmp_path: Path) -> None:
    """A diff that an account's and a program's subscription both gave is given once to each again."""
    both, other = diff(1, A), diff(1, B)
    [slot] = play(playback(tmp_path, said(1), COMPLETED, both, other, both))

    assert [(p.keys, p.programs) for p in published(slot)] == [((A,), ()), ((), (PROGRAM,)), ((), (PROGRAM,))]


def test_logs_go_to_the_address_that_they_name(tmp_path: Path) -> None:
    """Logs do not say which accounts their transaction has: the address in a line decides, and else the first takes them."""
    moments = (logs(1, f"Program {B} invoke [1]"), logs(1, "nothing"), logs(1, f"Program {A} success"))
    [slot] = play(playback(tmp_path, said(1), COMPLETED, *moments, keys=(LOGS_A, LOGS_B)))

    assert [p.keys for p in published(slot)] == [(B,), (A,), (A,)]


@pytest.mark.parametrize(
    "strange",
    [
        diff(1, post=state(data=["?", "base64"])),
        diff(1, post=state(data=["AAAA", "base58"])),
        diff(1, post=state(data={"parsed": {}})),
        diff(1, post=state(lamports=2**64)),
        diff(1, post=state(owner="me")),
        diff(1, post={"lamports": 5}),
        diff(1, account="not base58"),
        diff(1, account=None),
        diff(1, account=CLOCK, post=state(owner="Sysvar1111111111111111111111111111111111111")),
        diff(1, post=state(owner="BPFLoaderUpgradeab1e11111111111111111111111")),
    ],
)
def test_a_strange_diff_is_given_as_it_came(tmp_path: Path, strange: bytes) -> None:
    """What makes no account is no state for the RPC, and is played back all the same."""
    [slot] = play(playback(tmp_path, said(1), COMPLETED, strange))

    assert [json.loads(p.result) for p in published(slot)] == [json.loads(strange)["params"]["result"]]


def test_the_state_follows_the_diffs(tmp_path: Path) -> None:
    """After each slot an account is what its last diff says, also before the first slot asked for."""
    gone = notification("accountDiff", {"context": {"slot": 3}, "account": A, "pre": state(), "post": None})
    played = playback(
        tmp_path, said(1), said(2), said(3), COMPLETED, diff(1), diff(2, post=state(9)), gone, start_slot=2
    )

    before = played.machine.get_account(Pubkey.from_string(A))
    assert before is not None
    assert before.lamports == 5
    play(played)
    assert played.machine.get_account(Pubkey.from_string(A)) is None


def test_errors_are_repeated_at_their_slot(tmp_path: Path) -> None:
    """A simulation error comes again with the slot that was said after it."""
    error = event("error", {"simulationError": {"error": "it went wrong"}})
    slots = play(playback(tmp_path, said(1), error, said(2), COMPLETED))

    assert [slot.errors for slot in slots] == [[], ["it went wrong"]]


def test_the_summary_is_of_the_whole(tmp_path: Path) -> None:
    """A session over all of it has the recorded summary; one over a part has none of it."""
    moments = (said(1), said(2), COMPLETED)
    whole, part = play(playback(tmp_path, *moments)), play(playback(tmp_path, *moments, start_slot=2))

    assert whole[-1].summary == (7, 1, 0, 0, 0)
    assert part[-1].summary == (0, 0, 0, 0, 0)


@pytest.mark.parametrize(("speed", "delays"), [(None, [0.0, 0.0]), (1.0, [0.0, 0.003]), (2.0, [0.0, 0.0015])])
def test_the_time_between_slots_is_waited_for(tmp_path: Path, speed: float | None, delays: list[float]) -> None:
    """At a speed each slot waits for what lay between it and the one before."""
    slots = play(playback(tmp_path, said(1), diff(1), diff(1), said(2), COMPLETED, speed=speed))

    assert [slot.delay_seconds for slot in slots] == pytest.approx(delays)


def test_a_session_that_did_not_complete_ends_with_the_reason(tmp_path: Path) -> None:
    """After the last recorded slot there is no more, and it is said why."""
    with pytest.raises(BundleError, match="it was left"):
        play(playback(tmp_path, said(1), said(2)))


@pytest.mark.parametrize(
    "request_",
    [
        {"transactions": [b"x"]},
        {"stop_at": (1, 2)},
    ],
)
def test_what_needs_execution_is_refused(tmp_path: Path, request_: Json) -> None:
    """Transactions and stops within a slot are refused, and nothing is lost by asking."""
    played = playback(tmp_path, said(1), COMPLETED)
    asked = {"id": 1, "transactions": [], "modifications": [], **request_}
    with pytest.raises(InputError, match="a recording"):
        played.execute(Execute(**asked))

    assert len(play(played)) == 1
