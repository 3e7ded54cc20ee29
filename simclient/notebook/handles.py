"""What a notebook holds in place of an asynchronous object: the same methods, each of which waits in the portal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial, update_wrapper
from inspect import signature
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

from .portal import Holding

__all__ = ["Closable", "Handle", "like", "synchronous"]

T = TypeVar("T")
R = TypeVar("R")
P = ParamSpec("P")


class Handle(Generic[T]):
    """An asynchronous object that lives in the portal, together with what keeps it open."""

    def __init__(self, holding: Holding[Any], value: T) -> None:
        """Wrap `value`, which is usable as long as `holding` is open."""
        self._holding = holding
        self._value = value


class Closable(Handle[T]):
    """A handle that is open until it is closed: at the end of a `with` block, by `close`, or when nothing refers to it any more."""

    def close(self) -> None:
        """Close it, and wait until that is done; again, it does nothing.

        Raises:
            SimClientError: It has failed, and nothing has raised that yet.

        Ctrl-C ends the waiting; the closing goes on.
        """
        self._holding.close()

    @property
    def is_open(self) -> bool:
        """Whether it was neither closed nor ended."""
        return self._holding.is_open

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it; an error of the block wins, and what closing raises becomes its note."""
        try:
            self.close()
        except Exception as second:
            if error is None:
                raise
            if second is not error:
                error.add_note(f"also failed: {type(second).__name__}: {second}")


def synchronous(
    method: Callable[Concatenate[T, P], Awaitable[R]],
) -> Callable[Concatenate[Handle[T], P], R]:
    """Make of an asynchronous method one of a handle, with the same arguments, which returns the result."""

    def waiting(self: Handle[T], /, *args: P.args, **kwargs: P.kwargs) -> R:
        return self._holding.call(partial(method, self._value, *args, **kwargs), name=method.__name__)

    update_wrapper(waiting, method)
    return waiting


def like(model: Callable[P, object]) -> Callable[[Callable[..., R]], Callable[P, R]]:
    """Give a function that passes everything on the arguments of the one that it passes them to, for type checkers, help and completion."""

    def decorate(function: Callable[..., R]) -> Callable[P, R]:
        returned = function.__annotations__["return"]
        function.__signature__ = signature(model).replace(return_annotation=returned)  # type: ignore[attr-defined]
        return function

    return decorate
