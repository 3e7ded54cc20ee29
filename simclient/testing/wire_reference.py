"""The reference of the wire, written from the classes themselves: every message with its fields, units and generation.

`python -m simclient.testing.wire_reference` prints `docs/reference/wire.md`; a test compares the two.
"""

from __future__ import annotations

import ast
import inspect
import sys
import types
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import attrs

from ..wire import (
    accounts,
    action_results,
    actions,
    agents,
    discovery,
    failures,
    http_bodies,
    params,
    ranges,
    replacements,
    requests,
    reroute,
    reroute_stats,
    responses,
    subscribe_options,
    summary,
)
from ..wire.notifications import AccountDiff, AccountState, ExecutedTransaction, TransactionLogs, UnknownNotification
from ..wire.schema import Bounds, FieldSpec, Mark, WireValue, fields_of
from .vector_differences import DIFFERENCES

__all__ = ["reference"]

_SECTIONS: tuple[tuple[str, tuple[ModuleType, ...]], ...] = (
    ("Control requests", (requests, params)),
    ("Control responses and events", (responses, summary, reroute_stats)),
    ("Errors", (failures,)),
    ("Accounts and discovery", (accounts, discovery)),
    ("Agents (0.9)", (agents,)),
    ("Scheduled actions and probes (0.28)", (actions, action_results)),
    ("Rerouting (0.28)", (reroute, replacements)),
    ("Subscription options", (subscribe_options,)),
    ("HTTP bodies", (ranges, http_bodies)),
)
_HEAD = """# The wire

Generated from the classes by `python -m simclient.testing.wire_reference`; do not edit. Names are those on the wire; the class has the same
fields in snake_case unless the table says otherwise. A field that is not required may be absent when reading. "Written" says when it is
written: always (None as null), or unless it is the default. Every object may also hold fields unknown to this version, which are kept
in `unknown_fields` and written back.

## Where reading differs from the real types

All are on purpose; which vectors a difference covers stands in `simclient/testing/vector_differences.py`. Beyond what
the vectors show: members of an envelope beside its tag, its content and `seqId` are not kept, since no class has a place for them.

| difference | reason |
|---|---|
"""
_PLAIN_NAMES: dict[object, str] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    types.NoneType: "null",
}
_VIEWS = (AccountDiff, ExecutedTransaction, TransactionLogs, UnknownNotification, AccountState)
_MARKS = {
    Mark.ADDRESS: "address",
    Mark.SIGNATURE: "signature",
    Mark.BASE64: "base64",
    Mark.NAME: "string",
    Mark.RAW: "any JSON",
}


def reference() -> str:
    """Return the whole page, in Markdown."""
    lines = [_HEAD + "\n".join(f"| {one.name} | {one.reason} |" for one in DIFFERENCES)]
    for title, modules in _SECTIONS:
        lines.append(f"\n## {title}\n")
        for module in modules:
            lines.extend(_class_lines(cls) for cls in _classes_of(module))
    lines.append("\n## Notifications\n")
    lines.extend(_view_lines(view) for view in _VIEWS)
    return "\n".join(lines)


def _classes_of(module: ModuleType) -> Iterable[type[WireValue]]:
    """Yield the wire classes that a module defines, in its order, bases that stand for nothing themselves left out."""
    for cls in vars(module).values():
        is_wire = isinstance(cls, type) and issubclass(cls, WireValue) and cls.__module__ == module.__name__
        if is_wire and not cls.__name__.startswith("_"):
            yield cls


def _class_lines(cls: type[WireValue]) -> str:
    specs = [spec for spec in fields_of(cls) if Mark.LOCAL not in get_args(spec.type)]
    only = "" if cls.wire_only is None else f" Only in {cls.wire_only.value}."
    lines = [f"### {cls.__name__}\n", f"{inspect.getdoc(cls)}{only}\n"]
    if specs:
        notes = _field_notes(cls)
        lines += ["| field | type | required | written | generation | |", "|---|---|---|---|---|---|"]
        lines += [_row(spec, notes.get(spec.name, "")) for spec in specs]
        lines.append("")
    return "\n".join(lines)


