"""`python -m benchmarks.consumers PROGRAM CONSUMER KIND URL [--subscriptions N] [--plain]`: reads a stream, as a user would write it.

Prints one line of JSON: events, seconds from the request for data to its end, CPU seconds in between, peak memory. Every program runs
in a process of its own. `CONSUMER` is what is done with a notification: `count` it; `read` slot, account and lamports (for logs and
transactions: slot, signature and lines); `decode` also the bytes of the account.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import resource
import sys
import time
from collections.abc import AsyncIterable, Awaitable, Callable
from typing import Any

import attrs
import orjson
import trio
import websockets
from trio_websocket import open_websocket_url

import simclient
from simclient import AccountDiff, Completed, ExecutedTransaction, ReadyForContinue, Status, TransactionLogs

from .sender import PULSE
from .streams import FIRST_SLOT, PROGRAM, SLOTS

__all__ = ["Task"]

Json = dict[str, Any]


@attrs.define
class Task:
    """What to read, and what came of it."""

    consumer: str
    kind: str
    url: str
    subscriptions: int
    compress: bool
    events: int = 0
    total: int = 0
    """A sum over what the consumer reads, so that nobody leaves it out."""
    pulses_seconds: list[float] = attrs.field(factory=list)
    """How long each control event took from its sending to the user's code."""
    _began: tuple[float, float] = (0.0, 0.0)
    _ended: tuple[float, float] = (0.0, 0.0)

    def begin(self) -> None:
        """The data is about to be asked for."""
        self._began = (time.perf_counter(), time.process_time())

    def end(self) -> None:
        """The last notification was taken."""
        self._ended = (time.perf_counter(), time.process_time())

    def report(self) -> Json:
        """Return the figures."""
        return {
            "events": self.events,
            "total": self.total,
            "seconds": self._ended[0] - self._began[0],
            "cpu_seconds": self._ended[1] - self._began[1],
            "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            "pulses_seconds": self.pulses_seconds,
        }

    @property
    def subscribe(self) -> str:
        """The request that a program without our client writes."""
        match self.kind:
            case "account-diff":
                method, params = "accountDiffSubscribe", [PROGRAM, {"address_type": "program"}]
            case "logs":
                method, params = "logsSubscribe", [{"mentions": [PROGRAM]}, {"commitment": "confirmed"}]
            case _:
                method, params = "transactionSubscribe", [{"mentions": [PROGRAM]}, {"commitment": "confirmed"}]
        return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})


# Ours


def _open_session(task: Task) -> Any:
    subscription = {
        "account-diff": lambda label: simclient.AccountDiffs(program=PROGRAM, label=label),
        "logs": lambda label: simclient.Logs(mentions=PROGRAM, label=label),
        "transaction": lambda label: simclient.Transactions(mentions=PROGRAM, label=label),
    }[task.kind]
    labels = [None] if task.subscriptions == 1 else [str(number) for number in range(task.subscriptions)]
    return simclient.open_backtest_session(
        f"{task.url}/backtest",
        start_slot=FIRST_SLOT,
        slot_count=SLOTS,
        subscriptions=[subscription(label) for label in labels],
        compress=task.compress,
    )


async def _iterate(task: Task) -> None:
    """`async for event in session`."""
    async with _open_session(task) as session:
        await _KINDS_OF_LOOP[task.kind, task.consumer](task, session)
    task.total %= 2**64


async def _control(task: Task, session: Any, event: object) -> None:
    match event:
        case ReadyForContinue():
            task.begin()
            await session.advance(SLOTS)
        case Status(status=name) if str(name).startswith(PULSE):
            task.pulses_seconds.append((time.monotonic_ns() - int(str(name).removeprefix(PULSE))) / 1e9)
        case Completed():
            task.end()
        case _:
            pass


async def _count(task: Task, session: Any) -> None:
    events = 0
    async for event in session:
        if isinstance(event, (AccountDiff, TransactionLogs, ExecutedTransaction)):
            events += 1
        else:
            await _control(task, session, event)
    task.events = events


async def _read_diffs(task: Task, session: Any) -> None:
    events = total = 0
    async for event in session:
        if isinstance(event, AccountDiff):
            events += 1
            total += event.slot + len(event.account) + event.post.lamports
        else:
            await _control(task, session, event)
    task.events, task.total = events, total


