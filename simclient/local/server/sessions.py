"""All sessions of one simulator: how many there may be, who may have them, and how long one outlives its client."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import final
from uuid import uuid4

import attrs
import trio

from ...wire.failures import Internal, InvalidRequest, SessionNameTaken, SessionNotFound, SessionOwnerMismatch
from ...wire.generation import Generation
from ...wire.params import SessionParams
from ...wire.requests import CreateSession
from ..engine import EngineTemplates
from .bell import Bell
from .bundles import Piece, ServedBundles
from .closed import ClosedSessions
from .control_session import ControlSession
from .limits import SimulatorLimits
from .reading import Reading
from .refusals import Refused
from .requests import check_name, check_params
from .schedule import Schedule
from .session import ServedSession

__all__ = ["Client", "Sessions"]


@attrs.frozen(kw_only=True)
class Client:
    """Who asks."""

    generation: Generation
    key: bytes | None = attrs.field(default=None, repr=False)
    """What tells one API key from another; None: it gave none."""


@final
class Sessions:
    """The sessions of one simulator, each a task in the simulator's nursery."""

    def __init__(self, bundles: ServedBundles, limits: SimulatorLimits, nursery: trio.Nursery) -> None:
        self.bundles = bundles
        self.reading = Reading(limits)
        self._limits = limits
        self._nursery = nursery
        self._engines = EngineTemplates(nursery, most_bytes=limits.max_engine_bytes)
        self._closed = ClosedSessions(limits, nursery)
        self._controls: dict[str, ControlSession] = {}
        self._by_session: dict[str, ControlSession] = {}
        self._tokens: dict[str, str] = {}
        """The control id by the token of the creation that made it."""
        self._names: dict[str, str | None] = {}
        """Every name ever given, with the token that it was given for."""
        self._places_taken = 0
        self._place_is_free = Bell()

    async def create(self, request: CreateSession, client: Client) -> ControlSession:
        """Start a session, or the sub-sessions of a parallel one; the same token gives the same again.

        Raises:
            Refused: It cannot be: the range, the name, or no place became free in time.
        """
        schedule = await self.reading.work(_weight_of(request.params), partial(check_params, request.params))
        name = check_name(request.name)
        again = self._created_before(request, client)
        if again is not None:
            return again

        pieces = self.bundles.pieces_of(request)
        await self._wait_for_places(len(pieces), request.params)
        again = self._created_before(request, client)  # while this one waited
        if again is not None:
            return again

        self._take_name(name, request.create_token)
        return self._start(request, schedule, pieces, name, client)

    def get(self, session_id: str) -> ServedSession | None:
        """Find a session, also one of a parallel run."""
        control = self._by_session.get(session_id)
        return None if control is None else control.members.get(session_id)

    def get_with_data(self, session_id: str) -> ServedSession | None:
        """Find a session that has notifications to give: also a completed one that was closed a short while ago."""
        return self.get(session_id) or self._closed.get(session_id)

    def attach(self, session_id: str, last_sequence: int, client: Client) -> ControlSession:
        """Find a single session. A sub-session is taken out of its parallel run, and is a single one from then on.

        Raises:
            Refused: It is not there, or another key's, or what came after `last_sequence` is not kept.
        """
        control = self._by_session.get(session_id)
        if control is None:
            raise Refused(SessionNotFound(session_id=session_id))

        _check_owner(control, client)
        control.members[session_id].check_kept(last_sequence)
        return self._taken_out(control, session_id) if control.is_parallel else control

    def attach_parallel(self, control_id: str, client: Client) -> ControlSession:
        """Find a parallel session.

        Raises:
            Refused: It is not there, or another key's.
        """
        control = self._controls.get(control_id)
        if control is None or not control.is_parallel:
            raise Refused(SessionNotFound(session_id=control_id))

        _check_owner(control, client)
        return control

    def end(self, control: ControlSession) -> None:
        """End a session, or a parallel one as a whole."""
        for session_id in control.members:
            self.end_member(session_id)
        self._controls.pop(control.control_id, None)
        if control.token is not None:
            self._tokens.pop(control.token, None)

    def end_member(self, session_id: str) -> None:
        """End one session and its engine; its control session still knows what it has said, and a completed one is kept a while."""
        control = self._by_session.pop(session_id, None)
        if control is None:
            return

        session = control.members[session_id]
        session.end("the session was closed")
        if session.has_completed:
            self._closed.keep(session)

    def abandon(self, control: ControlSession, owner: object) -> None:
        """A control connection has gone: keep what it held for as long as its creator asked, if nobody else holds it."""
        if control.owner is not owner:
            return

        control.owner = None
        control.abandoned_at = trio.current_time()
        self._nursery.start_soon(self._end_if_nobody_comes, control, name=f"{control.control_id} timeout")

    def _created_before(self, request: CreateSession, client: Client) -> ControlSession | None:
        control_id = None if request.create_token is None else self._tokens.get(request.create_token)
        control = None if control_id is None else self._controls.get(control_id)
        if control is not None:
            _check_owner(control, client)
        return control

    def _take_name(self, name: str | None, token: str | None) -> None:
        if name is None:
            return

        if name in self._names and (token is None or self._names[name] != token):
            raise Refused(SessionNameTaken(session_name=name))
        self._names[name] = token

    async def _wait_for_places(self, count: int, params: SessionParams) -> None:
        most = self._limits.max_sessions
        if count > most:
            raise Refused(InvalidRequest(error=f"the range is {count} bundles, and there can be {most} sessions"))

        with trio.move_on_after(params.capacity_wait_timeout_seconds or 0):
            while self._places_taken + count > most:
                await self._place_is_free.wait()
        if self._places_taken + count > most:
            raise Refused(Internal(error=f"there are {self._places_taken} of {most} sessions already; close one first"))

    def _start(
        self, request: CreateSession, schedule: Schedule, pieces: Sequence[Piece], name: str | None, client: Client
    ) -> ControlSession:
        """Start the engines; nothing is awaited, so that the places are still free."""
        ids = [f"backtest_{uuid4().hex}" for _ in pieces]
        control = ControlSession(
            f"parallel_{uuid4().hex}" if request.parallel else ids[0],
            is_parallel=request.parallel,
            disconnect_seconds=self._disconnect_seconds(request),
            generation=client.generation,
            key=client.key,
            name=name,
            token=request.create_token,
        )
        for session_id, piece in zip(ids, pieces, strict=True):
            params = attrs.evolve(request.params, start_slot=piece.start_slot, end_slot=piece.end_slot)
            session = ServedSession(
                session_id,
                params,
                schedule,
                piece.source,
                self._limits,
                engines=self._engines,
                bell=control.bell,
                generation=client.generation,
            )
            control.members[session_id] = session
            self._by_session[session_id] = control
            self._places_taken += 1
            self._nursery.start_soon(self._run, session, name=session_id)
        self._controls[control.control_id] = control
        if request.create_token is not None:
            self._tokens[request.create_token] = control.control_id
        return control

    def _disconnect_seconds(self, request: CreateSession) -> float:
        asked = request.params.disconnect_timeout_seconds
        default = self._limits.parallel_disconnect_seconds if request.parallel else 0
        return min(default if asked is None else asked, self._limits.max_disconnect_seconds)

    def _taken_out(self, control: ControlSession, session_id: str) -> ControlSession:
        session = control.members.pop(session_id)
        single = ControlSession(
            session_id,
            is_parallel=False,
            disconnect_seconds=control.disconnect_seconds,
            generation=control.generation,
            key=control.key,
        )
        single.members[session_id] = session
        session.bell.be_heard_by(single.bell)
        self._controls[session_id] = self._by_session[session_id] = single
        return single

    async def _run(self, session: ServedSession) -> None:
        try:
            await session.run()
        finally:
            self._places_taken -= 1
            self._place_is_free.ring()

    async def _end_if_nobody_comes(self, control: ControlSession) -> None:
        abandoned_at = control.abandoned_at
        await trio.sleep(control.disconnect_seconds)
        if control.owner is None and control.abandoned_at == abandoned_at:
            self.end(control)


def _weight_of(params: SessionParams) -> int:
    """Return about how many characters there are to decode."""
    return sum(len(text) for action in params.actions for text in action.transactions)


def _check_owner(control: ControlSession, client: Client) -> None:
    if control.key != client.key:
        raise Refused(SessionOwnerMismatch())
