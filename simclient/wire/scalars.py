"""Reading single values, exactly: nothing is converted that the real types would not read."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable

from .addresses import decode_base58, is_address
from .json_text import JsonValue
from .misfit import Misfit
from .schema import Bounds, Mark

__all__ = ["checks_of", "read_literal", "read_plain"]

_SIGNATURE_BYTES = 64
_LONGEST_SIGNATURE = 88
"""Characters of the longest base58 text of 64 bytes."""
_NAMES: dict[type[object], str] = {int: "an integer", str: "a string", bool: "a boolean", float: "a number"}


def read_plain(kind: type[object], value: JsonValue) -> object:
    """Return `value` if its JSON type is `kind`; a boolean is no integer, and only a float field takes both kinds of numbers.

    Raises:
        Misfit: It is not.
    """
    if type(value) is kind:
        return value

    if kind is float and type(value) is int:
        return float(value)

    raise Misfit(_NAMES[kind], value)


def read_literal(choices: tuple[object, ...], value: JsonValue) -> object:
    """Return `value` if it is one of the names that the wire knows.

    Raises:
        Misfit: It is not.
    """
    if isinstance(value, str) and value in choices:
        return value

    raise Misfit("one of " + ", ".join(str(choice) for choice in choices), value)


def checks_of(marks: Iterable[object]) -> list[Callable[[object], None]]:
    """Return what must be checked of a value that was read, given the marks of its type."""
    checks: list[Callable[[object], None]] = []
    for mark in marks:
        if isinstance(mark, Bounds):
            checks.append(_bounds_check(mark))
        elif mark in _CHECKS:
            checks.append(_CHECKS[mark])
    return checks


def _bounds_check(bounds: Bounds) -> Callable[[object], None]:
    def check(value: object) -> None:
        assert isinstance(value, int)
        if not bounds.least <= value <= bounds.most:
            raise Misfit(f"{bounds.name} ({bounds.least} to {bounds.most})", value)

    return check


def _check_address(value: object) -> None:
    assert isinstance(value, str)
    if not is_address(value):
        raise Misfit("an address (base58 of 32 bytes)", value)


def _check_signature(value: object) -> None:
    assert isinstance(value, str)
    try:
        is_signature = len(value) <= _LONGEST_SIGNATURE and len(decode_base58(value)) == _SIGNATURE_BYTES
    except ValueError:
        is_signature = False
    if not is_signature:
        raise Misfit("a signature (base58 of 64 bytes)", value)


def _check_base64(value: object) -> None:
    assert isinstance(value, str)
    try:
        base64.b64decode(value, validate=True)
    except ValueError as error:
        raise Misfit(f"base64 ({error})", value) from None


_CHECKS: dict[object, Callable[[object], None]] = {
    Mark.ADDRESS: _check_address,
    Mark.SIGNATURE: _check_signature,
    Mark.BASE64: _check_base64,
}
