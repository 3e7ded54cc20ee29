"""What a notebook shows of runs, comparisons and tables: the top of their report, in a page that is not ours and has its own colours.

Whatever was said in a run is shown as text, as in a report.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from ..balances import WalletResult
from ..comparison import Comparison, Kind
from ..overview import PnlResult, RunOverview
from ..run_file import RunFile
from ..tables import Table
from ..values import RunResult
from . import page
from .comparison_page import comparison_head
from .run_page import pnl_table, run_head
from .text import text

__all__ = ["cell", "comparison_cell", "overview_cell", "pnl_cell", "result_cell", "run_file_cell", "table_cell"]

_STYLE = """<style>
.simclient .numbers{display:flex;flex-wrap:wrap;gap:.4em 2em;margin:.4em 0}
.simclient .number b{display:block;font-size:1.3em}
.simclient .number span,.simclient .muted,.simclient dt{opacity:.7}
.simclient dl{display:grid;grid-template-columns:max-content auto;gap:.1em 1em;margin:.4em 0}
.simclient dd{margin:0;overflow-wrap:anywhere}
.simclient .n{text-align:right;font-variant-numeric:tabular-nums}
.simclient .table{overflow-x:auto}
</style>"""
_ROWS = 20


def cell(title: str, *parts: str) -> str:
    """Return what a cell shows: a title, and parts of a page."""
    return f'<div class="simclient">{_STYLE}<b>{text(title)}</b>{"".join(parts)}</div>'


def result_cell(result: RunResult) -> str:
    """Show what came out of a run."""
    counts = result.counts
    figures = [
        ("slots", f"{counts.slots:,}"),
        ("transactions", f"{counts.transactions:,}"),
        ("failed", f"{counts.failures:,}"),
        ("account diffs", f"{counts.diffs:,}"),
        ("seconds", f"{counts.elapsed_seconds:.2f}"),
    ]
    reason = page.definitions([("reason", result.reason)])
    return cell(f"Backtest {result.status.value}", page.numbers(figures), reason, _wallets(result.wallets))


def run_file_cell(run: RunFile) -> str:
    """Show which run a file is of; its events are not read for that."""
    metadata = run.metadata
    about = [("file", run.path), ("slots", f"{metadata.start_slot} to {metadata.end_slot}"), ("server", metadata.url)]
    return cell("Events of a backtest", page.definitions(about))


def overview_cell(overview: RunOverview) -> str:
    """Show what a run came to."""
    title = f"Backtest of slots {overview.metadata.start_slot} to {overview.metadata.end_slot}"
    return cell(title, run_head(overview), _wallets(overview.pnl.wallets))


def comparison_cell(comparison: Comparison) -> str:
    """Show how many transactions differ, and in what."""
    rows = [(kind.value, page.number(f"{comparison.counts[kind]:,}")) for kind in Kind if comparison.counts[kind]]
    differences = page.table(("difference", "transactions"), rows, title=None)
    return cell("Comparison of two runs", comparison_head(comparison), differences)


def pnl_cell(pnl: PnlResult) -> str:
    """Show what wallets gained and lost."""
    return cell("Profit and loss", _wallets(pnl.wallets))


def table_cell(table: Table) -> str:
    """Show the first rows of a table."""
    rows = [[_shown(value) for value in row] for row in islice(table.rows(), _ROWS + 1)]
    more = f'<p class="muted">the first {_ROWS} rows; all: to_polars(), to_pandas(), to_arrow() or to_dicts()</p>'
    shown = page.table(tuple(table.columns), rows[:_ROWS], title=None)
    return cell(table.name, shown or " has no rows", more if len(rows) > _ROWS else "")


def _wallets(wallets: Iterable[WalletResult]) -> str:
    return pnl_table(wallets, most_rows=_ROWS)


def _shown(value: object) -> object:
    """Return a value as a cell of a table: whole numbers to the right."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return page.number(str(value)) if is_number else value
