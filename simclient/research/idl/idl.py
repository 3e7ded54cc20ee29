"""An IDL in use: what bytes begin with says which account, instruction or event they are."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from typing import final

import attrs

from ...wire.instructions import Instruction
from .borsh import BorshReader, Unreadable, Value
from .schema import IdlErrorCode, Item, Schema

__all__ = ["Decoded", "Idl"]

_DATA = "Program data: "
_INVOKE = re.compile(r"^Program ([1-9A-HJ-NP-Za-km-z]{32,44}) invoke \[\d+\]$")
_RETURNED = re.compile(r"^Program ([1-9A-HJ-NP-Za-km-z]{32,44}) (success|failed: .*)$")
_EVENT_CALL = bytes.fromhex("e445a52e51cb9a1d")
"""What the data of an instruction begin with by which a program tells an event to itself (`emit_cpi!`). Source: anchor-lang 0.28."""
_CUSTOM_ERROR = re.compile(r"custom program error: 0x([0-9a-f]+)$")


@attrs.frozen(kw_only=True)
class Decoded:
    """What bytes say."""

    name: str
    """Of the account, instruction or event."""
    fields: Value
    accounts: tuple[tuple[str, str], ...] = ()
    """Of an instruction: names and addresses of the accounts that it was given, as far as the IDL names them."""

    def as_json(self) -> dict[str, Value]:
        """Return it as JSON has it."""
        found: dict[str, Value] = {"name": self.name, "fields": self.fields}
        if self.accounts:
            found["accounts"] = dict(self.accounts)
        return found


@final
class Idl:
    """The IDL of one program; made by `load_idl`.

    Nothing here raises for bytes that do not fit: they are not decoded, since programs may write what their IDL does not say.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self.name: str = schema.name
        self.address: str | None = schema.address
        """The program, where the file says it."""

    def __repr__(self) -> str:
        return f"Idl({self.name!r}, {self.address})"

    def account(self, data: bytes) -> Decoded | None:
        """Return what an account's data say; None: they are no account of this IDL, or do not fit it."""
        return self._decoded(self._schema.accounts, data)

    def instruction(self, data: bytes, accounts: Sequence[str] = ()) -> Decoded | None:
        """Return what an instruction's data say.

        Args:
            data: The instruction's data.
            accounts: The addresses that it was given, in order.
        """
        item = _match(self._schema.instructions, data)
        decoded = self._decoded(self._schema.instructions, data)
        if item is None or decoded is None:
            return None

        return attrs.evolve(decoded, accounts=tuple(zip(item.accounts, accounts, strict=False)))

    def call(self, instruction: Instruction) -> Decoded | None:
        """Return what an executed instruction says; None: it is of another program, an event, or does not fit the IDL."""
        data = self._data_of(instruction)
        return None if data.startswith(_EVENT_CALL) else self.instruction(data, instruction.accounts)

    def event(self, data: bytes) -> Decoded | None:
        """Return what an event's data say."""
        return self._decoded(self._schema.events, data)

    def events_in(self, logs: Sequence[str], instructions: Sequence[Instruction] = ()) -> Iterator[Decoded]:
        """Yield the events of the program in a transaction: those that it logged, in order, then those that it told by calling itself.

        Logs say in which program a line was written; where the IDL says no address, every program's lines are looked at.
        """
        yield from self._logged_events(logs)
        for instruction in instructions:
            data = self._data_of(instruction)
            decoded = self.event(data[len(_EVENT_CALL) :]) if data.startswith(_EVENT_CALL) else None
            if decoded is not None:
                yield decoded

    def _logged_events(self, logs: Sequence[str]) -> Iterator[Decoded]:
        running: list[str] = []
        for line in logs:
            invoked, returned = _INVOKE.match(line), _RETURNED.match(line)
            if invoked is not None:
                running.append(invoked[1])
            elif returned is not None and running and running[-1] == returned[1]:
                running.pop()
            elif line.startswith(_DATA) and (self.address is None or (running and running[-1] == self.address)):
                decoded = self.event(_base64(line.removeprefix(_DATA)))
                if decoded is not None:
                    yield decoded

    def error(self, code: int) -> IdlErrorCode | None:
        """Return the program's error of a number."""
        return self._schema.errors.get(code)

    def explain(self, error: str) -> str:
        """Return an error's text with the program's own words for it, where it has some."""
        match = _CUSTOM_ERROR.search(error)
        known = None if match is None else self.error(int(match[1], 16))
        if known is None:
            return error

        return f"{error} ({known.name})" if known.message is None else f"{error} ({known.name}: {known.message})"

    def _data_of(self, instruction: Instruction) -> bytes:
        """Return the data of an instruction of the program; empty for one of another program, or if they are not base58."""
        if self.address not in (None, instruction.program):
            return b""

        try:
            return instruction.data_bytes
        except ValueError:
            return b""

    def _decoded(self, items: tuple[Item, ...], data: bytes) -> Decoded | None:
        item = _match(items, data)
        if item is None:
            return None

        reader = BorshReader(data[len(item.discriminator) :], self._schema.definitions)
        try:
            return Decoded(name=item.name, fields=reader.read(item.body))
        except Unreadable:
            return None


def _match(items: tuple[Item, ...], data: bytes) -> Item | None:
    """Return the item that bytes begin with; of several, the one with the longest discriminator."""
    found = [item for item in items if data.startswith(item.discriminator)]
    return max(found, key=lambda item: len(item.discriminator), default=None)


def _base64(text: str) -> bytes:
    """Return the bytes of a line of data; it may hold several parts, of which an event is one alone."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
