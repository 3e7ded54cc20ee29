"""The chart of the documentation: events per second of each program, a group of bars per kind of stream."""

from __future__ import annotations

from collections.abc import Iterable
from xml.sax.saxutils import escape

import attrs

from .results import Result

__all__ = ["draw_chart"]

_WIDTH, _LEFT, _RIGHT = 860, 250, 90
_BAR, _GAP, _GROUP_GAP, _TOP = 13, 3, 34, 44
_KINDS = {"simclient": "ours", "Rust client": "rust"}
_STYLE = """\
<style>
svg { background: #ffffff } text { fill: #111827 } .name { fill: #374151 }
.ours { fill: #2563eb } .rust { fill: #b45309 } .other { fill: #9ca3af }
@media (prefers-color-scheme: dark) {
svg { background: #131416 } text { fill: #e5e7eb } .name { fill: #cbd5e1 }
.ours { fill: #4b8bf5 } .rust { fill: #d97b2e } .other { fill: #7b8494 }
}
</style>"""
"""Colours by class: a picture has those of the system, light or dark, and a background of its own should the page have the others."""
_SHOWN = ("read",)
"""Consumers: one that reads slot, account and lamports."""


@attrs.frozen
class _Bar:
    group: str
    program: str
    per_second: float


def draw_chart(results: Iterable[Result]) -> str:
    """Return an SVG of the figures in events per second."""
    bars = [bar for bar in map(_bar, results) if bar is not None]
    groups = list(dict.fromkeys(bar.group for bar in bars))
    longest = max((bar.per_second for bar in bars), default=1.0)
    shapes: list[str] = []
    y = _TOP
    for group in groups:
        shapes.append(f'<text x="8" y="{y + _BAR - 2}" font-weight="bold">{escape(group)}</text>')
        for bar in (bar for bar in bars if bar.group == group):
            shapes += _draw(bar, y, bar.per_second / longest)
            y += _BAR + _GAP
        y += _GROUP_GAP - _BAR
    title = "Events per second in the user's code, one run, two cores shared with the sender"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y}" font-family="sans-serif" font-size="11">',
            _STYLE,
            f'<text x="8" y="20" font-size="14">{escape(title)}</text>',
            *shapes,
            "</svg>\n",
        ]
    )


def _bar(result: Result) -> _Bar | None:
    """Return the bar for a figure, if it has one: events per second of a program that reads."""
    group, separator, program = result.name.partition(": ")
    if result.unit != "events/s" or result.ratio is not None or not separator:
        return None

    name, _, how = program.rstrip(")").partition(" (")
    consumer, _, subscriptions = how.partition(", ")
    if consumer not in _SHOWN or name not in ("simclient", "Rust client", "trio-websocket", "websockets", "solana-py"):
        return None

    return _Bar(group, f"{name}, {subscriptions}" if subscriptions else name, result.value)


def _draw(bar: _Bar, y: int, share: float) -> list[str]:
    width = (_WIDTH - _LEFT - _RIGHT) * share
    kind = next((kind for name, kind in _KINDS.items() if bar.program.startswith(name)), "other")
    baseline = y + _BAR - 2
    return [
        f'<text x="{_LEFT - 6}" y="{baseline}" text-anchor="end" class="name">{escape(bar.program)}</text>',
        f'<rect x="{_LEFT}" y="{y}" width="{width:.1f}" height="{_BAR}" class="{kind}"/>',
        f'<text x="{_LEFT + width + 5:.1f}" y="{baseline}">{bar.per_second:,.0f}</text>',
    ]
