"""Reading bytes by a type: borsh, and the layout of zero-copy accounts, which has no padding either.

Whole numbers are ints, addresses base58, bytes base64 text; an enum's variant is its name, or `{name: fields}` if it has fields.

Source: the borsh specification 1.0; `COption` of solana-program-option.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping
from typing import final

from ...wire.addresses import encode_base58
from .schema import (
    Alias,
    Array,
    Defined,
    Definition,
    Enumeration,
    Generic,
    MapType,
    Option,
    Primitive,
    Structure,
    Type,
    Vector,
)

__all__ = ["BorshReader", "Unreadable", "Value"]

Value = None | bool | int | float | str | list["Value"] | dict[str, "Value"]
_DEEPEST = 64
"""Types in types: a type that holds itself ends here."""
_LENGTH_BYTES = 4
_ADDRESS_BYTES = 32
_FLOATS = {"f32": "<f", "f64": "<d"}

_Bindings = Mapping[str, "Type | int"]


class Unreadable(ValueError):
    """The bytes do not fit the type."""


@final
class BorshReader:
    """Reads one value after the other."""

    def __init__(self, data: bytes, definitions: Mapping[str, Definition]) -> None:
        self._data = data
        self._definitions = definitions
        self._at = 0
        self._depth = 0

    def read(self, kind: Type | Structure, bindings: _Bindings | None = None) -> Value:
        """Read a value of a type.

        Args:
            kind: The type.
            bindings: What the parameters of the type around it are.

        Raises:
            Unreadable: The bytes end too early, or say something that the type does not have.
        """
        self._depth += 1
        if self._depth > _DEEPEST:
            raise Unreadable(f"more than {_DEEPEST} types in each other")
        try:
            return self._read(kind, bindings or {})
        finally:
            self._depth -= 1

    def _read(self, kind: Type | Structure, bindings: _Bindings) -> Value:
        match kind:
            case Primitive(name=name):
                return self._primitive(name)
            case Structure():
                return self._structure(kind, bindings)
            case Option(inner=inner, is_fixed=is_fixed):
                return self._option(inner, bindings, is_fixed=is_fixed)
            case Vector(inner=inner):
                return self._many(inner, self._count(), bindings)
            case Array(inner=inner, length=length):
                return self._many(inner, _number(length, bindings), bindings)
            case MapType(key=key, value=value):
                pairs = [(self.read(key, bindings), self.read(value, bindings)) for _ in range(self._count())]
                return {str(name): one for name, one in pairs}
            case Generic(name=name):
                bound = bindings.get(name)
                if bound is None or isinstance(bound, int):
                    raise Unreadable(f"the type {name} is not known")
                return self.read(bound, bindings)
            case Defined():
                return self._defined(kind, bindings)

    def _defined(self, kind: Defined, bindings: _Bindings) -> Value:
        definition = self._definitions.get(kind.name)
        if definition is None:
            raise Unreadable(f"the type {kind.name} is not defined")

        arguments = [_bound(one, bindings) for one in kind.arguments]
        inner = dict(zip(definition.parameters, arguments, strict=False))
        match definition.body:
            case Alias(type=aliased):
                return self.read(aliased, inner)
            case Enumeration(variants=variants):
                return self._variant(variants, inner)
            case Structure() as structure:
                return self.read(structure, inner)

    def _structure(self, kind: Structure, bindings: _Bindings) -> Value:
        if kind.is_tuple:
            return [self.read(field.type, bindings) for field in kind.fields]

        return {field.name: self.read(field.type, bindings) for field in kind.fields}

    def _variant(self, variants: tuple[tuple[str, Structure], ...], bindings: _Bindings) -> Value:
        index = self._take(1)[0]
        if index >= len(variants):
            raise Unreadable(f"there is no variant {index}")

        name, fields = variants[index]
        return name if not fields.fields else {name: self.read(fields, bindings)}

    def _option(self, inner: Type, bindings: _Bindings, *, is_fixed: bool) -> Value:
        tag = int.from_bytes(self._take(_LENGTH_BYTES if is_fixed else 1), "little")
        if tag > 1:
            raise Unreadable(f"an option that says {tag}")

        value = self.read(inner, bindings) if tag or is_fixed else None
        return value if tag else None

    def _many(self, inner: Type, count: int, bindings: _Bindings) -> Value:
        if inner == Primitive("u8"):
            return base64.b64encode(self._take(count)).decode()
        if count > len(self._data):
            raise Unreadable(f"{count} values in {len(self._data)} bytes")

        return [self.read(inner, bindings) for _ in range(count)]

    def _primitive(self, name: str) -> Value:
        match name:
            case "bool":
                return self._bool()
            case "pubkey":
                return encode_base58(self._take(_ADDRESS_BYTES))
            case "string":
                return self._take(self._count()).decode("utf-8", "replace")
            case "bytes":
                return base64.b64encode(self._take(self._count())).decode()
            case "f32" | "f64":
                return self._float(name)
            case _:
                return int.from_bytes(self._take(int(name[1:]) // 8), "little", signed=name[0] == "i")

    def _bool(self) -> bool:
        byte = self._take(1)[0]
        if byte > 1:
            raise Unreadable(f"a bool that says {byte}")
        return bool(byte)

    def _float(self, name: str) -> float:
        value: float
        [value] = struct.unpack(_FLOATS[name], self._take(struct.calcsize(_FLOATS[name])))
        return value

    def _count(self) -> int:
        return int.from_bytes(self._take(_LENGTH_BYTES), "little")

    def _take(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._data):
            raise Unreadable(f"{count} bytes wanted at {self._at}, and there are {len(self._data) - self._at}")

        taken = self._data[self._at : end]
        self._at = end
        return taken


def _number(length: int | Generic, bindings: _Bindings) -> int:
    """Return the length of an array, which may be a parameter."""
    if isinstance(length, int):
        return length

    bound = bindings.get(length.name)
    if not isinstance(bound, int):
        raise Unreadable(f"the length {length.name} is not known")
    return bound


def _bound(argument: Type | int, bindings: _Bindings) -> Type | int:
    """Return what an argument is that may itself be a parameter of the type around."""
    return bindings.get(argument.name, argument) if isinstance(argument, Generic) else argument
