"""The notifications of one subscription, read on their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import cast, final

from ..protocol.subscription import Notification
from .inbox import Batches, Inbox

__all__ = ["NotificationStream"]


@final
class NotificationStream(AsyncIterator[Notification]):
    """An async iterator over what one subscription brings; `session.subscribe` makes it.

    It ends after the last notification of the range. A failure is raised after everything received before it was given.
    """

    def __init__(self, inbox: Inbox) -> None:
        """Read `inbox`, into which nothing but notifications is put."""
        self._inbox = inbox

    def __aiter__(self) -> AsyncIterator[Notification]:  # noqa: PYI034  # the inbox saves a coroutine per notification
        return cast("AsyncIterator[Notification]", self._inbox)

    async def __anext__(self) -> Notification:
        """Return the next notification.

        Raises:
            StopAsyncIteration: The subscription has ended, or the session was detached and everything received was given.
            SimClientError: The session has failed; everything received before was given.
            SessionClosed: The block of the subscription or of the session was left.

        Cancellation: no notification is lost; iterate again.
        """
        return cast("Notification", await anext(self._inbox))

    def batches(self) -> AsyncIterator[Sequence[Notification]]:
        """Iterate over batches, as `BacktestSession.batches` does."""
        return cast("AsyncIterator[Sequence[Notification]]", Batches(self._inbox))
