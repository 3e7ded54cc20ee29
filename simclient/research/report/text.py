"""Text in HTML and SVG: what was said in a run is hostile, and is shown as it is, not obeyed."""

from __future__ import annotations

from html import escape

__all__ = ["text"]

_LONGEST_TEXT = 2_000
"""Characters of one cell, value or name."""


def text(value: object) -> str:
    """Return a value as text that HTML shows as it is; what cannot be printed is replaced."""
    shown = "".join(c if c.isprintable() else " " if c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in str(value))
    return escape(shown if len(shown) <= _LONGEST_TEXT else f"{shown[:_LONGEST_TEXT]}…")
