"""What a caller of the RPC gave, read strictly: each reader refuses with Solana's code for bad parameters.

Nothing costs more than it should because of what a caller wrote: base58, which takes time by the square of its length, is only read
where it is short, and every list has its bound.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import cast, final

from solders.hash import Hash
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from ...errors import InputError
from ...wire.addresses import decode_base58, is_address
from .messages import ModifiedAccount
from .transactions import read_transaction

__all__ = [
    "INVALID_PARAMS",
    "Json",
    "Options",
    "Params",
    "Refused",
    "read_addresses",
    "read_blob",
    "read_filters",
    "read_modifications",
    "read_signatures",
    "read_wire",
]

Json = dict[str, object]

INVALID_PARAMS = -32602
_MOST_FILTERS = 4
"""Of `getProgramAccounts` (`MAX_GET_PROGRAM_ACCOUNT_FILTERS`, solana-rpc-client-types)."""
_MOST_MEMCMP_BYTES = 128
"""Of one comparison (`MAX_DATA_SIZE`, the same)."""
_MOST_BASE58 = 6_000
"""Characters; the largest transaction has 4,096 bytes, which are 5,594."""
_MOST_TRANSACTION_BYTES = 4_096
"""Since SIMD-0385; 1,232 before."""
_LONGEST_SIGNATURE = 88
"""Characters of base58 of 64 bytes."""
_U64_MAX = 2**64 - 1
_SHOWN = 60
"""Characters of a bad value that a message repeats."""


class Refused(Exception):
    """A request that is answered with an error object.

    Attributes:
        error: That object.
    """

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(message)
        self.error: Json = {"code": code, "message": message}
        if data is not None:
            self.error["data"] = data


@final
class Params:
    """The positional parameters of a request; null counts as none."""

    def __init__(self, params: object) -> None:
        if params is not None and not isinstance(params, list):
            raise Refused(INVALID_PARAMS, "Invalid params: expected a list")

        self._params = cast("list[object]", params or [])

    def at(self, index: int) -> object:
        """Return the parameter at `index`."""
        if index >= len(self._params):
            raise Refused(INVALID_PARAMS, f"Invalid params: parameter {index} is missing")

        return self._params[index]

    def get(self, index: int) -> object:
        """Return the parameter at `index`; None where it is absent or null."""
        return self._params[index] if index < len(self._params) else None

    def text(self, index: int) -> str:
        """Return a string."""
        value = self.at(index)
        if not isinstance(value, str):
            raise Refused(INVALID_PARAMS, f"Invalid params: parameter {index} must be a string")

        return value

    def number(self, index: int) -> int:
        """Return an unsigned number."""
        return _number(self.at(index), f"parameter {index}")

    def address(self, index: int) -> Pubkey:
        """Return an address."""
        return _address(self.at(index))

    def signature(self, index: int) -> Signature:
        """Return a signature."""
        return _signature(self.at(index))

    def blockhash(self, index: int) -> Hash:
        """Return a blockhash."""
        return Hash.from_bytes(bytes(_address(self.at(index))))

    def options(self, index: int, *, text_means: str = "") -> Options:
        """Return the configuration; empty where absent or null.

        Args:
            index: Where it stands.
            text_means: The option that a bare string sets, as old clients write it.
        """
        value = self.get(index)
        if text_means and isinstance(value, str):
            value = {text_means: value}
        if value is not None and not isinstance(value, dict):
            raise Refused(INVALID_PARAMS, f"Invalid params: parameter {index} must be an object")

        return Options(cast("Json", value or {}))


@final
class Options:
    """A configuration object; null counts as absent, and unknown options as none."""

    def __init__(self, options: Json) -> None:
        self._options = options

    def get(self, name: str) -> object:
        """Return an option as it came; None where absent."""
        return self._options.get(name)

    def flag(self, name: str) -> bool:
        """Return a boolean; False where absent."""
        value = self.get(name)
        if value is not None and not isinstance(value, bool):
            raise Refused(INVALID_PARAMS, f"Invalid params: {name} must be true or false")

        return value is True

    def number(self, name: str) -> int | None:
        """Return an unsigned number; None where absent."""
        value = self.get(name)
        return None if value is None else _number(value, name)

    def choice(self, name: str, choices: tuple[str, ...], default: str) -> str:
        """Return one of `choices`."""
        value = self.get(name)
        if value is None:
            return default

        if value not in choices:
            expected = ", ".join(choices)
            raise Refused(INVALID_PARAMS, f"Invalid params: {name} {_shown(value)} is not one of {expected}")
        return str(value)

    def signature(self, name: str) -> Signature | None:
        """Return a signature; None where absent."""
        value = self.get(name)
        return None if value is None else _signature(value)

    def address(self, name: str) -> Pubkey | None:
        """Return an address; None where absent."""
        value = self.get(name)
        return None if value is None else _address(value)

    def nested(self, name: str) -> Options | None:
        """Return an object; None where absent."""
        value = self.get(name)
        if value is not None and not isinstance(value, dict):
            raise Refused(INVALID_PARAMS, f"Invalid params: {name} must be an object")

        return None if value is None else Options(cast("Json", value))


def _shown(value: object) -> str:
    """Show a value that a caller wrote, at a bounded length; the repr of something deep or long is not made."""
    if isinstance(value, str):
        return repr(value[:_SHOWN])
    return str(value)[:_SHOWN] if value is None or isinstance(value, int | float) else f"a {type(value).__name__}"


def _number(value: object, name: str, *, most: int = _U64_MAX) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise Refused(INVALID_PARAMS, f"Invalid params: {name} must be a whole number to {most}, not {_shown(value)}")

    return value


def _address(value: object) -> Pubkey:
    if not isinstance(value, str) or not is_address(value):
        raise Refused(INVALID_PARAMS, f"Invalid param: {_shown(value)} is not an address, base58 of 32 bytes")

    return Pubkey.from_string(value)


def _signature(value: object) -> Signature:
    try:
        assert isinstance(value, str)
        assert len(value) <= _LONGEST_SIGNATURE
        return Signature.from_string(value)
    except (AssertionError, ValueError) as error:
        raise Refused(
            INVALID_PARAMS, f"Invalid param: {_shown(value)} is not a signature, base58 of 64 bytes"
        ) from error


def read_addresses(value: object, most: int) -> list[Pubkey]:
    """Read a list of at most `most` addresses."""
    return [_address(one) for one in _list(value, most, "addresses")]


def read_signatures(value: object, most: int) -> list[Signature]:
    """Read a list of at most `most` signatures."""
    return [_signature(one) for one in _list(value, most, "signatures")]


def _list(value: object, most: int, of: str) -> list[object]:
    if not isinstance(value, list):
        raise Refused(INVALID_PARAMS, f"Invalid params: expected a list of {of}")

    found = cast("list[object]", value)
    if len(found) > most:
        raise Refused(INVALID_PARAMS, f"Too many inputs provided; max {most}")

    return found


def read_filters(filters: object) -> list[Callable[[bytes], bool]]:
    """Read the filters of `getProgramAccounts`; every one of them must match."""
    if filters is None:
        return []
    if not isinstance(filters, list):
        raise Refused(INVALID_PARAMS, "Invalid params: filters must be a list")

    found = cast("list[object]", filters)
    if len(found) > _MOST_FILTERS:
        raise Refused(INVALID_PARAMS, f"Too many filters provided; max {_MOST_FILTERS}")

    return [_filter(one) for one in found]


def _filter(value: object) -> Callable[[bytes], bool]:
    options = Options(cast("Json", value) if isinstance(value, dict) else {})
    size, compared = options.number("dataSize"), options.nested("memcmp")
    if size is not None:
        return lambda data: len(data) == size
    if compared is None:
        raise Refused(INVALID_PARAMS, "Invalid params: a filter is dataSize or memcmp")

    offset, wanted = compared.number("offset"), _wanted(compared.get("bytes"), compared.get("encoding"))
    if offset is None:
        raise Refused(INVALID_PARAMS, "Invalid params: memcmp needs offset and bytes")
    return lambda data: data[offset : offset + len(wanted)] == wanted and offset <= len(data)


def _wanted(found: object, encoding: object) -> bytes:
    """Read the bytes of a comparison: base58, base64, or a list of numbers."""
    if isinstance(found, list):
        numbers = _list(cast("object", found), _MOST_MEMCMP_BYTES, "bytes")
        return bytes(_number(one, "a byte of memcmp", most=255) for one in numbers)
    if not isinstance(found, str) or encoding not in (None, "base58", "base64"):
        raise Refused(INVALID_PARAMS, "Invalid params: the bytes of memcmp are base58, base64 or a list of numbers")

    wanted = read_blob(found[: 2 * _MOST_MEMCMP_BYTES], encoding or "base58")
    if len(found) > 2 * _MOST_MEMCMP_BYTES or len(wanted) > _MOST_MEMCMP_BYTES:
        raise Refused(INVALID_PARAMS, f"Invalid params: memcmp has more than {_MOST_MEMCMP_BYTES} bytes")
    return wanted


def read_blob(text: str, encoding: object) -> bytes:
    """Decode base64 where `encoding` says so, else base58."""
    if encoding != "base64" and len(text) > _MOST_BASE58:
        raise Refused(INVALID_PARAMS, f"base58 encoded data too large: {len(text)} characters, max {_MOST_BASE58}")

    try:
        return base64.b64decode(text, validate=True) if encoding == "base64" else decode_base58(text)
    except (binascii.Error, ValueError) as error:
        raise Refused(INVALID_PARAMS, f"invalid {encoding} encoding: {error}") from error


def read_wire(text: str, options: Options) -> VersionedTransaction:
    """Read a transaction in the encoding that the options name, base58 by default."""
    wire = read_blob(text, options.choice("encoding", ("base58", "base64"), "base58"))
    if len(wire) > _MOST_TRANSACTION_BYTES:
        raise Refused(
            INVALID_PARAMS, f"VersionedTransaction too large: {len(wire)} bytes (max: {_MOST_TRANSACTION_BYTES} bytes)"
        )

    try:
        return read_transaction(wire)
    except InputError as error:
        raise Refused(INVALID_PARAMS, f"failed to deserialize VersionedTransaction: {error}") from error


def read_modifications(accounts: object) -> list[ModifiedAccount]:
    """Read what `modifyAccounts` takes."""
    if not isinstance(accounts, dict) or not accounts:
        raise Refused(INVALID_PARAMS, "Invalid params: modifyAccounts takes a map of address to account")

    return [_modified(address, account) for address, account in cast("dict[str, object]", accounts).items()]


def _modified(address: str, account: object) -> ModifiedAccount:
    fields = cast("Json", account) if isinstance(account, dict) else {}
    lamports, owner, data = fields.get("lamports"), fields.get("owner"), fields.get("data")
    if type(lamports) is not int or not isinstance(owner, str):
        raise Refused(INVALID_PARAMS, f"Invalid params: the account {_shown(address)} needs lamports, owner and data")

    match data:
        case {"data": str(text), "encoding": "base64"} | [str(text), "base64"]:
            decoded = read_blob(text, "base64")
        case _:
            raise Refused(INVALID_PARAMS, f"Invalid params: the data of {_shown(address)} is not base64")

    return ModifiedAccount(address, lamports, owner, decoded, fields.get("executable") is True)
