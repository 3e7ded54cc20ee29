"""The serving side of the embedded simulator: one loopback port, HTTP and WebSockets."""

from __future__ import annotations

from .limits import SimulatorLimits
from .replay_log import LogLimits
from .simulator import LocalSimulator, open_local_simulator

__all__ = ["LocalSimulator", "LogLimits", "SimulatorLimits", "open_local_simulator"]
