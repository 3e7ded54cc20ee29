"""The simulator in the package: the backtest API on loopback, executing on a real SVM.

    async with open_local_simulator() as simulator:
        async with open_backtest_session(simulator.url, ...) as session:
            ...

It needs the extra `simclient[local]`. The server is imported when it is first used: an engine process imports this package too, and
does without.
"""

from importlib.util import find_spec

import lazy_loader

from ..errors import SimClientError

if find_spec("solders") is None or find_spec("h11") is None:
    raise SimClientError("the embedded simulator is not installed: pip install 'simclient[local]'")

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
