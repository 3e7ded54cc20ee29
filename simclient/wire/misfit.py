"""What a hook raises when a JSON value does not fit; it never leaves the package: the codec makes a `RemoteProtocolError` of it."""

from __future__ import annotations

from .json_text import JsonValue, describe

__all__ = ["Misfit"]


class Misfit(Exception):
    """What was expected, what was found, and where: hooks add the steps of the path from the inside out."""

    def __init__(self, expected: str, found: JsonValue) -> None:
        super().__init__(expected)
        self.expected = expected
        self.found = describe(found)
        self._steps: list[str | int] = []

    def at(self, step: str | int) -> Misfit:
        """Add the step that leads to the part that does not fit."""
        self._steps.append(step)
        return self

    @property
    def path(self) -> str:
        """The JSON path, such as `$.params.matched[0].value`."""
        steps = (f"[{step}]" if isinstance(step, int) else f".{step[:100]}" for step in reversed(self._steps))
        return "$" + "".join(steps)
