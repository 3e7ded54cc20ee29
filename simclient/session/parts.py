"""What every managed session is made of, single or part of a parallel one, and how the parts are put together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import final

import attrs
import trio

from ..errors import SimClientError
from ..rpc import SessionRpc
from ..transport.http import HttpClient
from ..wire.detached import Position
from ..wire.subscriptions import Subscription
from ..wire.urls import rpc_urls
from .backtest import BacktestSession, ControlDoor, SessionIdentity
from .data.drain import DrainCoordinator
from .data.plane import DataPlane
from .data.turns import ReconnectTurns
from .inbox import Inbox
from .limits import Limits
from .options import SessionOptions
from .run_state import RunState
from .tasks import Tasks

__all__ = ["Ground", "SessionParts", "slot_over_rpc"]


@final
@attrs.frozen(kw_only=True)
class Ground:
    """What the sessions of one block stand on."""

    control_url: str
    tasks: Tasks
    http: HttpClient
    options: SessionOptions
    turns: ReconnectTurns = attrs.field(factory=ReconnectTurns)


@final
class SessionParts:
    """The parts of one session that are there before the server has given it."""

    def __init__(self, limits: Limits) -> None:
        """Make them empty."""
        self.inbox = Inbox(control_backlog=limits.control_backlog, data_batches=limits.data_batches)
        self.run = RunState(self.inbox)
        self.drain = DrainCoordinator(self.inbox)

    def assemble(
        self,
        ground: Ground,
        identity: SessionIdentity,
        *,
        control: ControlDoor,
        rpc_endpoint: Callable[[], str],
        on_failure: Callable[[SimClientError], None],
        subscriptions: Iterable[Subscription],
        positions: Iterable[Position] | None = None,
    ) -> BacktestSession:
        """Start the subscriptions and the drain, and return what the user holds.

        Args:
            ground: What the sessions of the block stand on.
            identity: What the server gave.
            control: The control plane of this session.
            rpc_endpoint: Where its data plane is now, as the server says it.
            on_failure: Told when a subscription cannot go on.
            subscriptions: What to receive.
            positions: Of a session that ran before: how far its keys were handed on; the others begin with its first slot.
        """
        data = DataPlane(
            ground.tasks,
            options=ground.options,
            turns=ground.turns,
            drain=self.drain,
            data_url=lambda: rpc_urls(ground.control_url, rpc_endpoint())[1],
            set_data_up=control.set_data_up,
            on_failure=on_failure,
        )
        self.run.stop_data = data.stop
        wanted = tuple(subscriptions)
        session = BacktestSession(
            identity,
            control=control,
            data=data,
            inbox=self.inbox,
            run=self.run,
            rpc=SessionRpc(rpc_urls(ground.control_url, rpc_endpoint())[0], ground.http),
            options=ground.options,
            has_subscriptions=bool(wanted),
        )
        begun = tuple(positions or ())
        for subscription in wanted:
            data.start(
                subscription,
                self.inbox.put_batch,
                begun,
                start_slot=identity.start_slot,
                has_begun=positions is not None,
            )
        data.announce()
        ground.tasks.start_soon(self.drain.run, name="drain")
        return session

    def leave(self) -> None:
        """The block is being left: give the user nothing more, and read no more data."""
        self.run.close()
        if self.run.stop_data is not None:
            self.run.stop_data()


async def slot_over_rpc(ground: Ground, rpc_endpoint: str) -> int | None:
    """Ask a session's RPC for its slot; None where it gives none within the grace of a `continue`."""
    rpc = SessionRpc(rpc_urls(ground.control_url, rpc_endpoint)[0], ground.http)
    with trio.move_on_after(ground.options.limits.continue_grace_seconds):
        try:
            return await rpc.get_slot()
        except SimClientError:
            return None
    return None
