"""One subscription on one data socket, and nothing managed: when the socket ends before the end marker, so does the stream."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import final

import attrs
import trio

from ...errors import SimClientError
from ...protocol.subscription import SubscriptionMachine
from ...wire.subscriptions import Subscription
from ..data.subscription import SubscriptionTask
from ..data.turns import ReconnectTurns
from ..inbox import Inbox
from ..options import SessionOptions
from ..request import positions_from
from ..stream import NotificationStream
from ..tasks import open_tasks

__all__ = ["open_raw_stream"]


@asynccontextmanager
async def open_raw_stream(
    url: str, subscription: Subscription, options: SessionOptions, *, replay_from_slot: int | None = None
) -> AsyncGenerator[NotificationStream]:
    """Subscribe, and give the stream once the server has acknowledged every key.

    Args:
        url: The data plane's `ws(s)://` URL.
        subscription: What to receive.
        options: How the socket is opened, and its deadlines.
        replay_from_slot: Begin with what happened from this slot on (inclusive); None: with the first slot of the session.

    Raises:
        InputError: `replay_from_slot` is not a slot.
        SubscriptionFailed: The server refused, or could not be reached; the cause says why.
    """
    limits = attrs.evolve(options.limits, reconnect=attrs.evolve(options.limits.reconnect, attempts=0))
    machine = SubscriptionMachine(
        subscription,
        start_slot=0,  # asked for when a first socket is replaced, which none is here
        exactly_once=False,  # nothing is repeated on one socket
        compress=options.compress,
        max_message_bytes=limits.max_message_bytes,
        boundary_bytes=limits.boundary_bytes,
        positions=positions_from(subscription, replay_from_slot),
    )
    inbox = Inbox(control_backlog=1, data_batches=limits.data_batches)
    start = _Start(inbox)
    task = SubscriptionTask(
        machine,
        open_feed=lambda: options.open_feed(url),
        hand_on=inbox.put_batch,
        limits=limits,
        turns=ReconnectTurns(),
        on_change=start.settle,
        on_end=lambda _: inbox.end(),
        on_failure=start.fail,
        observe=options.observe,
    )
    async with open_tasks() as tasks:
        tasks.start_soon(task.run, name=task.name)
        await start.settled.wait()
        if start.failure is not None:
            raise start.failure
        try:
            yield NotificationStream(inbox)
        finally:
            task.stop()
            inbox.close(None)


@final
class _Start:
    """Whether the subscription has come up, or cannot; a later failure is the reader's."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self.settled = trio.Event()
        self.failure: SimClientError | None = None

    def settle(self) -> None:
        """It has come up, or ended."""
        self.settled.set()

    def fail(self, error: SimClientError) -> None:
        """It cannot go on."""
        if not self.settled.is_set():
            self.failure = error
            self.settled.set()
        self._inbox.fail(error)
