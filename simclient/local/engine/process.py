"""The server's end of an engine process; `templates.py` starts one.

Requests are numbered, so that one whose caller was cancelled does not confuse the next. A process that dies fails every pending and later
request with `ConnectionLost`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar, final

import msgspec
import trio

from ...errors import BundleError, ConnectionLost, InputError
from ...wire.accounts import AccountData
from ...wire.summary import SessionSummary
from ..bundle import BlockhashError
from .messages import (
    LENGTH_BYTES,
    LONGEST_MESSAGE_BYTES,
    Answer,
    Answered,
    Execute,
    Executed,
    ExecutedSlot,
    Failed,
    Load,
    Loaded,
    ModifiedAccount,
    Reached,
    Request,
    Rpc,
    Scout,
    Scouted,
    frame,
)
from .values import SlotResult, SysvarsRefused, TransactionRefused

__all__ = ["Engine", "PendingSlots", "read_message", "refusal"]

_AnswerT = TypeVar("_AnswerT", Loaded, Scouted, Executed, Answered)

_U64_MAX = 2**64 - 1
_UNWRITTEN_REQUESTS = 64
"""Requests waiting for the socket; more callers wait their turn."""


@final
class Engine:
    """A running engine process.

    Args:
        process_id: Its own.
        stream: The socket that it serves.
        bury: Kills it if it still runs, and returns its exit status; None where nobody knows that any more.
    """

    def __init__(self, process_id: int, stream: trio.SocketStream, bury: Callable[[], Awaitable[int | None]]) -> None:
        self.process_id = process_id
        self._stream = stream
        self._bury = bury
        self._requests, self._unwritten = trio.open_memory_channel[bytes](_UNWRITTEN_REQUESTS)
        self._pending: dict[int, _Pending] = {}
        self._number = 0
        self._death: str | None = None
        self._on_death: Callable[[], None] | None = None
        self.next_slot: int | None = None
        """The next slot of the range that exists; None where there is none."""

    def call_on_death(self, function: Callable[[], None]) -> None:
        """Call `function` when the process has died by itself, at once if it has already."""
        self._on_death = function
        if self._death is not None:
            function()

    def check_alive(self) -> None:
        """Make sure that the process has not died.

        Raises:
            ConnectionLost: It has.
        """
        if self._death is not None:
            raise ConnectionLost(self._death)

    async def execute_slot(
        self, *, transactions: Sequence[bytes] = (), modifications: Mapping[str, AccountData] | None = None
    ) -> SlotResult:
        """Execute the next slot of the range; as `begin`, and its `results`."""
        modified = [
            ModifiedAccount(address, account.lamports, account.owner, account.data.decode(), account.executable)
            for address, account in (modifications or {}).items()
        ]
        pending = await self.begin(transactions=transactions, modifications=modified, most_slots=1)
        [result] = await pending.results()
        return result

    async def begin(
        self,
        *,
        transactions: Sequence[bytes] = (),
        modifications: Sequence[ModifiedAccount] = (),
        most_slots: int,
        last_slot: int | None = None,
        stop_at: tuple[int, int] | None = None,
    ) -> PendingSlots:
        """Let the next slots be executed, after the modifications and the transactions: at least one, and no more than a turn's.

        Args:
            transactions: Executed first, in the first of the slots.
            modifications: Accounts to set before that.
            most_slots: How many slots at most.
            last_slot: The last one that may be executed, unless it is the only one.
            stop_at: A slot, and the batch of it before which to stop.

        Raises:
            ConnectionLost: The process died.
        """
        pending = await self._begin(
            lambda number: Execute(
                id=number,
                transactions=list(transactions),
                modifications=list(modifications),
                most_slots=min(most_slots, _U64_MAX),
                last_slot=last_slot,
                stop_at=stop_at,
            )
        )
        return PendingSlots(self, pending)

    async def reach(self, pending: _Pending) -> Reached:
        """Wait until it is known how far a turn came; what `PendingSlots.reached` is made of."""
        await pending.is_told.wait()
        if pending.reached is None:
            await self._finish(pending, Executed)  # which raises: it was refused, or the process died
        assert pending.reached is not None
        self.next_slot = pending.reached.next_slot
        return pending.reached

    async def finish(self, pending: _Pending) -> tuple[SlotResult, ...]:
        """Wait for the slots of a turn; what `PendingSlots.results` is made of."""
        await self.reach(pending)
        answer = await self._finish(pending, Executed)
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

    async def load(self, request: Load) -> None:
        """Begin the session; the first request."""
        answer = await self._call(lambda number: msgspec.structs.replace(request, id=number), Loaded)
        self.next_slot = answer.next_slot

    async def write_requests(self) -> None:
        """Write requests in order; a task."""
        try:
            async for request in self._unwritten:
                await self._stream.send_all(request)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return  # the process has died, which the reader tells

    async def read_answers(self) -> None:
        """Read answers and wake their callers until the process ends; a task."""
        decoder = msgspec.msgpack.Decoder(Answer)
        while (body := await read_message(self._stream)) is not None:
            answer: Answer = decoder.decode(body)
            take = self._pending.get if isinstance(answer, Reached) else self._pending.pop
            pending = take(answer.id, None)
            if pending is not None:
                pending.take(answer)
        await self._mourn()

    async def aclose(self) -> None:
        """End the process."""
        self._requests.close()
        self._unwritten.close()
        await trio.aclose_forcefully(self._stream)
        await self._bury()

    async def _call(self, request: Callable[[int], Request], kind: type[_AnswerT]) -> _AnswerT:
        return await self._finish(await self._begin(request), kind)

    async def _begin(self, request: Callable[[int], Request]) -> _Pending:
        self.check_alive()
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
        if pending.answer is None:
            self.check_alive()
        if isinstance(pending.answer, Failed):
            raise refusal(pending.answer)

        assert isinstance(pending.answer, kind)
        return pending.answer

    async def _mourn(self) -> None:
        status = await self._bury()
        how = "together with its template" if status is None else f"with status {status}"
        self._death = f"the engine process ended {how}; its standard error may say why"
        for pending in self._pending.values():
            pending.give_up()
        if self._on_death is not None:
            self._on_death()


@final
class PendingSlots:
    """Slots that the engine is executing."""

    def __init__(self, engine: Engine, pending: _Pending) -> None:
        self._engine = engine
        self._pending = pending

    async def reached(self) -> Reached:
        """Wait until it is known how far they go, which is before their results are there; raises what `results` does."""
        return await self._engine.reach(self._pending)

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
        self.is_told = trio.Event()
        """It is known how far a turn came, or that this will never be."""
        self.done = trio.Event()
        self.reached: Reached | None = None
        self.answer: Answer | None = None

    def take(self, answer: Answer) -> None:
        """Take an answer, or what goes ahead of one."""
        if isinstance(answer, Reached):
            self.reached = answer
            self.is_told.set()
        else:
            self.answer = answer
            self.give_up()

    def give_up(self) -> None:
        """Nothing more will come."""
        self.is_told.set()
        self.done.set()


async def read_message(stream: trio.SocketStream) -> bytearray | None:
    """Read one message of a process; None where the stream ends, or is out of step."""
    length = await _read_exactly(stream, LENGTH_BYTES)
    size = LONGEST_MESSAGE_BYTES if length is None else int.from_bytes(length, "little")
    return await _read_exactly(stream, size) if size < LONGEST_MESSAGE_BYTES else None


async def _read_exactly(stream: trio.SocketStream, size: int) -> bytearray | None:
    buffer = bytearray(size)
    rest = memoryview(buffer)
    try:
        while rest:
            count = await stream.socket.recv_into(rest)
            if not count:
                return None
            rest = rest[count:]
    except (OSError, trio.ClosedResourceError):
        return None

    return buffer


def refusal(failed: Failed) -> InputError:
    """Return the exception that a refused request is."""
    match failed.reason:
        case "bundle":
            return BundleError(failed.message)
        case "blockhash":
            return BlockhashError(failed.message)
        case "sysvars":
            return SysvarsRefused(failed.message)
        case "transaction":
            return TransactionRefused(failed.message, index=failed.index)
        case "input":
            return InputError(failed.message)


def _result(executed: ExecutedSlot, next_slot: int | None) -> SlotResult:
    correct, incorrect, errors, balances, logs = executed.summary
    return SlotResult(
        slot=executed.slot,
        notes=tuple(executed.notes),
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
