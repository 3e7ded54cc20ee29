"""Whole runs, and the embedded simulator, from a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, final

from ..research.report.cells import cell
from ..research.report.page import number, table
from ..research.run import run_backtest as run_asynchronously
from ..research.values import RunConfig, RunObserver, RunResult
from ..wire.ranges import AvailableRange
from .handles import Closable
from .portal import Holding, the_portal

if TYPE_CHECKING:
    from ..local import LocalSimulator

__all__ = ["NotebookSimulator", "open_local_simulator", "run_backtest"]


def run_backtest(config: RunConfig, *, observer: RunObserver | None = None) -> RunResult:
    """Run a backtest to its end and return what came out.

    Ctrl-C ends the run: its output ends with a summary that says so, and KeyboardInterrupt follows. Arguments and errors are those of
    `simclient.research.run_backtest`; the observer hears in another thread.
    """
    return the_portal().call(partial(run_asynchronously, config, observer=observer), name="a run")


@final
class NotebookSimulator(Closable["LocalSimulator"]):
    """The embedded simulator, serving until it is closed."""

    def __init__(self, holding: Holding[LocalSimulator]) -> None:
        """Take what was opened."""
        super().__init__(holding, holding.value)
        self.url: str = holding.value.url
        """What sessions are opened with."""
        self.ranges: tuple[AvailableRange, ...] = holding.value.ranges
        """What can be replayed."""

    def __repr__(self) -> str:
        return f"<NotebookSimulator {self.url if self.is_open else 'closed'}>"

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        ranges = [(_slot(one.bundle_start_slot), _slot(one.max_bundle_end_slot)) for one in self.ranges]
        return cell(repr(self).strip("<>"), table(("first slot", "last slot"), ranges, title=None))


def open_local_simulator(
    bundles: Sequence[Path] = (),
    *,
    port: int = 0,
    split_slots: int | None = None,
    recordings: Sequence[Path] = (),
    speed: float | None = None,
) -> NotebookSimulator:
    """Serve bundles on loopback until the simulator is closed; that ends its sessions too.

    Arguments and errors are those of `simclient.open_local_simulator`.
    """
    from ..local import open_local_simulator as open_asynchronously  # an extra: sessions on a server do without

    manager = open_asynchronously(bundles, port=port, split_slots=split_slots, recordings=recordings, speed=speed)
    return NotebookSimulator(the_portal().open(manager, name="the embedded simulator"))


def _slot(slot: int | None) -> str | None:
    return None if slot is None else number(str(slot))
