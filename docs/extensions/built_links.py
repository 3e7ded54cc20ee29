"""Checks every internal link of the built site: the page, the file or the anchor that it leads to must be there.

A dead one is a warning, and a warning is an error.
"""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from sphinx.application import Sphinx
from sphinx.util import logging

_LOGGER = logging.getLogger(__name__)
_GENERATED = {"genindex.html", "search.html", "py-modindex.html"}
"""What Sphinx makes of itself."""


class _Page(HTMLParser):
    """The links and the anchors of one page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what the tag refers to and what it is called."""
        for name, value in attrs:
            if value is None:
                continue
            if name in {"id", "name"}:
                self.anchors.add(value)
            elif name in {"href", "src"} and tag != "link":
                self.links.append(value)


def check_links(app: Sphinx, error: Exception | None) -> None:
    """Warn of every link that leads nowhere."""
    if error is not None or app.builder.name != "html":
        return

    root = Path(app.outdir)
    pages = {path: _Page(path) for path in root.rglob("*.html")}
    for path, page in pages.items():
        if path.name in _GENERATED:
            continue
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = path if not parts.path else (path.parent / unquote(parts.path)).resolve()
            if not target.exists():
                _LOGGER.warning("%s: %s leads nowhere", path.relative_to(root), link)
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                _LOGGER.warning("%s: %s: there is no such anchor", path.relative_to(root), link)


def setup(app: Sphinx) -> dict[str, Any]:
    """Check at the end of the build."""
    app.connect("build-finished", check_links)
    return {"parallel_read_safe": True}
