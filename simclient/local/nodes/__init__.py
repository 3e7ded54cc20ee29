"""Import of what Solana's RPC nodes answer: blocks and accounts as JSON, asked for or from files, made into a bundle."""

from __future__ import annotations

from .build import BuildReport, build_bundle
from .capture import CaptureReport, capture_range

__all__ = ["BuildReport", "CaptureReport", "build_bundle", "capture_range"]
