"""`python -m benchmarks.consumers PROGRAM CONSUMER KIND URL`: reads a stream, as a user would write it.

Prints one line of JSON: events, seconds from the request for data to its end, and CPU seconds in between. Every program runs
in a process of its own. `CONSUMER` is what is done with a notification: `count` it; `read` slot, account and lamports (for logs and
transactions: slot, signature and lines); `decode` also the bytes of the account.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import ssl
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import attrs
import trio

import simclient
from simclient import AccountDiff, Completed, ExecutedTransaction, ReadyForContinue, Status, TransactionLogs

from .streams import FIRST_SLOT, PROGRAM, PULSE, SLOTS

__all__ = ["Task"]

Json = dict[str, Any]

_Diff: Any = AccountDiff
_Transaction: Any = ExecutedTransaction
_Logs: Any = TransactionLogs
"""As Any: the streams leave nothing out, and a consumer that asked whether they do would measure that, too."""


@attrs.define
class Task:
    """What to read, and what came of it."""

    consumer: str
    kind: str
    url: str
    subscriptions: int
    compress: bool
    is_kept_alive_often: bool
    ssl_context: ssl.SSLContext | None
    """For `wss://`."""
    events: int = 0
    total: int = 0
    """A sum over what the consumer reads, so that nobody leaves it out."""
    pulses_seconds: list[float] = attrs.field(factory=list)
    """How long each marked event took from its sending to the user's code."""
    reconnects: int = 0
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
            "pulses_seconds": self.pulses_seconds,
            "reconnects": self.reconnects,
        }

    def note_pulse(self, name: str) -> None:
        """Note how long a marked event took."""
        if name.startswith(PULSE):
            self.pulses_seconds.append((time.monotonic_ns() - int(name.removeprefix(PULSE))) / 1e9)

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

_ADDRESSES = (
    PROGRAM,
    "11111111111111111111111111111111",
    "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
    "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL",
)


def _open_session(task: Task) -> Any:
    kinds: dict[str, Callable[[str], Any]] = {
        "account-diff": lambda address: simclient.AccountDiffs(program=address),
        "logs": lambda address: simclient.Logs(mentions=address),
        "transaction": lambda address: simclient.Transactions(mentions=address),
    }
    return simclient.open_backtest_session(
        f"{task.url}/backtest",
        start_slot=FIRST_SLOT,
        slot_count=SLOTS,
        subscriptions=[kinds[task.kind](address) for address in _ADDRESSES[: task.subscriptions]],
        compress=task.compress,
        ssl_context=task.ssl_context,
        limits=_KEPT_ALIVE_OFTEN if task.is_kept_alive_often else simclient.Limits(),
    )


_KEPT_ALIVE_OFTEN = simclient.Limits(keepalive_interval_seconds=0.1, keepalive_deadline_seconds=0.5)
"""150 times as often as by default; half a second without a sign of life is the end of a connection."""


async def _iterate(task: Task) -> None:
    """`async for event in session`."""
    async with _open_session(task) as session:
        await _KINDS_OF_LOOP[task.kind, task.consumer](task, session)
        statistics = session.statistics()
    task.reconnects = statistics.control_reconnects + statistics.data_reconnects


async def _control(task: Task, session: Any, event: object) -> None:
    match event:
        case ReadyForContinue():
            task.begin()
            await session.advance(SLOTS)
        case Status(status=name):
            task.note_pulse(str(name))
        case Completed():
            task.end()
        case _:
            pass


async def _iterate_batches(task: Task) -> None:
    """`async for batch in session.batches()`."""
    async with _open_session(task) as session:
        async for batch in session.batches():
            if not isinstance(batch[0], (_Diff, _Logs, _Transaction)):
                for event in batch:
                    await _control(task, session, event)
            else:
                task.events += len(batch)
                if task.consumer == "read":
                    task.total += sum(diff.slot + len(diff.account) + diff.post.lamports for diff in batch)


async def _iterate_columns(task: Task) -> None:
    """The same as Arrow record batches, account bytes and all."""
    import pyarrow

    async with _open_session(task) as session:
        async for item in simclient.arrow_batches(session.batches()):
            if isinstance(item, pyarrow.RecordBatch):
                task.events += item.num_rows
                task.total += item.nbytes
            else:
                await _control(task, session, item)


async def _count(task: Task, session: Any) -> None:
    events = 0
    async for event in session:
        if isinstance(event, (_Diff, _Logs, _Transaction)):
            events += 1
        else:
            await _control(task, session, event)
    task.events = events


