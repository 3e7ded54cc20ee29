"""The server's end of an engine process.

The process is started for one session and ends with it, whatever happens to either side. Requests are numbered, so that one whose caller
was cancelled does not confuse the next. A process that dies fails every pending and later request with `ConnectionLost`.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import PIPE
from typing import TypeVar, final

import msgspec
import trio

from ...errors import BundleError, ConnectionLost, InputError
from ...transport.companion import running_beside
from ...wire.accounts import AccountData
from ...wire.summary import SessionSummary
from .messages import (
    LENGTH_BYTES,
    LONGEST_MESSAGE_BYTES,
    Answer,
    Answered,
    Execute,
    Executed,
    Failed,
    Load,
    Loaded,
    ModifiedAccount,
    Note,
    Request,
    Rpc,
    frame,
)
from .values import Published, SlotResult, TransactionRefused

__all__ = ["Engine", "open_engine"]

_AnswerT = TypeVar("_AnswerT", Loaded, Executed, Answered)

_READ_BYTES = 256 * 2**10
_UNWRITTEN_REQUESTS = 64
"""Requests waiting for the pipe; more callers wait their turn."""
_BURIAL_SECONDS = 5.0
"""A killed process ends at once, unless the kernel holds it in a read of a disk that does not answer."""


@asynccontextmanager
async def open_engine(
    bundle: Path, *, start_slot: int, end_slot: int, extra_compute_units: int | None = None
) -> AsyncGenerator[Engine]:
    """Start an engine process for one session; it is gone when the block is left.

    It does not look for modules in the working directory (`-P`): a `trio.py` of the user's is not ours to run.

    Args:
        bundle: The file to replay.
        start_slot: The first slot; earlier slots of the bundle are executed in silence first.
        end_slot: The last slot, inclusive.
        extra_compute_units: Added to each limit that a transaction sets; signatures are then not verified.

    Raises:
        BundleError: The bundle cannot be read.
        ConnectionLost: The process could not be started, or died.
    """
    process = await _start()
    engine = Engine(process)
    try:
        async with (
            running_beside(engine.write_requests, name="engine requests"),
            running_beside(engine.read_answers, name="engine answers"),
        ):
            await engine.load(bundle, start_slot, end_slot, extra_compute_units or 0)
            yield engine
    finally:
        process.kill()
        with trio.move_on_after(_BURIAL_SECONDS, shield=True):
            await engine.aclose()
            await process.wait()


@final
class Engine:
    """A running engine process; made by `open_engine`."""

    def __init__(self, process: trio.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._stdin = process.stdin
        self._stdout = process.stdout
        self._requests, self._unwritten = trio.open_memory_channel[bytes](_UNWRITTEN_REQUESTS)
        self._pending: dict[int, _Pending] = {}
        self._number = 0
        self._death: str | None = None
        self.next_slot: int | None = None
        """The next slot of the range that exists; None where there is none."""

    async def execute_slot(
        self, *, transactions: Sequence[bytes] = (), modifications: Mapping[str, AccountData] | None = None
    ) -> SlotResult:
        """Execute the next slot of the range, after the modifications and the transactions.

        Raises:
            TransactionRefused: A transaction is not one.
            BundleError: The bundle cannot be read further; there is no going on.
            InputError: There is no further slot, or an account cannot be set; nothing has changed.
            ConnectionLost: The process died.
        """
        modified = [
            ModifiedAccount(address, account.lamports, account.owner, account.data.decode(), account.executable)
            for address, account in (modifications or {}).items()
        ]
        answer = await self._call(lambda number: Execute(number, list(transactions), modified), Executed)
        self.next_slot = answer.next_slot
        correct, incorrect, errors, balances, logs = answer.summary
        return SlotResult(
            slot=answer.slot,
            published=tuple(map(_published, answer.published)),
            summary=SessionSummary(
                correct_simulation=correct,
                incorrect_simulation=incorrect,
                execution_errors=errors,
                balance_diff=balances,
                log_diff=logs,
            ),
            next_slot=answer.next_slot,
        )

    async def rpc(self, body: bytes) -> bytes:
        """Answer a JSON-RPC body from the state after the last executed slot.

        Raises:
            ConnectionLost: The process died.
        """
        return (await self._call(lambda number: Rpc(number, body), Answered)).body

    async def load(self, bundle: Path, start_slot: int, end_slot: int, extra_compute_units: int) -> None:
        """Load the bundle; the first request."""
        answer = await self._call(
            lambda number: Load(number, str(bundle), start_slot, end_slot, extra_compute_units), Loaded
        )
        self.next_slot = answer.next_slot

    async def write_requests(self) -> None:
        """Write requests in order; a task."""
        try:
            async for request in self._unwritten:
                await self._stdin.send_all(request)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return  # the process has died, which the reader tells

    async def read_answers(self) -> None:
        """Read answers and wake their callers until the process ends; a task."""
        decoder = msgspec.msgpack.Decoder(Answer)
        while (length := await self._read_exactly(LENGTH_BYTES)) is not None:
            size = int.from_bytes(length, "little")
            body = await self._read_exactly(size) if size < LONGEST_MESSAGE_BYTES else None
            if body is None:
                break
            answer: Answer = decoder.decode(body)
            pending = self._pending.pop(answer.id, None)
            if pending is not None:
                pending.answer = answer
                pending.done.set()
        await self._mourn()

    async def aclose(self) -> None:
        """Close the pipes."""
        self._requests.close()
        self._unwritten.close()
        await self._stdin.aclose()
        await self._stdout.aclose()

    async def _call(self, request: Callable[[int], Request], kind: type[_AnswerT]) -> _AnswerT:
        self._number += 1
        number = self._number
        pending = self._pending[number] = _Pending()
        try:
            self._check_alive()
            await self._requests.send(frame(request(number)))
            await pending.done.wait()
        finally:
            self._pending.pop(number, None)
        self._check_alive(pending)
        if isinstance(pending.answer, Failed):
            raise _refusal(pending.answer)

        assert isinstance(pending.answer, kind)
        return pending.answer

    def _check_alive(self, pending: _Pending | None = None) -> None:
        if self._death is not None and (pending is None or pending.answer is None):
            raise ConnectionLost(self._death)

    async def _mourn(self) -> None:
        status = await self._process.wait()
        self._death = f"the engine process ended with status {status}; its standard error may say why"
        for pending in self._pending.values():
            pending.done.set()

    async def _read_exactly(self, size: int) -> bytes | None:
        """Return so many bytes; None where the stream ends before."""
        buffer = bytearray()
        while len(buffer) < size:
            chunk = await self._stdout.receive_some(min(_READ_BYTES, size - len(buffer)))
            if not chunk:
                return None
            buffer += chunk
        return bytes(buffer)


class _Pending:
    """A request that waits for its answer."""

    def __init__(self) -> None:
        self.done = trio.Event()
        self.answer: Answer | None = None


async def _start() -> trio.Process:
    command = [sys.executable, "-P", "-m", "simclient.local.engine"]
    try:
        return await trio.lowlevel.open_process(command, stdin=PIPE, stdout=PIPE)
    except OSError as error:
        raise ConnectionLost(f"the engine process cannot be started: {error}") from error


def _refusal(failed: Failed) -> InputError:
    match failed.reason:
        case "bundle":
            return BundleError(failed.message)
        case "transaction":
            return TransactionRefused(failed.message, index=failed.index)
        case "input":
            return InputError(failed.message)


def _published(note: Note) -> Published:
    return Published(kind=note.kind, keys=note.keys, programs=note.programs, result=note.result)
