"""The subscriptions of one session: who runs, who is waited for, and whether all of them are up."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import final

import trio

from ...errors import SimClientError
from ...protocol.subscription import SubscriptionMachine
from ...wire.detached import Position
from ...wire.subscriptions import Subscription
from ..options import Delivery, SessionOptions
from ..statistics import DataCounts
from ..tasks import Tasks
from .drain import DrainCoordinator
from .subscription import HandOn, SubscriptionTask
from .turns import ReconnectTurns

__all__ = ["DataPlane", "Running"]


@final
class Running:
    """A subscription that runs, and the scope that ends it."""

    def __init__(self, task: SubscriptionTask, on_finished: Callable[[SubscriptionTask], None] | None) -> None:
        self.task = task
        self.is_apart = on_finished is not None
        """Whether it is read apart from the session's own events."""
        self.scope = trio.CancelScope()
        self._on_finished = on_finished

    async def run(self) -> None:
        """Run it until it ends, fails, or is cancelled by its scope."""
        try:
            with self.scope:
                await self.task.run()
        finally:
            if self._on_finished is not None:
                self._on_finished(self.task)


@final
class DataPlane:
    """Starts and ends the subscriptions of one session."""

    def __init__(
        self,
        tasks: Tasks,
        *,
        options: SessionOptions,
        turns: ReconnectTurns,
        drain: DrainCoordinator,
        data_url: Callable[[], str],
        set_data_up: Callable[[bool], None],
        on_failure: Callable[[SimClientError], None],
    ) -> None:
        """Take what the subscriptions work with.

        Args:
            tasks: Owns their tasks.
            options: How they are run.
            turns: Says when to try again among many.
            drain: Waits for their ends.
            data_url: Where the session's data plane is now.
            set_data_up: Told whether all of them are up.
            on_failure: Told when one cannot go on.
        """
        self._tasks = tasks
        self._options = options
        self._turns = turns
        self._drain = drain
        self._data_url = data_url
        self._set_data_up = set_data_up
        self._on_failure = on_failure
        self._ended = DataCounts()
        self._current: list[Running] = []

    @property
    def counts(self) -> DataCounts:
        """What all subscriptions that there ever were have done so far."""
        return sum((_counts_of(running.task) for running in self._current), self._ended)

    @property
    def positions(self) -> tuple[Position, ...]:
        """How far each key of the session's own subscriptions was handed on."""
        own = (running.task.machine for running in self._current if not running.is_apart)
        return tuple(position for machine in own for position in machine.positions)

    def announce(self) -> None:
        """Say whether all subscriptions are up."""
        self._set_data_up(all(r.task.is_up or r.task.has_ended for r in self._current))

    def start(
        self,
        subscription: Subscription,
        hand_on: HandOn,
        positions: Iterable[Position] = (),
        *,
        start_slot: int,
        has_begun: bool = False,
        on_finished: Callable[[SubscriptionTask], None] | None = None,
    ) -> Running:
        """Start a subscription; the session waits for it to come up, and for its end.

        Args:
            subscription: What to receive.
            hand_on: Takes what comes.
            positions: Where to begin, of keys that were handed on before.
            start_slot: The first slot that is wanted of the others.
            has_begun: Whether the session was running before, so that what was missed is asked for at once.
            on_finished: For one that is read apart: told when nothing more will be handed on, for whatever reason.
        """
        machine = SubscriptionMachine(
            subscription,
            start_slot=start_slot,
            has_begun=has_begun,
            exactly_once=self._options.delivery is Delivery.EXACTLY_ONCE,
            compress=self._options.compress,
            max_message_bytes=self._options.limits.max_message_bytes,
            boundary_bytes=self._options.limits.boundary_bytes,
            positions=positions,
        )
        task = SubscriptionTask(
            machine,
            open_feed=lambda: self._options.open_feed(self._data_url()),
            hand_on=hand_on,
            limits=self._options.limits,
            turns=self._turns,
            on_change=self.announce,
            on_end=self._drain.ended,
            on_failure=self._on_failure,
            observe=self._options.observe,
        )
        running = Running(task, on_finished)
        self._drain.opened(task)
        self._current.append(running)
        self.announce()
        self._tasks.start_soon(running.run, name=task.name)
        return running

    def end(self, running: Running) -> None:
        """End a subscription: its socket is closed, and nobody waits for it any more."""
        running.task.stop()
        running.scope.cancel(reason="the subscription was ended")
        self._current.remove(running)
        self._ended += _counts_of(running.task)
        self._drain.ended(running.task)
        self.announce()

    def stop(self) -> None:
        """Read nothing more of any subscription; what was read is still handed on."""
        for running in self._current:
            running.task.stop()

    def leave(self) -> None:
        """Read nothing more of any subscription; `positions` are final."""
        for running in self._current:
            running.task.leave()


def _counts_of(task: SubscriptionTask) -> DataCounts:
    machine = task.machine
    return DataCounts(
        notifications=machine.delivered,
        bytes_received=task.bytes_received,
        reconnects=task.reconnects,
        duplicates_dropped=machine.duplicates_dropped,
        out_of_order=machine.out_of_order,
        last_slot=machine.last_slot,
    )
