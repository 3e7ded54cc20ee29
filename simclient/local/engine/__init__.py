"""The execution engine: blocks of a bundle on a real SVM, in a process of its own."""

from __future__ import annotations

from ..execution import Engine, Published, SlotResult, open_engine

__all__ = ["Engine", "Published", "SlotResult", "open_engine"]
