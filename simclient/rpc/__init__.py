"""Solana JSON-RPC on a session's endpoint."""

from __future__ import annotations

from .session_rpc import SessionRpc

__all__ = ["SessionRpc"]
