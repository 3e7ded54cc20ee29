"""Links between the Markdown files, as somebody reads them in the repository; `nox -s docs` checks those of the built site."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .running import ROOT
from .test_pages import PAGES, name_of

LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)(?:#[\w-]+)?\)")
INCLUDED = re.compile(r"^```\{(?:literalinclude|include|image|figure)\} (\S+)$", re.MULTILINE)
DOC = re.compile(r"\{doc\}`(?:[^`<]*<)?([^`<>]+)>?`")


def targets(page: Path) -> list[Path]:
    text = page.read_text(encoding="utf-8")
    files = [found for pattern in (LINK, INCLUDED) for found in pattern.findall(text)]
    return [located(page, name) for name in files] + [page_of(located(page, name)) for name in DOC.findall(text)]


def located(page: Path, name: str) -> Path:
    return (ROOT / "docs" / name[1:]) if name.startswith("/") else page.parent / name


def page_of(document: Path) -> Path:
    notebook = document.with_name(f"{document.name}.ipynb")
    return notebook if notebook.exists() else document.with_name(f"{document.name}.md")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    """To a file of the repository."""
    assert [str(target) for target in targets(page) if not target.exists()] == []


def test_links_are_found() -> None:
    """In each of the ways in which they are written."""
    assert ROOT / "docs" / "tutorial" / "index.md" in targets(ROOT / "README.md")
    assert ROOT / "docs" / "tutorial" / "index.md" in targets(ROOT / "docs" / "index.md")
    assert ROOT / "docs" / "examples" / "parallel_run.py" in targets(ROOT / "docs" / "how-to" / "parallel-ranges.md")
