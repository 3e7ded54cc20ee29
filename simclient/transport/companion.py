"""A task that runs beside a block, and the one nursery it needs.

What it adds to a bare nursery:
- No exception group of ours comes out: the body's own exception passes untouched, a group or a cancellation too. The
  task is written so that it does not fail; what it raises nevertheless (a KeyboardInterrupt, a bug) comes out bare.
- The task outlives a cancellation of the block by as long as the block's clean-up takes, because a goodbye needs the
  task that writes and the task that reads.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import cast

import trio

__all__ = ["running_beside"]


@asynccontextmanager
async def running_beside(task: Callable[[], Awaitable[None]], *, name: str) -> AsyncGenerator[None]:
    """Run `task` until the block ends, then cancel it.

    Args:
        task: It ends by itself or by being cancelled, and records its failures instead of raising them.
        name: For debuggers.
    """
    body_error: BaseException | None = None
    error: BaseException | None = None
    scope = trio.CancelScope(shield=True)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_run, task, scope, name=name)
            try:
                yield
            except BaseException as raised:
                body_error = raised
                raise
            finally:
                scope.cancel()
    except BaseExceptionGroup as group:
        error = _the_one(group, body_error)

    if error is not None:
        raise error


async def _run(task: Callable[[], Awaitable[None]], scope: trio.CancelScope) -> None:
    with scope:
        await task()


def _the_one(group: BaseExceptionGroup[BaseException], body_error: BaseException | None) -> BaseException:
    """Choose what comes out: the body's exception, but a failure of the task where it only cancelled the body."""
    failures = [leaf for leaf in _leaves(group, body_error) if not isinstance(leaf, trio.Cancelled)]
    if body_error is None or (isinstance(body_error, trio.Cancelled) and failures):
        return failures[0] if failures else group.exceptions[0]
    return body_error


def _leaves(group: BaseExceptionGroup[BaseException], kept_whole: BaseException | None) -> Iterator[BaseException]:
    for error in group.exceptions:
        if error is kept_whole or not isinstance(error, BaseExceptionGroup):
            yield error
        else:
            yield from _leaves(cast(BaseExceptionGroup[BaseException], error), kept_whole)
