"""One served session: an engine, what it has said, and how far it was told to go.

Rules, by the published protocol and not by our client's:
- A session waits after `readyForContinue` or `paused`; one request makes it go on. A second one before that is answered with an error.
- What the engine refuses changes nothing: the error comes, and then `readyForContinue`.
- `continue` ends in `readyForContinue`, `continueTo` in `paused`, and either in `completed` at the end of the range.
- With discovery filters, the next matching batch is announced before the session waits, if there is one. After a `paused` with no further
  match ahead comes `readyForContinue`: the stepping helper of the official client waits for one of the two.
- Every event has a sequence number, counted from 1, and is kept for replay within a bound; notifications likewise.
- The notifications of a slot are there before its `slotNotification`.
- An engine that dies ends the session with `internal` at once, also when nothing is asked of it.
- After the last slot of the range comes `completed`, and then the end markers of all subscriptions.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import Final, final

import trio

from ...errors import BundleError, ConnectionLost, InputError
from ...wire.accounts import EncodedBinary
from ...wire.codec import write_response
from ...wire.failures import (
    AdvanceSlotFailed,
    BacktestFailure,
    ClerkError,
    FinalizeSlotFailed,
    InitializingSysvarsFailed,
    Internal,
    InvalidBlockhashFormat,
    InvalidRequest,
    InvalidTransactionFormat,
    NoProducedBlocksInRange,
    SimulationError,
)
from ...wire.generation import NEWEST, Generation
from ...wire.params import SessionParams
from ...wire.responses import (
    Completed,
    DiscoveryBatch,
    ErrorEvent,
    Paused,
    ReadyForContinue,
    SessionEvent,
    SlotNotification,
    Status,
    Success,
)
from ...wire.summary import SessionSummary
from ..bundle import BlockhashError
from ..engine import (
    Engine,
    EngineTemplates,
    FoundBatch,
    Note,
    PendingSlots,
    Reached,
    SlotResult,
    SysvarsRefused,
    TransactionRefused,
)
from .advance import Advance, Position, next_turn
from .bell import Bell
from .bundles import Source
from .discoveries import Discoveries
from .limits import SimulatorLimits
from .refusals import Refused, for_generation
from .replay_log import ReplayLog
from .schedule import Schedule

__all__ = ["ServedSession"]

_OVERHEAD_BYTES: Final = 100
"""Roughly what an item in memory costs beside its text, and what each address does."""
_SCOUTED_SLOTS: Final = 256
"""Looked through at once for discoveries: some ten milliseconds of the engine's time."""


