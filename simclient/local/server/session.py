"""One served session: an engine, what it has said, and how far it was told to go.

Rules, by the published protocol and not by our client's:
- A session waits after `readyForContinue` or `paused`; one request makes it go on. A second one before that is answered with an error.
- What the engine refuses changes nothing: the error comes, and then `readyForContinue`.
- `continue` ends in `readyForContinue`, `continueTo` in `paused`, and either in `completed` at the end of the range.
- Every event has a sequence number, counted from 1, and is kept for replay within a bound; notifications likewise.
- The notifications of a slot are there before its `slotNotification`.
- After the last slot of the range comes `completed`, and then the end markers of all subscriptions.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from pathlib import Path
from typing import Final, final

import trio

from ...errors import BundleError, ConnectionLost, InputError
from ...wire.accounts import AccountData
from ...wire.codec import write_response
from ...wire.failures import (
    BacktestFailure,
    Internal,
    InvalidRequest,
    InvalidTransactionFormat,
    NoProducedBlocksInRange,
)
from ...wire.generation import NEWEST, Generation
from ...wire.params import SessionParams
from ...wire.responses import (
    Completed,
    ErrorEvent,
    Paused,
    ReadyForContinue,
    SessionEvent,
    SlotNotification,
    Status,
    Success,
)
from ...wire.summary import SessionSummary
from ..engine import Engine, Published, SlotResult, TransactionRefused, open_engine
from .advance import Advance
from .bell import Bell
from .limits import SimulatorLimits
from .refusals import Refused, for_generation
from .replay_log import ReplayLog

__all__ = ["ServedSession"]

_TEXT_OVERHEAD_BYTES: Final = 100
"""Roughly what an item costs beside its text."""
_U64_MAX: Final = 2**64 - 1


@final
class ServedSession:
    """A session; `run` is its task."""

    def __init__(
        self,
        session_id: str,
        params: SessionParams,
        bundle: Path,
        limits: SimulatorLimits,
        *,
        bell: Bell,
        generation: Generation = NEWEST,
    ) -> None:
        """Prepare a session; `bell` rings whenever its own does, and `generation` is its client's."""
        self.session_id = session_id
        self.params = params
        self._bundle = bundle
        self._generation = generation
        self._requests, self._todo = trio.open_memory_channel[Advance](1)
        self._summary = SessionSummary()
        self._first_of_slot: tuple[list[int], list[int]] = ([], [])
        self.events: ReplayLog[str] = ReplayLog(limits.event_bytes, lambda text: len(text) + _TEXT_OVERHEAD_BYTES)
        """Events as JSON texts; the sequence number of the one at position n is n + 1."""
        self.notifications: ReplayLog[Published] = ReplayLog(limits.notification_bytes, _size_of)
        self.bell = Bell(bell)
        """Rings when anything about the session has changed."""
        self.engine: Engine | None = None
        """There once the bundle is loaded."""
        self.slot = params.start_slot - 1
        """The last that was executed."""
        self.is_ready = False
        self.has_completed = False
        self.has_ended = False
        self.scope = trio.CancelScope()
        """Cancelling it ends the session and its engine."""

    async def run(self) -> None:
        """Load the bundle, then execute what is asked for, until the session is ended."""
        try:
            with self.scope:
                self._say(Status(status="startingRuntime"))
                async with open_engine(
                    self._bundle,
                    start_slot=self.params.start_slot,
                    end_slot=self.params.end_slot,
                    extra_compute_units=self.params.extra_compute_units,
                ) as engine:
                    self.engine = engine
                    await self._serve(engine)
        except (ConnectionLost, InputError) as error:
            self.fail(Internal(error=str(error)))
        finally:
            self.has_ended = True
            self.engine = None
            self.bell.ring()

    def ask(self, advance: Advance) -> bool:
        """Let the session go on; False: it is not waiting for that."""
        if not self.is_ready:
            return False

        self.is_ready = False
        self._requests.send_nowait(advance)
        return True

    def check_kept(self, sequence: int) -> None:
        """Make sure that everything after a sequence number can be replayed.

        Raises:
            Refused: It cannot.
        """
        events = self.events
        if not events.oldest <= sequence <= events.end:
            kept = f"there are {events.oldest + 1} to {events.end}"
            raise Refused(InvalidRequest(error=f"events of {self.session_id} after {sequence} are not kept; {kept}"))

    def end(self, reason: str) -> None:
        """End the session and its engine; what it has said stays readable."""
        self.scope.cancel(reason=reason)

    def say_closed(self) -> None:
        """Say, as an event, that the session was closed: a sub-session has no other way."""
        self._say(Success())

    def fail(self, failure: BacktestFailure) -> None:
        """Say that something failed, as an event."""
        self._say(ErrorEvent(failure=for_generation(failure, self._generation)))

    def position_of(self, slot: int) -> int:
        """Return where the notifications of `slot`, or of the first one after it, begin."""
        slots, positions = self._first_of_slot
        index = bisect_left(slots, slot)
        return positions[index] if index < len(slots) else self.notifications.end

    async def _serve(self, engine: Engine) -> None:
        if engine.next_slot is None:
            start, end = self.params.start_slot, self.params.end_slot
            self.fail(NoProducedBlocksInRange(start_slot=start, end_slot=end))
            return

        self._wait(ReadyForContinue())
        await self._go_on(engine)

    async def _go_on(self, engine: Engine) -> None:
        async for advance in self._todo:
            is_done = await self._carry_out(engine, advance)
            if engine.next_slot is None:
                self.has_completed = True
                self._say(Completed(summary=self._summary if self.params.send_summary else None))
                await trio.sleep_forever()
            paused = None if advance.pause_after is None or not is_done else Paused(slot=advance.pause_after)
            self._wait(paused or ReadyForContinue())

    async def _carry_out(self, engine: Engine, advance: Advance) -> bool:
        """Execute what was asked for; False: the engine refused it, which has been said."""
        try:
            await self._advance(engine, advance)
        except BundleError:
            raise
        except TransactionRefused as error:
            self.fail(InvalidTransactionFormat(index=error.index, error=str(error)))
            return False
        except InputError as error:
            self.fail(InvalidRequest(error=str(error)))
            return False

        return True

    async def _advance(self, engine: Engine, advance: Advance) -> None:
        last_slot = _U64_MAX if advance.pause_after is None else advance.pause_after
        transactions, left = advance.transactions, advance.slots
        modifications: Mapping[str, AccountData] | None = advance.modifications
        while left and engine.next_slot is not None and engine.next_slot <= last_slot:
            result = await engine.execute_slot(transactions=transactions, modifications=modifications)
            if left == advance.slots:
                self._announce(advance)
            transactions, modifications, left = (), None, left - 1
            await self._publish(result)
        self._say(Status(status="executedBlockTransactions"))

    def _announce(self, advance: Advance) -> None:
        """Say that the engine took what was given: only then is it known to be good."""
        if advance.transactions:
            self._say(Status(status="decodedTransactions"))
        if advance.modifications:
            self._say(Status(status="appliedAccountModifications"))
        if advance.transactions:
            self._say(Status(status="readyToExecuteUserTransactions"))
            self._say(Status(status="executedUserTransactions"))
        self._say(Status(status="executingBlockTransactions"))

    async def _publish(self, result: SlotResult) -> None:
        slots, positions = self._first_of_slot
        slots.append(result.slot)
        positions.append(self.notifications.end)
        for published in result.published:
            while not self.notifications.has_room():
                await self.bell.wait()
            self.notifications.append(published)
        self._summary = _sum(self._summary, result.summary)
        self.slot = result.slot
        while not self.events.has_room():
            await self.bell.wait()
        self._say(SlotNotification(slot=result.slot))

    def _wait(self, reason: ReadyForContinue | Paused) -> None:
        self.is_ready = True
        self._say(reason)

    def _say(self, event: SessionEvent) -> None:
        self.events.append(write_response(event, generation=self._generation))
        self.bell.ring()


def _size_of(published: Published) -> int:
    return len(published.result) + _TEXT_OVERHEAD_BYTES


def _sum(a: SessionSummary, b: SessionSummary) -> SessionSummary:
    return SessionSummary(
        correct_simulation=a.correct_simulation + b.correct_simulation,
        incorrect_simulation=a.incorrect_simulation + b.incorrect_simulation,
        execution_errors=a.execution_errors + b.execution_errors,
        balance_diff=a.balance_diff + b.balance_diff,
        log_diff=a.log_diff + b.log_diff,
    )
