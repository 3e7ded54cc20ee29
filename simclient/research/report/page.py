"""The page of a report: HTML that needs nothing from outside, and shows hostile text as text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import attrs

from .charts import Chart
from .text import text

__all__ = ["Drawing", "Page", "definitions", "drawing", "number", "numbers", "pair", "table"]


@attrs.frozen(kw_only=True)
class Drawing:
    """A chart at two widths, for large and small screens."""

    wide: Chart
    narrow: Chart
    name: str
    """For the file of its PNG."""


@attrs.frozen(kw_only=True)
class Page:
    """A whole page."""

    title: str
    body: str

    def html(self) -> str:
        """Return the document; a policy in it forbids scripts and everything from elsewhere."""
        style = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
        return (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
            f"<title>{text(self.title)}</title>\n<style>\n{style}</style>\n</head>\n"
            f"<body>\n<main>\n{self.body}</main>\n</body>\n</html>\n"
        )


def numbers(pairs: Iterable[tuple[str, object]]) -> str:
    """Return the figures at the top."""
    cells = "".join(f'<div class="number"><b>{text(value)}</b><span>{text(name)}</span></div>' for name, value in pairs)
    return f'<div class="numbers">{cells}</div>\n'


def definitions(pairs: Iterable[tuple[str, object]]) -> str:
    """Return names and values, those that there are."""
    rows = "".join(f"<dt>{text(name)}</dt><dd>{text(value)}</dd>" for name, value in pairs if value not in (None, ""))
    return f"<dl>{rows}</dl>\n"


def drawing(one: Drawing, behind: str = "") -> str:
    """Return a chart under its title, and the table behind it."""
    wide = one.wide.svg.replace("<svg ", '<svg class="wide" ', 1)
    narrow = one.narrow.svg.replace("<svg ", '<svg class="narrow" ', 1)
    return f"<section><h2>{text(one.wide.title)}</h2>\n<figure>{wide}{narrow}</figure>\n{behind}</section>\n"


def pair(sections: Iterable[str]) -> str:
    """Return sections side by side where there is room."""
    return f'<div class="pair">{"".join(sections)}</div>\n'


def table(
    names: Sequence[str], rows: Sequence[Sequence[object]], *, title: str | None = "Table", most_rows: int = 500
) -> str:
    """Return a table: numbers to the right, addresses as code; folded away under its title if there is one."""
    if not rows:
        return ""

    is_number = [
        all(isinstance(row[column], _Number) or row[column] is None for row in rows) for column in range(len(names))
    ]
    head = "".join(f"<th{_class(numeric)}>{text(name)}</th>" for name, numeric in zip(names, is_number, strict=True))
    body = "".join(f"<tr>{''.join(_cell(value) for value in row)}</tr>" for row in rows[:most_rows])
    more = f'<p class="muted">and {len(rows) - most_rows:,} rows more</p>' if len(rows) > most_rows else ""
    whole = f'<div class="table"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{more}'
    return (
        whole if title is None else f"<details><summary>{text(title)} ({len(rows):,} rows)</summary>{whole}</details>\n"
    )


class _Number(str):
    """A number that was put into words already."""


def number(value: str) -> str:
    """Mark a text as a number, for a table."""
    return _Number(value)


def _class(is_number: bool) -> str:
    return ' class="n"' if is_number else ""


def _cell(value: object) -> str:
    if value is None:
        return "<td></td>"
    if isinstance(value, _Number):
        return f'<td class="n">{text(value)}</td>'

    shown = text(value)
    return f"<td><code>{shown}</code></td>" if len(shown) >= 32 and " " not in shown else f"<td>{shown}</td>"
