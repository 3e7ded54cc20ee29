"""A trio run in a thread of its own, and the door to it for code that is not asynchronous.

There is one per process (`the_portal`). It starts when it is first needed and ends with the process, or with `close_all`; whatever is open
then is closed first. Its one nursery owns every task, and a task is one of two kinds:
- a **call** is awaited by the thread that asks. Ctrl-C there cancels it, waits until it has ended, and goes on as KeyboardInterrupt.
- a **block** keeps an asynchronous context manager entered until it is told to leave it, so that what is open outlives a notebook's cell.

(The portal of anyio cancels calls too, but nobody hears when a cancelled one has ended: a run must have written its last line by then.)
"""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Generic, Protocol, TypeVar, TypeVarTuple, final

import trio

from ..errors import LocalProtocolError, SessionClosed
from ..session.tasks import Tasks, open_tasks

__all__ = ["Holding", "Portal", "close_all", "the_portal"]

T = TypeVar("T")
R = TypeVar("R")
Args = TypeVarTuple("Args")

_EXIT_SECONDS = 10.0
"""How long the end of the process waits for what is open; a session says goodbye within five."""
_INTERRUPT_SECONDS = 0.1
"""How late Ctrl-C may be."""
_CLOSED = "everything was closed, by simclient.notebook.close_all: open it anew"


class _Owned(Protocol):
    """What runs as a task of the portal."""

    name: str

    async def run(self) -> None:
        """Run to the end, and keep what comes out."""
        ...

    def end(self) -> None:
        """Begin to end; in trio's thread."""
        ...


@final
class Portal:
    """A trio run in a thread of its own."""

    def __init__(self) -> None:
        """Start it."""
        self._started = threading.Event()
        self._stop = trio.Event()
        self._idle = trio.Event()
        self._owned: set[_Owned] = set()
        self._tasks: Tasks | None = None
        self._token: trio.lowlevel.TrioToken | None = None
        self._thread = threading.Thread(target=trio.run, args=(self._main,), name="simclient.notebook", daemon=True)
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """Whether it takes calls."""
        return self._thread.is_alive() and not self._stop.is_set()

    def call(self, function: Callable[[], Awaitable[T]], *, name: str) -> T:
        """Run an asynchronous function and return its result.

        Ctrl-C, of which only the main thread hears, cancels the function and waits until it has ended; a second one does not wait.

        Raises:
            LocalProtocolError: This is a trio program, or a callback of one.
            SessionClosed: Everything was closed, by `close_all`.
            BaseException: What the function raises.
        """
        if trio.lowlevel.in_trio_run():
            raise LocalProtocolError(
                "simclient.notebook waits and lets no other task run meanwhile: in a trio program, and in callbacks of a session, use the "
                "asynchronous functions of simclient"
            )

        call = _Call(function, name)
        try:
            self.soon(self._begin, call)
            call.wait()
        except KeyboardInterrupt:
            self._end(call)
            call.wait()
            raise
        return call.result()

    def _end(self, call: _Call[T]) -> None:
        """Have a call cancelled, also when Ctrl-C is pressed twice."""
        try:
            self.soon(call.end)
        except SessionClosed:
            return  # the run has ended, and with it the call
        except KeyboardInterrupt:
            self._end(call)

    def open(self, manager: AbstractAsyncContextManager[T], *, name: str) -> Holding[T]:
        """Enter an asynchronous context manager, and return what holds it open. Ctrl-C leaves it again.

        Raises:
            BaseException: What entering raises; otherwise as for `call`.
        """
        block = _Block(manager, name)
        holding = Holding(self, block)

        async def enter() -> None:
            self._own(block)
            await block.entered()

        self.call(enter, name=f"open {name}")
        return holding

    def soon(self, function: Callable[[*Args], object], *args: *Args) -> None:
        """Call a function in trio's thread; return at once.

        Raises:
            SessionClosed: The run has ended.
        """
        self._started.wait()
        assert self._token is not None
        try:
            self._token.run_sync_soon(function, *args)
        except trio.RunFinishedError as error:
            raise SessionClosed(_CLOSED) from error

    def stop(self) -> None:
        """Close everything that is open and end the thread; what does not end within ten seconds is left to the end of the process."""
        try:
            self.soon(self._stop.set)
        except SessionClosed:
            return

        self._thread.join(_EXIT_SECONDS)

    def _begin(self, call: _Call[T]) -> None:
        if self._stop.is_set():
            call.end()
        else:
            call.has_begun = True
            self._own(call)

    def _own(self, one: _Owned) -> None:
        assert self._tasks is not None
        self._owned.add(one)
        self._tasks.start_soon(self._run, one, name=f"notebook: {one.name}")

    async def _run(self, one: _Owned) -> None:
        try:
            await one.run()
        finally:
            self._owned.discard(one)
            self._idle.set()

    async def _main(self) -> None:
        """Own the tasks until told to stop; then have them end, and wait for that."""
        async with open_tasks() as self._tasks:
            self._token = trio.lowlevel.current_trio_token()
            self._started.set()
            await self._stop.wait()
            for one in self._owned:
                one.end()
            while self._owned:
                self._idle = trio.Event()
                await self._idle.wait()


