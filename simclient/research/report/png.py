"""Charts as PNG, drawn by resvg (the extra `report`) in the colours of the page by day."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ..tables import import_extra
from ..whole_file import whole_file
from .charts import Chart
from .text import text

__all__ = ["write_png"]

_SCALE = 2
_MARGIN = 16
_TITLE = 32
_FONTS = "DejaVu Sans, Liberation Sans, Noto Sans, Arial, Helvetica, sans-serif"


def write_png(chart: Chart, path: Path) -> Path:
    """Write one chart; return the path.

    Raises:
        InputError: There is no way to write at `path`, or resvg is not installed.
        OutputError: Writing failed.
    """
    resvg: Any = import_extra("resvg_py", "report", "a chart as PNG")
    picture = bytes(resvg.svg_to_bytes(svg_string=_standing_alone(chart), zoom=_SCALE, background="#ffffff"))
    with whole_file(path) as file:
        file.write_bytes(picture)
    return path


def _standing_alone(chart: Chart) -> str:
    """Return the drawing under its title, with the page's rules for it; variables are put in, since resvg knows none."""
    style = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
    by_day = dict(re.findall(r"--([a-z0-9]+): (#[0-9a-f]{6})", style[: style.index("@media")]))
    rules = " ".join(re.findall(r"^svg [^{]+\{[^}]+\}(?: svg [^{]+\{[^}]+\})*", style, re.MULTILINE)).replace(
        "svg ", ""
    )
    colours = re.sub(r"var\(--([a-z0-9]+)\)", lambda match: by_day[match[1]], rules)
    width, height = chart.width + 2 * _MARGIN, chart.height + _TITLE + 2 * _MARGIN
    inner = chart.svg.replace("<svg ", f'<svg x="{_MARGIN}" y="{_MARGIN + _TITLE}" ', 1)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f"<style>{colours.replace('system-ui, sans-serif', _FONTS)} .title {{ font: 600 17px {_FONTS}; }}</style>"
        f'<text class="title" x="{_MARGIN}" y="{_MARGIN + 16}">{text(chart.title)}</text>{inner}</svg>'
    )
