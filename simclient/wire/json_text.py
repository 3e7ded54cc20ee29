"""JSON text in and out, exactly: the one place that decodes the JSON of the control plane.

Stricter than the standard library, because the server is: integers keep every digit (`-0` is a float, as it is for the real types),
no NaN, no infinity, no lone surrogates, valid UTF-8, at most `MAX_DEPTH` levels. A repeated key is not an error here, since maps
take the last one; the object remembers it, and whoever reads a struct refuses it. Every failure is a `RemoteProtocolError`.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from typing import NoReturn, TypeAlias, Union

from ..errors import InputError, RemoteProtocolError
from .allowance import charge_values

__all__ = ["MAX_DEPTH", "JsonValue", "RepeatedKeys", "describe", "dump", "parse"]

JsonValue: TypeAlias = Union[bool, int, float, str, "list[JsonValue]", "dict[str, JsonValue]", None]

MAX_DEPTH = 128
"""Levels of nesting that are read: what the real types read, and far below where Python's own decoder gives up."""

_EXCERPT_CHARACTERS = 200
_OPENING_OR_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[{]|[\]}]')
"""Possessive: the engine that may go back keeps a note for each character, which for an account of 10 MiB comes to 1.7 GB."""
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


class RepeatedKeys(dict[str, JsonValue]):
    """An object in which at least one key came twice; the last value won."""

    repeated: frozenset[str]

    def among(self, part: dict[str, JsonValue]) -> dict[str, JsonValue]:
        """Return `part`, some of the members of this object, so that it knows which of them came twice."""
        marked = RepeatedKeys(part)
        marked.repeated = self.repeated & part.keys()
        return marked


def parse(text: str | bytes) -> JsonValue:
    """Return the value of a JSON text.

    Raises:
        RemoteProtocolError: It is not JSON, or not the JSON described above.
    """
    decoded = _decode_utf8(text) if isinstance(text, bytes) else text
    charge_values(decoded)
    try:
        _check_depth(decoded)
        value: JsonValue = _DECODER.decode(decoded)
        if _SURROGATE_ESCAPE.search(decoded) or isinstance(text, str):
            _check_surrogates(value, decoded)
    except json.JSONDecodeError as error:
        near = decoded[max(0, error.pos - _EXCERPT_CHARACTERS // 2) :][:_EXCERPT_CHARACTERS]
        raise RemoteProtocolError(f"not JSON at character {error.pos}: {error.msg}", excerpt=near) from error
    except (ValueError, RecursionError) as error:
        raise RemoteProtocolError(
            f"not JSON that can be read: {error}", excerpt=decoded[:_EXCERPT_CHARACTERS]
        ) from error

    return value


def dump(value: JsonValue) -> str:
    """Return `value` as compact JSON text.

    Raises:
        InputError: A string in it cannot be written as UTF-8 (it holds half of a surrogate pair).
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"cannot be written as UTF-8: character {error.start} is half of a surrogate pair") from error

    return text


def describe(value: JsonValue) -> str:
    """Say in a few words what a value is, for the messages of errors; never longer than an excerpt may be."""
    match value:
        case dict():
            return f"an object with {len(value)} fields"
        case list():
            return f"an array of {len(value)}"
        case str():
            return json.dumps(value[:100]) + ("…" if len(value) > 100 else "")
        case _:
            return json.dumps(value)[:100]


def _decode_utf8(text: bytes) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        near = text[max(0, error.start - 40) : error.start + 40]
        raise RemoteProtocolError(f"not UTF-8 at byte {error.start}", excerpt=repr(near)) from error


def _check_depth(text: str) -> None:
    """Refuse deep nesting before it is decoded: what was decoded is walked by recursion later."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return

    depth = 0
    for match in _OPENING_OR_STRING.finditer(text):
        first = match.group()[0]
        if first in "[{":
            depth += 1
        elif first in "]}":
            depth -= 1

        if depth > MAX_DEPTH:
            raise ValueError(f"nested deeper than {MAX_DEPTH} levels")


def _check_surrogates(value: JsonValue, text: str) -> None:
    """Refuse half of a surrogate pair, which no UTF-8 text can hold."""
    try:
        (text if not _SURROGATE_ESCAPE.search(text) else json.dumps(value, ensure_ascii=False)).encode()
    except UnicodeEncodeError as error:
        raise ValueError("half of a surrogate pair in a string") from error


def _object(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    plain = dict(pairs)
    if len(plain) == len(pairs):
        return plain

    marked = RepeatedKeys(plain)
    marked.repeated = frozenset(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
    return marked


def _integer(digits: str) -> int | float:
    return -0.0 if digits == "-0" else int(digits)


def _finite_float(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"number out of range: {digits[:40]}")

    return number


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_finite_float, parse_constant=_refuse_constant
)
