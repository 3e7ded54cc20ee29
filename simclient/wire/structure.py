"""How JSON values become wire classes and go back: hooks for cattrs, made from what `schema` says about each class.

A converter reads and writes one generation, or reads both. Hooks raise `Misfit`, which collects the JSON path on its way out; `codec`
turns it into the one public error. cattrs' own hooks are replaced wherever they convert: numbers, strings, booleans, optional
values, tuples, maps, objects and unions.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal, TypeAlias, Union, cast, get_args, get_origin

import attrs
import cattrs

from ..errors import InputError, RemoteProtocolError
from .blobs import pack, unpack
from .generation import NEWEST, Generation
from .json_text import JsonValue, RepeatedKeys, dump, parse
from .members import FieldReaders, members_of, read_members
from .misfit import Misfit
from .params import SessionParams
from .requests import CreateSession
from .responses import SubSessionEvent
from .scalars import checks_of, read_literal, read_plain
from .schema import COMPRESSED, NAME, ONE_OR_MANY, BareValue, FieldSpec, Mark, SnakeValue, WireValue, fields_of
from .tags import ABSENT, Absent, Internal, Tagging, UnknownMaker, is_in_external, tagging_of

__all__ = ["Converters"]

# cattrs types its hooks with Any; nothing of that leaves this module.
_Reader = Callable[[Any, Any], Any]
_Writer = Callable[[Any], Any]
_Kind: TypeAlias = Any


class Converters:
    """Reading and writing for one generation; None reads both and writes the newest."""

    def __init__(self, generation: Generation | None, *, keeps_unknown: bool) -> None:
        """Make the hooks.

        Args:
            generation: Which one.
            keeps_unknown: Whether an unknown variant becomes an `Unknown…` value, or is an error.
        """
        self._cattrs = cattrs.Converter(detailed_validation=False)
        self._reads = generation
        self._writes = generation or NEWEST
        self._keeps_unknown = keeps_unknown
        self._register()

    def structure(self, value: JsonValue, kind: object) -> object:
        """Return the value of `kind` (a class or a union) that the JSON stands for.

        Raises:
            Misfit: It does not stand for one.
        """
        return self._reader(kind)(value, kind)

    def unstructure(self, value: object, kind: object) -> JsonValue:
        """Return the JSON of `value`, which stands in a place of type `kind`."""
        return cast("JsonValue", self._writer(kind)(value))

    def _register(self) -> None:
        # cattrs asks the factories from the last to the first.
        for plain in (int, str, bool, float):  # by their class: cattrs prefers its own hooks for them to any factory
            self._cattrs.register_structure_hook(plain, _plain_reader(plain))
        self._both(_is_literal, _literal_reader, _writes_as_it_is)
        self._both(_is_tuple, self._tuple_reader, self._tuple_writer)
        self._both(_is_mapping, self._mapping_reader, self._mapping_writer)
        self._both(_is_annotated, self._annotated_reader, self._annotated_writer)
        self._both(_is_optional, self._optional_reader, self._optional_writer)
        self._both(_is_wire_value, self._object_reader, self._object_writer)
        self._both(_is_tagged, self._tagged_reader, self._tagged_writer)
        self._both(_is(CreateSession), self._create_session_reader, self._create_session_writer)

    def _both(
        self, matches: Callable[[_Kind], bool], reader: Callable[[_Kind], _Reader], writer: Callable[[_Kind], _Writer]
    ) -> None:
        self._cattrs.register_structure_hook_factory(matches, reader)
        self._cattrs.register_unstructure_hook_factory(matches, writer)

    def _reader(self, kind: _Kind) -> _Reader:
        return self._cattrs.get_structure_hook(kind)

    def _writer(self, kind: _Kind) -> _Writer:
        return self._cattrs.get_unstructure_hook(kind)

    # Values without fields

    def _annotated_reader(self, kind: _Kind) -> _Reader:
        inner, *marks = get_args(kind)
        read_inner, checks = self._reader(inner), checks_of(marks)
        if COMPRESSED in marks:
            return lambda value, _: read_inner(_read_blob(value), inner)
        if Mark.RAW in marks:
            return lambda value, _: dump(value)
        if NAME in marks:
            return lambda value, _: read_inner(_name_in(value), inner)
        if ONE_OR_MANY in marks:
            return lambda value, _: read_inner(value if isinstance(value, list) else [value], inner)

        def read(value: JsonValue, _: object) -> object:
            read_value = read_inner(value, inner)
            for check in checks:
                check(read_value)
            return read_value

        return read

    def _annotated_writer(self, kind: _Kind) -> _Writer:
        inner, *marks = get_args(kind)
        write = self._writer(inner)
        if Mark.RAW in marks:
            return parse
        if COMPRESSED in marks:
            return lambda value: pack(dump(write(value)))
        if ONE_OR_MANY in marks:
            return lambda value: write(value)[0] if len(value) == 1 else write(value)

        return write

    def _optional_reader(self, kind: _Kind) -> _Reader:
        inner = _without_none(kind)
        read = self._reader(inner)
        return lambda value, _: None if value is None else read(value, inner)

    def _optional_writer(self, kind: _Kind) -> _Writer:
        write = self._writer(_without_none(kind))
        return lambda value: None if value is None else write(value)

    def _tuple_reader(self, kind: _Kind) -> _Reader:
        inner = get_args(kind)[0]
        read_item = self._reader(inner)

        def read(value: JsonValue, _: object) -> tuple[object, ...]:
            if not isinstance(value, list):
                raise Misfit("an array", value)
            return tuple(_read_at(position, read_item, item, inner) for position, item in enumerate(value))

        return read

    def _tuple_writer(self, kind: _Kind) -> _Writer:
        write = self._writer(get_args(kind)[0])
        return lambda value: [write(item) for item in value]

    def _mapping_reader(self, kind: _Kind) -> _Reader:
        key_kind, inner = get_args(kind)
        read_key, read_item = self._reader(key_kind), self._reader(inner)

        def read(value: JsonValue, _: object) -> Mapping[object, object]:
            if not isinstance(value, dict):
                raise Misfit("an object", value)
            return {
                _read_at(k, read_key, k, key_kind): _read_at(k, read_item, item, inner) for k, item in value.items()
            }

        return read

    def _mapping_writer(self, kind: _Kind) -> _Writer:
        write = self._writer(get_args(kind)[1])
        return lambda value: {str(key): write(item) for key, item in value.items()}

    # Objects

    def _fields(self, specs: Iterable[FieldSpec]) -> FieldReaders:
        """Return the fields that the generation being read knows, each with its reader."""
        known = [spec for spec in specs if self._reads is None or spec.only in (None, self._reads)]
        return [(spec, self._reader(spec.type)) for spec in known]

    def _ignored(self, specs: Iterable[FieldSpec]) -> frozenset[str]:
        """Return the names of the fields that only the other generation knows: they are not unknown to us."""
        return frozenset(spec.wire_name for spec in specs if spec.only not in (None, self._reads or spec.only))

    def _object_reader(self, cls: type[WireValue]) -> _Reader:
        fields = self._fields(fields_of(cls))
        if issubclass(cls, BareValue):
            ((spec, read_field),) = fields
            return lambda value, _: _make(cls, value, {spec.name: read_field(value, spec.type)})

        ignored = None if cls.shares_its_object else self._ignored(fields_of(cls))
        # The real types read every struct from an array too, but not a struct-like variant beside its tag.
        takes_arrays = not (issubclass(cls, SnakeValue) and cls.wire_name) or is_in_external(cls)
        return lambda value, _: _make(
            cls, value, read_members(members_of(value, fields, takes_arrays=takes_arrays), fields, ignored)
        )

    def _object_writer(self, cls: type[WireValue]) -> _Writer:
        fields = [(spec, self._writer(spec.type)) for spec in fields_of(cls)]
        if issubclass(cls, BareValue):
            ((only_spec, write_only_field),) = fields
            return lambda value: write_only_field(getattr(value, only_spec.name))

        def write(value: WireValue) -> JsonValue:
            written: dict[str, JsonValue] = {}
            for spec, write_field in fields:
                field = getattr(value, spec.name)
                if spec.is_written(field, self._writes):
                    written[spec.wire_name] = write_field(field)
            for name, text in value.unknown_fields:
                written.setdefault(name, parse(text))
            return written

        return write

    # `createBacktestSession`: the session parameters, and among them the members of the extended form

    def _create_session_reader(self, _: _Kind) -> _Reader:
        read_params = self._reader(SessionParams)
        own = self._fields([spec for spec in fields_of(CreateSession) if spec.name not in ("params", "is_extended")])

        def read(value: JsonValue, _: object) -> CreateSession:
            if not isinstance(value, dict):
                return CreateSession(params=read_params(value, SessionParams))

            params, members = _split(value, {"parallel", "name", "createToken"})
            extension = read_members(members, own, self._ignored(fields_of(CreateSession)))
            extension.pop("unknown_fields", None)
            return CreateSession(
                params=read_params(params, SessionParams),
                is_extended=not any(said not in (None, False) for said in extension.values())
                and self._is_extended(value),
                **extension,
            )

        return read

    def _is_extended(self, value: dict[str, JsonValue]) -> bool:
        # 0.28 takes every request for the extended form, 0.9 only one that says `parallel`.
        return self._reads is Generation.V0_28 or "parallel" in value

    def _create_session_writer(self, _: _Kind) -> _Writer:
        write_params = self._writer(SessionParams)

        def write(value: CreateSession) -> JsonValue:
            written: dict[str, JsonValue] = write_params(value.params)
            if value.is_extended or value.parallel or value.name is not None or value.create_token is not None:
                written["parallel"] = value.parallel
            if self._writes is Generation.V0_28:
                named = {"name": value.name, "createToken": value.create_token}
                written |= {name: member for name, member in named.items() if member is not None}
            return written

        return write

    # Tagged unions

    def _variant_readers(self, cls: type[WireValue]) -> Iterator[tuple[str, _Reader]]:
        if cls is not SubSessionEvent:
            yield cls.wire_name, self._reader(cls)
            return

        # One class for two variants: only the second has a sequence number, and it must.
        specs = fields_of(cls)
        first = self._fields([spec for spec in specs if spec.name != "seq_id"])
        second = self._fields([attrs.evolve(spec, is_required=True) for spec in specs])
        if self._reads is not Generation.V0_28:
            yield "sessionEventV1", lambda value, _: cls(**read_members(members_of(value, first), first, frozenset()))
        yield "sessionEventV2", lambda value, _: cls(**read_members(members_of(value, second), second, frozenset()))

    def _tagged_reader(self, kind: _Kind) -> _Reader:
        tagging = _tagging(kind)
        known = [cls for cls in tagging.variants if self._reads is None or cls.wire_only in (None, self._reads)]
        readers = {name: (cls, read) for cls in known for name, read in self._variant_readers(cls)}
        unknown = tagging.unknown if self._keeps_unknown else None
        return lambda value, _: _read_variant(tagging, readers, unknown, value)

    def _tagged_writer(self, kind: _Kind) -> _Writer:
        tagging = _tagging(kind)
        writers = {cls: self._writer(cls) for cls in tagging.variants}

        def write(value: Any) -> JsonValue:
            if not isinstance(value, WireValue):
                return parse(value.raw)

            cls = type(value)
            return tagging.wrap(value.variant, ABSENT if _is_unit(cls) else writers[cls](value))

        return write


def _make(cls: type[WireValue], value: JsonValue, arguments: dict[str, Any]) -> WireValue:
    """Make the value; what its class refuses from a user it refuses from the wire."""
    try:
        return cls(**arguments)
    except InputError as error:
        raise Misfit(f"a valid {cls.__name__} ({error})", value) from None


def _read_blob(value: JsonValue) -> JsonValue:
    text = unpack(value)
    try:
        return parse(text)
    except RemoteProtocolError as error:
        raise Misfit(f"JSON inside the blob ({error})", value) from None


def _name_in(value: JsonValue) -> JsonValue:
    """Return the name in `{NAME: null}`, which the real types read like `NAME` itself."""
    if isinstance(value, dict) and len(value) == 1 and None in value.values():
        return next(iter(value))

    return value


def _read_variant(
    tagging: Tagging,
    readers: Mapping[str, tuple[type[WireValue], _Reader]],
    unknown: UnknownMaker | None,
    value: JsonValue,
) -> object:
    name, content = tagging.unwrap(value)
    if name not in readers:
        if unknown is None:
            raise Misfit(f"one of {', '.join(readers)}", name)
        return unknown(name, dump(value))

    cls, read = readers[name]
    try:
        if _is_unit(cls) and not isinstance(tagging, Internal):
            return _read_unit(cls, content)
        if isinstance(content, Absent):
            raise Misfit("content", None)
        return read(content, cls)
    except Misfit as misfit:
        step = tagging.step(name)
        raise (misfit if step is None else misfit.at(step)) from None


def _read_unit(cls: type[WireValue], content: JsonValue | Absent) -> WireValue:
    if content is None or isinstance(content, Absent):
        return cls()

    raise Misfit("null or nothing", content)


def _read_at(step: str | int, read: _Reader, value: JsonValue, kind: _Kind) -> Any:
    try:
        return read(value, kind)
    except Misfit as misfit:
        raise misfit.at(step) from None


def _split(value: dict[str, JsonValue], names: set[str]) -> tuple[dict[str, JsonValue], dict[str, JsonValue]]:
    """Part an object into the members that are not among `names` and those that are; each part knows its repeated keys."""
    others: dict[str, JsonValue] = {name: member for name, member in value.items() if name not in names}
    named: dict[str, JsonValue] = {name: member for name, member in value.items() if name in names}
    if not isinstance(value, RepeatedKeys):
        return others, named

    return value.among(others), value.among(named)


def _plain_reader(kind: _Kind) -> _Reader:
    return lambda value, _: read_plain(kind, value)


def _literal_reader(kind: _Kind) -> _Reader:
    choices = get_args(kind)
    return lambda value, _: read_literal(choices, value)


def _writes_as_it_is(_: _Kind) -> _Writer:
    return lambda value: value


def _is(kind: type[object]) -> Callable[[_Kind], bool]:
    return lambda other: other is kind


def _origin(kind: _Kind) -> object:
    return get_origin(kind)


def _is_literal(kind: _Kind) -> bool:
    return _origin(kind) is Literal


def _is_tuple(kind: _Kind) -> bool:
    return _origin(kind) is tuple


def _is_mapping(kind: _Kind) -> bool:
    return _origin(kind) is Mapping


def _is_annotated(kind: _Kind) -> bool:
    return _origin(kind) is Annotated


def _is_optional(kind: _Kind) -> bool:
    return _is_union(kind) and type(None) in get_args(kind)


def _is_union(kind: _Kind) -> bool:
    origin = _origin(kind)
    return origin is Union or origin is types.UnionType


def _is_wire_value(kind: _Kind) -> bool:
    return isinstance(kind, type) and issubclass(kind, WireValue)


def _is_tagged(kind: _Kind) -> bool:
    return _is_union(kind) and tagging_of(kind) is not None


def _tagging(kind: _Kind) -> Tagging:
    tagging = tagging_of(kind)
    assert tagging is not None
    return tagging


def _without_none(kind: _Kind) -> _Kind:
    return Union[tuple(member for member in get_args(kind) if member is not type(None))]  # noqa: UP007 - made at run time


def _is_unit(cls: type[WireValue]) -> bool:
    return not fields_of(cls)
