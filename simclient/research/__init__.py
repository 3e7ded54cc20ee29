"""What is done with the events of a backtest: runs that are kept, read back, compared, summed up and shown.

    result = await run_backtest(RunConfig(url=…, start_slot=…, end_slot=…, subscriptions=…, output=Path("run.ndjson")))
    run = read_run("run.ndjson")
    frame = run.transaction_table.to_polars()
    compare_runs("baseline.ndjson", "run.ndjson").has(Kind.REGRESSION)

The command line does what is here and nothing else. Names are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .balances import BalanceChange as BalanceChange
    from .balances import WalletResult as WalletResult
    from .comparison import Comparison as Comparison
    from .comparison import Difference as Difference
    from .comparison import Filters as Filters
    from .comparison import Kind as Kind
    from .comparison import compare_runs as compare_runs
    from .overview import PnlResult as PnlResult
    from .overview import RunOverview as RunOverview
    from .overview import pnl as pnl
    from .overview import summarize as summarize
    from .report import write_charts as write_charts
    from .report import write_report as write_report
    from .run import run_backtest as run_backtest
    from .run_file import RunFile as RunFile
    from .run_file import read_run as read_run
    from .tables import Table as Table
    from .values import RunConfig as RunConfig
    from .values import RunCounts as RunCounts
    from .values import RunObserver as RunObserver
    from .values import RunResult as RunResult
    from .values import RunStatus as RunStatus

_HOMES = {
    "balances": ("BalanceChange", "WalletResult"),
    "comparison": ("Comparison", "Difference", "Filters", "Kind", "compare_runs"),
    "overview": ("PnlResult", "RunOverview", "pnl", "summarize"),
    "report": ("write_charts", "write_report"),
    "run": ("run_backtest",),
    "run_file": ("RunFile", "read_run"),
    "tables": ("Table",),
    "values": ("RunConfig", "RunCounts", "RunObserver", "RunResult", "RunStatus"),
}
"""The module in which each name lives."""

_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "BalanceChange",
    "Comparison",
    "Difference",
    "Filters",
    "Kind",
    "PnlResult",
    "RunConfig",
    "RunCounts",
    "RunFile",
    "RunObserver",
    "RunOverview",
    "RunResult",
    "RunStatus",
    "Table",
    "WalletResult",
    "compare_runs",
    "pnl",
    "read_run",
    "run_backtest",
    "summarize",
    "write_charts",
    "write_report",
]


def __getattr__(name: str) -> object:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    value: object = getattr(import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *__all__]
