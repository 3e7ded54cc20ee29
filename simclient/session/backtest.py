"""What a user holds of an open session: an async iterator of events, and the requests that can be made."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Protocol, final

import attrs
import trio

from ..errors import InputError, LocalProtocolError
from ..protocol.progress import SessionProgress
from ..protocol.stepping import DiscoverySteps
from ..rpc import SessionRpc
from ..wire.accounts import AccountData
from ..wire.codec import write_request
from ..wire.detached import DetachedSession
from ..wire.requests import Continue, ContinueTo
from ..wire.subscriptions import Subscription, describe_subscription
from .data.plane import DataPlane
from .data.subscription import SubscriptionTask
from .discoveries import DiscoveryPause, DiscoveryPauses
from .inbox import Batches, Event, Inbox
from .options import SessionOptions
from .request import Address, check_count, continue_request, continue_to_request, positions_from
from .run_state import RunState
from .statistics import SessionStatistics
from .stream import NotificationStream

__all__ = ["BacktestSession", "ControlDoor", "SessionIdentity"]


@attrs.frozen(kw_only=True)
class SessionIdentity:
    """What does not change about a session."""

    session_id: str = attrs.field(repr=False)
    session_name: str | None = None
    task_id: str | None = None
    start_slot: int
    end_slot: int
    disconnect_timeout_seconds: int | None = None
    """What was asked for; None: not known here, or the server's default."""
    has_discoveries: bool | None = None
    """Whether discovery filters were given; None: not known here."""


class ControlDoor(Protocol):
    """The control plane of one session, as far as its holder looks at it."""

    ended: trio.Event
    events: int
    last_slot: int | None

    @property
    def progress(self) -> SessionProgress:
        """How far the session has come."""
        ...

    @property
    def phase(self) -> str:
        """Where the connection is, in a word."""
        ...

    @property
    def reconnects(self) -> int:
        """How often another socket was needed."""
        ...

    @property
    def possible_orphans(self) -> int:
        """Creates whose answer was lost."""
        ...

    @property
    def is_shared(self) -> bool:
        """Whether the connection serves other sessions too."""
        ...

    def advance(self, request: Continue | ContinueTo) -> None:
        """Queue a request."""
        ...

    def set_data_up(self, is_up: bool) -> None:
        """All subscriptions are up, or one of them no longer is."""
        ...

    def leave(self) -> None:
        """Close the connection and leave the session to the server."""
        ...


