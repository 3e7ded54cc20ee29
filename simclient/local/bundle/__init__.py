"""Block bundles: a stretch of a chain in one file, and what reads and writes it (`docs/reference/bundle-format.md`)."""

from __future__ import annotations

from .reader import BlockhashError, BundleReader, open_bundle
from .shipped import shipped_bundle
from .values import (
    BundleAccount,
    BundleHeader,
    BundleSlot,
    BundleTransaction,
    RecordedOutcome,
    RecordedTokenBalance,
    Signatures,
)
from .writer import write_bundle

__all__ = [
    "BlockhashError",
    "BundleAccount",
    "BundleHeader",
    "BundleReader",
    "BundleSlot",
    "BundleTransaction",
    "RecordedOutcome",
    "RecordedTokenBalance",
    "Signatures",
    "open_bundle",
    "shipped_bundle",
    "write_bundle",
]
