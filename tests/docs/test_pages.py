"""Every program and every command of the documentation does what the page says."""

from __future__ import annotations

from pathlib import Path

import pytest

from .blocks import blocks_of
from .running import ROOT, PageFailure, run_pages

RUN = ("python", "console", "sh")
SHOWN = ("", "text", "json", "toml", "ini")
NOT_RUN = (
    "it installs the package",
    "it is how CI itself runs",
    "it is how one works, not how CI does",
    "it asks for a key",
    "it needs a node of Solana",
    "it downloads a day",
    "it changes the reader's shell",
    "it needs a session that was left",
    "only a hosted service does that",
)
"""The reasons there may be for a block that is not run."""
HIDDEN = {"changelog.d", "_build"}

PAGES = [
    *sorted(ROOT.glob("*.md")),
    *(page for page in sorted((ROOT / "docs").rglob("*.md")) if not HIDDEN & set(page.relative_to(ROOT).parts)),
]
TUTORIAL = [page for page in PAGES if page.parent.name == "tutorial"]
ALONE = [page for page in PAGES if page not in TUTORIAL and any(block.language in RUN for block in blocks_of(page))]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", ALONE, ids=name_of)
def test_the_blocks_of_a_page_run(page: Path) -> None:
    """In order, and print what the page says."""
    run_pages([page])


def test_the_tutorial_runs_from_its_first_page_to_its_last() -> None:
    """In one folder: later steps use what earlier ones left."""
    run_pages(TUTORIAL)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_is_of_a_known_kind(page: Path) -> None:
    """So none is left out by accident; directives of Sphinx stand in braces."""
    for block in blocks_of(page):
        assert block.language in RUN + SHOWN or block.language.startswith("{"), f"{name_of(page)}:{block.line}"
        assert block.not_run is None or block.not_run in NOT_RUN, f"{name_of(page)}:{block.line}"


@pytest.mark.parametrize(
    "wrong",
    [
        "```console\n$ echo one; echo two\none\n```\n",
        "```console\n$ false\n```\n",
        "```sh\nfalse\n```\n",
        "```python\nraise SystemExit(1)\n```\n",
        "```python\nimport warnings\n\nwarnings.warn('loud')\n```\n",
    ],
)
def test_a_page_that_is_wrong_fails(tmp_path: Path, wrong: str) -> None:
    """A line too few, an exit code, an exception, a warning: each is found."""
    page = tmp_path / "page.md"
    page.write_text(f"# A page\n\n{wrong}")
    with pytest.raises(PageFailure, match=r"page\.md:3"):
        run_pages([page])
