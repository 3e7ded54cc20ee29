"""The usage of an API key, session by session, page by page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import final

import trio

from ...errors import InputError, RemoteProtocolError
from ...wire.http_bodies import SessionUsage, SessionUsagePage
from ...wire.instants import Instant
from ...wire.ranges import read_bound
from .host import ControlHost, Query

__all__ = ["SessionUsages", "time_text"]


@final
class SessionUsages:
    """An async iterator over the usage of sessions; made by `SimulatorClient.usage_sessions`."""

    def __init__(self, host: ControlHost, since: str | None, until: str | None) -> None:
        self._host = host
        self._since: str | None = since
        self._until: str | None = until
        self._cursor: str | None = None
        self._is_last = False
        self._page: list[SessionUsage] = []

    def __aiter__(self) -> SessionUsages:
        return self

    async def __anext__(self) -> SessionUsage:
        """Return the usage of the next session.

        Raises:
            StopAsyncIteration: There are no more.
            SimClientError: A page cannot be had; ask again, and it goes on with that page.

        Cancellation: nothing is lost.
        """
        await trio.lowlevel.checkpoint()
        while not self._page:
            if self._is_last:
                raise StopAsyncIteration
            await self._turn()
        return self._page.pop()

    async def _turn(self) -> None:
        query: Query = [("since", self._since), ("until", self._until), ("cursor", self._cursor)]
        page = await self._host.get("/usage/sessions", SessionUsagePage, query)
        if page.next_cursor is not None and page.next_cursor == self._cursor:
            raise RemoteProtocolError("the host says of a page of usage that it is the one after itself")

        self._page = [*reversed(page.sessions)]
        self._since, self._until, self._cursor = page.since, page.until, page.next_cursor
        self._is_last = page.next_cursor is None


def time_text(value: datetime | str | None) -> str | None:
    """Return a time as the host reads it: RFC 3339 in UTC."""
    match value:
        case None:
            return None
        case datetime() if value.tzinfo is None:
            raise InputError(f"{value!r} has no time zone: give one, such as tzinfo=datetime.UTC")
        case datetime():
            moment = value.astimezone(UTC)
            return str(Instant(moment.replace(microsecond=0), moment.microsecond * 1000))
        case str():
            bound = read_bound(value)
            if isinstance(bound, Instant):
                return str(bound)

    raise InputError(f"not a time: {value!r}; give a datetime, an RFC 3339 text or a date (YYYY-MM-DD)")
