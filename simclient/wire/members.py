"""Reading the members of a JSON object into the fields of a wire class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .json_text import JsonValue, RepeatedKeys, dump
from .misfit import Misfit
from .schema import FieldSpec

__all__ = ["FieldReaders", "members_of", "read_members"]

FieldReaders = list[tuple[FieldSpec, Callable[[Any, Any], Any]]]
"""The fields that are known, in wire order, each with the hook that reads it."""


def members_of(value: JsonValue, fields: FieldReaders, *, takes_arrays: bool = False) -> dict[str, JsonValue]:
    """Return the members of an object, which most of the real types also read from an array in the order of the fields.

    Raises:
        Misfit: It is neither, or the array is too long.
    """
    if takes_arrays and isinstance(value, list) and len(value) <= len(fields):
        return {spec.wire_name: item for (spec, _), item in zip(fields, value, strict=False)}

    if not isinstance(value, dict):
        raise Misfit("an object", value)

    return value


def read_members(members: dict[str, JsonValue], fields: FieldReaders, ignored: frozenset[str] | None) -> dict[str, Any]:
    """Return the arguments of the class: each field that is there, and `unknown_fields`.

    Args:
        members: The members of the object.
        fields: What is known.
        ignored: Which other members are not unknown either; None: all.

    Raises:
        Misfit: A required field is missing, a field came twice, or its value does not fit.
    """
    arguments: dict[str, Any] = {}
    for spec, read in fields:
        if spec.wire_name in members:
            arguments[spec.name] = _read_member(members, spec, read)
        elif spec.is_required:
            raise Misfit(f"a member {spec.wire_name}", members)

    if ignored is None:
        return arguments

    known = ignored | {spec.wire_name for spec, _ in fields}
    arguments["unknown_fields"] = tuple((name, dump(value)) for name, value in members.items() if name not in known)
    return arguments


def _read_member(members: dict[str, JsonValue], spec: FieldSpec, read: Callable[[Any, Any], Any]) -> object:
    value = members[spec.wire_name]
    try:
        if isinstance(members, RepeatedKeys) and spec.wire_name in members.repeated:
            raise Misfit("this member once", value)
        return read(value, spec.type)
    except Misfit as misfit:
        raise misfit.at(spec.wire_name) from None
