"""A report of a run, or of a comparison: one self-contained HTML file, or its charts as PNG.

`data` reads the run once more than `overview` does, for what is drawn over slots; `charts` draws SVG, `page` puts it together.
"""

from .write import write_charts as write_charts
from .write import write_report as write_report

__all__ = ["write_charts", "write_report"]
