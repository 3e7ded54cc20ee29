"""One session of the model server: its numbered events, how far it has come, and the liberties it takes."""

from __future__ import annotations

import random
from typing import final

import attrs
import trio

from ..wire.requests import Continue, ContinueTo, CreateSession
from ..wire.responses import (
    Completed,
    Paused,
    ReadyForContinue,
    SessionEvent,
    SlotNotification,
    Status,
)
from .ground_truth import GroundTruth, NumberedDiff

__all__ = ["Manners", "ModelSession"]


@attrs.frozen(kw_only=True)
class Manners:
    """The liberties that a model server takes."""

    compresses: float = 0.5
    """How likely a data connection that asks for zstd gets it."""
    completes_early: bool = False
    """Whether `completed` overtakes the notifications of the last slots."""
    shuffles_replays: bool = False
    """Whether a replay gives the notifications of its first slot in another order."""
    replays_too_much: bool = False
    """Whether an attach replays events that were seen, and a subscribe slots before the one asked for."""
    says_unknown_things: bool = False
    """Whether events of unknown kinds come between."""
    is_busy_at_attach: float = 0.0
    """How likely an attach is answered `sessionOwnershipBusy`."""
    longest_pause_seconds: float = 0.05
    """Before an answer, and between two slots."""
    closes_with: int | None = None
    """A close code with which it now and then ends a connection, leaving TCP open; 1012 is its handoff."""
    never_ends_streams: bool = False
    """Whether it leaves out the end markers."""
    forgets_sessions: bool = False
    """Whether a session is gone when its control connection breaks, as after a restart."""

    @classmethod
    def draw(cls, dice: random.Random) -> Manners:
        """Draw some."""
        return cls(
            compresses=dice.choice((0.0, 0.5, 1.0)),
            completes_early=dice.random() < 0.5,
            shuffles_replays=dice.random() < 0.5,
            replays_too_much=dice.random() < 0.5,
            says_unknown_things=dice.random() < 0.3,
            is_busy_at_attach=dice.choice((0.0, 0.0, 0.3)),
            longest_pause_seconds=dice.choice((0.0, 0.05, 2.0)),
        )


@final
class ModelSession:
    """A session that lives until it is closed, whoever is connected.

    Attributes:
        session_id: Its name.
        create: How it was asked for.
        log: Its events; the first has the number 1.
        continues: What it was asked to execute, in order.
        slot: The last slot that was executed; one below the range before the first.
        data_slot: The last slot whose notifications are out.
        is_closed: Whether it was closed by the client.
        owner: The control connection that has it.
    """

    def __init__(self, session_id: str, create: CreateSession, dice: random.Random, manners: Manners) -> None:
        """Start ready for the first request."""
        self.session_id = session_id
        self.create = create
        self.log: list[SessionEvent] = [ReadyForContinue()]
        self.continues: list[Continue | ContinueTo] = []
        self.slot = create.params.start_slot - 1
        self.data_slot = self.slot
        self.is_closed = False
        self.owner = trio.CancelScope()
        self._dice = dice
        self._manners = manners
        self._is_ready = True
        self._data_has_ended = False
        self._news = trio.Event()

    def __repr__(self) -> str:
        return f"<ModelSession {self.session_id} at slot {self.slot}>"

    @property
    def has_completed(self) -> bool:
        """Whether the last slot of the range was executed."""
        return self.slot >= self.create.params.end_slot

    def own(self) -> trio.CancelScope:
        """Take the session from the connection that had it; return the scope of the new one."""
        self.owner.cancel(reason="another connection has taken the session")
        self.owner = trio.CancelScope()
        return self.owner

    def take(self, request: Continue | ContinueTo) -> bool:
        """Take a request, if the session is waiting for one."""
        if not self._is_ready or self.is_closed:
            return False

        self._is_ready = False
        self.continues.append(request)
        return True

    async def execute(self, request: Continue | ContinueTo) -> None:
        """Execute what was taken: the slots, one by one, and what is said of them."""
        last = self.create.params.end_slot
        target = request.slot if isinstance(request, ContinueTo) else self.slot + request.advance_count
        lags = self._manners.completes_early and target >= last
        while self.slot < min(last, target):
            await self.pause()
            self.slot += 1
            if self._dice.random() < _TALKATIVENESS:
                self._say(
                    Status(
                        status="windingTheClock" if self._manners.says_unknown_things else "executingBlockTransactions"
                    )
                )
            self._say(SlotNotification(slot=self.slot))
            if not lags:
                self._publish(self.slot)
        if not self.has_completed:
            self._is_ready = True
            self._say(Paused(slot=self.slot) if isinstance(request, ContinueTo) else ReadyForContinue())
            return

        self._say(Completed())
        for slot in range(self.data_slot + 1, last + 1):
            await self.pause()
            self._publish(slot)
        self._data_has_ended = True
        self._ring()

    async def pause(self) -> None:
        """Let time pass."""
        await trio.sleep(self._dice.uniform(0, self._manners.longest_pause_seconds))

    def close(self) -> None:
        """End; whoever waits for news learns it."""
        self.is_closed = True
        self._ring()

    async def wait_for_events(self, after: int) -> None:
        """Wait until the log is longer than `after`."""
        while len(self.log) <= after:
            await self._news.wait()

    async def wait_for_slot(self, slot: int) -> None:
        """Wait until the notifications of `slot` are out, or never will be."""
        while self.data_slot < slot and not self.is_closed:
            await self._news.wait()

    async def wait_for_the_end_of_data(self) -> None:
        """Wait until there will be no more notifications."""
        while not (self._data_has_ended or self.is_closed):
            await self._news.wait()

    def replay_start(self, last_sequence: int | None) -> int:
        """Return how many events an attach leaves out."""
        seen = min(last_sequence or 0, len(self.log))
        return self._dice.randint(0, seen) if self._manners.replays_too_much else seen

    def stream_from(self, truth: GroundTruth, slot: int | None) -> list[NumberedDiff]:
        """Return what a subscription gives: everything from a slot on, or from the first."""
        if slot is None:
            return list(truth.diffs)

        if self._manners.replays_too_much:
            slot -= self._dice.randint(0, 2)
        diffs = [diff for diff in truth.diffs if diff.slot >= slot]
        if self._manners.shuffles_replays and diffs and diffs[0].slot <= self.data_slot:
            size = sum(diff.slot == diffs[0].slot for diff in diffs)
            diffs[:size] = self._dice.sample(diffs[:size], size)
        return diffs

    def _say(self, event: SessionEvent) -> None:
        self.log.append(event)
        self._ring()

    def _publish(self, slot: int) -> None:
        self.data_slot = slot
        self._ring()

    def _ring(self) -> None:
        self._news.set()
        self._news = trio.Event()


_TALKATIVENESS = 0.3
"""How likely a slot has a status before it."""
