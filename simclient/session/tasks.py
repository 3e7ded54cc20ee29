"""The one place where sessions open a nursery.

What it adds to trio's own:
- One exception comes out, never a group made by us: the body's own, else the first failure of a child; later ones become its notes.
  A group that the body itself raised passes untouched.
- Children outlive the cancellation of the block by as long as the block's own clean-up takes: cancelling the block from outside cancels
  the body first, which may still need its children to say goodbye. The children are cancelled when the body has ended.
- Ctrl-C goes to the body, never to a child in the middle of its work.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVarTuple, final

import trio

__all__ = ["Tasks", "open_tasks"]

Args = TypeVarTuple("Args")


@final
class Tasks:
    """The children of one block."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._scopes: set[trio.CancelScope] = set()

    def start_soon(self, function: Callable[[*Args], Awaitable[None]], *args: *Args, name: str) -> trio.CancelScope:
        """Start a child; return the scope that cancels it alone."""
        scope = trio.CancelScope(shield=True)
        self._scopes.add(scope)
        self._nursery.start_soon(self._run, scope, function, args, name=name)
        return scope

    def cancel(self, reason: str) -> None:
        """Cancel every child."""
        for scope in self._scopes:
            scope.cancel(reason=reason)

    @trio.lowlevel.enable_ki_protection
    async def _run(
        self, scope: trio.CancelScope, function: Callable[[*Args], Awaitable[None]], args: tuple[*Args]
    ) -> None:
        try:
            with scope:
                await function(*args)
        except BaseException:
            # The nursery now cancels the body; the shields of the siblings would keep them from hearing of it.
            self.cancel("a sibling failed")
            raise
        finally:
            self._scopes.discard(scope)


@asynccontextmanager
async def open_tasks() -> AsyncIterator[Tasks]:
    """Open a block that owns tasks; leaving it, by any way, ends them all.

    Raises:
        BaseException: What the body raised, bare; else the first failure of a child, bare.
    """
    body_error: BaseException | None = None
    error: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            tasks = Tasks(nursery)
            try:
                yield tasks
            except BaseException as raised:
                body_error = raised
                raise
            finally:
                tasks.cancel("the block has ended")
    except BaseExceptionGroup as group:
        error = _the_one(group, body_error)

    if error is not None:
        raise error


def _the_one(group: BaseExceptionGroup[BaseException], body_error: BaseException | None) -> BaseException:
    """Choose what comes out; the rest become its notes."""
    errors = list(group.exceptions)
    failures = [error for error in errors if not isinstance(error, trio.Cancelled)]
    body_was_cancelled_by_a_failure = isinstance(body_error, trio.Cancelled) and bool(failures)
    if body_error is None or body_was_cancelled_by_a_failure:
        body_error = (failures or errors)[0]
    for other in failures:
        if other is not body_error:
            body_error.add_note(f"also failed: {type(other).__name__}: {other}")
    return body_error
