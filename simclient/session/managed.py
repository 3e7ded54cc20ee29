"""The managed session: what a user opens, reads and advances.

Inside one nursery run the control task, a task per subscription and the drain coordinator; leaving the block ends them all, after the
session was closed on the server. The first failure of a task comes out once: from the iterator after everything received before it, or
from any other method at once, or from the block itself if nobody iterates.
"""

from __future__ import annotations

import enum
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from importlib.metadata import version
from typing import final

import trio

from ..errors import SessionClosed, SimClientError
from ..protocol.subscription import SubscriptionMachine
from ..rpc import SessionRpc
from ..transport.feed import Feed, open_feed
from ..transport.http import HttpClient, open_http
from ..transport.streams import StreamOpener
from ..transport.websocket import open_websocket
from ..wire.accounts import AccountData
from ..wire.discovery import DiscoveryFilter
from ..wire.requests import Continue, ContinueTo
from ..wire.subscriptions import Subscription
from ..wire.urls import rpc_urls
from .control import ControlTask
from .credentials import control_headers, is_loopback
from .drain import DrainCoordinator
from .inbox import Batches, Event, Inbox
from .limits import Limits
from .request import SessionRequest, continue_request, continue_to_request
from .statistics import SessionStatistics
from .subscription import SubscriptionTask
from .tasks import Tasks, open_tasks

__all__ = ["BacktestSession", "Delivery", "open_backtest_session"]


class Delivery(enum.Enum):
    """What a reconnect may do to the notifications of the slot at which the connection broke."""

    EXACTLY_ONCE = "exactly once"
    """Each is delivered once."""
    AT_LEAST_ONCE = "at least once"
    """They are delivered again."""


