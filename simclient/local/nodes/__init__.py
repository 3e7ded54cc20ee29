"""Import of what Solana's RPC nodes answer: blocks and accounts as JSON, made into a bundle."""

from __future__ import annotations

from .build import BuildReport, build_bundle

__all__ = ["BuildReport", "build_bundle"]
