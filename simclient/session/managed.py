"""Opening a managed session: the block that a user enters, and what happens when it is left.

Inside one nursery run the control task, a task per subscription and the drain coordinator; leaving the block ends them all, after the
session was closed on the server. The first failure of a task comes out once: from the iterator after everything received before it, or
from any other method at once, or from the block itself if nobody iterates.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import trio

from ..errors import InputError
from ..protocol.control import ControlMachine
from ..protocol.progress import SessionProgress
from ..transport.outside_trio import require_trio
from ..transport.streams import StreamOpener
from ..wire.actions import DiagnosticProbeParams, ScheduledAction
from ..wire.agents import AgentParams
from ..wire.detached import DetachedSession
from ..wire.discovery import DiscoveryFilter
from ..wire.reroute import RerouteParams
from ..wire.responses import ReadyForContinue
from ..wire.subscriptions import Subscription
from ..wire.urls import rpc_urls
from .backtest import BacktestSession, SessionIdentity
from .connections import ConnectionObserver, nobody_observes
from .control.opening import socket_opener, user_agent_of
from .control.task import ControlTask
from .credentials import is_loopback
from .limits import Limits
from .options import Delivery, SessionOptions
from .parts import Ground, SessionParts, slot_over_rpc
from .request import DISCONNECT_TIMEOUT_SECONDS, SessionRequest, attach_request, create_request, refuse_beside_attach
from .tasks import open_tasks

__all__ = ["open_backtest_session"]


@asynccontextmanager
async def open_backtest_session(
    url: str,
    *,
    start_slot: int | None = None,
    end_slot: int | None = None,
    slot_count: int | None = None,
    attach: DetachedSession | str | None = None,
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
    signer_filter: Sequence[object] = (),
    agents: Sequence[AgentParams] = (),
    delivery: Delivery = Delivery.EXACTLY_ONCE,
    compress: bool = True,
    limits: Limits = Limits(),  # noqa: B008  # frozen
    observe: ConnectionObserver = nobody_observes,
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
        attach: In place of a range: a session that `detach` left running, to be taken up where it was left; or the id of any session,
            together with its range, whose control events are then all asked for again. A session that was waiting when it was left says
            `ReadyForContinue` or `Paused` again. What is only said when a session is created cannot be given with it.
        subscriptions: What to receive; each is a data socket of its own, from the first slot on.
        api_key: The key; by default what `SIMULATOR_API_KEY` holds. A simulator on this machine needs none.
        name: A name for the session, never to be used again; 0.28.
        send_summary: Whether `Completed` is to carry a comparison with what was recorded.
        disconnect_timeout_seconds: How long the server keeps the session while nobody is connected, at most 900; 0: not at all.
            By default 360.
        capacity_wait_timeout_seconds: How long the server may let the request wait for a free place.
        extra_compute_units: Added to the compute unit limit of every transaction.
        discoveries: Batches to be announced ahead of their execution.
        actions: What the session does by itself at chosen moments; subscribe to `Actions` for the results; 0.28.
        diagnostic_probes: Quotes that the router is asked for; subscribe to `Diagnostics` for the answers; 0.28.
        reroute: How recorded swaps are replaced by others; subscribe to `Replacements` for what became of them; 0.28.
        replay_account_state: Reconstruct account state from what was recorded instead of executing transactions; 0.28.
        signer_filter: Only transactions signed by one of these are executed; 0.9.
        agents: Programs of the server's that trade along; 0.9.
        delivery: What a reconnect may repeat.
        compress: Whether to ask for zstd on the data sockets.
        limits: Deadlines and bounds.
        observe: Called at every change of a connection; it must return at once.
        ssl_context: For `wss://`; by default the system's trust.
        open_stream: Opens the byte streams of all connections in place of TCP, given host and port: a proxy, or memory in tests. It
            raises OSError when it cannot. TLS still goes on top where the scheme asks for it.
        user_agent: Put before ours in the `User-Agent` header.

    Raises:
        InputError: An argument cannot be used; nothing was sent.
        LocalProtocolError: This is not a trio program.
        ConnectError: The simulator could not be reached.
        RemoteError: The server refused the session; `payload` says why.
        SimClientError: The session failed and nobody was iterating.

    Leaving the block, by its end, an exception or cancellation, takes at most `limits.closing_seconds`.
    """
    require_trio("open_backtest_session")
    if attach is not None:
        refuse_beside_attach(
            name=name,
            send_summary=send_summary or None,
            disconnect_timeout_seconds=disconnect_timeout_seconds,
            capacity_wait_timeout_seconds=capacity_wait_timeout_seconds,
            extra_compute_units=extra_compute_units,
            discoveries=discoveries or None,
            actions=actions or None,
            diagnostic_probes=diagnostic_probes or None,
            reroute=reroute,
            replay_account_state=replay_account_state or None,
            signer_filter=signer_filter or None,
            agents=agents or None,
        )
        taken_up = attach_request(attach, start_slot=start_slot, end_slot=end_slot, slot_count=slot_count)
        request = SessionRequest.build(url, api_key=api_key, subscriptions=subscriptions, attach=taken_up)
    elif start_slot is None:
        raise InputError("give the range: start_slot, and end_slot or slot_count (or attach= for a running session)")
    else:
        create = create_request(
            start_slot=start_slot,
            end_slot=end_slot,
            slot_count=slot_count,
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
            signer_filter=signer_filter,
            agents=agents,
        )
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
    async with _open(request, options, user_agent) as session:
        yield session