@asynccontextmanager
async def open_backtest_session(
    url: str,
    *,
    start_slot: int,
    end_slot: int | None = None,
    slot_count: int | None = None,
    subscriptions: Sequence[Subscription] = (),
    api_key: str | None = None,
    send_summary: bool = False,
    disconnect_timeout_seconds: int | None = None,
    capacity_wait_timeout_seconds: int | None = None,
    extra_compute_units: int | None = None,
    discoveries: Sequence[DiscoveryFilter] = (),
    delivery: Delivery = Delivery.EXACTLY_ONCE,
    compress: bool = True,
    limits: Limits = Limits(),  # noqa: B008  # frozen
    ssl_context: ssl.SSLContext | None = None,
    open_stream: StreamOpener | None = None,
    user_agent: str | None = None,
) -> AsyncIterator[BacktestSession]:
    """Open a session over a slot range, keep it connected, and close it when the block is left.

    Args:
        url: The simulator: a host, or a `ws://` or `wss://` URL.
        start_slot: The first slot.
        end_slot: The last slot, inclusive.
        slot_count: In place of `end_slot`: how many slots past the start; n replays n + 1 slots, as in the Rust builder.
        subscriptions: What to receive; each is a data socket of its own, from the first slot on.
        api_key: The key; by default what `SIMULATOR_API_KEY` holds. A simulator on this machine needs none.
        send_summary: Whether `Completed` is to carry a comparison with what was recorded.
        disconnect_timeout_seconds: How long the server keeps the session while nobody is connected, at most 900; 0: not at all.
        capacity_wait_timeout_seconds: How long the server may let the request wait for a free place.
        extra_compute_units: Added to the compute unit limit of every transaction.
        discoveries: Batches to be announced ahead of their execution.
        delivery: What a reconnect may repeat.
        compress: Whether to ask for zstd on the data sockets.
        limits: Deadlines and bounds.
        ssl_context: For `wss://`; by default the system's trust.
        open_stream: Opens the byte streams of all connections in place of TCP, given host and port: a proxy, or memory in tests. It
            raises OSError when it cannot. TLS still goes on top where the scheme asks for it.
        user_agent: Put before ours in the `User-Agent` header.

    Raises:
        InputError: An argument cannot be used; nothing was sent.
        ConnectError: The simulator could not be reached.
        RemoteError: The server refused the session; `payload` says why.
        SimClientError: The session failed and nobody was iterating.

    Leaving the block, by its end, an exception or cancellation, takes at most `limits.closing_seconds`.
    """
    request = SessionRequest.build(
        url,
        start_slot=start_slot,
        end_slot=end_slot,
        slot_count=slot_count,
        subscriptions=subscriptions,
        api_key=api_key,
        send_summary=send_summary,
        disconnect_timeout_seconds=disconnect_timeout_seconds,
        capacity_wait_timeout_seconds=capacity_wait_timeout_seconds,
        extra_compute_units=extra_compute_units,
        discoveries=discoveries,
    )
    ours = f"simclient/{version('simclient')} (managed)"
    headers = control_headers(request.secret, f"{user_agent} {ours}" if user_agent else ours)
    open_socket = partial(
        open_websocket,
        request.url,
        headers=headers,
        limits=limits.transport,
        ssl_context=ssl_context,
        open_stream=open_stream,
    )
    open_data = partial(open_feed, limits=limits.transport, ssl_context=ssl_context, open_stream=open_stream)
    async with open_http(ssl_context=ssl_context, open_stream=open_stream) as http, open_tasks() as tasks:
        inbox = Inbox(control_backlog=limits.control_backlog, data_batches=limits.data_batches)
        run = _Run(inbox)
        drain = DrainCoordinator(inbox)
        control = ControlTask(
            request.create,
            open_socket=open_socket,
            is_local=is_loopback(request.url),
            inbox=inbox,
            limits=limits,
            on_completed=drain.completed,
            on_failure=run.fail,
        )
        tasks.start_soon(control.run, name="control")
        try:
            await control.opened.wait()
            run.check()
            session = BacktestSession(request, control=control, inbox=inbox, run=run, http=http)
            session._subscribe(tasks, drain, delivery=delivery, compress=compress, limits=limits, open_data=open_data)
            tasks.start_soon(drain.run, name="drain")
            with run.body_scope:
                yield session
        finally:
            run.close()
            with trio.move_on_after(limits.goodbye_seconds, shield=True):
                await _say_goodbye(control, run.subscriptions)
        run.raise_what_nobody_saw()


async def _say_goodbye(control: ControlTask, subscriptions: Sequence[SubscriptionTask]) -> None:
    """Stop reading data, close the session on the server, and close the control socket."""
    for subscription in subscriptions:
        subscription.stop()
    control.close()
    await control.ended.wait()


