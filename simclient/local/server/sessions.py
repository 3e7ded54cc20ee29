"""All sessions of one simulator: which bundle serves a range, how many there may be, and how long one outlives its client."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import final
from uuid import uuid4

import attrs
import trio

from ...wire.failures import BacktestFailure, BundleNotFound, InvalidRequest
from ...wire.params import SessionParams
from ...wire.ranges import AvailableRange
from ..bundle import BundleHeader, open_bundle
from .limits import SimulatorLimits
from .session import ServedSession

__all__ = ["Refused", "ServedBundle", "Sessions", "read_bundles"]


class Refused(Exception):
    """A request that cannot be granted; `failure` is the answer."""

    def __init__(self, failure: BacktestFailure) -> None:
        super().__init__(failure)
        self.failure = failure


@attrs.frozen(kw_only=True)
class ServedBundle:
    """A bundle and what its header says."""

    path: Path
    header: BundleHeader
    start_time: int | None
    """Of the first block, in seconds since 1970; None where there is no block."""

    @property
    def range(self) -> AvailableRange:
        """What `/available-ranges` says of it."""
        header = self.header
        start = None if self.start_time is None else datetime.fromtimestamp(self.start_time, UTC)
        return AvailableRange(
            bundle_start_slot=header.start_slot,
            bundle_start_slot_utc=None if start is None else start.isoformat().replace("+00:00", "Z"),
            max_bundle_end_slot=header.end_slot,
            max_bundle_size=header.end_slot - header.start_slot + 1,
        )


def read_bundles(paths: Sequence[Path]) -> tuple[ServedBundle, ...]:
    """Read the headers of bundles.

    Raises:
        BundleError: One cannot be read.
    """
    return tuple(_read(path) for path in paths)


@final
class Sessions:
    """The sessions of one simulator, each a task in the simulator's nursery."""

    def __init__(self, bundles: Sequence[ServedBundle], limits: SimulatorLimits, nursery: trio.Nursery) -> None:
        self.bundles = tuple(bundles)
        self._limits = limits
        self._nursery = nursery
        self._sessions: dict[str, ServedSession] = {}

    def create(self, params: SessionParams) -> ServedSession:
        """Start a session.

        Raises:
            Refused: No bundle covers the range, or there are too many sessions.
        """
        start, end = params.start_slot, params.end_slot
        if end < start:
            raise Refused(InvalidRequest(error=f"the range is reversed: endSlot {end} is before startSlot {start}"))
        if len(self._sessions) >= self._limits.max_sessions:
            raise Refused(
                InvalidRequest(error=f"there are {self._limits.max_sessions} sessions already; close one first")
            )

        bundle = next((b for b in self.bundles if b.header.start_slot <= start and end <= b.header.end_slot), None)
        if bundle is None:
            raise Refused(BundleNotFound(start_slot=start, end_slot=end))

        session = ServedSession(f"backtest_{uuid4().hex}", params, bundle.path, self._limits)
        self._sessions[session.session_id] = session
        self._nursery.start_soon(self._run, session, name=session.session_id)
        return session

    def get(self, session_id: str) -> ServedSession | None:
        """Find a session."""
        return self._sessions.get(session_id)

    def end(self, session: ServedSession) -> None:
        """End a session and its engine."""
        self._sessions.pop(session.session_id, None)
        session.scope.cancel(reason="the session was ended")

    def abandon(self, session: ServedSession, owner: object) -> None:
        """A control connection has gone: keep the session for as long as its creator asked, if nobody else holds it."""
        if session.owner is not owner:
            return

        session.owner = None
        session.abandoned_at = trio.current_time()
        self._nursery.start_soon(self._end_if_nobody_comes, session, name=f"{session.session_id} timeout")

    async def _run(self, session: ServedSession) -> None:
        await session.run()
        if session.scope.cancelled_caught:
            self._sessions.pop(session.session_id, None)

    async def _end_if_nobody_comes(self, session: ServedSession) -> None:
        asked = session.params.disconnect_timeout_seconds or 0
        abandoned_at = session.abandoned_at
        await trio.sleep(min(asked, self._limits.max_disconnect_seconds))
        if session.owner is None and session.abandoned_at == abandoned_at:
            self.end(session)


def _read(path: Path) -> ServedBundle:
    with open_bundle(path) as reader:
        for _ in reader.accounts():
            pass
        first = next(iter(reader.slots()), None)
        return ServedBundle(path=path, header=reader.header, start_time=None if first is None else first.block_time)
