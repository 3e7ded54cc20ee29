"""The execution engine: blocks of a bundle on a real SVM, in a process of its own."""

from __future__ import annotations

from .process import Engine, open_engine
from .values import Published, SlotResult, TransactionRefused

__all__ = ["Engine", "Published", "SlotResult", "TransactionRefused", "open_engine"]
