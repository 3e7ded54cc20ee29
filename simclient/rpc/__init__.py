"""Solana JSON-RPC on a session's endpoint."""

from __future__ import annotations

from ..wire.rpc_values import Account, Blockhash, DataSlice, ProgramAccount, SimulationResult, TokenAmount
from .session_rpc import MemcmpFilter, SessionRpc

__all__ = [
    "Account",
    "Blockhash",
    "DataSlice",
    "MemcmpFilter",
    "ProgramAccount",
    "SessionRpc",
    "SimulationResult",
    "TokenAmount",
]
