"""Import of a day of Orca's public Whirlpool archive into a bundle."""

from __future__ import annotations

from .importer import ImportReport, import_whirlpool

__all__ = ["ImportReport", "import_whirlpool"]
