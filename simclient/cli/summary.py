"""What a run came to: its outcome, its counts, and the profit and loss of the wallets."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..research.balances import BalanceChange, WalletResult
from ..research.values import RunResult, RunStatus
from ..wire.summary import SessionSummary
from .amounts import asset, format_amount, short_address, signed_amount
from .progress import describe_counts

__all__ = ["print_summary", "print_wallets"]

_SOL_DECIMALS = 9
_WALLETS_ON_A_TERMINAL = 25
"""So many wallets are shown on a screen, the largest changes first; a pipe gets them all."""
_NARROW_COLUMNS = 70
"""Below this, only the changes fit beside their names."""
_STYLES = {RunStatus.COMPLETED: "green", RunStatus.CANCELLED: "yellow", RunStatus.FAILED: "red"}


def print_summary(console: Console, result: RunResult) -> None:
    """Print how a run ended, what it gave, and what every wallet gained."""
    counts = result.counts
    outcome = f"{result.status.value}: {counts.slots:,} slots in {counts.elapsed_seconds:.1f} s"
    console.print(outcome, style=_STYLES[result.status], soft_wrap=True)
    console.print(f"received: {describe_counts(counts)}", soft_wrap=True)
    if result.compared is not None:
        console.print(_describe_comparison(result.compared), soft_wrap=True)
    print_wallets(console, result.wallets, "Profit and loss of the wallets, from the stream")


def _describe_comparison(summary: SessionSummary) -> str:
    """Return how the replay compares with what was recorded."""
    return (
        f"compared with the recording: {summary.correct_simulation:,} as recorded,"
        f" {summary.incorrect_simulation:,} with another outcome, {summary.execution_errors:,} execution errors,"
        f" {summary.balance_diff:,} other balances, {summary.log_diff:,} other logs"
    )


def print_wallets(console: Console, wallets: Sequence[WalletResult], title: str) -> None:
    """Print the wallets whose balances changed, the largest changes first."""
    changed = sorted(filter(_has_changed, wallets), key=lambda wallet: (-_size(wallet), wallet.wallet))
    if not changed:
        return

    shown = changed[:_WALLETS_ON_A_TERMINAL] if console.is_terminal else changed
    table = Table(title=title, title_justify="left")
    table.add_column("wallet", no_wrap=True)
    table.add_column("asset", no_wrap=True)
    is_narrow = console.width < _NARROW_COLUMNS
    for name in ("change",) if is_narrow else ("change", "opening", "closing", "fees in it"):
        table.add_column(name, justify="right", overflow="fold")
    for wallet in shown:
        _add_rows(table, wallet, is_short=console.is_terminal, is_narrow=is_narrow)
    console.print(table)
    if len(shown) < len(changed):
        console.print(f"and {len(changed) - len(shown):,} wallets more; all of them in a pipe: simclient … | cat")


def _add_rows(table: Table, wallet: WalletResult, *, is_short: bool, is_narrow: bool) -> None:
    """Add the balances of one wallet that changed."""
    name = short_address(wallet.wallet, is_short=is_short)
    for change in wallet.changes:
        fees_lamports = wallet.fees_lamports if change.mint is None else 0
        if not change.delta and not fees_lamports:
            continue

        cells: list[str | Text] = [name, asset(change.mint, is_short=is_short), _signed(change)]
        if not is_narrow:
            cells.append(format_amount(change.opening, change.decimals))
            cells.append(format_amount(change.closing, change.decimals))
            cells.append(format_amount(fees_lamports, _SOL_DECIMALS) if fees_lamports else "")
        table.add_row(*cells)
        name = ""
    table.add_section()


def _signed(change: BalanceChange) -> Text:
    """Return a change with its sign, in the colour of gain or loss."""
    style = "green" if change.delta > 0 else "red" if change.delta < 0 else ""
    return Text(signed_amount(change.delta, change.decimals), style=style)


def _has_changed(wallet: WalletResult) -> bool:
    return wallet.fees_lamports > 0 or any(change.delta for change in wallet.changes)


def _size(wallet: WalletResult) -> float:
    """Return the largest change in whole tokens: a crude measure across mints, good enough for an order."""
    return max((abs(change.delta) / 10 ** (change.decimals or 0) for change in wallet.changes), default=0.0)
