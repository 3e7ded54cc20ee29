"""How the overview of a run looks, as text and as JSON."""

from __future__ import annotations

from datetime import UTC, datetime

import attrs
from rich.table import Table

from ..research.overview import FailureCount, RunOverview
from .amounts import format_amount, short_address
from .summary import print_wallets
from .terminal import clean, print_json_text, result_console

__all__ = ["print_json", "print_text"]

_SHOWN_FAILURES = 10


def print_text(overview: RunOverview) -> None:
    """Print the overview for people."""
    console = result_console()
    metadata = overview.metadata
    lines = [
        ("file", overview.path),
        ("slots", f"{metadata.start_slot} to {metadata.end_slot}"),
        ("status", _describe_status(overview)),
        ("ran at", f"{datetime.fromtimestamp(metadata.ran_at_unix_secs, UTC):%Y-%m-%d %H:%M:%S} UTC"),
        ("server", metadata.url or ""),
        ("programs", ", ".join(metadata.program_ids)),
        ("sessions", f"{len(overview.sessions):,}"),
        (
            "received",
            _describe_received(overview),
        ),
        ("fees", f"{format_amount(overview.fees_lamports, 9)} SOL"),
        ("compute units", f"{overview.compute_units:,}"),
    ]
    for name, value in lines:
        if value:
            console.print(f"{name}: {clean(value)}", soft_wrap=True)
    if overview.failed_by:
        console.print(_failures(overview.failed_by, is_short=console.is_terminal))
    print_wallets(console, overview.pnl.wallets, "Profit and loss of the wallets, from the file")


def print_json(overview: RunOverview) -> None:
    """Print the overview for programs."""
    summary = overview.summary
    print_json_text(
        {
            "path": overview.path,
            "status": overview.status,
            "reason": None if summary is None else summary.reason,
            "is_cut": overview.is_cut,
            "metadata": overview.metadata,
            "sessions": overview.sessions,
            "transactions": overview.transactions,
            "successes": overview.successes,
            "failures": overview.failures,
            "diffs": overview.diffs,
            "logs": overview.logs,
            "first_slot": overview.first_slot,
            "last_slot": overview.last_slot,
            "fees_lamports": overview.fees_lamports,
            "compute_units": overview.compute_units,
            "failed_by": [attrs.asdict(one) for one in overview.failed_by],
            "wallets": [
                {
                    "wallet": wallet.wallet,
                    "fees_lamports": wallet.fees_lamports,
                    "changes": [attrs.asdict(change) | {"delta": change.delta} for change in wallet.changes],
                }
                for wallet in overview.pnl.wallets
            ],
        }
    )


def _describe_received(overview: RunOverview) -> str:
    transactions = f"{overview.transactions:,} transactions ({overview.failures:,} failed)"
    return f"{transactions}, {overview.diffs:,} account diffs, {overview.logs:,} logs"


def _describe_status(overview: RunOverview) -> str:
    parts = [overview.status]
    if overview.summary is not None and overview.summary.reason:
        parts.append(overview.summary.reason)
    if overview.is_cut:
        parts.append("the last line is cut and was left out")
    return ", ".join(parts)


def _failures(failures: tuple[FailureCount, ...], *, is_short: bool) -> Table:
    """Return a table of why transactions failed, the most frequent first."""
    table = Table(title="Failed transactions, by program and error", title_justify="left")
    table.add_column("count", justify="right")
    table.add_column("program", no_wrap=True)
    table.add_column("error", overflow="fold")
    for one in failures[:_SHOWN_FAILURES]:
        program = "" if one.program is None else short_address(one.program, is_short=is_short)
        table.add_row(f"{one.count:,}", program, clean(one.error))
    if len(failures) > _SHOWN_FAILURES:
        rest = sum(one.count for one in failures[_SHOWN_FAILURES:])
        table.add_row(f"{rest:,}", "", f"in {len(failures) - _SHOWN_FAILURES:,} other ways")
    return table
