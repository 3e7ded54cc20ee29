"""What the embedded simulator executes, next to a bare LiteSVM loop over the same bundle in the same run; and what a session costs.

The simulator is a process of its own, as `simclient local` is, and the session is read by one subscriber in this process: with the engine
that makes three. Bare loop and simulator take turns, so that what else the machine does falls on both; the best of each counts.
"""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import DEVNULL, PIPE
from tempfile import TemporaryDirectory
from typing import Final

import attrs
import trio

from simclient import AccountDiffs, Completed, Logs, ReadyForContinue, open_backtest_session
from simclient.local.bundle import BundleSlot, open_bundle, shipped_bundle, write_bundle
from simclient.local.engine.svm import Machine
from simclient.local.engine.transactions import read_transaction
from simclient.local.whirlpool import import_whirlpool

from .results import Result

__all__ = ["simulator_results"]

_ROUNDS: Final = 3
_TOKENS: Final = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
_WHIRLPOOL: Final = "whirLbMiicVdio4qvUfM5KAg6Ct8VwpYzGff3uctyCc"
_REPEATS: Final = 8
"""How often the shipped market's blocks are executed, so that a round takes a second or so; transactions that are repeated execute
again, since blockhashes are not checked."""
_EMPTY_SLOTS: Final = 100_000
_STARTS: Final = 20
_IDLE: Final = 20
_KIB: Final = 1024


