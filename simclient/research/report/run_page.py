"""The report of one run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import cast

from ..balances import WalletResult
from ..idl import Idl
from ..overview import RunOverview
from ..run_file import RunFile
from . import page
from .charts import Bar, Chart, Series, bar_chart, column_chart, line_chart
from .data import Activity, AssetHistory, read_history
from .formats import amount, compact, exact, explained, seconds, short, signed, slot, whole
from .idl_data import read_decoded
from .idl_sections import idl_drawings, idl_sections
from .page import Drawing, Page
from .text import text

__all__ = ["pnl_table", "run_drawings", "run_head", "run_page"]

_WIDE, _NARROW = 1080, 370
_SERIES = ("s1", "s2", "s3", "s4", "s5")
_BARS = 8


def run_page(run: RunFile, overview: RunOverview, idls: Sequence[Idl]) -> Page:
    """Return the page of a run.

    Raises:
        RunFileError: The file is damaged.
    """
    activity, histories = read_history(run, overview)
    title = f"Backtest of slots {overview.metadata.start_slot} to {overview.metadata.end_slot}"
    sections = [
        f"<h1>{text(title)}</h1>\n{run_head(overview)}",
        page.drawing(_activity(activity), _activity_table(activity)),
    ]
    progress = _progress(overview)
    if progress:
        sections.append(page.pair(page.drawing(one, _progress_table(overview)) for one in progress))
    if overview.failed_by:
        sections.append(page.drawing(_failures(overview, idls), _failure_table(overview, idls)))
    sections.extend(idl_sections(read_decoded(run, idls)))
    sections.extend(page.drawing(_history(one), _history_table(one)) for one in histories)
    sections.append(
        f"<section><h2>Profit and loss</h2>\n{_pnl_note(overview)}{pnl_table(overview.pnl.wallets)}</section>\n"
    )
    return Page(title=title, body="".join(sections))


def run_drawings(run: RunFile, overview: RunOverview, idls: Sequence[Idl]) -> list[Drawing]:
    """Return the charts of a run.

    Raises:
        RunFileError: The file is damaged.
    """
    activity, histories = read_history(run, overview)
    failures = [_failures(overview, idls)] if overview.failed_by else []
    decoded = idl_drawings(read_decoded(run, idls))
    return [_activity(activity), *_progress(overview), *failures, *decoded, *(_history(one) for one in histories)]


def run_head(overview: RunOverview) -> str:
    """Return how a run ended, its figures, and what was asked for."""
    return _outcome(overview) + page.numbers(_figures(overview)) + page.definitions(_asked(overview))


def _outcome(overview: RunOverview) -> str:
    status = overview.status
    css = "good" if status == "completed" else "bad"
    reason = "" if overview.summary is None else overview.summary.reason or ""
    cut = " The last line of the file is cut and was left out." if overview.is_cut else ""
    return f'<p><span class="status {css}">{text(status)}</span> {text(reason)}{cut}</p>\n'


def _figures(overview: RunOverview) -> list[tuple[str, object]]:
    summary = overview.summary
    figures: list[tuple[str, object]] = [
        ("transactions", f"{overview.transactions:,}"),
        ("failed", f"{overview.failures:,}"),
        ("account diffs", f"{overview.diffs:,}"),
        ("fees in SOL", amount(overview.fees_lamports, 9)),
        ("compute units", compact(overview.compute_units)),
    ]
    if summary is not None and summary.slots is not None:
        figures.insert(0, ("slots", f"{summary.slots:,}"))
    if summary is not None and summary.elapsed_seconds:
        figures.append(("slots per second", f"{(summary.slots or 0) / summary.elapsed_seconds:,.0f}"))
    return figures


def _asked(overview: RunOverview) -> list[tuple[str, object]]:
    """Return what was asked for, and with what."""
    metadata = overview.metadata
    parameters = metadata.parameters
    pairs: list[tuple[str, object]] = [
        ("file", overview.path),
        ("server", metadata.url),
        ("began", f"{datetime.fromtimestamp(metadata.ran_at_unix_secs, UTC):%Y-%m-%d %H:%M:%S} UTC"),
        ("programs", ", ".join(metadata.program_ids)),
        ("replaced by", ", ".join(metadata.program_so)),
        ("sessions", f"{len(overview.sessions):,}"),
        ("versions", ", ".join(f"{name} {version}" for name, version in metadata.versions.items())),
        ("blocks", ", ".join(metadata.origin[name] for name in ("bundle", "about") if metadata.origin.get(name))),
    ]
    pairs += [
        (name.replace("_", " "), _described(value))
        for name, value in parameters.items()
        if value and name not in _SHOWN_APART
    ]
    if overview.summary is not None and overview.summary.compared:
        compared = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in overview.summary.compared.items())
        pairs.append(("server's comparison", compared))
    return pairs


_SHOWN_APART = frozenset({"transactions", "account_diffs", "logs"})


def _described(value: object) -> str:
    """Return a parameter of the metadata in words; what was read from a file has its digest."""
    if value is True:
        return "yes"
    if isinstance(value, Mapping):
        fields = dict(cast("Mapping[str, object]", value))
        source = f"from {fields.pop('source', '?')} (SHA-256 {str(fields.pop('sha256', '?'))[:16]}…)"
        return " ".join([*map(_described, fields.values()), source])
    if isinstance(value, list | tuple):
        return ", ".join(map(_described, cast("Sequence[object]", value)))

    return str(value)


def _activity(activity: Activity) -> Drawing:
    """Draw transactions or, of a run without them, account diffs by slot."""
    columns = activity.columns
    if any(activity.successes) or any(activity.failures):
        title = "Transactions by slot"
        series = [
            Series(name="succeeded", values=activity.successes, css="s1"),
            Series(name="failed", values=activity.failures, css="bad"),
        ]
    else:
        title = "Account diffs by slot"
        series = [Series(name="account diffs", values=activity.diffs, css="s1")]
    if columns.width > 1:
        title += f", {columns.width:,} slots to a column"

    def draw(width: int) -> Chart:
        return column_chart(title, columns.slots(), series, width=width, format_x=slot, format_y=compact)

    return Drawing(wide=draw(_WIDE), narrow=draw(_NARROW), name="activity")


def _activity_table(activity: Activity) -> str:
    rows = [
        (page.number(str(first)), whole(ok), whole(failed), whole(units), whole(diffs))
        for first, ok, failed, units, diffs in zip(
            activity.columns.slots(),
            activity.successes,
            activity.failures,
            activity.compute_units,
            activity.diffs,
            strict=True,
        )
    ]
    return page.table(("from slot", "succeeded", "failed", "compute units", "account diffs"), rows)


def _progress(overview: RunOverview) -> list[Drawing]:
    """Draw how the run itself went: slots over time, and what was received a second."""
    samples = () if overview.summary is None else overview.summary.progress
    if len(samples) < 3:
        return []

    times = [sample.seconds for sample in samples]
    spans = [max(after - before, 1e-9) for before, after in pairwise(times)]
    events = [sample.transactions + sample.diffs + sample.logs for sample in samples]
    rates = [(after - before) / span for (before, after), span in zip(pairwise(events), spans, strict=True)]

    def slots(width: int) -> Chart:
        series = [Series(name="slots", values=[sample.slots for sample in samples], css="s1")]
        return line_chart("Slots over time", times, series, width=width, format_x=seconds, format_y=compact)

    def throughput(width: int) -> Chart:
        series = [Series(name="events a second", values=rates, css="s3")]
        return line_chart(
            "Events received a second", times[1:], series, width=width, format_x=seconds, format_y=compact
        )

    return [
        Drawing(wide=slots(_WIDE // 2 - 20), narrow=slots(_NARROW), name="slots"),
        Drawing(wide=throughput(_WIDE // 2 - 20), narrow=throughput(_NARROW), name="throughput"),
    ]


def _progress_table(overview: RunOverview) -> str:
    samples = () if overview.summary is None else overview.summary.progress
    rows = [
        (
            page.number(f"{one.seconds:.2f}"),
            whole(one.slots),
            whole(one.transactions),
            whole(one.diffs),
            whole(one.logs),
        )
        for one in samples
    ]
    return page.table(("seconds", "slots", "transactions", "account diffs", "logs"), rows)


def _failures(overview: RunOverview, idls: Sequence[Idl]) -> Drawing:
    bars = [
        Bar(
            name=f"{short(one.program) if one.program else 'before a program ran'}: {explained(one.error, idls, one.program)}",
            value=one.count,
            css="bad",
        )
        for one in overview.failed_by[:_BARS]
    ]

    def draw(width: int) -> Chart:
        return bar_chart("Failed transactions, by program and error", bars, width=width, format_value=exact)

    return Drawing(wide=draw(_WIDE), narrow=draw(_NARROW), name="failures")


def _failure_table(overview: RunOverview, idls: Sequence[Idl]) -> str:
    rows = [(whole(one.count), one.program, explained(one.error, idls, one.program)) for one in overview.failed_by]
    return page.table(("count", "program", "error"), rows)


def _history(history: AssetHistory) -> Drawing:
    """Draw how the balances of one asset changed since the run began."""
    scale = 10 ** (history.decimals or 0)
    columns = history.columns
    series = [
        Series(name=short(one.wallet), values=[value / scale for value in one.change], css=css)
        for one, css in zip(history.wallets, _SERIES, strict=False)
    ]
    unit = "" if history.decimals is not None else ", in the smallest unit"
    title = f"Change of {short(history.mint)} since the beginning{unit}"

    def draw(width: int) -> Chart:
        return line_chart(title, columns.slots(), series, width=width, format_x=slot, format_y=compact)

    return Drawing(
        wide=draw(_WIDE),
        narrow=draw(_NARROW),
        name=f"balances-{short(history.mint).replace(' ', '-').replace('…', '-')}",
    )


def _history_table(history: AssetHistory) -> str:
    names = ("from slot", *(one.wallet for one in history.wallets))
    rows: list[Sequence[object]] = [
        (page.number(str(first)), *(signed(one.change[index], history.decimals) for one in history.wallets))
        for index, first in enumerate(history.columns.slots())
    ]
    return page.table(names, rows)


def _pnl_note(overview: RunOverview) -> str:
    wallets = sum(any(change.delta for change in wallet.changes) for wallet in overview.pnl.wallets)
    return (
        f'<p class="muted">{wallets:,} wallets gained or lost something. A balance of a mint is the sum over all token accounts'
        " of the wallet; SOL is that of its own address, the fees that it paid are in it.</p>\n"
    )


def pnl_table(wallets: Iterable[WalletResult], *, most_rows: int = 500) -> str:
    """Return a table with a row for every balance that changed."""
    rows = [
        (
            *(wallet.wallet, "SOL" if change.mint is None else change.mint, signed(change.delta, change.decimals)),
            *(amount(change.opening, change.decimals), amount(change.closing, change.decimals)),
            amount(wallet.fees_lamports, 9) if change.mint is None and wallet.fees_lamports else None,
        )
        for wallet in wallets
        for change in wallet.changes
        if change.delta or (change.mint is None and wallet.fees_lamports)
    ]
    return page.table(
        ("wallet", "asset", "change", "opening", "closing", "fees in it"), rows, title=None, most_rows=most_rows
    )
