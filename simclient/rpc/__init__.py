"""Solana JSON-RPC on a session's endpoint."""
