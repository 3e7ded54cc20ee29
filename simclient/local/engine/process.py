"""The server's end of an engine process.

The process is started for one session and ends with it, whatever happens to either side. Requests are numbered, so that one whose caller
was cancelled does not confuse the next. A process that dies fails every pending and later request with `ConnectionLost`.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import PIPE
from types import MappingProxyType
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
    Action,
    Answer,
    Answered,
    BatchFilter,
    Execute,
    Executed,
    ExecutedSlot,
    Failed,
    Load,
    Loaded,
    ModifiedAccount,
    Request,
    Rpc,
    Scout,
    Scouted,
    frame,
)
from .values import SlotResult, TransactionRefused

__all__ = ["Engine", "PendingSlots", "open_engine"]

_AnswerT = TypeVar("_AnswerT", Loaded, Scouted, Executed, Answered)

_READ_BYTES = 256 * 2**10
_U64_MAX = 2**64 - 1
_UNWRITTEN_REQUESTS = 64
"""Requests waiting for the pipe; more callers wait their turn."""
_BURIAL_SECONDS = 5.0
"""A killed process ends at once, unless the kernel holds it in a read of a disk that does not answer."""


@asynccontextmanager
async def open_engine(
    bundle: Path,
    *,
    start_slot: int,
    end_slot: int,
    extra_compute_units: int | None = None,
    signers: Iterable[str] = (),
    filters: Sequence[BatchFilter] = (),
    actions: Sequence[Action] = (),
    is_recording: bool = False,
    speed: float | None = None,
) -> AsyncGenerator[Engine]:
    """Start an engine process for one session; it is gone when the block is left.

    It does not look for modules in the working directory (`-P`): a `trio.py` of the user's is not ours to run.

    Args:
        bundle: The file to replay.
        start_slot: The first slot; earlier slots of the bundle are executed in silence first.
        end_slot: The last slot, inclusive.
        extra_compute_units: Added to each limit that a transaction sets; signatures are then not verified.
        signers: Only recorded transactions that one of these has signed are executed; empty: all.
        filters: What `look_ahead` looks for.
        actions: What is done by itself.
        is_recording: The file is a recording, which is given again and not executed.
        speed: Of a recording, as a multiple of the recorded one; None: without waiting.

    Raises:
        BundleError: The bundle cannot be read.
        InputError: An action has a transaction or an account that is none.
        ConnectionLost: The process could not be started, or died.
    """
    process = await _start()
    engine = Engine(process)
    try:
        async with (
            running_beside(engine.write_requests, name="engine requests"),
            running_beside(engine.read_answers, name="engine answers"),
        ):
            await engine.load(
                lambda number: Load(
                    id=number,
                    bundle=str(bundle),
                    start_slot=start_slot,
                    end_slot=end_slot,
                    extra_compute_units=extra_compute_units or 0,
                    signers=frozenset(signers),
                    filters=list(filters),
                    actions=list(actions),
                    is_recording=is_recording,
                    speed=speed,
                )
            )
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
        """Execute the next slot of the range; as `begin`, and its `results`."""
        pending = await self.begin(transactions=transactions, modifications=modifications or {}, most_slots=1)
        [result] = await pending.results()
        return result

    async def begin(
        self,
        *,
        transactions: Sequence[bytes] = (),
        modifications: Mapping[str, AccountData] = MappingProxyType({}),
        most_slots: int,
        last_slot: int | None = None,
        stop_at: tuple[int, int] | None = None,
    ) -> PendingSlots:
        """Let the next slots be executed, after the modifications and the transactions: at least one, and no more than a turn's.

        Args:
            transactions: Executed first, in the first of the slots.
            modifications: Accounts to set before that, by address.
            most_slots: How many slots at most.
            last_slot: The last one that may be executed, unless it is the only one.
            stop_at: A slot, and the batch of it before which to stop.

        Raises:
            ConnectionLost: The process died.
        """
        modified = [
            ModifiedAccount(address, account.lamports, account.owner, account.data.decode(), account.executable)
            for address, account in modifications.items()
        ]
        pending = await self._begin(
            lambda number: Execute(
                id=number,
                transactions=list(transactions),
                modifications=modified,
                most_slots=min(most_slots, _U64_MAX),
                last_slot=last_slot,
                stop_at=stop_at,
            )
        )
        return PendingSlots(self, pending)

    async def finish(self, pending: _Pending) -> tuple[SlotResult, ...]:
        """Wait for the slots of a turn; what `PendingSlots.results` is made of."""
        answer = await self._finish(pending, Executed)
        self.next_slot = answer.next_slot
        slots = [*(slot.slot for slot in answer.slots[1:]), answer.next_slot]
        return tuple(map(_result, answer.slots, slots))

    async def look_ahead(self, most_slots: int) -> Scouted:
        """Look for batches that match a filter, in so many further blocks that nobody looked at before.

        Raises:
            BundleError: The bundle cannot be read further.
            ConnectionLost: The process died.
        """
        return await self._call(lambda number: Scout(number, most_slots), Scouted)

    async def rpc(self, body: bytes) -> bytes:
        """Answer a JSON-RPC body from the state after the last executed slot.

        Raises:
            ConnectionLost: The process died.
        """
        return (await self._call(lambda number: Rpc(number, body), Answered)).body

    async def load(self, request: Callable[[int], Load]) -> None:
        """Load the bundle; the first request."""
        self.next_slot = (await self._call(request, Loaded)).next_slot

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
        return await self._finish(await self._begin(request), kind)

    async def _begin(self, request: Callable[[int], Request]) -> _Pending:
        self._check_alive()
        self._number += 1
        pending = self._pending[self._number] = _Pending(self._number)
        try:
            await self._requests.send(frame(request(pending.number)))
        except BaseException:
            self._pending.pop(pending.number, None)
            raise

        return pending

    async def _finish(self, pending: _Pending, kind: type[_AnswerT]) -> _AnswerT:
        try:
            await pending.done.wait()
        finally:
            self._pending.pop(pending.number, None)
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


@final
class PendingSlots:
    """Slots that the engine is executing."""

    def __init__(self, engine: Engine, pending: _Pending) -> None:
        self._engine = engine
        self._pending = pending

    async def results(self) -> tuple[SlotResult, ...]:
        """Wait for them.

        Raises:
            TransactionRefused: A transaction is not one.
            BundleError: The bundle cannot be read further; there is no going on.
            InputError: There is no further slot, or an account cannot be set; nothing has changed.
            ConnectionLost: The process died.
        """
        return await self._engine.finish(self._pending)


class _Pending:
    """A request that waits for its answer."""

    def __init__(self, number: int) -> None:
        self.number = number
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


def _result(executed: ExecutedSlot, next_slot: int | None) -> SlotResult:
    correct, incorrect, errors, balances, logs = executed.summary
    return SlotResult(
        slot=executed.slot,
        published=tuple(executed.published),
        summary=SessionSummary(
            correct_simulation=correct,
            incorrect_simulation=incorrect,
            execution_errors=errors,
            balance_diff=balances,
            log_diff=logs,
        ),
        errors=tuple(executed.errors),
        next_batch=executed.next_batch,
        delay_seconds=executed.delay_seconds,
        next_slot=next_slot,
    )
