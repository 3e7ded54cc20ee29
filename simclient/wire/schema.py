"""What the codec must know about a field beyond its Python type: the vocabulary in which the wire classes are written.

A class is a `WireValue` (its wire names are camelCase) or a `SnakeValue` (snake_case). A field says the rest in `Annotated`:
exact integer widths, another wire name, when it is left out, which generation has it. The reference documentation is generated from
the same marks. Rules for a field that says nothing: it must be there if it has no default, and it is always written, None as null.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from typing import Annotated, ClassVar, cast, get_args, get_origin, get_type_hints

import attrs

from .generation import Generation

__all__ = [
    "COMPRESSED",
    "I64",
    "LOCAL",
    "NAME",
    "OMIT_DEFAULT",
    "ONE_OR_MANY",
    "ONLY_0_9",
    "ONLY_0_28",
    "POSITIVE",
    "REQUIRED",
    "U8",
    "U16",
    "U32",
    "U64",
    "AddressText",
    "BareValue",
    "Base64Text",
    "Bounds",
    "FieldSpec",
    "Mark",
    "Named",
    "Only",
    "RawText",
    "SignatureText",
    "SnakeValue",
    "WireValue",
    "fields_of",
]


class Mark(enum.Enum):
    """Marks of a field that need no argument."""

    OMIT_DEFAULT = enum.auto()
    """Not written when it equals its default."""
    REQUIRED = enum.auto()
    """Must be there when reading, although the Python class has a default for it."""
    ADDRESS = enum.auto()
    """A string that is base58 of 32 bytes."""
    SIGNATURE = enum.auto()
    """A string that is base58 of 64 bytes."""
    BASE64 = enum.auto()
    """A string that is strict base64."""
    COMPRESSED = enum.auto()
    """Written as a string: base64 of zstd of the JSON."""
    LOCAL = enum.auto()
    """Not on the wire."""
    NAME = enum.auto()
    """A string that names a variant without fields, known or not."""
    RAW = enum.auto()
    """Any JSON, kept as its text."""
    ONE_OR_MANY = enum.auto()
    """A list that is written as its item where it has exactly one."""


@attrs.frozen
class Bounds:
    """The smallest and the largest integer of a wire type, both inclusive."""

    name: str
    least: int
    most: int


@attrs.frozen
class Named:
    """The field's name on the wire, where the rule of its class does not give it."""

    name: str


@attrs.frozen
class Only:
    """The one generation that knows the field; it is not written for the other."""

    generation: Generation


OMIT_DEFAULT = Mark.OMIT_DEFAULT
COMPRESSED = Mark.COMPRESSED
LOCAL = Mark.LOCAL
NAME = Mark.NAME
ONE_OR_MANY = Mark.ONE_OR_MANY
REQUIRED = Mark.REQUIRED
ONLY_0_9 = Only(Generation.V0_9)
ONLY_0_28 = Only(Generation.V0_28)

U8 = Annotated[int, Bounds("u8", 0, 2**8 - 1)]
U16 = Annotated[int, Bounds("u16", 0, 2**16 - 1)]
U32 = Annotated[int, Bounds("u32", 0, 2**32 - 1)]
U64 = Annotated[int, Bounds("u64", 0, 2**64 - 1)]
I64 = Annotated[int, Bounds("i64", -(2**63), 2**63 - 1)]
POSITIVE = Annotated[int, Bounds("nonzero u64", 1, 2**64 - 1)]
AddressText = Annotated[str, Mark.ADDRESS]
SignatureText = Annotated[str, Mark.SIGNATURE]
Base64Text = Annotated[str, Mark.BASE64]
RawText = Annotated[str, Mark.RAW]


@attrs.frozen(kw_only=True)
class WireValue:
    """Something said on the wire: fields in camelCase, and whatever else the object held."""

    wire_name: ClassVar[str] = ""
    """The variant's name in the tagged union that it belongs to."""
    wire_only: ClassVar[Generation | None] = None
    """The one generation that has this variant; None: both."""

    shares_its_object: ClassVar[bool] = False
    """Whether the object has members of others too: they are not kept as unknown fields."""

    unknown_fields: tuple[tuple[str, str], ...] = attrs.field(default=(), repr=False)
    """Fields that this version does not know: name and JSON text, written back as they came."""

    @property
    def variant(self) -> str:
        """The name under which this value is written in its tagged union."""
        return self.wire_name


@attrs.frozen(kw_only=True)
class SnakeValue(WireValue):
    """The same with fields in snake_case: struct-like variants of the enums, and the HTTP bodies."""


@attrs.frozen(kw_only=True)
class BareValue(WireValue):
    """A value with one field, which stands on the wire without an object around it."""


@attrs.frozen(kw_only=True)
class FieldSpec:
    """One field as the wire sees it."""

    name: str
    wire_name: str
    type: object
    default: object
    """What stands for it when it is absent; `attrs.NOTHING` if nothing does."""
    is_required: bool
    omit_default: bool
    only: Generation | None

    def is_written(self, value: object, generation: Generation) -> bool:
        """Tell whether `value` appears in what is written for `generation`."""
        if self.only is not None and self.only is not generation:
            return False

        return not (self.omit_default and value == self.default)


def fields_of(cls: type[WireValue]) -> tuple[FieldSpec, ...]:
    """Return the fields of a wire class in the order they are written, without `unknown_fields`."""
    if cls not in _FIELDS:
        _FIELDS[cls] = _fields_of(cls)
    return _FIELDS[cls]


_FIELDS: dict[type[WireValue], tuple[FieldSpec, ...]] = {}
"""What `fields_of` found: resolving the annotations of a class takes a while, and they do not change."""


def _fields_of(cls: type[WireValue]) -> tuple[FieldSpec, ...]:
    hints = get_type_hints(cls, include_extras=True)
    return tuple(
        _spec_of(cls, field.name, hints[field.name], _default_of(field))
        for field in attrs.fields(cls)
        if field.name != "unknown_fields"
    )


def _spec_of(cls: type[WireValue], name: str, hint: object, default: object) -> FieldSpec:
    marks = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    renamed = [mark.name for mark in marks if isinstance(mark, Named)]
    only = [mark.generation for mark in marks if isinstance(mark, Only)]
    return FieldSpec(
        name=name,
        wire_name=renamed[0] if renamed else _wire_case(cls, name),
        type=hint,
        default=default,
        is_required=default is attrs.NOTHING or REQUIRED in marks,
        omit_default=OMIT_DEFAULT in marks,
        only=only[0] if only else None,
    )


def _default_of(field: attrs.Attribute[object]) -> object:
    default: object = field.default
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # the stubs make a function of this class
        make = cast("Callable[[], object]", getattr(default, "factory"))  # noqa: B009
        return make()

    return default


def _wire_case(cls: type[WireValue], name: str) -> str:
    if issubclass(cls, SnakeValue):
        return name

    return re.sub(r"_([a-z0-9])", lambda match: match.group(1).upper(), name)
