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

    def compared_with(self, other: Result | None) -> Result:
        """Return the same figure with its ratio to `other`, if there is one."""
        if other is None or not other.value:
            return self

        return attrs.evolve(self, ratio_to=other.name, ratio=self.value / other.value)

    def __str__(self) -> str:
        ratio = "" if self.ratio is None else f"{self.ratio:9.2f} x {self.ratio_to}"
        return f"{self.name:66} {self.value:12,.2f} {self.unit:12}{ratio}"
