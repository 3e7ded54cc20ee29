"""The market that ships with the package: `python -m simclient.local.market OUT` builds it, the same bytes each time."""

from __future__ import annotations

from .generator import build_market

__all__ = ["build_market"]
