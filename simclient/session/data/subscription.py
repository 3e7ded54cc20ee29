"""One subscription's task: one feed after another, and the subscription machine between the feed and the user.

Backpressure is the awaiting of whoever takes the notifications: while the user does not read, the feed is not read, and the clocks do
not run.
"""

from __future__ import annotations

import math
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager

import trio

from ...errors import ConnectError, ConnectionLost, RemoteProtocolError, SimClientError, SubscriptionFailed
from ...protocol.budget import ReconnectBudget
from ...protocol.subscription import Notification, Received, SubscriptionMachine
from ...transport.feed import Feed, Run
from ...wire.subscriptions import describe_subscription
from ..connections import ConnectionChange, ConnectionObserver, ConnectionState
from ..control.link import LATE_SECONDS
from ..limits import Limits
from ..tasks import open_tasks
from .turns import ReconnectTurns, Turn

__all__ = ["HandOn", "SubscriptionTask"]

HandOn = Callable[[Callable[[], Sequence[Notification]]], Awaitable[None]]
"""Waits while too many batches are waiting for the user, then makes the next one and takes it."""
OpenFeed = Callable[[], AbstractAsyncContextManager[Feed]]


class SubscriptionTask:
    """Owns the data socket of one subscription."""

    def __init__(
        self,
        machine: SubscriptionMachine,
        *,
        open_feed: OpenFeed,
        hand_on: HandOn,
        limits: Limits,
        turns: ReconnectTurns,
        on_change: Callable[[], None],
        on_end: Callable[[SubscriptionTask], None],
        on_failure: Callable[[SimClientError], None],
        observe: ConnectionObserver,
    ) -> None:
        """Take what the task works with.

        Args:
            machine: The rules, with the keys of this subscription.
            open_feed: Opens a new data socket.
            hand_on: Takes notifications.
            limits: Deadlines.
            turns: Says when to try again among many.
            on_change: Called when the subscription comes up, goes down or ends.
            on_end: Called once, when the last end marker has come and everything before it was handed on.
            on_failure: Called when it cannot go on; everything received before was handed on.
            observe: Told of every change of the connection.
        """
        self.machine = machine
        self.name = describe_subscription(machine.subscription)
        self._open_feed = open_feed
        self._hand_on = hand_on
        self._limits = limits
        self._turns = turns
        self._turn = Turn(None)
        self._observe = observe
        self._on_change = on_change
        self._on_end = on_end
        self._on_failure = on_failure
        self._budget = ReconnectBudget(limits.reconnect, random.random)
        self._waiting = trio.CancelScope()
        self._attempt = trio.CancelScope()
        self._draining_since = math.inf
        self._is_stopped = False
        self._is_left = False
        self.is_up = False
        """Whether the server knows of every key that has not ended."""
        self.has_ended = False
        """Whether the end marker of every key has come."""
        self.reconnects = 0
        self._feed: Feed | None = None
        self._bytes_received = 0

    @property
    def bytes_received(self) -> int:
        """Over all sockets so far, as they came over the wire."""
        return self._bytes_received + (0 if self._feed is None else self._feed.bytes_received)

    async def run(self) -> None:
        """Keep the subscription up until its end marker, its failure or `stop`."""
        while not self._is_stopped:
            error: SimClientError = ConnectionLost("the attempt was given up")
            with trio.CancelScope() as self._attempt:
                error = await self._one_attempt()
            self.machine.disconnected()
            self._announce()
            self._tell(ConnectionState.DOWN, error)
            if self.machine.has_ended or self._is_stopped:
                return

            retry_at = self._budget.failed(trio.current_time())
            if retry_at is None or isinstance(error, SubscriptionFailed) or _is_hopeless(error):
                self._on_failure(self._verdict(error))
                return

            self.reconnects += 1
            with trio.CancelScope() as self._waiting:
                await trio.sleep_until(retry_at)

    def start_draining(self) -> None:
        """The run has completed: from now on silence before the end marker is a failure."""
        self._draining_since = trio.current_time()
        self._waiting.deadline = -math.inf  # an unfinished wait starts again, with the new deadline

    def stop(self) -> None:
        """Read nothing more; what was read is still handed on."""
        self._is_stopped = True
        self._waiting.cancel(reason="the subscription was stopped")
        if self._feed is None:
            self._attempt.cancel(reason="the subscription was stopped")

    def leave(self) -> None:
        """Read nothing more, and move no cursor: what was read and waits to be handed on is for whoever takes the session up."""
        self._is_left = True
        self.stop()

    # One feed after another

    async def _one_attempt(self) -> SimClientError:
        """Wait for the turn, then connect; waiting for it is not counted."""
        asked = trio.current_time()
        async with self._turns.turn(self._budget.failures) as self._turn:
            self._budget.discount(trio.current_time() - asked)
            self._tell(ConnectionState.CONNECTING)
            return await self._one_feed()

    async def _one_feed(self) -> SimClientError:
        """Connect and stream until the socket is lost or every key has ended; return why it stopped."""
        try:
            async with self._open_feed() as feed:
                self._feed = feed
                try:
                    await self._stream(feed)
                finally:
                    self._feed = None
                    self._bytes_received += feed.bytes_received
        except (ConnectError, ConnectionLost, RemoteProtocolError, SubscriptionFailed) as error:
            return error

        return ConnectionLost("the data connection was closed")

    def _verdict(self, error: SimClientError) -> SubscriptionFailed:
        if isinstance(error, SubscriptionFailed):
            return error

        why = (
            str(error)
            if _is_hopeless(error)
            else f"{self._budget.describe(trio.current_time())}; the last was: {error}"
        )
        verdict = self._failure(why)
        verdict.__cause__ = error
        return verdict

    def _failure(self, why: str) -> SubscriptionFailed:
        last_slot = self.machine.last_slot
        got = "nothing was delivered" if last_slot is None else f"everything up to slot {last_slot} was delivered"
        return SubscriptionFailed(
            f"the subscription {self.name} failed: {why}; {got}", subscription=self.name, last_slot=last_slot
        )

    # One feed

    async def _stream(self, feed: Feed) -> None:
        async with open_tasks() as tasks:
            tasks.start_soon(_send_all, feed, self.machine.connected(), name="subscribe requests")
            tasks.start_soon(_keep_alive, feed, self._limits.keepalive_interval_seconds, name="data keepalive")
            while not (self.machine.has_ended or self._is_stopped):
                if feed.has_more and self.machine.is_up:
                    await self._receive(lambda: [] if self._is_stopped else feed.receive_at_hand())
                    continue

                runs = await self._next_runs(feed)
                if runs and not self._is_stopped:  # what a stopped one has read is not taken: its cursor stays
                    await self._receive(lambda runs=runs: runs)  # type: ignore[misc]  # mypy cannot infer it

    async def _receive(self, read: Callable[[], list[Run]]) -> None:
        """Hand on what `read` gives; once the subscription is up it is read and decoded only when there is room for it."""
        received = None if self.machine.is_up else self._take(read)

        def decoded() -> Sequence[Notification]:
            nonlocal received
            received = received or self._take(read)
            return received.notifications

        if received is None or received.notifications:
            await self._hand_on(decoded)
        assert received is not None
        self._announce_end()
        if received.refusal is not None:
            failure = self._failure(str(received.refusal))
            raise failure from received.refusal
        if received.fault is not None:
            raise received.fault

    def _take(self, read: Callable[[], list[Run]]) -> Received:
        if self._is_left:
            return Received()

        received = self.machine.receive(read())
        self._announce()
        return received

    async def _next_runs(self, feed: Feed) -> list[Run]:
        """Wait for messages within the deadlines; an empty list means that there is a reason to look around."""
        waiting_since = trio.current_time()
        while not self._is_stopped:
            deadline = min(self._deadlines(feed, waiting_since))
            with trio.CancelScope(deadline=deadline) as self._waiting:
                return await feed.receive_batch()
            if trio.current_time() - deadline > LATE_SECONDS:
                waiting_since = trio.current_time()  # the event loop was blocked: nobody could have heard anything
            else:
                self._judge_silence(feed, waiting_since)
        return []

    def _deadlines(self, feed: Feed, waiting_since: float) -> tuple[float, float, float]:
        """When silence becomes a lost connection, an unanswered subscribe, and a failed drain."""
        limits = self._limits
        alive = max(feed.last_inbound, waiting_since) + limits.keepalive_deadline_seconds
        answered = math.inf if self.machine.is_up else waiting_since + limits.response_seconds
        idle_since = max(self._draining_since, waiting_since) if self.machine.is_up else math.inf
        return alive, answered, idle_since + limits.drain_idle_seconds

    def _judge_silence(self, feed: Feed, waiting_since: float) -> None:
        limits = self._limits
        alive, answered, drained = self._deadlines(feed, waiting_since)
        now = trio.current_time()
        if now >= drained:
            raise self._failure(
                f"the run has completed, but for {limits.drain_idle_seconds:g} s neither data nor the end marker came"
            )
        if now >= alive:
            raise ConnectionLost(f"no traffic on the data connection for {limits.keepalive_deadline_seconds:g} s")
        if now >= answered:
            raise ConnectionLost(f"no answer to the subscribe requests for {limits.response_seconds:g} s")

    def _announce(self) -> None:
        """Tell when the subscription came up or went down."""
        is_up = self.machine.is_up
        if is_up and not self.is_up:
            self._budget.connected(trio.current_time())
            self._turn.give_back()
            self._tell(ConnectionState.UP)
        if is_up != self.is_up:
            self.is_up = is_up
            self._on_change()

    def _announce_end(self) -> None:
        """Tell when the last end marker has come and everything before it is in the inbox."""
        if self.machine.has_ended and not self.has_ended:
            self.has_ended = True
            self._on_end(self)
            self._on_change()

    def _tell(self, state: ConnectionState, reason: SimClientError | None = None) -> None:
        self._observe(ConnectionChange(connection=self.name, state=state, reason=reason, at=trio.current_time()))


def _is_hopeless(error: SimClientError) -> bool:
    return isinstance(error, ConnectError) and not error.retryable


async def _send_all(feed: Feed, texts: list[str]) -> None:
    """Write the subscribe requests; reading goes on meanwhile, so that neither side waits for the other."""
    try:
        for text in texts:
            await feed.send(text)
    except ConnectionLost:
        return  # the reader notices by itself


async def _keep_alive(feed: Feed, interval_seconds: float) -> None:
    try:
        while True:
            await feed.ping()
            await trio.sleep(interval_seconds)
    except ConnectionLost:
        return  # the reader notices by itself