async def _read_diffs(task: Task, session: Any) -> None:
    events = total = 0
    async for event in session:
        if isinstance(event, _Diff):
            events += 1
            total += event.slot + len(event.account) + event.post.lamports
        else:
            await _control(task, session, event)
    task.events, task.total = events, total


async def _decode_diffs(task: Task, session: Any) -> None:
    events = total = 0
    async for event in session:
        if isinstance(event, _Diff):
            events += 1
            total += event.slot + len(event.account) + event.post.lamports + len(event.post.data)
        else:
            await _control(task, session, event)
    task.events, task.total = events, total


async def _read_others(task: Task, session: Any) -> None:
    events = total = 0
    async for event in session:
        if isinstance(event, (_Logs, _Transaction)):
            events += 1
            total += event.slot + len(event.signature) + len(event.logs)
        else:
            await _control(task, session, event)
    task.events, task.total = events, total


async def _read_pulses(task: Task, session: Any) -> None:
    async for event in session:
        if isinstance(event, _Diff):
            task.events += 1
            task.note_pulse(event.signature)
        else:
            await _control(task, session, event)


_KINDS_OF_LOOP: dict[tuple[str, str], Callable[[Task, Any], Awaitable[None]]] = {
    ("account-diff", "count"): _count,
    ("account-diff", "read"): _read_diffs,
    ("account-diff", "decode"): _decode_diffs,
    ("account-diff", "pulses"): _read_pulses,
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
            if task.consumer == "pulses":
                task.note_pulse(result["signature"])
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
    from trio_websocket import open_websocket_url

    async with open_websocket_url(task.url, ssl_context=task.ssl_context) as socket:
        task.begin()
        await socket.send_message(task.subscribe)
        while not _read_json(task, json.loads(await socket.get_message())):
            pass
        task.end()


async def _websockets(task: Task) -> None:
    """The asyncio way: websockets and orjson."""
    import orjson
    import websockets

    async with websockets.connect(task.url, ssl=task.ssl_context, max_size=None, compression=None) as socket:
        task.begin()
        await socket.send(task.subscribe)
        async for text in socket:
            if _read_json(task, orjson.loads(text)):
                break
        task.end()


async def _solana_py(task: Task) -> None:
    """solana-py's subscription client, which has logs; the end marker, which it does not know, ends it with an error."""
    from solana.rpc.websocket_api import SolanaWsClient
    from solders.pubkey import Pubkey
    from solders.rpc.config import RpcTransactionLogsFilterMentions

    # Its queue is bounded by an error, not by backpressure: without a bound that is never reached, it fails at once.
    async with SolanaWsClient(task.url, notification_queue_size=10**9) as socket:
        task.begin()
        await socket.logs_subscribe(filter_=RpcTransactionLogsFilterMentions(Pubkey.from_string(PROGRAM)))
        with suppress(Exception):  # whether it got everything is counted
            message: Any
            async for message in socket:
                task.events += 1
                value = message.result.value
                task.total += message.result.context.slot + len(str(value.signature)) + len(value.logs)
        task.end()


_PROGRAMS = ("simclient", "simclient-batches", "simclient-arrow", "trio-websocket", "websockets", "solana-py")


def main() -> None:
    """Run one program and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", choices=_PROGRAMS)
    parser.add_argument("consumer", choices=["count", "read", "decode", "pulses"])
    parser.add_argument("kind")
    parser.add_argument("url")
    parser.add_argument("--subscriptions", type=int, default=1)
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--authority", help="whom to trust, for wss://")
    parser.add_argument("--keepalive", action="store_true")
    arguments = parser.parse_args()
    task = Task(
        consumer=arguments.consumer,
        kind=arguments.kind,
        url=arguments.url,
        subscriptions=arguments.subscriptions,
        compress=not arguments.plain,
        is_kept_alive_often=arguments.keepalive,
        ssl_context=None if arguments.authority is None else ssl.create_default_context(cafile=arguments.authority),
    )
    match arguments.program:
        case "simclient":
            trio.run(_iterate, task)
        case "simclient-batches":
            trio.run(_iterate_batches, task)
        case "simclient-arrow":
            trio.run(_iterate_columns, task)
        case "trio-websocket":
            trio.run(_trio_websocket, task)
        case "websockets":
            asyncio.run(_websockets(task))
        case _:
            asyncio.run(_solana_py(task))
    sys.stdout.write(json.dumps(task.report()) + "\n")


if __name__ == "__main__":
    main()