@final
class BacktestSession:
    """An open session: an async iterator of events, and the requests a user can make.

    Iteration gives control events and notifications as they come, control first; it ends after `Completed`, which comes after the last
    notification of every subscription. A failure is raised after everything received before it was given.
    """

    def __init__(
        self,
        identity: SessionIdentity,
        *,
        control: ControlDoor,
        data: DataPlane,
        inbox: Inbox,
        run: RunState,
        rpc: SessionRpc,
        options: SessionOptions,
        has_subscriptions: bool,
    ) -> None:
        """Take what the opening block made."""
        self._has_subscriptions = has_subscriptions
        self._identity = identity
        self._control = control
        self._data = data
        self._inbox = inbox
        self._run = run
        self._options = options
        self.session_id: str = identity.session_id
        """The server's name for the session; whoever knows it can read the session's state."""
        self.session_name: str | None = identity.session_name
        self.task_id: str | None = identity.task_id
        self.start_slot: int = identity.start_slot
        self.end_slot: int = identity.end_slot
        """The last slot of the range, inclusive."""
        self.rpc: SessionRpc = rpc
        """Solana JSON-RPC on the state after the last executed slot; may answer 503 before the first `ReadyForContinue`."""

    @property
    def rpc_url(self) -> str:
        """The session's own endpoint for Solana's JSON-RPC over HTTP, which any Solana client can use; as secret as the session's id."""
        return self.rpc.url

    def __repr__(self) -> str:
        phase = "closed" if self._run.is_closed else self._control.phase
        return f"<BacktestSession slots {self.start_slot}-{self.end_slot} {phase}>"

    def __aiter__(self) -> AsyncIterator[Event]:
        return self._inbox

    async def __anext__(self) -> Event:
        """Return the next event.

        Raises:
            StopAsyncIteration: `Completed` was the last, or the session was detached and everything received was given.
            SubscriptionFailed: A subscription could not be kept whole.
            ConnectionLost: The control connection could not be kept up.
            RemoteError: The server ended the run.
            SessionClosed: The block was left.

        Cancellation: no event is lost; iterate again.
        """
        return await anext(self._inbox)

    def batches(self) -> AsyncIterator[Sequence[Event]]:
        """Iterate over batches of events: `async for batch in session.batches()`.

        A batch is a list of at least one event, in order: notifications that one read of a socket gave, or control events, which
        come first here too. It costs less than an event at a time, and never waits for more than is at hand. Both ways of iterating
        take from the same events, end and fail alike, and can be mixed.
        """
        return Batches(self._inbox)

    async def advance(
        self,
        slots: int = 1,
        *,
        transactions: Sequence[object] = (),
        modify_accounts: Mapping[Address, AccountData] | None = None,
    ) -> None:
        """Ask the server to execute the next `slots` slots; return once the request is queued.

        It is written as soon as control and all subscriptions are connected; the results are events.

        Args:
            slots: How many, 1 or more, counted from the current slot (exclusive); more than the range has left is not an error.
            transactions: Executed before the slot's own: signed transactions as bytes, or anything whose `bytes()` is one.
            modify_accounts: By address, set before the slot; 0 lamports delete an account.

        Raises:
            InputError: A value cannot be used.
            LocalProtocolError: The session is not ready (wait for `ReadyForContinue`) or has completed.
            SessionClosed: The block was left, or the session detached.
            SimClientError: The session has failed.

        Cancellation: either the whole request is queued, or nothing.
        Source: method `continue`, simulator-api 0.9.0.
        """
        await self._request_progress(continue_request(slots, transactions, modify_accounts or {}))

    async def advance_to(self, slot: int, *, batch_index: int | None = None) -> None:
        """Ask the server to execute up to `slot`, or to just before batch `batch_index` of it; `Paused` follows.

        Raises:
            InputError, LocalProtocolError, SessionClosed, SimClientError: As for `advance`.

        Cancellation: either the whole request is queued, or nothing.
        Source: method `continueTo`, simulator-api 0.9.0.
        """
        await self._request_progress(continue_to_request(slot, batch_index))

    @asynccontextmanager
    async def subscribe(
        self, subscription: Subscription, *, replay_from_slot: int | None = None
    ) -> AsyncGenerator[NotificationStream]:
        """Receive something more while the block is open, apart from the session's own events.

            async with session.subscribe(Logs(mentions=program)) as logs:
                async for log in logs:
                    ...

        What was queued by `advance` meanwhile is only sent when the new subscription is up, so nothing that it causes is missed. It is
        managed like those that the session was opened with: it survives drops, and `Completed` comes after its end. Read it, then, or
        leave the block: an unread stream holds `Completed` back (and, by backpressure, nothing else). Leaving the block ends the
        subscription; what it had received and was not read is discarded.

        Args:
            subscription: What to receive.
            replay_from_slot: Begin with what happened from this slot on (inclusive); None: only what is to come after the last slot.

        Raises:
            InputError: `replay_from_slot` is not a slot.
            LocalProtocolError: The run has completed.
            SessionClosed: The session's block was left, or the session detached.
            SimClientError: The session has failed.
        """
        await trio.lowlevel.checkpoint()
        self._run.check()
        if self._control.progress.is_complete:
            what = describe_subscription(subscription)
            raise LocalProtocolError(f"cannot subscribe to {what}: the run has completed; open a new session")

        positions = positions_from(subscription, replay_from_slot)
        inbox = Inbox(control_backlog=1, data_batches=self._options.limits.data_batches)
        self._run.streams.add(inbox)
        last_slot = self._control.last_slot
        running = self._data.start(
            subscription,
            inbox.put_batch,
            positions,
            start_slot=self.start_slot if last_slot is None else last_slot + 1,
            has_begun=last_slot is not None,  # a server that is not told where to begin sends everything so far
            on_finished=partial(self._end, inbox),
        )
        try:
            yield NotificationStream(inbox)
        finally:
            self._data.end(running)
            self._run.forget(inbox)
            inbox.close(None)

    def discoveries(
        self, *, offset: int = 0, on_event: Callable[[Event], object] | None = None
    ) -> AsyncIterator[DiscoveryPause]:
        """Run from one batch that matches the session's discovery filters to the next, and stop just before each.

            async with open_backtest_session(url, …, discoveries=[ProgramExecuted(program=amm)]) as session:
                async for pause in session.discoveries():
                    pool = await session.rpc.get_account(…)  # as it is before any transaction of the batch

        It takes the place of iterating over the session: it reads the events, and advances by itself. It begins where the session is, ends
        with the range, and may be left and begun again; a discovery that came meanwhile is not lost.

        Args:
            offset: How many batches past the matching one to stop at; 1 stops just after it.
            on_event: Called with every event that is read, notifications and `Completed` too.

        Raises:
            InputError: `offset` is not a count; or the session was opened without discoveries; or with subscriptions, and nobody would
                get their notifications: pass `on_event`, or receive them by `subscribe`.
        """
        check_count("offset", offset)
        if self._identity.has_discoveries is False:
            raise InputError("the session was opened without discoveries=, so nothing is announced")
        if self._has_subscriptions and on_event is None:
            raise InputError(
                "nobody would get the session's notifications: pass on_event=, or receive them by session.subscribe"
            )

        return DiscoveryPauses(
            self._inbox,
            DiscoverySteps(self._control.progress, offset=offset),
            ask=self._ask,
            on_event=on_event,
        )

    async def detach(self) -> DetachedSession:
        """Let the session run on without us, and return what is needed to come back to it.

        Nothing more is read; what was received before is still given by the iterator, which then ends: take it, for it does not come
        again. Leaving the block closes no session then. Another block, also in another process, takes it up with
        `open_backtest_session(url, attach=detached)` within the session's disconnect timeout.

        Raises:
            LocalProtocolError: The run has completed, the session was opened with a disconnect timeout of 0, it is part of a parallel
                session, or a request waits to be sent.
            SessionClosed: The block was left, or the session detached before.
            SimClientError: The session has failed.

        Cancellation: before it began, nothing was done; after that the session is detached all the same, and what would have been
        returned is lost.
        """
        await trio.lowlevel.checkpoint()
        self._run.check()
        progress = self._control.progress
        if self._control.is_shared:
            raise LocalProtocolError("cannot detach: a sub-session is left with its parallel session only")
        if progress.is_complete:
            raise LocalProtocolError("cannot detach: the run has completed, there is nothing to come back to")
        if self._identity.disconnect_timeout_seconds == 0:
            raise LocalProtocolError(
                "cannot detach: the session was opened with disconnect_timeout_seconds=0, so the server would end it at once"
            )
        if progress.unwritten:
            raise LocalProtocolError("cannot detach: a request waits to be sent; wait for the next event")

        self._data.leave()
        detached = DetachedSession(
            session_id=self.session_id,
            start_slot=self.start_slot,
            end_slot=self.end_slot,
            last_sequence=progress.last_sequence,
            is_ready=progress.is_ready,
            paused_at=progress.paused_at,
            unconfirmed=tuple(map(write_request, progress.unconfirmed)),
            ahead=tuple(progress.ahead),
            positions=self._data.positions,
        )
        self._control.leave()
        self._run.is_detached = True
        self._inbox.end()
        await self._control.ended.wait()
        return detached

    def statistics(self) -> SessionStatistics:
        """Return what the session has done so far."""
        control, data = self._control, self._data.counts
        return SessionStatistics(
            control_events=control.events,
            notifications=data.notifications,
            bytes_received=data.bytes_received,
            control_reconnects=control.reconnects,
            data_reconnects=data.reconnects,
            replays_dropped=control.progress.replays_dropped,
            duplicates_dropped=data.duplicates_dropped,
            out_of_order=data.out_of_order,
            continues_resent=control.progress.continues_resent,
            possible_orphans=control.possible_orphans,
            times_control_waited=self._inbox.times_full,
            last_slot=control.last_slot,
            last_delivered_slot=data.last_slot,
        )

    def _end(self, inbox: Inbox, _: SubscriptionTask) -> None:
        """A stream of its own will get nothing more."""
        if self._run.failure is None:
            inbox.end()
        else:
            inbox.fail(self._run.failure)

    async def _request_progress(self, request: Continue | ContinueTo) -> None:
        await trio.lowlevel.checkpoint()
        self._ask(request)

    def _ask(self, request: Continue | ContinueTo) -> None:
        self._run.check()
        self._control.advance(request)
