"""A trio SDK, command line tool and embedded simulator for the Solana simulator backtest API.

    async with open_backtest_session(url, start_slot=…, slot_count=…, subscriptions=[AccountDiffs(program=…)]) as session:
        async for event in session:
            ...

The public names, and the module that each is imported from when it is first used, are listed in `__init__.pyi`: importing the package
costs little, and the embedded simulator is only needed by those who use it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