def simulator_results(*, quick: bool = False, day: Path | None = None) -> Iterator[Result]:
    """Measure the simulator on the market that comes with the package, and on the day of an AMM.

    Args:
        quick: Less of it.
        day: The folder with the three files of a Whirlpool day; None: only the market.
    """
    with TemporaryDirectory() as folder:
        busy = _longer_market(Path(folder) / "busy.bundle", 1 if quick else _REPEATS)
        empty = _empty_slots(Path(folder) / "empty.bundle", _EMPTY_SLOTS // (20 if quick else 1))
        yield from _execution("market", busy, _TOKENS, rounds=1 if quick else _ROUNDS)
        if day is not None:
            real = _busy_blocks(day, Path(folder))
            yield from _execution("Whirlpool day", real, _WHIRLPOOL, rounds=1 if quick else _ROUNDS)
        yield Result("simulator: empty slots", "slots/s", trio.run(_slots_per_second, empty))
        yield from trio.run(_sessions, shipped_bundle())


def _execution(name: str, bundle: Path, program: str, *, rounds: int) -> Iterator[Result]:
    count = _transactions_in(bundle)
    bare = served = 0.0
    for _ in range(rounds):
        bare = max(bare, count / _bare_seconds(bundle))
        served = max(served, count / trio.run(_served_seconds, bundle, program))
    loop = f"bare LiteSVM loop, {name}"
    yield Result(loop, "tx/s", bare)
    yield Result(f"simulator, {name}: diffs and logs to one subscriber", "tx/s", served, loop, served / bare)


def _bare_seconds(bundle: Path) -> float:
    """Execute a bundle's transactions and nothing else; reading and parsing do not count, setting the clock of a slot does."""
    with open_bundle(bundle) as reader:
        machine = Machine(reader.header.signatures)
        for account in reader.accounts():
            machine.load(account)
        slots = [(slot, [read_transaction(one.wire) for one in slot.transactions]) for slot in reader.slots()]
    start = time.perf_counter()
    for slot, transactions in slots:
        machine.begin(slot)
        svm = machine.svm
        for transaction in transactions:
            svm.send_transaction(transaction)
    return time.perf_counter() - start


async def _served_seconds(bundle: Path, program: str) -> float:
    """Run a session over a bundle from the first `continue` to `completed`."""
    async with _simulator(bundle) as url:
        return await _run(url, bundle, [AccountDiffs(program=program), Logs(mentions=program)])


async def _slots_per_second(bundle: Path) -> float:
    with open_bundle(bundle) as reader:
        count = sum(1 for _ in reader.slots())
    async with _simulator(bundle) as url:
        return count / await _run(url, bundle, [])


async def _run(url: str, bundle: Path, subscriptions: list[AccountDiffs | Logs]) -> float:
    with open_bundle(bundle) as reader:
        header = reader.header
    start = 0.0
    async with open_backtest_session(
        url, start_slot=header.start_slot, end_slot=header.end_slot, subscriptions=subscriptions
    ) as session:
        async for event in session:
            if isinstance(event, ReadyForContinue):
                start = start or time.perf_counter()
                await session.advance(2**32)
            if isinstance(event, Completed):
                return time.perf_counter() - start
    raise AssertionError("the session ended without `completed`")


async def _sessions(bundle: Path) -> list[Result]:
    """Measure how long a session takes to be ready, and what an idle one adds to the machine's memory."""
    with open_bundle(bundle) as reader:
        header = reader.header
    async with _simulator(bundle) as url:
        times: list[float] = []
        async with trio.open_nursery() as nursery:
            for number in range(max(_STARTS, _IDLE)):
                start = time.perf_counter()
                await nursery.start(_hold_session, url, header.start_slot, header.end_slot)
                if number:  # the first one loads the bundle for all
                    times.append(time.perf_counter() - start)
                else:
                    first, before = time.perf_counter() - start, _memory_bytes(url)
            per_session = (_memory_bytes(url) - before) / (max(_STARTS, _IDLE) - 1)
            nursery.cancel_scope.cancel()
    return [
        Result("simulator: the first session of a bundle", "ms", first * 1000),
        Result("simulator: a further session", "ms", sorted(times)[len(times) // 2] * 1000),
        Result("simulator: memory of an idle session", "MB", per_session / 1e6),
    ]


async def _hold_session(url: str, start_slot: int, end_slot: int, *, task_status: trio.TaskStatus[None]) -> None:
    async with open_backtest_session(url, start_slot=start_slot, end_slot=end_slot) as session:
        async for event in session:
            if isinstance(event, ReadyForContinue):
                task_status.started()


@asynccontextmanager
async def _simulator(bundle: Path) -> AsyncGenerator[str]:
    """Run `simclient local` as a process of its own."""
    command = [sys.executable, "-m", "simclient", "local", "--port", "0", "--bundle", str(bundle)]
    process = await trio.lowlevel.open_process(command, stdout=PIPE, stderr=DEVNULL)
    try:
        assert process.stdout is not None
        said = b""
        while b" until " not in said:
            chunk = await process.stdout.receive_some()
            assert chunk, "the simulator has ended"
            said += chunk
        url = said.split(b" until ")[0].split()[-1].decode()
        _PROCESSES[url] = process.pid
        yield url
    finally:
        process.kill()
        await process.wait()


_PROCESSES: Final = dict[str, int]()
"""The process that serves a URL."""


def _memory_bytes(url: str) -> int:
    """Return the memory of a simulator and all its processes, what they share counted once; Linux only."""
    waiting, total = [_PROCESSES[url]], 0
    while waiting:
        pid = waiting.pop()
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * _KIB
        for thread in Path(f"/proc/{pid}/task").iterdir():
            waiting += map(int, (thread / "children").read_text().split())
    return total


def _longer_market(path: Path, repeats: int) -> Path:
    """Write the shipped market several times over, in consecutive slots."""
    with open_bundle(shipped_bundle()) as reader:
        accounts = list(reader.accounts())
        slots = list(reader.slots())
        header = reader.header
    length = header.end_slot - header.start_slot + 1
    write_bundle(
        path,
        attrs.evolve(header, end_slot=header.start_slot + length * repeats - 1),
        accounts,
        [_moved(slot, length * repeat) for repeat in range(repeats) for slot in slots],
    )
    return path


def _busy_blocks(day: Path, folder: Path) -> Path:
    """Import a day, and leave out the blocks in which nothing of the AMM happened: nearly all, in which a loop only sets the clock."""
    whole, busy = folder / "whole-day.bundle", folder / "day.bundle"
    (state,), (transactions,), (program,) = (
        sorted(day.glob(f"*{end}")) for end in ("state-*.gz", "transaction-*.gz", ".so.gz")
    )
    import_whirlpool(state, transactions, program, whole)
    with open_bundle(whole) as reader:
        accounts = list(reader.accounts())
        slots = [slot for slot in reader.slots() if slot.transactions]
        header = reader.header
    write_bundle(busy, attrs.evolve(header, start_slot=slots[0].slot, end_slot=slots[-1].slot), accounts, slots)
    return busy


def _moved(slot: BundleSlot, slots: int) -> BundleSlot:
    return attrs.evolve(
        slot,
        slot=slot.slot + slots,
        parent_slot=slot.parent_slot + slots,
        block_height=slot.block_height + slots,
        block_time=slot.block_time + slots,
    )


def _empty_slots(path: Path, count: int) -> Path:
    """Write a bundle of blocks in which nothing happens."""
    with open_bundle(shipped_bundle()) as reader:
        accounts = list(reader.accounts())
        first = next(iter(reader.slots()))
        header = reader.header
    slots = (attrs.evolve(_moved(first, number), transactions=()) for number in range(count))
    write_bundle(path, attrs.evolve(header, start_slot=first.slot, end_slot=first.slot + count - 1), accounts, slots)
    return path


def _transactions_in(bundle: Path) -> int:
    with open_bundle(bundle) as reader:
        return sum(len(slot.transactions) for slot in reader.slots())
