"""The report of a comparison."""

from __future__ import annotations

from collections.abc import Sequence

from ..comparison import Comparison, Difference, Kind
from ..comparison.values import RunSide
from ..idl import Idl
from . import page
from .charts import Bar, Chart, Series, bar_chart, line_chart
from .formats import compact, exact, explained, short, signed, slot, whole
from .page import Drawing, Page
from .text import text

__all__ = ["comparison_drawings", "comparison_head", "comparison_page"]

_WIDE, _NARROW = 1080, 370
_ROWS = 200
_NAMES = {
    Kind.REGRESSION: "Regressions: succeeded, and now fail",
    Kind.IMPROVEMENT: "Improvements: failed, and now succeed",
    Kind.ERROR: "Other errors",
    Kind.BALANCES: "Balances changed by other amounts",
    Kind.LOGS: "Other logs",
    Kind.COMPUTE_UNITS: "Other compute units",
    Kind.FEE: "Other fees",
    Kind.MISSING: "Only in the baseline",
    Kind.EXTRA: "Only in the experiment",
}
_GOOD = frozenset({Kind.IMPROVEMENT})
_BAD = frozenset({Kind.REGRESSION, Kind.MISSING})


def comparison_page(comparison: Comparison, idls: Sequence[Idl]) -> Page:
    """Return the page of a comparison; errors get the words that the IDLs have for them."""
    sections = [
        f"<h1>Comparison of two runs</h1>\n{comparison_head(comparison)}",
    ]
    sections.extend(page.drawing(one) for one in comparison_drawings(comparison))
    sections.extend(_section(comparison, kind, idls) for kind in Kind if comparison.counts[kind])
    return Page(title="Comparison of two runs", body="".join(sections))


def comparison_drawings(comparison: Comparison) -> list[Drawing]:
    """Return the charts of a comparison."""
    units = _compute_units(comparison)
    return [_counts(comparison), *([units] if units is not None else [])]


def comparison_head(comparison: Comparison) -> str:
    """Return what two runs have in common, and which runs they are."""
    figures = [
        ("in both runs", f"{comparison.common:,}"),
        ("the same in both", f"{comparison.identical:,}"),
        ("only in the baseline", f"{comparison.counts[Kind.MISSING]:,}"),
        ("only in the experiment", f"{comparison.counts[Kind.EXTRA]:,}"),
    ]
    sides = [("baseline", _side(comparison.baseline)), ("experiment", _side(comparison.experiment))]
    return page.numbers(figures) + page.definitions(sides)


def _side(side: RunSide) -> str:
    metadata = side.metadata
    parts = [side.path, f"{side.transactions:,} transactions", f"slots {metadata.start_slot} to {metadata.end_slot}"]
    if metadata.program_so:
        parts.append(f"with {', '.join(metadata.program_so)}")
    if side.status not in (None, "completed"):
        parts.append(f"the run was {side.status}")
    if side.is_cut:
        parts.append("its last line is cut and was left out")
    return ", ".join(parts)


def _counts(comparison: Comparison) -> Drawing:
    bars = [
        Bar(
            name=_NAMES[kind],
            value=comparison.counts[kind],
            css="good" if kind in _GOOD else "bad" if kind in _BAD else "s1",
        )
        for kind in Kind
        if comparison.counts[kind]
    ]

    def draw(width: int) -> Chart:
        return bar_chart("Transactions that differ", bars, width=width, format_value=exact)

    return Drawing(wide=draw(_WIDE), narrow=draw(_NARROW), name="differences")


def _compute_units(comparison: Comparison) -> Drawing | None:
    """Draw by how much compute units differ over slots, of the differences that were kept."""
    sums: dict[int, int] = {}
    for one in comparison.kept[Kind.COMPUTE_UNITS]:
        if isinstance(one.baseline, int) and isinstance(one.experiment, int):
            sums[one.slot] = sums.get(one.slot, 0) + one.experiment - one.baseline
    slots = sorted(sums)
    if len(slots) < 2:
        return None

    series = [Series(name="compute units", values=[sums[one] for one in slots], css="s2")]
    kept, count = len(comparison.kept[Kind.COMPUTE_UNITS]), comparison.counts[Kind.COMPUTE_UNITS]
    title = "Compute units more or less, by slot"
    if kept < count:
        title += f", of the {kept:,} largest differences"

    def draw(width: int) -> Chart:
        return line_chart(title, slots, series, width=width, format_x=slot, format_y=compact)

    return Drawing(wide=draw(_WIDE), narrow=draw(_NARROW), name="compute-units")


def _section(comparison: Comparison, kind: Kind, idls: Sequence[Idl]) -> str:
    """Return the foremost differences of one kind."""
    kept, count = comparison.kept[kind], comparison.counts[kind]
    rows = [row for one in kept[:_ROWS] for row in _rows(one, idls)]
    names = ("slot", "signature", "account", "asset", "baseline", "experiment") if kind is Kind.BALANCES else _COLUMNS
    shown = f'<p class="muted">the foremost {min(len(kept), _ROWS):,} of {count:,}</p>' if count > _ROWS else ""
    return (
        f"<section><h2>{text(_NAMES[kind])} ({count:,})</h2>\n{shown}{page.table(names, rows, title=None)}</section>\n"
    )


_COLUMNS = ("slot", "signature", "baseline", "experiment")


def _rows(one: Difference, idls: Sequence[Idl]) -> list[tuple[object, ...]]:
    place = (page.number(str(one.slot)), one.signature)
    if one.kind is Kind.BALANCES:
        return [
            (
                *place,
                balance.owner or balance.account,
                short(balance.mint),
                signed(balance.baseline, balance.decimals),
                signed(balance.experiment, balance.decimals),
            )
            for balance in one.balances
        ]
    if one.kind is Kind.LOGS and one.line is not None:
        return [(*place, one.line.baseline or "(the end)", one.line.experiment or "(the end)")]
    if one.kind in (Kind.MISSING, Kind.EXTRA):
        says = "succeeded" if one.success else _said(one.baseline or one.experiment, idls) or "failed"
        return [(*place, says, None) if one.kind is Kind.MISSING else (*place, None, says)]
    if one.kind in (Kind.REGRESSION, Kind.IMPROVEMENT):
        return [(*place, *(_said(side, idls) or "succeeded" for side in (one.baseline, one.experiment)))]

    return [(*place, *(_said(side, idls) for side in (one.baseline, one.experiment)))]


def _said(side: int | str | None, idls: Sequence[Idl]) -> str | None:
    """Return a number or an error as it is shown."""
    return explained(side, idls) if isinstance(side, str) else whole(side)
