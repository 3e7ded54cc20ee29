"""Moving one session forward to its end: it asks for the next slots whenever the session is ready.

The first request carries the programs and accounts that the run sets; they are built then, because the session's state cannot be read
before. A session that ran before us says all of its past again, the moments at which it was ready included: those are passed over.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable
from typing import final

from ..errors import LocalProtocolError, RemoteError
from ..session.backtest import BacktestSession
from ..session.inbox import Event
from ..wire.accounts import AccountData
from ..wire.failures import BacktestFailure, describe_failure
from ..wire.responses import ErrorEvent, ReadyForContinue
from .preparation import modifications
from .recorder import Recorder, SessionProgress
from .values import RunConfig

__all__ = ["drive"]

_FRUITLESS_ADVANCES = 3
"""Advances in a row that gave an error and no slot, after which more of them are taken to be of no use."""


async def drive(
    session: BacktestSession,
    config: RunConfig,
    recorder: Recorder,
    progress: SessionProgress,
    *,
    events: AsyncIterable[Event],
    flush: Callable[[], Awaitable[None]],
) -> None:
    """Advance a session to its end, and hand every event to the recorder.

    Args:
        session: It is told to go on.
        config: How far to go at a time, and what to set before.
        recorder: Takes the events.
        progress: Of this session.
        events: The session's: the session itself, or what records it.
        flush: Called after each event.

    Raises:
        RemoteError: The server only answers with errors, and executes nothing.
        SimClientError: The session failed.
    """
    driver = _Driver(session, config, progress)
    async for event in events:
        if isinstance(event, ReadyForContinue):
            await driver.advance()
        else:
            if isinstance(event, ErrorEvent):
                driver.note_failure(event.failure)
            recorder.take(event, progress)
        progress.statistics = session.statistics()
        await flush()


@final
class _Driver:
    """What decides how far to go next."""

    def __init__(self, session: BacktestSession, config: RunConfig, progress: SessionProgress) -> None:
        self._session = session
        self._config = config
        self._progress = progress
        self._is_prepared = False
        self._failure: BacktestFailure | None = None
        self._slots_before = 0
        self._fruitless_advances = 0

    async def advance(self) -> None:
        """Ask for the next slots."""
        self._check_progress()
        changes: dict[object, AccountData] = {}
        if not self._is_prepared:
            changes = await modifications(self._session.rpc, self._config.programs, self._config.account_overrides)
            self._is_prepared = True
        try:
            await self._session.advance(self._next_slots(), modify_accounts=changes)
        except LocalProtocolError:
            if self._config.attach is None:
                raise
            # It was ready once and has gone on since. Whenever it becomes ready, it says so after that, and comes here again.

    def note_failure(self, failure: BacktestFailure) -> None:
        """Remember an error that the server reported."""
        self._failure = failure

    def _check_progress(self) -> None:
        """Refuse to advance for ever on a server that only answers with errors.

        Raises:
            RemoteError: Nothing but errors came of the last advances.
        """
        failure, self._failure = self._failure, None
        is_fruitless = failure is not None and self._progress.slots == self._slots_before
        self._slots_before = self._progress.slots
        self._fruitless_advances = self._fruitless_advances + 1 if is_fruitless else 0
        if failure is not None and self._fruitless_advances >= _FRUITLESS_ADVANCES:
            raise RemoteError(
                f"the server reports an error and executes no slot, {_FRUITLESS_ADVANCES} times in a row:"
                f" {describe_failure(failure)}",
                payload=failure,
            )

    def _next_slots(self) -> int:
        """Return how many slots to ask for: as configured, but not past the range."""
        last = self._progress.last_slot
        remaining = self._session.end_slot - (self._session.start_slot - 1 if last is None else last)
        return max(1, min(self._config.advance_slots, remaining))
