"""The serving side of the embedded simulator: one loopback port, HTTP and WebSockets."""

from __future__ import annotations

from .simulator import LocalSimulator, open_local_simulator

__all__ = ["LocalSimulator", "open_local_simulator"]
