"""One figure of a benchmark."""

from __future__ import annotations

import attrs

__all__ = ["Result"]


@attrs.frozen
class Result:
    """A figure, and how it compares with another of the same run."""

    name: str
    unit: str
    value: float
    ratio_to: str | None = None
    """The name of what it is compared with."""
    ratio: float | None = None
    """`value` divided by the other's."""
