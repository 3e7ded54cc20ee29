"""How a run looks while it goes: a live display on a terminal, plain lines without one."""

from __future__ import annotations

from types import TracebackType
from typing import final

import trio
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from ..research.values import Notice, RunCounts, RunResult, StartedRun
from ..wire.failures import describe_failure
from ..wire.responses import ErrorEvent, Status
from .terminal import clean

__all__ = ["LiveProgress", "PlainProgress", "describe_counts"]

_PLAIN_SECONDS = 2.0
"""Between two plain lines."""
_REFRESHES_PER_SECOND = 8


@final
class LiveProgress:
    """A bar of the slots with their rate, and below it what was received.

    A block and an observer of runs; `result` is what came out.
    """

    def __init__(self, console: Console) -> None:
        self.result: RunResult | None = None
        self._console = console
        self._first_slot = self._slots = 0
        self._counts = Text("connecting …")
        self._progress = Progress(
            TextColumn("slots"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}", markup=False),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}", markup=False),
            console=console,
            expand=True,
        )
        self._task = self._progress.add_task("slots", total=None, rate="", left="")
        self._live = Live(
            Group(self._progress, self._counts),
            console=console,
            refresh_per_second=_REFRESHES_PER_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> LiveProgress:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.stop()

    def started(self, run: StartedRun) -> None:
        """Give the bar its length."""
        self._first_slot = run.start_slot
        self._slots = run.end_slot - run.start_slot + 1
        self._progress.update(self._task, total=self._slots)
        self._show("waiting for the first slot …")

    def noticed(self, notice: Notice) -> None:
        """Keep errors and unknown messages above the bar; what the server is busy with passes too fast to be read."""
        if not isinstance(notice, Status):
            self._console.print(_describe_notice(notice), style="yellow", soft_wrap=True)

    def progressed(self, counts: RunCounts) -> None:
        """Move the bar."""
        if counts.last_slot is None:
            return

        done = counts.last_slot - self._first_slot + 1
        self._progress.update(self._task, completed=done, rate=_rate(counts), left=_left(counts, self._slots))
        self._show(describe_counts(counts))

    def finished(self, result: RunResult) -> None:
        """Keep the result."""
        self.result = result

    def _show(self, counts: str) -> None:
        self._counts.plain = counts


@final
class PlainProgress:
    """A line now and then, for logs and pipes; a block and an observer of runs, like `LiveProgress`."""

    def __init__(self, console: Console) -> None:
        self.result: RunResult | None = None
        self._console = console
        self._run: StartedRun | None = None
        self._next_line = 0.0

    def __enter__(self) -> PlainProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return None

    def started(self, run: StartedRun) -> None:
        """Print the session and its range."""
        self._run = run
        self._next_line = trio.current_time() + _PLAIN_SECONDS
        self._print(f"session {clean(run.session_id)}: slots {run.start_slot} to {run.end_slot}")

    def noticed(self, notice: Notice) -> None:
        """Print errors and unknown messages."""
        if not isinstance(notice, Status):
            self._print(_describe_notice(notice))

    def progressed(self, counts: RunCounts) -> None:
        """Print how far the run is, if the last line is long enough ago."""
        if self._run is None or counts.last_slot is None or trio.current_time() < self._next_line:
            return

        self._next_line = trio.current_time() + _PLAIN_SECONDS
        done, total = counts.last_slot - self._run.start_slot + 1, self._run.end_slot - self._run.start_slot + 1
        self._print(f"slot {done:,} of {total:,}, {_rate(counts)}, {_left(counts, total)}, {describe_counts(counts)}")

    def finished(self, result: RunResult) -> None:
        """Keep the result."""
        self.result = result

    def _print(self, line: str) -> None:
        self._console.print(line, soft_wrap=True)


def describe_counts(counts: RunCounts) -> str:
    """Return what was received, as one line."""
    parts = [
        f"{counts.transactions:,} transactions ({counts.failures:,} failed)",
        f"{counts.diffs:,} account diffs",
        f"{counts.logs:,} logs",
    ]
    if counts.discoveries:
        parts.append(f"{counts.discoveries:,} discoveries")
    if counts.others:
        parts.append(f"{counts.others:,} other events")
    if counts.errors:
        parts.append(f"{counts.errors:,} errors")
    if counts.reconnects:
        parts.append(f"{counts.reconnects:,} reconnects")
    return ", ".join(parts)


def _rate(counts: RunCounts) -> str:
    """Return the speed of the whole run so far."""
    return f"{counts.slots / counts.elapsed_seconds:,.0f} slots/s" if counts.elapsed_seconds else ""


def _left(counts: RunCounts, slots: int) -> str:
    """Return how long the run will still take, if it goes on as it went."""
    if not counts.slots or not counts.elapsed_seconds:
        return ""

    seconds = int(max(0, slots - counts.slots) * counts.elapsed_seconds / counts.slots)
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02} left"


def _describe_notice(notice: Notice) -> str:
    """Return a server's message as one safe line."""
    match notice:
        case ErrorEvent(failure=failure):
            return f"the server reports: {clean(describe_failure(failure))}"
        case Status(status=status):
            return clean(status)
        case _:
            return f"the server sent a message unknown to this version: {clean(notice.raw)}"
