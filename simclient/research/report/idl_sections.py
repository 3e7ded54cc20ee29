"""The part of a report that speaks the words of the programs' IDLs."""

from __future__ import annotations

from collections.abc import Iterator

from . import page
from .charts import Bar, Chart, bar_chart
from .formats import exact, whole
from .idl_data import DecodedRun
from .page import Drawing

__all__ = ["idl_drawings", "idl_sections"]

_WIDE, _NARROW = 1080, 370
_BARS = 8


def idl_sections(decoded: DecodedRun) -> Iterator[str]:
    """Yield the sections, those that have something to show."""
    for one in idl_drawings(decoded):
        yield page.drawing(one, _calls_table(decoded) if one.name == _CALLS else _events_table(decoded))
    if not decoded.has_instructions:
        yield (
            '<section><h2>Instructions of programs</h2><p class="muted">The file has none to decode: only runs with'
            " --instructions keep them.</p></section>\n"
        )
    if decoded.accounts:
        table = page.table(
            ("account", "type", "writes", "last slot", "fields"),
            [
                (one.account, one.name, whole(one.writes), page.number(str(one.slot)), one.fields)
                for one in decoded.accounts
            ],
        )
        yield f"<section><h2>Accounts of programs, as the run left them</h2>\n{table}</section>\n"


def idl_drawings(decoded: DecodedRun) -> Iterator[Drawing]:
    """Yield the charts, those that have something to show."""
    calls = [Bar(name=one.name, value=one.count, css="s1") for one in decoded.calls[:_BARS]]
    events = [Bar(name=name, value=count, css="s3") for name, count in decoded.events[:_BARS]]
    if calls:
        yield _bars("Instructions of programs", calls, _CALLS)
    if events:
        yield _bars("Events of programs", events, "events")


_CALLS = "instructions"


def _bars(title: str, bars: list[Bar], name: str) -> Drawing:
    def draw(width: int) -> Chart:
        return bar_chart(title, bars, width=width, format_value=exact)

    return Drawing(wide=draw(_WIDE), narrow=draw(_NARROW), name=name)


def _calls_table(decoded: DecodedRun) -> str:
    rows = [(one.name, whole(one.count), whole(one.failed)) for one in decoded.calls]
    return page.table(("instruction", "executed", "in failed transactions"), rows)


def _events_table(decoded: DecodedRun) -> str:
    return page.table(("event", "count"), [(name, whole(count)) for name, count in decoded.events])
