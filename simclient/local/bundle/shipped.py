"""Where the bundle that comes with the package lies."""

from __future__ import annotations

from pathlib import Path

__all__ = ["shipped_bundle"]

_SHIPPED = Path(__file__).resolve().parent.parent / "data" / "market.bundle"


def shipped_bundle() -> Path:
    """Return the path of the small market that `simclient.local.market` made."""
    return _SHIPPED
