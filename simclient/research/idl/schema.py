"""The types of an IDL, the same for both formats of the file."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

__all__ = [
    "Alias",
    "Array",
    "Defined",
    "Definition",
    "Enumeration",
    "Field",
    "Generic",
    "IdlErrorCode",
    "Item",
    "MapType",
    "Option",
    "Primitive",
    "Schema",
    "Structure",
    "Type",
    "Vector",
]


@attrs.frozen
class Primitive:
    """`bool`, `u8` … `i256`, `f32`, `f64`, `bytes`, `string` or `pubkey`."""

    name: str


@attrs.frozen
class Option:
    """A value or none, after one byte, or after four of them (`coption`), which always have the value's bytes after them."""

    inner: Type
    is_fixed: bool = False


@attrs.frozen
class Vector:
    """So many values as the four bytes before them say."""

    inner: Type


@attrs.frozen
class Array:
    """A fixed number of values."""

    inner: Type
    length: int | Generic


@attrs.frozen
class MapType:
    """Pairs, as many as the four bytes before them say."""

    key: Type
    value: Type


@attrs.frozen
class Defined:
    """A type that the IDL defines, by its name, with what its parameters are."""

    name: str
    arguments: tuple[Type | int, ...] = ()


@attrs.frozen
class Generic:
    """A parameter of the type around it."""

    name: str


Type = Primitive | Option | Vector | Array | MapType | Defined | Generic


@attrs.frozen
class Field:
    """A member of a struct; those of a tuple are named by their numbers."""

    name: str
    type: Type


@attrs.frozen
class Structure:
    """Fields, one after the other."""

    fields: tuple[Field, ...]
    is_tuple: bool = False


@attrs.frozen
class Enumeration:
    """One of several variants, after one byte that says which."""

    variants: tuple[tuple[str, Structure], ...]


@attrs.frozen
class Alias:
    """Another name for a type."""

    type: Type


@attrs.frozen
class Definition:
    """A type and its parameters."""

    body: Structure | Enumeration | Alias
    parameters: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Item:
    """An account, an event or an instruction: what its bytes begin with, and what follows."""

    name: str
    discriminator: bytes
    body: Type | Structure
    accounts: tuple[str, ...] = ()
    """Of an instruction: the names of the accounts that it is given."""


@attrs.frozen
class IdlErrorCode:
    """An error of the program."""

    name: str
    message: str | None


@attrs.frozen(kw_only=True)
class Schema:
    """A whole IDL."""

    name: str
    address: str | None
    """The program, where the file says it."""
    definitions: Mapping[str, Definition]
    accounts: tuple[Item, ...]
    instructions: tuple[Item, ...]
    events: tuple[Item, ...]
    errors: Mapping[int, IdlErrorCode]
