"""Every kind of subscription is managed alike: replayed after a drop, de-duplicated, drained to its end marker."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import trio

from simclient.session.managed import open_backtest_session
from simclient.testing import ControlPeer, DataPeer, open_scripted_server
from simclient.wire.action_results import ActionResult, DiagnosticResult
from simclient.wire.codec import write_value
from simclient.wire.notifications import UnknownNotification
from simclient.wire.replacements import OriginalReplayed, ReplacementContext, ReplacementNotification
from simclient.wire.responses import Completed, ReadyForContinue
from simclient.wire.subscriptions import Actions, Diagnostics, Logs, Replacements, Subscription, Transactions

from .sessions import QUICK

TOKEN_PROGRAM = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
SIGNATURE = "1" * 64


def logs_of(slot: int) -> bytes:
    value = {"signature": f"s{slot}", "err": None, "logs": [f"Program log: {slot}"]}
    return json.dumps({"context": {"slot": slot}, "value": value}).encode()


def transaction_of(slot: int) -> bytes:
    message = {"accountKeys": [], "instructions": [], "recentBlockhash": TOKEN_PROGRAM}
    return json.dumps(
        {"slot": slot, "transaction": {"signatures": [f"s{slot}"], "message": message}, "meta": None}
    ).encode()


def action_of(slot: int) -> bytes:
    result = ActionResult(context=ReplacementContext(slot=slot), slot=slot, action_index=0, committed=True)
    return write_value(result).encode()


def diagnostic_of(slot: int) -> bytes:
    result = DiagnosticResult(
        context=ReplacementContext(slot=slot), slot=slot, probe_index=0, market=TOKEN_PROGRAM, usd_value=1
    )
    return write_value(result).encode()


def replacement_of(slot: int) -> bytes:
    result = OriginalReplayed(
        context=ReplacementContext(slot=slot),
        slot=slot,
        batch_index=0,
        original_signature=SIGNATURE,
        outcome="landed",
        compute_units_consumed=1,
    )
    return write_value(result, kind=ReplacementNotification).encode()


@pytest.mark.parametrize(
    ("subscription", "method", "params", "result_of"),
    [
        (Logs(mentions=TOKEN_PROGRAM), "logs", [{"mentions": [TOKEN_PROGRAM]}, {"commitment": "confirmed"}], logs_of),
        (
            Transactions(mentions=TOKEN_PROGRAM),
            "transaction",
            [{"mentions": [TOKEN_PROGRAM]}, {"commitment": "confirmed"}],
            transaction_of,
        ),
        (Actions(), "action", [None, {}], action_of),
        (Diagnostics(), "diagnostic", [None, {}], diagnostic_of),
        (Replacements(), "replacement", [None, {}], replacement_of),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("compress", [False, True])
async def test_a_subscription_of_any_kind_survives_a_drop(
    subscription: Subscription,
    method: str,
    params: list[object],
    result_of: Callable[[int], bytes],
    compress: bool,
) -> None:
    """The second socket replays from the last slot; each result arrives once, and the end marker ends the run."""
    asked: list[dict[str, object]] = []

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue(), Completed())
        await peer.accept_close()

    async def subscribe(peer: DataPeer) -> None:
        message = await peer.receive_message()
        asked.append(json.loads(message))
        await peer.send_message(json.dumps({"jsonrpc": "2.0", "id": asked[-1]["id"], "result": len(asked)}))
        if compress:
            peer.start_compressing()

    async def first(peer: DataPeer) -> None:
        await subscribe(peer)
        await peer.notify(*map(result_of, (100, 101, 102)), subscription_id=1, method=f"{method}Notification")
        peer.cut()

    async def second(peer: DataPeer) -> None:
        await subscribe(peer)
        await peer.notify(*map(result_of, (102, 103)), subscription_id=2, method=f"{method}Notification")
        await peer.complete(2)
        await peer.hold()

    async with open_scripted_server(control=[control], data=[first, second]) as server:
        async with open_backtest_session(
            server.url, start_slot=100, end_slot=105, subscriptions=[subscription], compress=compress, limits=QUICK
        ) as session:
            with trio.fail_after(10):
                events = [event async for event in session]

    notifications = [event for event in events if not isinstance(event, (ReadyForContinue, Completed))]
    assert [event.slot for event in notifications if hasattr(event, "slot")] == [100, 101, 102, 103]
    assert isinstance(events[-1], Completed)
    compression: dict[str, object] = {"compression": "zstd"} if compress else {}
    target, options = params
    assert isinstance(options, dict)
    assert [(request["method"], request["params"]) for request in asked] == [
        (f"{method}Subscribe", [target, options | compression]),
        (f"{method}Subscribe", [target, options | {"replayFromSlot": 102} | compression]),
    ]


async def test_a_report_of_a_newer_server_is_kept_as_it_came() -> None:
    """A replacement of a kind that this version does not know is neither lost nor fatal."""
    result = b'{"kind":"somethingNew","context":{"slot":100},"slot":100}'

    async def control(peer: ControlPeer) -> None:
        await peer.accept_create()
        await peer.send(ReadyForContinue(), Completed())
        await peer.accept_close()

    async def data(peer: DataPeer) -> None:
        await peer.accept_subscribe()
        await peer.notify(result, method="replacementNotification")
        await peer.complete()
        await peer.hold()

    async with open_scripted_server(control=[control], data=[data]) as server:
        async with open_backtest_session(
            server.url, start_slot=100, end_slot=105, subscriptions=[Replacements(label="mine")]
        ) as session:
            events = [event async for event in session]

    [unknown] = [event for event in events if not isinstance(event, (ReadyForContinue, Completed))]
    assert isinstance(unknown, UnknownNotification)
    assert (unknown.label, unknown.result_bytes) == ("mine", result)
