"""What the tests of the notebook door share."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType

import trio

import simclient
from simclient.notebook import NotebookSession, NotebookSubSession, open_backtest_session
from simclient.session.inbox import Event
from simclient.wire.responses import ReadyForContinue
from simclient.wire.subscriptions import AccountDiffs

TOKEN_PROGRAM = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
FIRST_SLOT = 350_000_000
WATCH = [AccountDiffs(program=TOKEN_PROGRAM)]
LAST_RESORT_SECONDS = 60.0
"""Far above what anything here takes: it only ends a test that hangs."""


def open_session(url: str, *, slots: int = 40) -> NotebookSession:
    """Open a session over the first slots of the market that comes with the package."""
    return open_backtest_session(url, start_slot=FIRST_SLOT, slot_count=slots - 1, subscriptions=WATCH)


def answer(session: NotebookSubSession, event: Event) -> Event:
    """Let the session go on when it waits; return the event."""
    if isinstance(event, ReadyForContinue):
        session.advance(7)
    return event


def wait_until_ready(session: NotebookSubSession) -> list[Event]:
    """Read until the session waits; return what was read."""
    events: list[Event] = []
    for event in session:
        events.append(event)
        if isinstance(event, ReadyForContinue):
            break
    return events


def read_asynchronously(url: str, *, slots: int = 40) -> list[Event]:
    """Read a whole session with the asynchronous functions, as the measure of what is to come."""

    async def read() -> list[Event]:
        events: list[Event] = []
        async with simclient.open_backtest_session(
            url, start_slot=FIRST_SLOT, slot_count=slots - 1, subscriptions=WATCH
        ) as session:
            async for event in session:
                if isinstance(event, ReadyForContinue):
                    await session.advance(7)
                events.append(event)
        return events

    return trio.run(read)


def interrupted(cell: Callable[[], object], *, after_seconds: float, every_seconds: float = 0.0) -> bool:
    """Run a cell, and have Ctrl-C come while it runs, once or again and again; tell whether it ended with KeyboardInterrupt.

    What raises it is a timer's signal, which like Ctrl-C's interrupts the main thread between two instructions; outside of the cell it
    does nothing.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        here = frame
        while here is not None and here.f_code is not cell.__code__:
            here = here.f_back
        if here is not None:
            signal.default_int_handler(number, frame)

    previous = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, after_seconds, every_seconds)
    try:
        cell()
    except KeyboardInterrupt:
        return True
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, previous)
    return False