def _view_lines(view: type[object]) -> str:
    """Return what a view shows; its fields have Python names, and the wire's are those of `getTransaction` and the like."""
    rows = [
        f"| `{name}` | `{_annotation(shown.fget)}` | {(shown.__doc__ or '').splitlines()[0]} |"
        for base in view.__mro__
        for name, shown in vars(base).items()
        if isinstance(shown, property) and shown.fget is not None and not name.startswith("_")
    ]
    fields = [f"`{name}`" for name in _plain_fields(view)]
    also = [f"Fields: {', '.join(fields)}.\n"] if fields else []
    return "\n".join(
        [f"### {view.__name__}\n", f"{inspect.getdoc(view)}\n", *also, "| shown | type | |", "|---|---|---|", *rows, ""]
    )


def _annotation(getter: Callable[[Any], object]) -> str:
    """Return what a property gives, without the bar that parts the cells of a table."""
    return str(inspect.signature(getter).return_annotation).replace(" | ", " or ")


def _plain_fields(view: type[object]) -> list[str]:
    if attrs.has(view):
        return [field.name for field in attrs.fields(view)]

    hidden = ("params", "encoded")
    names: tuple[str, ...] = getattr(view, "__struct_fields__", ())
    return [name for name in names if name not in hidden and not name.startswith("decoded")]


def _row(spec: FieldSpec, note: str) -> str:
    name = f"`{spec.wire_name}`" + (f" (`{spec.name}`)" if _is_renamed(spec) else "")
    written = "unless default" if spec.omit_default else "always"
    generation = "both" if spec.only is None else spec.only.value
    required = "yes" if spec.is_required else f"no: {_default(spec.default)}"
    return f"| {name} | {_type_name(spec.type)} | {required} | {written} | {generation} | {' '.join(note.split())} |"


def _is_renamed(spec: FieldSpec) -> bool:
    return spec.wire_name.lower() != spec.name.replace("_", "").lower() and spec.wire_name != spec.name


def _default(default: object) -> str:
    if isinstance(default, (tuple, dict)) and not default:
        return "empty"

    return f"`{default!r}`"


def _type_name(kind: Any) -> str:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _marked_name(arguments[0], arguments[1:])
    if origin is Literal:
        return ", ".join(f"`{name}`" for name in arguments)
    if origin is tuple:
        return f"list of {_type_name(arguments[0])}"
    if origin is Mapping:
        return f"map of {_type_name(arguments[0])} to {_type_name(arguments[1])}"
    if origin is Union or origin is types.UnionType:
        return " or ".join(_type_name(one) for one in arguments)

    return _PLAIN_NAMES.get(kind, str(kind.__name__))


def _marked_name(inner: Any, marks: tuple[object, ...]) -> str:
    for mark in marks:
        if isinstance(mark, Bounds):
            return mark.name
        if isinstance(mark, Mark) and mark in _MARKS:
            return _MARKS[mark]

    name = _type_name(inner)
    if Mark.COMPRESSED in marks:
        return f"string: base64 of zstd of JSON: {name}"
    if Mark.ONE_OR_MANY in marks:
        return f"{name}, or the one item"
    return name


def _field_notes(cls: type[WireValue]) -> dict[str, str]:
    """Return the texts that stand under the fields of a class and of its bases."""
    notes: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if issubclass(base, WireValue):
            notes |= _own_notes(base)
    return notes


def _own_notes(cls: type[WireValue]) -> dict[str, str]:
    (definition,) = ast.parse(inspect.cleandoc(inspect.getsource(cls))).body
    assert isinstance(definition, ast.ClassDef)
    notes: dict[str, str] = {}
    for statement, following in zip(definition.body, definition.body[1:], strict=False):
        match statement, following:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(note))):
                notes[name] = note
            case _:
                continue
    return notes


if __name__ == "__main__":
    sys.stdout.write(reference())
