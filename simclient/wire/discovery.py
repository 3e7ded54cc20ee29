"""Discovery filters: which batches the server announces ahead of their execution."""

from __future__ import annotations

import attrs

__all__ = ["DiscoveryFilter", "ProgramExecuted", "UnknownFilter"]


@attrs.frozen(kw_only=True)
class ProgramExecuted:
    """Matches a batch in which a transaction invokes this program."""

    program: str
    """Address, base58."""


@attrs.frozen(kw_only=True)
class UnknownFilter:
    """A filter kind that this version does not know, as the server wrote it."""

    kind: str
    raw: str
    """The whole filter as JSON text."""


DiscoveryFilter = ProgramExecuted | UnknownFilter