@asynccontextmanager
async def _open(
    request: SessionRequest, options: SessionOptions, user_agent: str | None
) -> AsyncIterator[BacktestSession]:
    limits = options.limits
    async with (
        options.open_http() as http,
        open_tasks() as tasks,
    ):
        ground = Ground(control_url=request.url, tasks=tasks, http=http, options=options)
        parts = SessionParts(limits)
        run = parts.run

        def moved(endpoint: str) -> None:
            session.rpc.move_to(rpc_urls(request.url, endpoint)[0])

        control = ControlTask(
            _machine(request, limits),
            open_socket=socket_opener(request.url, request.secret, options, user_agent_of("managed", user_agent)),
            is_local=is_loopback(request.url),
            inbox=parts.inbox,
            limits=limits,
            ask_slot=partial(slot_over_rpc, ground),
            on_moved=moved,
            on_completed=parts.drain.completed,
            on_failure=run.fail,
            observe=options.observe,
        )
        tasks.start_soon(control.run, name="control")
        try:
            await control.opened.wait()
            run.check()
            if request.attach is not None and request.attach.is_ready and control.events == 0:
                parts.inbox.put_event(control.progress.paused_at or ReadyForContinue())
            session = parts.assemble(
                ground,
                _identity(request, control),
                control=control,
                rpc_endpoint=lambda: control.rpc_endpoint,
                on_failure=run.fail,
                subscriptions=request.subscriptions,
                positions=None if request.attach is None else request.attach.positions,
            )
            with run.body_scope:
                yield session
        finally:
            parts.leave()
            with trio.move_on_after(limits.goodbye_seconds, shield=True):
                if not run.is_detached:
                    control.close()
                await control.ended.wait()
        run.raise_what_nobody_saw()


def _machine(request: SessionRequest, limits: Limits) -> ControlMachine:
    attach = request.attach
    return ControlMachine(
        request.create,
        response_seconds=limits.response_seconds,
        progress=SessionProgress(grace_seconds=limits.continue_grace_seconds, left=attach),
        session_id=None if attach is None else attach.session_id,
    )


def _identity(request: SessionRequest, control: ControlTask) -> SessionIdentity:
    opened = control.session
    assert opened is not None
    identity = partial(
        SessionIdentity, session_id=opened.session_id, session_name=opened.session_name, task_id=opened.task_id
    )
    if request.attach is not None:
        return identity(start_slot=request.attach.start_slot, end_slot=request.attach.end_slot)

    assert request.create is not None
    params = request.create.params
    return identity(
        start_slot=params.start_slot,
        end_slot=params.end_slot,
        disconnect_timeout_seconds=params.disconnect_timeout_seconds,
        has_discoveries=bool(params.discoveries),
    )
