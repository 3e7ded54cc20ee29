"""Waiting for what the control host does in its own time: asking again and again, patiently where it is busy."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio

from ...errors import ConnectError, ConnectionLost, HttpError, RemoteError
from ...transport.http import is_temporary
from ...wire.http_bodies import BundleBuild, DepthStatus

__all__ = ["poll"]

_FRUITLESS_POLLS = 5
"""Questions in a row without an answer after which a wait gives up."""

_Build = TypeVar("_Build", BundleBuild, DepthStatus)


async def poll(
    ask: Callable[[], Awaitable[_Build]], poll_seconds: float, on_progress: Callable[[_Build], None] | None
) -> _Build:
    """Ask until it is done; a host that is busy is asked again."""
    fruitless = 0
    while True:
        wait_seconds = poll_seconds
        try:
            build = await ask()
        except (ConnectError, ConnectionLost, HttpError) as error:
            fruitless += 1
            if fruitless >= _FRUITLESS_POLLS or not is_temporary(error):
                raise
            if isinstance(error, HttpError):
                wait_seconds = max(poll_seconds, error.retry_after_seconds or 0.0)
        else:
            fruitless = 0
            if on_progress is not None:
                on_progress(build)
            if build.status == "completed":
                return build
            if build.status != "in_progress":
                raise RemoteError(
                    f"the request {build.request_id} for slots {build.start_slot} to {build.end_slot} ended as {build.status!r}",
                    payload=build,
                )

        await trio.sleep(wait_seconds)
