"""The market that comes with the package, and the code that makes it."""

from __future__ import annotations

from .generator import write_market

__all__ = ["write_market"]
