"""How options are spelled, the same in every command."""

from __future__ import annotations

from cyclopts import Parameter

__all__ = ["FLAG", "PATH", "REPEATABLE"]

REPEATABLE = Parameter(consume_multiple=False, show_default=False)
"""An option that is given once per value."""
FLAG = Parameter(show_default=False)
"""A switch."""
PATH = Parameter(allow_leading_hyphen=True)
"""A file, or `-` for the standard output."""