@final
class ServedSession:
    """A session; `run` is its task."""

    def __init__(
        self,
        session_id: str,
        params: SessionParams,
        schedule: Schedule,
        source: Source,
        limits: SimulatorLimits,
        *,
        engines: EngineTemplates,
        bell: Bell,
        generation: Generation = NEWEST,
    ) -> None:
        """Prepare a session; `bell` rings whenever its own does, and `generation` is its client's."""
        self.session_id = session_id
        self.params = params
        self._schedule = schedule
        self.source = source
        """What is replayed."""
        self._engines = engines
        self._generation = generation
        self._requests, self._todo = trio.open_memory_channel[Advance](1)
        self._summary = SessionSummary()
        self._first_of_slot = (array("Q"), array("Q"))
        """Slots, and the position of the first notification of each."""
        self.events = ReplayLog[str](str, limits.events)
        """Events as JSON texts; the sequence number of the one at position n is n + 1."""
        self.notifications = ReplayLog[Note](Note, limits.notifications)
        self.bell = Bell(bell)
        """Rings when anything about the session has changed."""
        self.engine: Engine | None = None
        """There once the bundle is loaded."""
        self.position = Position(slot=params.start_slot - 1)
        self._discoveries = Discoveries(self.position, has_filters=bool(params.discoveries))
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
                async with self._engines.open_engine(
                    self.source.path,
                    is_recording=self.source.is_recording,
                    speed=self.source.speed,
                    start_slot=self.params.start_slot,
                    end_slot=self.params.end_slot,
                    extra_compute_units=self.params.extra_compute_units,
                    signers=self.params.signer_filter,
                    filters=self._schedule.filters,
                    actions=self._schedule.actions,
                    probes=self._schedule.probes,
                ) as engine:
                    self.engine = engine
                    engine.call_on_death(self._requests.close)
                    await self._serve(engine)
        except (ConnectionLost, InputError) as error:
            self._say_why(error)
            self.fail(Internal(error=str(error)))
        except OSError as error:
            self.fail(Internal(error=f"what the session has said cannot be kept for replay: {error.strerror or error}"))
        finally:
            self.has_ended = True
            self.engine = None
            self.bell.ring()

    def ask(self, advance: Advance) -> bool:
        """Let the session go on; False: it is not waiting for that."""
        if not self.is_ready:
            return False

        self.is_ready = False
        try:
            self._requests.send_nowait(advance)
        except trio.ClosedResourceError:
            return False  # the engine has died, which is said in a moment

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

        await self._discover(engine)
        self._wait(ReadyForContinue())
        await self._go_on(engine)

    async def _go_on(self, engine: Engine) -> None:
        async for advance in self._todo:
            is_done = await self._carry_out(engine, advance)
            if engine.next_slot is None:
                self.has_completed = True
                self._say(Completed(summary=self._summary if self.params.send_summary else None))
                await trio.sleep_forever()
            await self._discover(engine)
            if advance.pause is None or not is_done:
                self._wait(ReadyForContinue())
            else:
                self._wait(Paused(slot=advance.pause.slot, batch_index=advance.pause.batch))
                if self._discoveries.have_none_ahead:
                    self._say(ReadyForContinue())
        engine.check_alive()

    async def _carry_out(self, engine: Engine, advance: Advance) -> bool:
        """Execute what was asked for; False: the engine refused it, which has been said."""
        try:
            await self._advance(engine, advance)
        except BundleError as error:
            if isinstance(error, BlockhashError):
                self.fail(InvalidBlockhashFormat(slot=engine.next_slot or self.position.slot, error=str(error)))
            self.fail(AdvanceSlotFailed(slot=engine.next_slot or self.position.slot, error=str(error)))
            await trio.sleep_forever()
        except TransactionRefused as error:
            self.fail(InvalidTransactionFormat(index=error.index, error=str(error)))
            return False
        except InputError as error:
            self.fail(InvalidRequest(error=str(error)))
            return False

        return True

    async def _advance(self, engine: Engine, advance: Advance) -> None:
        """Execute turn by turn; while one is published the engine is at the next."""
        left = advance.slots
        pending = await self._begin_turn(engine, advance, left)
        is_first = True
        while pending is not None:
            reached = await pending.reached()
            self._reach(reached)
            left -= reached.slots
            await self._discover(engine)
            following = await self._begin_turn(engine, advance, left, is_first=False)
            if is_first:
                self._announce(advance)
                is_first = False
            for result in await pending.results():
                await self._publish(result)
            pending = following
        self._say(Status(status="executedBlockTransactions"))

    async def _begin_turn(
        self, engine: Engine, advance: Advance, left: int, *, is_first: bool = True
    ) -> PendingSlots | None:
        turn = next_turn(
            advance,
            slots_left=left,
            position=self.position,
            next_slot=engine.next_slot,
            known_to=self._discoveries.known_to,
        )
        if turn is None:
            return None

        return await engine.begin(
            transactions=advance.transactions if is_first else (),
            modifications=advance.modifications if is_first else (),
            most_slots=turn.most_slots,
            last_slot=turn.last_slot,
            stop_at=turn.stop_at,
        )

    def _reach(self, reached: Reached) -> None:
        if reached.next_batch is None:
            self.position = Position(slot=reached.slot)
        else:
            self.position = Position(slot=self.position.slot, within=(reached.slot, reached.next_batch))
        self._discoveries.reach(self.position)

    async def _discover(self, engine: Engine) -> None:
        """Announce matching batches until one lies ahead, or all are known."""
        while not self._discoveries.are_enough(engine.next_slot):
            scouted = await engine.look_ahead(_SCOUTED_SLOTS)
            self._discoveries.add([(found.slot, found.batch) for found in scouted.found], scouted.known_to)
            self._discoveries.reach(self.position)
            for found in scouted.found:
                await self._make_room()
                self._say(_discovery(found, self.params))

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

    def _say_why(self, error: Exception) -> None:
        """Say what the protocol has a type for that does not end a session by itself; what ends it is said after it."""
        match error:
            case SysvarsRefused():
                self.fail(InitializingSysvarsFailed(slot=self.params.start_slot, error=str(error)))
            case BundleError():
                self.fail(ClerkError(error=str(error)))
            case _:
                return

    async def _publish(self, result: SlotResult) -> None:
        """Say what came of a slot; the session ends where that cannot be kept."""
        try:
            await self._keep(result)
        except OSError as error:
            text = f"what was said of it cannot be kept for replay: {error.strerror or error}"
            self.fail(FinalizeSlotFailed(slot=result.slot, error=text))
            await trio.sleep_forever()

    async def _keep(self, result: SlotResult) -> None:
        slots, positions = self._first_of_slot
        if result.delay_seconds:
            await trio.sleep(result.delay_seconds)
        if not slots or slots[-1] != result.slot:
            slots.append(result.slot)
            positions.append(self.notifications.end)
        for note in result.notes:
            while not self.notifications.has_room():
                await self.bell.wait()
            self.notifications.append(note, _size_of(note))
        self._summary = _sum(self._summary, result.summary)
        await self._make_room()
        for error in result.errors:
            self._say(ErrorEvent(failure=SimulationError(error=error)))
        if result.next_batch is None:
            self._say(SlotNotification(slot=result.slot))

    async def _make_room(self) -> None:
        while not self.events.has_room():
            await self.bell.wait()

    def _wait(self, reason: ReadyForContinue | Paused) -> None:
        self.is_ready = True
        self._say(reason)

    def _say(self, event: SessionEvent) -> None:
        text = write_response(event, generation=self._generation)
        self.events.append(text, len(text) + _OVERHEAD_BYTES)
        self.bell.ring()


def _size_of(note: Note) -> int:
    return note.size + _OVERHEAD_BYTES * (1 + note.addresses)


def _discovery(found: FoundBatch, params: SessionParams) -> DiscoveryBatch:
    """Announce a batch; of a transaction its own bytes are given, since what the service puts beside them is not published."""
    return DiscoveryBatch(
        slot=found.slot,
        batch_index=found.batch,
        matched=tuple(params.discoveries[which] for which in found.filters),
        transactions=tuple(map(EncodedBinary.from_bytes, found.transactions)),
        transaction_indices=found.places,
    )


def _sum(a: SessionSummary, b: SessionSummary) -> SessionSummary:
    return SessionSummary(
        correct_simulation=a.correct_simulation + b.correct_simulation,
        incorrect_simulation=a.incorrect_simulation + b.incorrect_simulation,
        execution_errors=a.execution_errors + b.execution_errors,
        balance_diff=a.balance_diff + b.balance_diff,
        log_diff=a.log_diff + b.log_diff,
    )
