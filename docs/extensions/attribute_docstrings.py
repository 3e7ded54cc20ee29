"""Keeps Napoleon from the docstrings of attributes: it takes the words before a colon for a type, which in ours they never are."""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx

_BEFORE_NAPOLEON, _AFTER_NAPOLEON = 400, 600

_kept: list[str] = []


def take_away(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Leave Napoleon nothing to read."""
    if what in {"attribute", "data", "property"}:
        _kept[:] = lines
        lines.clear()


def give_back(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Go on with what there was."""
    if what in {"attribute", "data", "property"}:
        lines[:] = _kept


def setup(app: Sphinx) -> dict[str, Any]:
    """Come before and after Napoleon."""
    app.connect("autodoc-process-docstring", take_away, priority=_BEFORE_NAPOLEON)
    app.connect("autodoc-process-docstring", give_back, priority=_AFTER_NAPOLEON)
    return {"parallel_read_safe": True}