async def _decode_diffs(task: Task, session: Any) -> None:
    events = total = 0
    async for event in session:
        if isinstance(event, AccountDiff):
            events += 1
            total += event.slot + len(event.account) + event.post.lamports + len(event.post.data)
        else:
            await _control(task, session, event)
    task.events, task.total = events, total


async def _read_others(task: Task, session: Any) -> None:
    events = total = 0
    async for event in session:
        if isinstance(event, (TransactionLogs, ExecutedTransaction)):
            events += 1
            total += event.slot + len(event.signature) + len(event.logs)
        else:
            await _control(task, session, event)
    task.events, task.total = events, total


_KINDS_OF_LOOP: dict[tuple[str, str], Callable[[Task, Any], Awaitable[None]]] = {
    ("account-diff", "count"): _count,
    ("account-diff", "read"): _read_diffs,
    ("account-diff", "decode"): _decode_diffs,
    ("logs", "count"): _count,
    ("logs", "read"): _read_others,
    ("transaction", "count"): _count,
    ("transaction", "read"): _read_others,
}


# Without our client


def _read_json(task: Task, message: Json) -> bool:
    """Do what the consumer does with a message as dicts; return whether it was the last."""
    if "params" not in message:
        return False
    if message["method"] == "subscriptionComplete":
        return True

    task.events += 1
    if task.consumer == "count":
        return False

    result = message["params"]["result"]
    match task.kind:
        case "account-diff":
            task.total += result["context"]["slot"] + len(result["account"]) + result["post"]["lamports"]
            if task.consumer == "decode":
                task.total += len(base64.b64decode(result["post"]["data"][0]))
        case "logs":
            value = result["value"]
            task.total += result["context"]["slot"] + len(value["signature"]) + len(value["logs"])
        case _:
            task.total += result["slot"] + len(result["transaction"]["signatures"][0])
            task.total += len(result["meta"]["logMessages"])
    return False


async def _trio_websocket(task: Task) -> None:
    """The plain way: trio-websocket, json, dicts."""
    async with open_websocket_url(task.url) as socket:
        task.begin()
        await socket.send_message(task.subscribe)
        while not _read_json(task, json.loads(await socket.get_message())):
            pass
        task.end()


async def _websockets(task: Task) -> None:
    """The asyncio way: websockets and orjson."""
    async with websockets.connect(task.url, max_size=None, compression=None) as socket:
        task.begin()
        await socket.send(task.subscribe)
        async for text in socket:
            if _read_json(task, orjson.loads(text)):
                break
        task.end()


async def _solana_py(task: Task) -> None:
    """solana-py's subscription client; it has logs only, and does not know the end marker: the count says when it is over."""
    from solana.rpc.websocket_api import connect
    from solders.pubkey import Pubkey
    from solders.rpc.config import RpcTransactionLogsFilterMentions

    async with connect(task.url) as socket:
        task.begin()
        await socket.logs_subscribe(RpcTransactionLogsFilterMentions(Pubkey.from_string(PROGRAM)))
        await _read_solana_py(task, socket)
        task.end()


async def _read_solana_py(task: Task, socket: AsyncIterable[list[Any]]) -> None:
    try:
        async for messages in socket:
            for message in messages:
                if hasattr(message.result, "value"):
                    task.events += 1
                    if task.consumer == "read":
                        value = message.result.value
                        task.total += message.result.context.slot + len(str(value.signature)) + len(value.logs)
    except Exception as error:
        if "subscriptionComplete" not in str(error) and not task.events:
            raise


def main() -> None:
    """Run one program and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", choices=["simclient", "trio-websocket", "websockets", "solana-py"])
    parser.add_argument("consumer", choices=["count", "read", "decode"])
    parser.add_argument("kind")
    parser.add_argument("url")
    parser.add_argument("--subscriptions", type=int, default=1)
    parser.add_argument("--plain", action="store_true")
    arguments = parser.parse_args()
    task = Task(
        consumer=arguments.consumer,
        kind=arguments.kind,
        url=arguments.url,
        subscriptions=arguments.subscriptions,
        compress=not arguments.plain,
    )
    match arguments.program:
        case "simclient":
            trio.run(_iterate, task)
        case "trio-websocket":
            trio.run(_trio_websocket, task)
        case "websockets":
            asyncio.run(_websockets(task))
        case _:
            asyncio.run(_solana_py(task))
    sys.stdout.write(json.dumps(task.report()) + "\n")


if __name__ == "__main__":
    main()
