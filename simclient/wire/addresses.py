"""Addresses: base58 of 32 bytes, checked where they enter.

Base58 is written out here, not taken from solders, so that the core installs without it (36 MB).
"""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import InputError

__all__ = ["address_list", "address_of", "address_set", "decode_base58", "encode_base58", "is_address"]

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_DIGITS = {character: value for value, character in enumerate(_ALPHABET)}
_BASE = len(_ALPHABET)
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]
_PAIRS_OF_CHUNK = 5
_CHUNK = _BASE ** (2 * _PAIRS_OF_CHUNK)
"""The largest power of 58² in 64 bits."""
_ADDRESS_BYTES = 32
_LONGEST_ADDRESS = 44
"""Characters of the longest base58 text of 32 bytes: ceil(32 · log(256) / log(58))."""


def address_of(value: object) -> str:
    """Return `str(value)` if that is an address.

    Args:
        value: A string, or anything whose `str()` is one, such as solders' `Pubkey`.

    Raises:
        InputError: It is not base58 of 32 bytes.
    """
    text = str(value)
    if not is_address(text):
        raise InputError(f"not an address: {text[:60]!r} is not base58 of 32 bytes; copy the whole address")

    return text


def address_list(values: Iterable[object]) -> tuple[str, ...]:
    """Return the addresses in the order given.

    Raises:
        InputError: One is not base58 of 32 bytes.
    """
    return tuple(address_of(value) for value in values)


def address_set(values: Iterable[object]) -> tuple[str, ...]:
    """Return the addresses without repetition in the order of their bytes, as the real types write a set.

    Raises:
        InputError: One is not base58 of 32 bytes.
    """
    return tuple(sorted({address_of(value) for value in values}, key=decode_base58))


def is_address(text: str) -> bool:
    """Tell whether `text` is base58 of exactly 32 bytes."""
    if len(text) > _LONGEST_ADDRESS:
        return False

    try:
        return len(decode_base58(text)) == _ADDRESS_BYTES
    except ValueError:
        return False


def decode_base58(text: str) -> bytes:
    """Return the bytes of a base58 text.

    Raises:
        ValueError: A character is not of the alphabet.
    """
    number = 0
    for character in text:
        digit = _DIGITS.get(character)
        if digit is None:
            raise ValueError(f"{character!r} is not a base58 character")
        number = number * 58 + digit

    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")


def encode_base58(data: bytes) -> str:
    """Return `data` as base58."""
    number = int.from_bytes(data, "big")
    pairs: list[str] = []
    while number:
        number, chunk = divmod(number, _CHUNK)  # of a long number few, since each takes all of it
        for _ in range(_PAIRS_OF_CHUNK):
            chunk, pair = divmod(chunk, _BASE**2)
            pairs.append(_PAIRS[pair])

    digits = "".join(reversed(pairs)).lstrip(_ALPHABET[0])
    zeros = len(data) - len(data.lstrip(b"\0"))
    return _ALPHABET[0] * zeros + digits
