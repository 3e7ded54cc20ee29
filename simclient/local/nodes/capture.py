"""Capture from a live node: blocks and accounts over its RPC, into files that `build_bundle` reads.

Each file holds requests with their answers, as the node gave them. A capture that was broken off goes on where it was: what is there is
not asked for again. Where the blocks are still to come accounts are asked for first, so that a replay can be true; what else the
transactions touch is asked for afterwards, as it is then, and `build_bundle` counts it as known late.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Final, cast, final

import attrs
import msgspec
import trio
import zstandard

from ...errors import ConnectionLost, InputError, RemoteProtocolError
from ...transport.http import open_http
from ...wire.addresses import address_list
from .answers import NodeAccount, facts_of
from .build import Census, missing_code
from .files import Place, read_values
from .node import DEFAULT_PATIENCE, Exchange, Node, NodeRefused, Patience

__all__ = ["CaptureReport", "capture_range"]

_MOST_ACCOUNTS: Final = 100
"""Of one request."""
_BYTES: Final = {"encoding": "base64+zstd"}
_BLOCK: Final = {"encoding": "base64", "maxSupportedTransactionVersion": 0, "rewards": False}
_SKIPPED: Final = (-32007, -32009)
_NOT_YET: Final = (-32004, -32014)
"""Errors that say of a slot that it has no block, or none yet."""
_FIRST: Final = "accounts.jsonl.zst"
_BLOCKS_PER_WORD: Final = 50


@attrs.frozen(kw_only=True)
class CaptureReport:
    """What was captured."""

    start_slot: int
    end_slot: int
    """Inclusive."""
    blocks: int
    accounts: int
    """Asked for before the blocks."""
    late_accounts: int
    """Asked for afterwards."""
    requests: int


async def capture_range(
    url: str,
    folder: Path,
    *,
    slots: int,
    start_slot: int | None = None,
    accounts: Sequence[str] = (),
    programs: Sequence[str] = (),
    mentions: Sequence[str] = (),
    say: Callable[[str], None] = lambda _: None,
    patience: Patience = DEFAULT_PATIENCE,
) -> CaptureReport:
    """Ask a node for accounts and blocks, and keep its answers in a folder.

    Args:
        url: The node's, `http://` or `https://`.
        folder: Where to; made if it is not there. What it has of an earlier capture is not asked for again.
        slots: How many slots, skipped ones included.
        start_slot: The first one; None: the one after that which the accounts are of, so that the blocks are still to come.
        accounts: Addresses to ask for before the blocks.
        programs: Programs to ask for before the blocks, with all accounts that they own.
        mentions: Only of transactions that mention one of these are further accounts asked for; empty: of all but votes.
        say: Is told how far it is.
        patience: How long to ask.

    Raises:
        InputError: An argument cannot be used, or a file cannot be written or read; or the node refuses, such as a block that it no
            longer has.
        ConnectionLost: The node could not be asked, or its chain stands still.
        RemoteProtocolError: It does not answer as a Solana node does.
    """
    if slots < 1:
        raise InputError(f"{slots} slots cannot be captured: give at least 1")

    named, owners, wanted = address_list(accounts), address_list(programs), address_list(mentions)
    async with open_http() as http:
        capture = _Capture(Node(http, url, patience), folder, patience, say)
        given = await capture.first_accounts(named, owners)
        start = start_slot if start_slot is not None else await capture.slot_after(given)
        blocks = await capture.blocks(start, start + slots - 1)
        late = await capture.touched(wanted) if blocks else 0
        return CaptureReport(
            start_slot=start,
            end_slot=start + slots - 1,
            blocks=blocks,
            accounts=_count(given),
            late_accounts=late,
            requests=capture.node.requests,
        )


@final
class _Capture:
    """One capture into one folder."""

    def __init__(self, node: Node, folder: Path, patience: Patience, say: Callable[[str], None]) -> None:
        self.node = node
        self._folder = folder
        self._patience = patience
        self._say = say
        with _naming(folder):
            folder.mkdir(parents=True, exist_ok=True)

    async def first_accounts(self, addresses: Sequence[str], programs: Sequence[str]) -> list[Exchange]:
        """Ask for the accounts that are wanted in any case, or return what there is of them from an earlier capture."""
        path = self._folder / _FIRST
        if path.exists():
            self._say(f"{path} is there already: no account is asked for again")
            return _read(path)

        return await self._accounts(path, addresses, programs)

    async def _accounts(self, path: Path, addresses: Sequence[str], programs: Sequence[str] = ()) -> list[Exchange]:
        """Ask for accounts, and for the code of those that are programs; keep the answers in a file."""
        exchanges = [
            await self.node.ask("getProgramAccounts", program, {**_BYTES, "withContext": True}) for program in programs
        ]
        facts = [fact for exchange in exchanges for fact in _facts(path, exchange)]
        todo = [*addresses, *programs]
        while todo:
            for first in range(0, len(todo), _MOST_ACCOUNTS):
                exchange = await self.node.ask("getMultipleAccounts", todo[first : first + _MOST_ACCOUNTS], _BYTES)
                exchanges.append(exchange)
                facts += _facts(path, exchange)
            todo = missing_code(facts)
        if exchanges:
            self._say(f"{len(facts):,} accounts")
            _write(path, exchanges)
        return exchanges

    async def slot_after(self, exchanges: Sequence[Exchange]) -> int:
        """Return the slot after the one that the accounts are of; where there are none, after the newest."""
        contexts = [_context(exchange) for exchange in exchanges]
        if contexts:
            return min(contexts) + 1

        newest = (await self.node.ask("getSlot")).result
        if type(newest) is not int:
            raise RemoteProtocolError(f"{self.node.host}: the answer to getSlot is not a slot")
        return newest + 1

    async def blocks(self, start: int, end: int) -> int:
        """Ask for blocks, one file each; return how many there are."""
        found = 0
        for slot in range(start, end + 1):
            path = self._folder / f"{slot}.json.zst"
            if not path.exists():
                block = await self._block(slot)
                if block is None:
                    continue
                _write(path, [block])
            found += 1
            if found % _BLOCKS_PER_WORD == 0:
                self._say(f"{found:,} blocks, up to slot {slot}")
        return found

    async def touched(self, mentions: Sequence[str]) -> int:
        """Ask for what the transactions touch and nobody knows yet; return how many accounts that were."""
        census = Census([self._folder], without_votes=True, mentions=mentions)
        path = next(path for n in count(1) if not (path := self._folder / f"late-accounts-{n}.jsonl.zst").exists())
        return _count(await self._accounts(path, [str(address) for address in census.unknown()]))

    async def _block(self, slot: int) -> Exchange | None:
        """Return a block, waiting for it if it is still to come; None: its slot was skipped."""
        with trio.move_on_after(self._patience.block_seconds):
            while True:
                try:
                    found = await self.node.ask("getBlock", slot, _BLOCK)
                except NodeRefused as refused:
                    if refused.code in _SKIPPED:
                        return None
                    if refused.code not in _NOT_YET:
                        raise
                    await trio.sleep(self._patience.poll_seconds)
                else:
                    return None if found.result is None else found
        raise ConnectionLost(
            f"{self.node.host} had no block of slot {slot} within {self._patience.block_seconds:g} s;"
            " what was captured is kept: ask again later with the same folder"
        )


def _facts(path: Path, exchange: Exchange) -> list[NodeAccount]:
    place = Place(path=path, line=0)
    value = {"request": exchange.request, "response": exchange.response}
    return [fact for fact in facts_of(place, value) if isinstance(fact, NodeAccount)]


def _context(exchange: Exchange) -> int:
    match exchange.result:
        case {"context": {"slot": int(slot)}}:
            return slot
        case _:
            raise RemoteProtocolError(f"the answer to {exchange.request['method']} has no context")


def _count(exchanges: Iterable[Exchange]) -> int:
    """Return how many accounts are in answers, those that do not exist included."""
    return sum(len(value) for exchange in exchanges for value in _lists(exchange.result))


def _lists(result: object) -> Iterator[list[object]]:
    value = cast("dict[str, object]", result).get("value") if isinstance(result, dict) else None
    if isinstance(value, list):
        yield cast("list[object]", value)


def _read(path: Path) -> list[Exchange]:
    return [msgspec.convert(value, Exchange) for _, value in read_values([path])]


def _write(path: Path, exchanges: Iterable[Exchange]) -> None:
    """Write a file, there whole or not at all."""
    text = b"".join(msgspec.json.encode(exchange) + b"\n" for exchange in exchanges)
    unfinished = path.with_name(f".{path.name}.part")
    with _naming(path):
        unfinished.write_bytes(zstandard.compress(text))
        unfinished.replace(path)


@contextmanager
def _naming(path: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
