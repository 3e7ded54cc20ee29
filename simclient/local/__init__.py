"""The simulator in the package: the backtest API on loopback, executing on a real SVM.

    async with open_local_simulator() as simulator:
        async with open_backtest_session(simulator.url, ...) as session:
            ...

It needs the extra `simclient[local]`.
"""

from __future__ import annotations

from importlib.util import find_spec

from ..errors import SimClientError

__all__ = ["LocalSimulator", "open_local_simulator"]

if find_spec("solders") is None or find_spec("h11") is None:
    raise SimClientError("the embedded simulator is not installed: pip install 'simclient[local]'")

from .server import LocalSimulator, open_local_simulator
