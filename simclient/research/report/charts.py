"""Charts as SVG: lines, columns and bars, drawn for one width.

Colours are classes (`s1` … `s5` for series, `good`, `bad`), so that the page can give them other values by day and by night; text is real
text. Each mark has a `<title>`, which browsers show on hovering.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import attrs

from .text import text

__all__ = ["Bar", "Chart", "Series", "bar_chart", "column_chart", "line_chart"]

_HEIGHT = 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 14, 10, 30
_LEGEND_LINE = 20
_BAR_HEIGHT = 34
_TICKS = 4
_CHARACTER = 7.6
"""The width of an average character at 12 pixels."""


@attrs.frozen(kw_only=True)
class Series:
    """Values of one kind, at the same places as those of the others."""

    name: str
    values: Sequence[float]
    css: str
    """The class of its colour."""


@attrs.frozen(kw_only=True)
class Bar:
    """One horizontal bar."""

    name: str
    value: float
    css: str = "s1"


@attrs.frozen(kw_only=True)
class Chart:
    """A drawing, and what it says in words."""

    title: str
    svg: str
    width: int
    height: int


Format = Callable[[float], str]


def line_chart(
    title: str, xs: Sequence[float], series: Sequence[Series], *, width: int, format_x: Format, format_y: Format
) -> Chart:
    """Draw values over a continuous quantity."""
    frame = _Frame(width, xs, [value for one in series for value in one.values], series, format_x, format_y)
    lines: list[str] = []
    for one in series:
        points = " ".join(f"{frame.x(x):.1f},{frame.y(y):.1f}" for x, y in zip(xs, one.values, strict=True))
        last = format_y(one.values[-1]) if one.values else ""
        lines.append(
            f'<polyline class="line {one.css}" points="{points}"><title>{text(one.name)}: {text(last)} at the end</title></polyline>'
        )
    return frame.chart(title, "".join(lines))


def column_chart(
    title: str, xs: Sequence[float], series: Sequence[Series], *, width: int, format_x: Format, format_y: Format
) -> Chart:
    """Draw amounts over slots as stacked columns."""
    totals = [sum(one.values[index] for one in series) for index in range(len(xs))]
    frame = _Frame(width, xs, totals, series, format_x, format_y)
    column = frame.plot_width / max(len(xs), 1)
    gap = 1 if column > 4 else 0
    marks: list[str] = []
    for index, x in enumerate(xs):
        base = 0.0
        for one in series:
            value = one.values[index]
            if value:
                top, bottom = frame.y(base + value), frame.y(base)
                says = f"{format_x(x)}, {one.name}: {format_y(value)}"
                marks.append(
                    f'<rect class="fill {one.css}" x="{_LEFT + index * column:.2f}" y="{top:.2f}" width="{column - gap:.2f}"'
                    f' height="{bottom - top:.2f}"><title>{text(says)}</title></rect>'
                )
            base += value
    return frame.chart(title, "".join(marks))


def bar_chart(title: str, bars: Sequence[Bar], *, width: int, format_value: Format) -> Chart:
    """Draw amounts by name, one bar below the other, names above them."""
    longest = max((abs(bar.value) for bar in bars), default=0) or 1
    room = width - 90
    parts: list[str] = []
    for index, bar in enumerate(bars):
        y = index * _BAR_HEIGHT
        length = max(2.0, abs(bar.value) / longest * room)
        name = _shortened(bar.name, width)
        parts.append(
            f'<text class="name" x="0" y="{y + 12}">{text(name)}<title>{text(bar.name)}</title></text>'
            f'<rect class="fill {bar.css}" x="0" y="{y + 17}" width="{length:.1f}" height="10" rx="2"/>'
            f'<text class="tick" x="{length + 6:.1f}" y="{y + 26}">{text(format_value(bar.value))}</text>'
        )
    height = max(len(bars), 1) * _BAR_HEIGHT
    return Chart(title=title, svg=_svg(title, width, height, "".join(parts)), width=width, height=height)


class _Frame:
    """Axes, grid and legend around a plot, and the scales in it."""

    def __init__(
        self,
        width: int,
        xs: Sequence[float],
        ys: Sequence[float],
        series: Sequence[Series],
        format_x: Format,
        format_y: Format,
    ) -> None:
        self._width = width
        self._xs = xs
        self._format_x, self._format_y = format_x, format_y
        self._rows = _legend_rows(series, width)
        self._top = _TOP + _LEGEND_LINE * len(self._rows)
        self._height = _HEIGHT + self._top
        self._x_low, self._x_high = (xs[0], xs[-1]) if xs else (0.0, 1.0)
        self._ticks = _ticks(min(0.0, *ys) if ys else 0.0, max(0.0, *ys) if ys else 1.0)

    @property
    def plot_width(self) -> float:
        """The width between the axes."""
        return self._width - _LEFT - _RIGHT

    def x(self, value: float) -> float:
        """Return where a value stands from left to right."""
        span = self._x_high - self._x_low
        return _LEFT + (self.plot_width * (value - self._x_low) / span if span else self.plot_width / 2)

    def y(self, value: float) -> float:
        """Return where a value stands from top to bottom."""
        low, high = self._ticks[0], self._ticks[-1]
        return self._top + (self._height - _BOTTOM - self._top) * (1 - (value - low) / (high - low))

    def chart(self, title: str, marks: str) -> Chart:
        """Return the whole drawing."""
        inner = self._legend() + self._grid() + marks + self._x_axis()
        return Chart(
            title=title,
            svg=_svg(title, self._width, self._height, inner),
            width=self._width,
            height=self._height,
        )

    def _grid(self) -> str:
        parts: list[str] = []
        for tick in self._ticks:
            y = self.y(tick)
            css = "axis" if tick == 0 else "grid"
            parts.append(
                f'<line class="{css}" x1="{_LEFT}" x2="{self._width - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
                f'<text class="tick end" x="{_LEFT - 8}" y="{y + 4:.1f}">{text(self._format_y(tick))}</text>'
            )
        return "".join(parts)

    def _x_axis(self) -> str:
        """Return the labels of the first, the middle and the last place."""
        if not self._xs:
            return ""

        y = self._height - 8
        last = self._xs[-1]
        labels = [(self._xs[0], "start"), (last, "end")]
        if self._width > 560 and len(self._xs) > 2:
            labels.insert(1, (self._xs[len(self._xs) // 2], "middle"))
        return "".join(
            f'<text class="tick {anchor}" x="{self.x(value):.1f}" y="{y}">{text(self._format_x(value))}</text>'
            for value, anchor in labels[: 1 if len(self._xs) == 1 else None]
        )

    def _legend(self) -> str:
        """Return the names of the series, if there are several."""
        parts: list[str] = []
        for row, entries in enumerate(self._rows):
            x = float(_LEFT)
            y = _TOP + row * _LEGEND_LINE + 6
            for one, length in entries:
                parts.append(
                    f'<rect class="fill {one.css}" x="{x:.0f}" y="{y - 6}" width="10" height="10" rx="2"/>'
                    f'<text class="name" x="{x + 15:.0f}" y="{y + 3}">{text(one.name)}</text>'
                )
                x += length
        return "".join(parts)


def _svg(title: str, width: int, height: float, inner: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:.0f}" width="{width}" height="{height:.0f}"'
        f' role="img" aria-label="{text(title)}">{inner}</svg>'
    )


def _legend_rows(series: Sequence[Series], width: int) -> list[list[tuple[Series, float]]]:
    """Break the legend into rows that fit; one series needs none."""
    if len(series) < 2:
        return []

    rows: list[list[tuple[Series, float]]] = [[]]
    used = 0.0
    for one in series:
        length = 30 + len(one.name) * _CHARACTER
        if rows[-1] and used + length > width - _LEFT - _RIGHT:
            rows.append([])
            used = 0.0
        rows[-1].append((one, length))
        used += length
    return rows


def _ticks(low: float, high: float) -> list[float]:
    """Return round numbers that enclose a range, zero among them."""
    if low == high:
        high = low + 1
    step = _round_step((high - low) / _TICKS)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [number * step for number in range(first, last + 1)]


def _round_step(rough: float) -> float:
    """Return the next number of the form 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)


def _shortened(name: str, width: int) -> str:
    longest = int(width / _CHARACTER)
    return name if len(name) <= longest else f"{name[: longest - 1]}…"
