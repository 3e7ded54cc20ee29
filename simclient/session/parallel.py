"""Opening a parallel session: a range that the server splits, run as several sessions over one control socket.

All tasks of all sub-sessions are children of one nursery; leaving the block ends them, after the parallel session was closed on the server
as a whole. Each sub-session is an ordinary `BacktestSession` with the range that the server gave it.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from secrets import token_hex
from typing import final

import attrs
import trio

from ..errors import SimClientError
from ..protocol.parallel import ParallelMachine
from ..transport.outside_trio import require_trio
from ..transport.streams import StreamOpener
from ..wire.actions import DiagnosticProbeParams, ScheduledAction
from ..wire.discovery import DiscoveryFilter
from ..wire.reroute import RerouteParams
from ..wire.subscriptions import Subscription
from .backtest import BacktestSession, SessionIdentity
from .connections import ConnectionObserver, nobody_observes
from .control.opening import socket_opener, user_agent_of
from .control.parallel import Lane, ParallelControl
from .credentials import is_loopback
from .limits import Limits
from .options import Delivery, SessionOptions
from .parts import Ground, slot_over_rpc
from .request import DISCONNECT_TIMEOUT_SECONDS, SessionRequest, create_request
from .tasks import open_tasks

__all__ = ["ParallelSession", "open_parallel_session"]

_TOKEN_BYTES = 16
"""Written as 32 hex digits. Source: `CreateToken`, simulator-api 0.28.0."""


@asynccontextmanager
async def open_parallel_session(
    url: str,
    *,
    start_slot: int,
    end_slot: int | None = None,
    slot_count: int | None = None,
    subscriptions: Sequence[Subscription] = (),
    api_key: str | None = None,
    name: str | None = None,
    send_summary: bool = False,
    disconnect_timeout_seconds: int | None = None,
    capacity_wait_timeout_seconds: int | None = None,
    extra_compute_units: int | None = None,
    discoveries: Sequence[DiscoveryFilter] = (),
    actions: Sequence[ScheduledAction] = (),
    diagnostic_probes: Sequence[DiagnosticProbeParams] = (),
    reroute: RerouteParams | None = None,
    replay_account_state: bool = False,
    keep_going: bool = False,
    delivery: Delivery = Delivery.EXACTLY_ONCE,
    compress: bool = True,
    limits: Limits = Limits(),  # noqa: B008  # frozen
    observe: ConnectionObserver = nobody_observes,
    ssl_context: ssl.SSLContext | None = None,
    open_stream: StreamOpener | None = None,
    user_agent: str | None = None,
) -> AsyncIterator[ParallelSession]:
    """Open a session that the server splits into sub-sessions, keep it connected, and close it when the block is left.

        async with open_parallel_session(url, start_slot=…, slot_count=…, subscriptions=[…]) as parallel:
            async with trio.open_nursery() as nursery:
                for session in parallel:
                    nursery.start_soon(work, session)

    Each sub-session is read and advanced like a session of its own: at the same time, one after another, or not at all for a while.

    Args:
        url: The simulator: a host, or a `ws://` or `wss://` URL.
        start_slot: The first slot.
        end_slot: The last slot, inclusive.
        slot_count: In place of `end_slot`: how many slots past the start; n replays n + 1 slots, as in the Rust builder.
        subscriptions: What to receive of each sub-session; each is a data socket of its own.
        api_key: The key; by default what `SIMULATOR_API_KEY` holds. A simulator on this machine needs none.
        name: A name for the session, never to be used again; 0.28.
        send_summary: Whether each `Completed` is to carry a comparison with what was recorded.
        disconnect_timeout_seconds: How long the server keeps the session while nobody is connected, at most 900; 0: not at all.
            By default 360.
        capacity_wait_timeout_seconds: How long the server may let the request wait for free places.
        extra_compute_units: Added to the compute unit limit of every transaction.
        discoveries: Batches to be announced ahead of their execution.
        actions: What each sub-session does by itself at chosen moments; subscribe to `Actions` for the results; 0.28.
        diagnostic_probes: Quotes that the router is asked for; subscribe to `Diagnostics` for the answers; 0.28.
        reroute: How recorded swaps are replaced by others; subscribe to `Replacements` for what became of them; 0.28.
        replay_account_state: Reconstruct account state from what was recorded instead of executing transactions; 0.28.
        keep_going: What happens when a sub-session fails. By default all end with its error; if True, its own iterator raises it and the
            others go on (`ParallelSession.failures` has them all).
        delivery: What a reconnect may repeat.
        compress: Whether to ask for zstd on the data sockets.
        limits: Deadlines and bounds; those of memory count for each sub-session.
        observe: Called at every change of a connection; it must return at once.
        ssl_context: For `wss://`; by default the system's trust.
        open_stream: Opens the byte streams of all connections in place of TCP, given host and port.
        user_agent: Put before ours in the `User-Agent` header.

    Raises:
        InputError: An argument cannot be used; nothing was sent.
        LocalProtocolError: This is not a trio program.
        ConnectError: The simulator could not be reached.
        RemoteError: The server refused the session; `payload` says why.
        RemoteProtocolError: The server is too old for parallel sessions over one socket.
        SimClientError: A sub-session failed and nobody was told by its iterator.

    Leaving the block, by its end, an exception or cancellation, takes at most `limits.closing_seconds`.
    """
    require_trio("open_parallel_session")
    create = create_request(
        start_slot=start_slot,
        end_slot=end_slot,
        slot_count=slot_count,
        parallel=True,
        name=name,
        send_summary=send_summary,
        disconnect_timeout_seconds=(
            DISCONNECT_TIMEOUT_SECONDS if disconnect_timeout_seconds is None else disconnect_timeout_seconds
        ),
        capacity_wait_timeout_seconds=capacity_wait_timeout_seconds,
        extra_compute_units=extra_compute_units,
        discoveries=discoveries,
        actions=actions,
        diagnostic_probes=diagnostic_probes,
        reroute=reroute,
        replay_account_state=replay_account_state,
    )
    create = attrs.evolve(create, create_token=create.create_token or token_hex(_TOKEN_BYTES))
    request = SessionRequest.build(url, api_key=api_key, subscriptions=subscriptions, create=create)
    del api_key  # a traceback that shows locals must not show it
    options = SessionOptions(
        delivery=delivery,
        compress=compress,
        limits=limits,
        observe=observe,
        ssl_context=ssl_context,
        open_stream=open_stream,
    )
    machine = ParallelMachine(
        create,
        response_seconds=limits.response_seconds,
        create_seconds=limits.parallel_create_seconds,
        grace_seconds=limits.continue_grace_seconds,
    )
    async with (
        options.open_http() as http,
        open_tasks() as tasks,
    ):
        ground = Ground(control_url=request.url, tasks=tasks, http=http, options=options)
        failures = _Failures(keep_going=keep_going)
        control = ParallelControl(
            machine,
            tasks=tasks,
            open_socket=socket_opener(request.url, request.secret, options, user_agent_of("managed", user_agent)),
            is_local=is_loopback(request.url),
            limits=limits,
            ask_slot=partial(slot_over_rpc, ground),
            on_failure=failures.fail_all,
            on_lane_failure=failures.fail_one,
            observe=observe,
        )
        tasks.start_soon(control.run, name="parallel control")
        try:
            await control.opened.wait()
            failures.raise_whole()
            failures.lanes = control.lanes
            session = ParallelSession(
                control, [_sub_session(lane, ground, request, failures) for lane in control.lanes]
            )
            with failures.body_scope:
                yield session
        finally:
            for lane in control.lanes:
                lane.parts.leave()
            with trio.move_on_after(limits.goodbye_seconds, shield=True):
                control.close()
                await control.ended.wait()
        failures.raise_what_nobody_saw()


@final
class ParallelSession:
    """An open parallel session: its sub-sessions, in the order of the server."""

    def __init__(self, control: ParallelControl, sub_sessions: Sequence[BacktestSession]) -> None:
        """Take what the opening block made."""
        assert control.session is not None
        self._control = control
        self.sub_sessions: tuple[BacktestSession, ...] = tuple(sub_sessions)
        self.session_id: str = control.session.control_session_id
        """The server's name for the parallel session as a whole."""
        self.session_name: str | None = control.session.control_session_name

    def __repr__(self) -> str:
        ranges = ", ".join(f"{s.start_slot}-{s.end_slot}" for s in self.sub_sessions)
        return f"<ParallelSession of {len(self.sub_sessions)}: {ranges}>"

    def __iter__(self) -> Iterator[BacktestSession]:
        return iter(self.sub_sessions)

    def __len__(self) -> int:
        return len(self.sub_sessions)

    @property
    def failures(self) -> Mapping[BacktestSession, SimClientError]:
        """The sub-sessions that have failed so far, and why."""
        failed = zip(self.sub_sessions, self._control.lanes, strict=True)
        return {s: lane.parts.run.failure for s, lane in failed if lane.parts.run.failure is not None}


