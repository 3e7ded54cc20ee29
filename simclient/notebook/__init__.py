"""The door for notebooks, and for any code that is not asynchronous: the same functions, which wait.

    from simclient.notebook import open_backtest_session, open_local_simulator

    simulator = open_local_simulator()
    session = open_backtest_session(simulator.url, start_slot=350_000_000, slot_count=99, subscriptions=[…])

    for event in session:  # in the next cell, or any later one
        ...

A trio session cannot outlive the `trio.run` of one cell. Here sessions live in a trio run in the background, and cells hold handles to it:
- A handle is open until it is closed: by `close()`, at the end of a `with` block, when nothing refers to it any more, or when the process
  ends.
- Iterating waits for events and loses none. Another cell goes on where the last one stopped, and as long as nobody reads, the server is
  held back.
- Ctrl-C (the stop button) ends what the cell waits for, and nothing else: sessions live on.
- Errors are those of the asynchronous functions, raised in the cell that waits. A session that fails still gives what it had received.

Handles are for one thread at a time. `close_all` closes everything.
"""

from __future__ import annotations

from .portal import close_all
from .running import NotebookSimulator, open_local_simulator, run_backtest
from .sessions import (
    NotebookParallelSession,
    NotebookRpc,
    NotebookSession,
    NotebookStream,
    NotebookSubSession,
    open_backtest_session,
    open_parallel_session,
)

__all__ = [
    "NotebookParallelSession",
    "NotebookRpc",
    "NotebookSession",
    "NotebookSimulator",
    "NotebookStream",
    "NotebookSubSession",
    "close_all",
    "open_backtest_session",
    "open_local_simulator",
    "open_parallel_session",
    "run_backtest",
]
