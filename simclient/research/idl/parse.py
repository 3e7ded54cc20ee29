"""From the file of an IDL to its types: the format of Anchor 0.30 and later, and the one before it.

The old one says no discriminators: they are the first 8 bytes of SHA-256 of `account:Name`, `global:name_in_snake_case` or `event:Name`.

Source: `anchor-lang-idl` 0.1 (its spec, and its conversion of the old format); `anchor-syn` 0.29.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from ...errors import InputError
from ...wire.addresses import address_of
from .idl import Idl
from .schema import (
    Alias,
    Array,
    Defined,
    Definition,
    Enumeration,
    Field,
    Generic,
    IdlErrorCode,
    Item,
    MapType,
    Option,
    Primitive,
    Schema,
    Structure,
    Type,
    Vector,
)

__all__ = ["IdlError", "load_idl"]

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

_PRIMITIVES = {
    *(f"{sign}{bits}" for sign in "ui" for bits in (8, 16, 32, 64, 128, 256)),
    *("bool", "f32", "f64", "bytes", "string", "pubkey"),
}
_OLD_NAMES = {"publicKey": "pubkey"}
_DISCRIMINATOR_BYTES = 8


class IdlError(InputError):
    """An IDL file cannot be used; the message names the file and the place in it.

    What to do: Give the JSON that `anchor idl build` or `anchor idl fetch` writes.
    """


def load_idl(path: Path | str) -> Idl:
    """Read the IDL of a program.

    Args:
        path: The JSON file, as `anchor idl build` or `anchor idl fetch` gives it.

    Raises:
        IdlError: It cannot be read, or is no IDL; the message says where.
    """
    path = Path(path)
    try:
        content: Json = msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise IdlError(f"cannot read {path}: {error.strerror or error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise IdlError(f"{path} is no IDL: {error}") from error

    try:
        return Idl(_schema(_Node(content, "$")))
    except IdlError as error:
        raise IdlError(f"{path}: {error}") from error


class _Node:
    """A value in the file, and where it is."""

    def __init__(self, value: Json, path: str) -> None:
        self.value = value
        self.path = path

    def get(self, *names: str) -> _Node | None:
        """Return the first of these members that is there."""
        if isinstance(self.value, dict):
            for name in names:
                if self.value.get(name) is not None:
                    return _Node(self.value[name], f"{self.path}.{name}")
        return None

    def need(self, *names: str) -> _Node:
        found = self.get(*names)
        if found is None:
            raise self.error(f"there is no {' or '.join(names)}")
        return found

    def items(self) -> Iterator[_Node]:
        if not isinstance(self.value, list):
            raise self.error("expected a list")
        for index, one in enumerate(self.value):
            yield _Node(one, f"{self.path}[{index}]")

    def all(self, name: str) -> Iterator[_Node]:
        """Yield the items of a member that may be missing."""
        found = self.get(name)
        if found is not None:
            yield from found.items()

    @property
    def text(self) -> str:
        if not isinstance(self.value, str):
            raise self.error("expected a text")
        return self.value

    @property
    def number(self) -> int:
        if not isinstance(self.value, int) or isinstance(self.value, bool) or self.value < 0:
            raise self.error("expected a whole number")
        return self.value

    def error(self, what: str) -> IdlError:
        return IdlError(f"no IDL that can be used: {what} at {self.path}")


def _schema(root: _Node) -> Schema:
    """Read the whole file."""
    metadata = root.get("metadata")
    name = root.get("name") or (None if metadata is None else metadata.get("name"))
    if name is None:
        raise root.error("there is no name: is this the IDL of an Anchor program?")

    root.need("instructions")
    definitions = {one.need("name").text: _definition(one) for one in root.all("types")}
    return Schema(
        name=name.text,
        address=_address(root),
        definitions=definitions,
        accounts=tuple(_described(one, "account", definitions) for one in root.all("accounts")),
        instructions=tuple(_instruction(one) for one in root.all("instructions")),
        events=tuple(_described(one, "event", definitions) for one in root.all("events")),
        errors={
            one.need("code").number: IdlErrorCode(one.need("name").text, _text_or_none(one.get("msg")))
            for one in root.all("errors")
        },
    )


def _address(root: _Node) -> str | None:
    """Return the program, which both formats name in different places."""
    metadata = root.get("metadata")
    found = root.get("address") or (None if metadata is None else metadata.get("address"))
    if found is None:
        return None
    try:
        return address_of(found.text)
    except InputError as error:
        raise found.error(str(error)) from error


def _described(node: _Node, kind: str, definitions: Mapping[str, Definition]) -> Item:
    """Read an account or an event: the new format has its fields among the types, the old one beside its name."""
    name = node.need("name").text
    return Item(
        name=name,
        discriminator=_discriminator(node, f"{kind}:{name}"),
        body=_own_body(node) or Defined(_known(node, name, definitions)),
    )


def _own_body(node: _Node) -> Structure | None:
    """Return the fields beside a name, in the old format."""
    inner = node.get("type")
    if inner is not None:
        body = _definition_body(inner)
        if not isinstance(body, Structure):
            raise inner.error("an account is a struct")
        return body

    return _fields(node.need("fields")) if node.get("fields") is not None else None


def _known(node: _Node, name: str, definitions: Mapping[str, Definition]) -> str:
    """Return the name of a type; modules are left out of the names of some."""
    for candidate in (name, name.rpartition("::")[2]):
        if candidate in definitions:
            return candidate

    raise node.error(f"there is no type {name}")


def _instruction(node: _Node) -> Item:
    name = node.need("name").text
    return Item(
        name=name,
        discriminator=_discriminator(node, f"global:{_snake_case(name)}"),
        body=Structure(tuple(_field(one) for one in node.all("args"))),
        accounts=tuple(_account_names(node)),
    )


def _account_names(node: _Node) -> Iterator[str]:
    """Yield the names of an instruction's accounts; those of a group come after the group's name."""
    for one in node.all("accounts"):
        name = one.need("name").text
        if one.get("accounts") is None:
            yield name
        else:
            yield from (f"{name}.{inner}" for inner in _account_names(one))


def _discriminator(node: _Node, preimage: str) -> bytes:
    found = node.get("discriminator")
    if found is None:
        return hashlib.sha256(preimage.encode()).digest()[:_DISCRIMINATOR_BYTES]

    try:
        return bytes(one.number for one in found.items())
    except ValueError as error:
        raise found.error("expected bytes") from error


def _definition(node: _Node) -> Definition:
    parameters = tuple(one.need("name").text for one in node.all("generics"))
    return Definition(_definition_body(node.need("type")), parameters)


def _definition_body(node: _Node) -> Structure | Enumeration | Alias:
    match node.need("kind").text:
        case "struct":
            fields = node.get("fields")
            return Structure(()) if fields is None else _fields(fields)
        case "enum":
            return Enumeration(tuple(_variant(one) for one in node.need("variants").items()))
        case "type" | "alias":
            return Alias(_type(node.need("alias", "value")))
        case kind:
            raise node.error(f"the kind {kind!r} is not known")


def _variant(node: _Node) -> tuple[str, Structure]:
    fields = node.get("fields")
    return node.need("name").text, Structure(()) if fields is None else _fields(fields)


def _fields(node: _Node) -> Structure:
    """Read named fields, or those of a tuple, which are types alone."""
    items = list(node.items())
    if all(one.get("name") is not None and one.get("type") is not None for one in items):
        return Structure(tuple(_field(one) for one in items))

    return Structure(tuple(Field(str(index), _type(one)) for index, one in enumerate(items)), is_tuple=True)


def _field(node: _Node) -> Field:
    return Field(node.need("name").text, _type(node.need("type")))


def _type(node: _Node) -> Type:
    if isinstance(node.value, str):
        name = _OLD_NAMES.get(node.value, node.value)
        if name not in _PRIMITIVES:
            raise node.error(f"the type {node.value!r} is not known")
        return Primitive(name)
    if not isinstance(node.value, dict) or len(node.value) != 1:
        raise node.error("expected a type")

    [kind] = node.value
    inner = node.need(kind)
    match kind:
        case "option":
            return Option(_type(inner))
        case "coption":
            return Option(_type(inner), is_fixed=True)
        case "vec":
            return Vector(_type(inner))
        case "array":
            element, length = _two(inner)
            return Array(_type(element), _length(length))
        case "hashMap" | "bTreeMap":
            key, value = _two(inner)
            return MapType(_type(key), _type(value))
        case "hashSet" | "bTreeSet":
            return Vector(_type(inner))
        case "defined":
            return _defined(inner)
        case "generic":
            return Generic(inner.text)
        case _:
            raise node.error(f"the type {kind!r} is not known")


def _defined(node: _Node) -> Defined:
    """Read a reference: the old format has the name alone."""
    if isinstance(node.value, str):
        return Defined(node.value)

    return Defined(node.need("name").text, tuple(_argument(one) for one in node.all("generics")))


def _argument(node: _Node) -> Type | int:
    """Read what a parameter is: a type, or a number as text."""
    if node.need("kind").text == "const":
        text = node.need("value").text
        if not text.isdigit():
            raise node.error("expected a number")
        return int(text)

    return _type(node.need("type"))


def _length(node: _Node) -> int | Generic:
    generic = node.get("generic")
    return node.number if generic is None else Generic(generic.text)


def _two(node: _Node) -> tuple[_Node, _Node]:
    items = list(node.items())
    if len(items) != 2:
        raise node.error("expected two values")
    return items[0], items[1]


def _text_or_none(node: _Node | None) -> str | None:
    return None if node is None else node.text


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])|(?<=[A-Z])([A-Z])(?=[a-z])", lambda m: "_" + m[0], name).lower()
