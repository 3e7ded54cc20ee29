"""Waiting for an RPC that is not ready: before the first `ReadyForContinue` a server may answer 503, or not at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio

from ..errors import ConnectError, ConnectionLost, HttpError
from ..transport.http import is_temporary

__all__ = ["until_ready"]

_DELAYS_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0, 10.0, 10.0)
"""Eleven attempts within 65.5 s, as in simulator-client 0.28.0 but for its chance; after that the last error is raised."""

_Answer = TypeVar("_Answer")


async def until_ready(ask: Callable[[], Awaitable[_Answer]]) -> _Answer:
    """Return what `ask` gives; while the RPC is not ready, ask again, eleven times at most within 65.5 s.

    Raises:
        ConnectError, ConnectionLost, HttpError: It did not become ready, or the error is not one that time mends.
    """
    for delay_seconds in _DELAYS_SECONDS:
        try:
            return await ask()
        except (ConnectError, ConnectionLost, HttpError) as error:
            if not is_temporary(error):
                raise
            after_seconds = error.retry_after_seconds if isinstance(error, HttpError) else None
        await trio.sleep(min(max(delay_seconds, after_seconds or 0.0), _DELAYS_SECONDS[-1]))

    return await ask()
