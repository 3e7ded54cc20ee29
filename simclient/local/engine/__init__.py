"""The execution engine: blocks of a bundle on a real SVM, in a process of its own.

The names are imported when they are first used: the engine process imports this package too, and it needs neither trio nor the wire.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .messages import Action as Action
    from .messages import BatchFilter as BatchFilter
    from .messages import FoundBatch as FoundBatch
    from .messages import ModifiedAccount as ModifiedAccount
    from .process import Engine as Engine
    from .process import PendingSlots as PendingSlots
    from .templates import EngineTemplates as EngineTemplates
    from .templates import open_engine as open_engine
    from .values import Kind as Kind
    from .values import Published as Published
    from .values import SlotResult as SlotResult
    from .values import TransactionRefused as TransactionRefused

__all__ = [
    "Action",
    "BatchFilter",
    "Engine",
    "EngineTemplates",
    "FoundBatch",
    "Kind",
    "ModifiedAccount",
    "PendingSlots",
    "Published",
    "SlotResult",
    "TransactionRefused",
    "open_engine",
]

_HOMES = {
    "Engine": "process",
    "PendingSlots": "process",
    "EngineTemplates": "templates",
    "open_engine": "templates",
    "Kind": "values",
    "Published": "values",
    "SlotResult": "values",
    "TransactionRefused": "values",
}
"""All others live in `messages`."""


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    value: object = getattr(import_module(f".{_HOMES.get(name, 'messages')}", __name__), name)
    globals()[name] = value
    return value