@final
class BacktestSession:
    """An open session: an async iterator of events, and the requests a user can make.

    Iteration gives control events and notifications as they come, control first; it ends after `Completed`, which comes after the last
    notification of every subscription. A failure is raised after everything received before it was given.
    """

    def __init__(
        self, request: SessionRequest, *, control: ControlTask, inbox: Inbox, run: _Run, http: HttpClient
    ) -> None:
        assert control.session is not None
        rpc_url, self._data_url = rpc_urls(request.url, control.session.rpc_endpoint)
        self._request = request
        self._control = control
        self._inbox = inbox
        self._run = run
        self.session_id: str = control.session.session_id
        """The server's name for the session; whoever knows it can read the session's state."""
        self.session_name: str | None = control.session.session_name
        self.task_id: str | None = control.session.task_id
        self.start_slot: int = request.create.params.start_slot
        self.end_slot: int = request.create.params.end_slot
        """The last slot of the range, inclusive."""
        self.rpc_url: str = rpc_url
        """The session's own endpoint for Solana's JSON-RPC over HTTP, which any Solana client can use; as secret as the session's id."""
        self.rpc: SessionRpc = SessionRpc(rpc_url, http)
        """Solana JSON-RPC on the state after the last executed slot; may answer 503 before the first `ReadyForContinue`."""

    def __repr__(self) -> str:
        phase = "closed" if self._run.is_closed else self._control.machine.phase.value
        return f"<BacktestSession slots {self.start_slot}-{self.end_slot} {phase}>"

    def __aiter__(self) -> AsyncIterator[Event]:
        return self._inbox

    async def __anext__(self) -> Event:
        """Return the next event.

        Raises:
            StopAsyncIteration: `Completed` was the last.
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
        modify_accounts: Mapping[object, AccountData] | None = None,
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
            SessionClosed: The block was left.
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

    def statistics(self) -> SessionStatistics:
        """Return what the session has done so far."""
        machine = self._control.machine
        subscriptions = self._run.subscriptions
        return SessionStatistics(
            control_events=self._control.events,
            notifications=sum(s.machine.delivered for s in subscriptions),
            bytes_received=sum(s.bytes_received for s in subscriptions),
            control_reconnects=self._control.reconnects,
            data_reconnects=sum(s.reconnects for s in subscriptions),
            replays_dropped=machine.replays_dropped,
            duplicates_dropped=sum(s.machine.duplicates_dropped for s in subscriptions),
            out_of_order=sum(s.machine.out_of_order for s in subscriptions),
            continues_resent=machine.continues_resent,
            possible_orphans=machine.possible_orphans,
            times_control_waited=self._inbox.times_full,
            last_slot=self._control.last_slot,
        )

    async def _request_progress(self, request: Continue | ContinueTo) -> None:
        await trio.lowlevel.checkpoint()
        self._run.check()
        self._control.advance(request)

    def _subscribe(
        self,
        tasks: Tasks,
        drain: DrainCoordinator,
        *,
        delivery: Delivery,
        compress: bool,
        limits: Limits,
        open_data: Callable[[str], AbstractAsyncContextManager[Feed]],
    ) -> None:
        """Start a task per subscription."""
        for subscription in self._request.subscriptions:
            machine = SubscriptionMachine(
                subscription,
                exactly_once=delivery is Delivery.EXACTLY_ONCE,
                compress=compress,
                max_message_bytes=limits.max_message_bytes,
                boundary_bytes=limits.boundary_bytes,
            )
            task = SubscriptionTask(
                machine,
                open_feed=partial(open_data, self._data_url),
                inbox=self._inbox,
                limits=limits,
                on_change=self._changed,
                on_end=drain.ended,
                on_failure=self._run.fail,
            )
            drain.opened(task)
            self._run.subscriptions.append(task)
            tasks.start_soon(task.run, name=task.name)
        self._control.set_data_up(not self._run.subscriptions)

    def _changed(self) -> None:
        self._control.set_data_up(all(s.is_up or s.has_ended for s in self._run.subscriptions))


class _Run:
    """How the run stands: its subscriptions, its first failure, and whether the block was left."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self.subscriptions: list[SubscriptionTask] = []
        self.failure: SimClientError | None = None
        self.body_scope = trio.CancelScope()
        self.is_closed = False

    def fail(self, error: SimClientError) -> None:
        """Record a failure; the first one counts, later ones become its notes."""
        if self.is_closed:
            return

        if self.failure is not None:
            self.failure.add_note(f"also failed: {error}")
            return

        self.failure = error
        self._inbox.fail(error)
        for subscription in self.subscriptions:
            subscription.stop()
        if not self._inbox.was_read:
            self.body_scope.cancel(reason=f"the session has failed: {type(error).__name__}")

    def close(self) -> None:
        """The block was left."""
        self.is_closed = True
        self._inbox.close(self.failure)

    def check(self) -> None:
        """Raise what keeps the session from being used."""
        if self.is_closed:
            raise SessionClosed("the session is closed: the block was left") from self.failure
        if self.failure is not None:
            raise self.failure

    def raise_what_nobody_saw(self) -> None:
        """Raise a failure that neither the iterator nor a method has raised."""
        if self.failure is not None and not self._inbox.failure_was_raised:
            raise self.failure
