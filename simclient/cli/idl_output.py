"""What IDLs say of a transaction: the instructions and the events of their programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import final

from ..research.idl import Decoded, Idl
from ..wire.instructions import Instruction

__all__ = ["DecodedTransaction"]


@final
class DecodedTransaction:
    """The instructions and events of one transaction that IDLs can read."""

    def __init__(self, idls: Sequence[Idl], instructions: Sequence[Instruction], logs: Sequence[str]) -> None:
        self._calls = [
            (idl.name, instruction.depth, call)
            for instruction in instructions
            for idl in idls
            if (call := idl.call(instruction)) is not None
        ]
        self._events = [(idl.name, event) for idl in idls for event in idl.events_in(logs, instructions)]

    @property
    def is_empty(self) -> bool:
        """Whether there is none."""
        return not self._calls and not self._events

    def as_json(self) -> dict[str, object]:
        """Return them as JSON has them."""
        return {
            "instructions": [{"program": name, "depth": depth, **call.as_json()} for name, depth, call in self._calls],
            "events": [{"program": name, **event.as_json()} for name, event in self._events],
        }

    def lines(self) -> list[str]:
        """Return them as lines of text."""
        calls = [f"instruction {name}.{call.name} {_described(call)}" for name, _, call in self._calls]
        return [*calls, *(f"event {name}.{event.name} {_described(event)}" for name, event in self._events)]


def _described(decoded: Decoded) -> str:
    """Return the fields, and the accounts by their names."""
    accounts = ", ".join(f"{name}={address}" for name, address in decoded.accounts)
    return json.dumps(decoded.fields) + (f" with {accounts}" if accounts else "")