@final
class _Failures:
    """What becomes of the failure of one sub-session, or of the connection that all of them share."""

    def __init__(self, *, keep_going: bool) -> None:
        self._keep_going = keep_going
        self._whole: SimClientError | None = None
        self.lanes: Sequence[Lane] = ()
        self.body_scope = trio.CancelScope()

    def fail_all(self, error: SimClientError) -> None:
        """The connection, or the parallel session as a whole."""
        self._whole = self._whole or error
        for lane in self.lanes:
            if not lane.progress.is_complete:
                lane.give_up(error)
        self._end_a_body_that_does_not_read(error)

    def fail_one(self, lane: Lane, error: SimClientError) -> None:
        """One sub-session."""
        first, last = lane.slots
        error.add_note(f"in the sub-session over the slots {first} to {last}")
        lane.give_up(error)
        if not self._keep_going:
            self.fail_all(error)

    def raise_whole(self) -> None:
        """Raise why there is no parallel session."""
        if self._whole is not None:
            raise self._whole

    def raise_what_nobody_saw(self) -> None:
        """Raise the first failure that no iterator has raised; if they are one and the same, one of them is enough."""
        runs = [lane.parts.run for lane in self.lanes]
        seen = [run.failure for run in runs if run.was_seen]
        unseen = [run.failure for run in runs if run.failure is not None and run.failure not in seen]
        if not self.lanes:
            self.raise_whole()
        if unseen:
            raise unseen[0]

    def _end_a_body_that_does_not_read(self, error: SimClientError) -> None:
        if not any(lane.parts.run.was_read for lane in self.lanes):
            self.body_scope.cancel(reason=f"the parallel session has failed: {type(error).__name__}")


def _sub_session(lane: Lane, ground: Ground, request: SessionRequest, failures: _Failures) -> BacktestSession:
    assert request.create is not None
    created, (first, last) = lane.created, lane.slots
    identity = SessionIdentity(
        session_id=created.session_id,
        session_name=created.session_name,
        task_id=created.task_id,
        start_slot=first,
        end_slot=last,
        disconnect_timeout_seconds=request.create.params.disconnect_timeout_seconds,
        has_discoveries=bool(request.create.params.discoveries),
    )
    return lane.parts.assemble(
        ground,
        identity,
        control=lane,
        rpc_endpoint=lambda: lane.created.rpc_endpoint,
        on_failure=partial(failures.fail_one, lane),
        subscriptions=request.subscriptions,
    )
