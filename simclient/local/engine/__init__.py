"""The execution engine: blocks of a bundle on a real SVM, in a process of its own.

The names are imported when they are first used: the engine process imports this package too, and it needs neither trio nor the wire.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .process import Engine as Engine
    from .process import open_engine as open_engine
    from .values import Published as Published
    from .values import SlotResult as SlotResult
    from .values import TransactionRefused as TransactionRefused

__all__ = ["Engine", "Published", "SlotResult", "TransactionRefused", "open_engine"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    home = "process" if name in ("Engine", "open_engine") else "values"
    value: object = getattr(import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value
