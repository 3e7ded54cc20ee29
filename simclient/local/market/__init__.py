"""The market that comes with the package: its mints and wallets, and the code that makes it."""

from __future__ import annotations

from .cast import GOLD, MAKER, SILVER, TAKERS, USD
from .generator import write_market

__all__ = ["GOLD", "MAKER", "SILVER", "TAKERS", "USD", "write_market"]
