"""The simulator in the package: the backtest API on loopback, executing on a real SVM.

    async with open_local_simulator() as simulator:
        async with open_backtest_session(simulator.url, ...) as session:
            ...

It needs the extra `simclient[local]`.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ..errors import SimClientError

if TYPE_CHECKING:
    from .server import LocalSimulator as LocalSimulator
    from .server import open_local_simulator as open_local_simulator

__all__ = ["LocalSimulator", "open_local_simulator"]

if find_spec("solders") is None or find_spec("h11") is None:
    raise SimClientError("the embedded simulator is not installed: pip install 'simclient[local]'")


def __getattr__(name: str) -> object:
    """Import the server when it is first used: an engine process imports this package too, and does without."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    value: object = getattr(import_module(".server", __name__), name)
    globals()[name] = value
    return value
