"""How a run looks while it goes: a live display on a terminal, plain lines without one."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import final

import trio
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from ..research.values import Notice, RunCounts, RunResult, SessionState, SilentObserver, StartedRun
from ..wire.failures import describe_failure
from ..wire.responses import ErrorEvent, Status
from .terminal import clean

__all__ = ["LiveProgress", "PlainProgress", "describe_counts"]

_PLAIN_SECONDS = 2.0
"""Between two plain lines."""
_REFRESHES_PER_SECOND = 8
_NARROW_COLUMNS = 70
"""Below this there is only room for the slots and the time that is left."""
_PARTS = 8
"""Bars of the parts of a parallel run that are shown at a time."""


@final
class LiveProgress(SilentObserver):
    """A bar of the slots with their rate, one for each part of a parallel run below it, and what was received.

    A block and an observer of runs; `result` is what came out.
    """

    def __init__(self, console: Console) -> None:
        self.result: RunResult | None = None
        self._console = console
        self._total = _Total()
        self._counts = Text("connecting …")
        is_narrow = console.width < _NARROW_COLUMNS
        rate = (TextColumn("{task.fields[rate]}", markup=False), TimeElapsedColumn())
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            *(() if is_narrow else rate),
            TextColumn("{task.fields[left]}", markup=False),
            console=console,
            expand=True,
        )
        self._task = self._progress.add_task("slots", total=None, rate="", left="")
        self._parts: dict[str, TaskID] = {}
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
        self._total.add(run)
        self._progress.update(self._task, total=self._total.slots)
        self._show("waiting for the first slot …")

    def noticed(self, notice: Notice) -> None:
        """Keep errors and unknown messages above the bar; what the server is busy with passes too fast to be read."""
        if not isinstance(notice, Status):
            self._console.print(_describe_notice(notice), style="yellow", soft_wrap=True)

    def progressed(self, counts: RunCounts) -> None:
        """Move the bars."""
        if counts.last_slot is None:
            return

        done = _done(counts)
        seconds = counts.elapsed_seconds
        left = _left(done, self._total.slots, seconds)
        self._progress.update(self._task, completed=done, rate=_rate(counts.slots, seconds), left=left)
        if len(counts.sessions) > 1:
            self._show_parts(counts.sessions, seconds)
        self._show(describe_counts(counts))

    def finished(self, result: RunResult) -> None:
        """Keep the result."""
        self.result = result

    def _show_parts(self, sessions: Sequence[SessionState], seconds: float) -> None:
        """Show a bar for each part that is under way, as many as fit."""
        running = [one for one in sessions if one.status == "running" and one.last_slot is not None][:_PARTS]
        shown = {one.session_id for one in running}
        for session_id in [one for one in self._parts if one not in shown]:
            self._progress.remove_task(self._parts.pop(session_id))
        for one in running:
            size = one.end_slot - one.start_slot + 1
            if one.session_id not in self._parts:
                self._parts[one.session_id] = self._progress.add_task(
                    f"  {one.start_slot}", total=size, rate="", left=""
                )
            self._progress.update(
                self._parts[one.session_id],
                completed=one.done_slots,
                rate=_rate(one.slots, seconds),
                left=_left(one.done_slots, size, seconds),
            )

    def _show(self, counts: str) -> None:
        self._counts.plain = counts


@final
class PlainProgress(SilentObserver):
    """A line now and then, for logs and pipes; a block and an observer of runs, like `LiveProgress`."""

    def __init__(self, console: Console) -> None:
        self.result: RunResult | None = None
        self._console = console
        self._total = _Total()
        self._next_line = 0.0

    def __enter__(self) -> PlainProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return None

    def started(self, run: StartedRun) -> None:
        """Print the session and its range."""
        self._total.add(run)
        self._next_line = trio.current_time() + _PLAIN_SECONDS
        self._print(f"session {clean(run.session_id)}: slots {run.start_slot} to {run.end_slot}")

    def noticed(self, notice: Notice) -> None:
        """Print errors and unknown messages."""
        if not isinstance(notice, Status):
            self._print(_describe_notice(notice))

    def progressed(self, counts: RunCounts) -> None:
        """Print how far the run is, if the last line is long enough ago."""
        if counts.last_slot is None or trio.current_time() < self._next_line:
            return

        self._next_line = trio.current_time() + _PLAIN_SECONDS
        done, total, seconds = _done(counts), self._total.slots, counts.elapsed_seconds
        parts = ""
        if len(counts.sessions) > 1:
            parts = f"{sum(one.status == 'completed' for one in counts.sessions)} of {len(counts.sessions)} parts, "
        self._print(
            f"slot {done:,} of {total:,}, {parts}{_rate(counts.slots, seconds)}, {_left(done, total, seconds)},"
            f" {describe_counts(counts)}"
        )

    def finished(self, result: RunResult) -> None:
        """Keep the result."""
        self.result = result

    def _print(self, line: str) -> None:
        self._console.print(line, soft_wrap=True)


@final
class _Total:
    """How many slots all sessions have."""

    def __init__(self) -> None:
        self.slots = 0

    def add(self, run: StartedRun) -> None:
        """Take a session into account."""
        self.slots += run.end_slot - run.start_slot + 1


def _done(counts: RunCounts) -> int:
    """Return how many slots lie behind the sessions, those without a block included."""
    return sum(one.done_slots for one in counts.sessions)


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


def _rate(slots: int, seconds: float) -> str:
    """Return the speed so far."""
    return f"{slots / seconds:,.0f} slots/s" if seconds else ""


def _left(done: int, slots: int, seconds: float) -> str:
    """Return how long it will still take, if it goes on as it went."""
    if not done or not seconds:
        return ""

    left = int(max(0, slots - done) * seconds / done)
    minutes, left = divmod(left, 60)
    return f"{minutes // 60}:{minutes % 60:02}:{left:02} left"


def _describe_notice(notice: Notice) -> str:
    """Return a server's message as one safe line."""
    match notice:
        case ErrorEvent(failure=failure):
            return f"the server reports: {clean(describe_failure(failure))}"
        case Status(status=status):
            return clean(status)
        case _:
            return f"the server sent a message unknown to this version: {clean(notice.raw)}"