@final
class Holding(Generic[T]):
    """Holds a block open; the block is left when this is closed, or not referred to any more."""

    def __init__(self, portal: Portal, block: _Block[T]) -> None:
        """Take a block that is being entered."""
        self._portal = portal
        self._block = block
        self._leave = weakref.finalize(self, _leave_soon, portal, block)
        self._leave.atexit = False  # the portal leaves all blocks together

    @property
    def value(self) -> T:
        """What the block gives."""
        return self._block.values[0]

    @property
    def is_open(self) -> bool:
        """Whether the block was neither left nor told to be left."""
        return self._leave.alive and not self._block.has_ended

    def call(self, function: Callable[[], Awaitable[R]], *, name: str) -> R:
        """Run an asynchronous function of what the block gives, and return its result.

        Raises:
            BaseException: What it raises; what the block has ended with, if it ended with an error; otherwise as for `Portal.call`.
        """
        if self._block.error is not None:
            raise self._block.error

        return self._portal.call(function, name=name)

    def open(self, manager: AbstractAsyncContextManager[R], *, name: str) -> Holding[R]:
        """Enter an asynchronous context manager of what the block gives, as `Portal.open` does."""
        if self._block.error is not None:
            raise self._block.error

        return self._portal.open(manager, name=name)

    def close(self) -> None:
        """Leave the block, and wait until that is done; again, it does nothing. Ctrl-C ends the waiting only.

        Raises:
            BaseException: What comes out of the block.
        """
        if self._leave.detach() is None or self._block.has_ended:
            return

        try:
            self._portal.call(self._block.left, name=f"close {self._block.name}")
        except SessionClosed:  # by `close_all` in another thread; the block has ended all the same
            return
        if self._block.error is not None:
            raise self._block.error


def _leave_soon(portal: Portal, block: _Block[T]) -> None:
    """Have a block left, without waiting; the garbage collector calls this, in any thread."""
    try:
        portal.soon(block.end)
    except SessionClosed:
        return  # and with the run the block


@final
class _Call(Generic[T]):
    """One asynchronous function that a thread waits for."""

    def __init__(self, function: Callable[[], Awaitable[T]], name: str) -> None:
        self._function = function
        self.name = name
        self.has_begun = False
        self.ended = threading.Event()
        self._scope = trio.CancelScope()
        self._values: list[T] = []
        self._error: BaseException | None = None

    async def run(self) -> None:
        """Keep what comes out: it is raised in the thread that waits, and disturbs no other task."""
        try:
            with self._scope:
                self._values.append(await self._function())
        except trio.Cancelled:
            raise
        except BaseException as error:  # noqa: BLE001  # raised by who waits
            self._error = error
        finally:
            self.ended.set()

    def wait(self) -> None:
        """Wait until it has ended, and look for Ctrl-C now and then.

        Where a library has installed a handler that restarts interrupted system calls (Polars does), a signal ends no wait.
        """
        while not self.ended.wait(_INTERRUPT_SECONDS):
            pass

    def end(self) -> None:
        """Cancel it; before it has begun, it is ended."""
        self._scope.cancel(reason="Ctrl-C, or close_all")
        if not self.has_begun:
            self.ended.set()

    def result(self) -> T:
        """Return or raise what came out.

        Raises:
            SessionClosed: It was cancelled, by `close_all` in another thread.
        """
        if self._error is not None:
            error, self._error = self._error, None  # else the error and this frame keep each other
            raise error
        if not self._values:
            raise SessionClosed(_CLOSED)

        return self._values[0]


@final
class _Block(Generic[T]):
    """An asynchronous context manager that is kept entered."""

    def __init__(self, manager: AbstractAsyncContextManager[T], name: str) -> None:
        self._manager = manager
        self.name = name
        self.values: list[T] = []
        """What it gives, once it is entered."""
        self.error: Exception | None = None
        """What came out of it."""
        self.has_ended = False
        self._opening = trio.CancelScope()
        self._was_entered = trio.Event()
        self._shall_end = trio.Event()
        self._was_left = trio.Event()

    async def run(self) -> None:
        """Enter the block, and leave it when told to.

        One that wants to end by itself, since its session has failed and nobody reads, is kept all the same: the user, who is between two
        cells, shall be able to read what was received before.
        """
        try:
            with self._opening:
                async with self._manager as value:
                    self.values.append(value)
                    self._was_entered.set()
                    with trio.CancelScope(shield=True):
                        await self._shall_end.wait()
        except Exception as error:  # noqa: BLE001  # raised by who opens, closes or uses it
            self.error = error
        finally:
            self.has_ended = True
            self._was_entered.set()
            self._was_left.set()

    async def entered(self) -> None:
        """Wait until the block is entered; when cancelled, leave it.

        Raises:
            SessionClosed: It was told to end before.
            BaseException: What entering raises.
        """
        try:
            await self._was_entered.wait()
        except trio.Cancelled:
            self.end()
            with trio.CancelScope(shield=True):  # leaving has deadlines of its own
                await self._was_left.wait()
            raise
        if self.error is not None:
            raise self.error
        if not self.values:
            raise SessionClosed(_CLOSED)

    async def left(self) -> None:
        """Leave the block, and wait until that is done; when cancelled, it goes on being left."""
        self.end()
        await self._was_left.wait()

    def end(self) -> None:
        """Begin to leave the block, or give up entering it."""
        self._shall_end.set()
        if not self.values:
            self._opening.cancel(reason="it is not wanted any more")


_portal: Portal | None = None
_portal_lock = threading.Lock()


def the_portal() -> Portal:
    """Return the portal of this process; start one if none runs."""
    global _portal
    with _portal_lock:
        if _portal is None or not _portal.is_running:
            _portal = Portal()
        return _portal


def close_all() -> None:
    """Close every session and simulator that was opened here, and end the thread that they run in; it starts again when it is needed.

    The end of the process does the same, within ten seconds.
    """
    if _portal is not None and _portal.is_running:
        _portal.stop()


def _forget_the_portal() -> None:
    """A forked process has the portal's memory and not its thread."""
    global _portal, _portal_lock
    _portal, _portal_lock = None, threading.Lock()


atexit.register(close_all)
os.register_at_fork(after_in_child=_forget_the_portal)
