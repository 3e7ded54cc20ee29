"""What a caller of the RPC gave, read strictly: each reader refuses with Solana's code for bad parameters."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import cast, final

from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from ...errors import InputError
from ...wire.addresses import decode_base58, is_address
from .messages import ModifiedAccount
from .transactions import read_transaction

__all__ = [
    "INVALID_PARAMS",
    "Json",
    "Params",
    "Refused",
    "read_address_list",
    "read_blob",
    "read_filters",
    "read_modifications",
    "read_wire",
]

Json = dict[str, object]

INVALID_PARAMS = -32602
_MOST_ACCOUNTS = 100
"""Of one request, as Solana allows."""


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

    def text(self, index: int) -> str:
        """Return a string."""
        value = self.at(index)
        if not isinstance(value, str):
            raise Refused(INVALID_PARAMS, f"Invalid params: parameter {index} must be a string")

        return value

    def number(self, index: int) -> int:
        """Return an unsigned number."""
        value = self.at(index)
        if type(value) is not int or not 0 <= value < 2**64:
            raise Refused(INVALID_PARAMS, f"Invalid params: parameter {index} must be a whole number")

        return value

    def address(self, index: int) -> Pubkey:
        """Return an address."""
        return _address(self.at(index))

    def addresses(self, index: int) -> list[Pubkey]:
        """Return a list of addresses."""
        return _addresses(self.at(index))

    def options(self, index: int) -> Json:
        """Return the configuration; empty where absent or null."""
        value = self._params[index] if index < len(self._params) else None
        if value is not None and not isinstance(value, dict):
            raise Refused(INVALID_PARAMS, f"Invalid params: parameter {index} must be an object")

        return cast("Json", value or {})


def _address(value: object) -> Pubkey:
    if not isinstance(value, str) or not is_address(value):
        raise Refused(INVALID_PARAMS, f"Invalid param: {str(value)[:60]!r} is not an address")

    return Pubkey.from_string(value)


def _addresses(value: object) -> list[Pubkey]:
    addresses = cast("list[object]", value) if isinstance(value, list) else None
    if addresses is None or len(addresses) > _MOST_ACCOUNTS:
        raise Refused(INVALID_PARAMS, f"Invalid params: expected a list of at most {_MOST_ACCOUNTS} addresses")

    return [_address(one) for one in addresses]


def read_address_list(accounts: object) -> list[Pubkey]:
    """Return the addresses that a simulation is to give back."""
    return _addresses(cast("Json", accounts).get("addresses", [])) if isinstance(accounts, dict) else []


def read_filters(filters: object) -> list[Callable[[bytes], bool]]:
    """Read the filters of `getProgramAccounts`; every one of them must match."""
    if filters is None:
        return []
    if not isinstance(filters, list):
        raise Refused(INVALID_PARAMS, "Invalid params: filters must be a list")

    return [_filter(one) for one in cast("list[object]", filters)]


def _filter(value: object) -> Callable[[bytes], bool]:
    match value:
        case {"dataSize": int(size)}:
            return lambda data: len(data) == size
        case {"memcmp": {"offset": int(offset), "bytes": str(text), "encoding": "base64"}}:
            wanted = read_blob(text, "base64")
        case {"memcmp": {"offset": int(offset), "bytes": str(text)}}:
            wanted = read_blob(text, "base58")
        case _:
            raise Refused(INVALID_PARAMS, "Invalid params: a filter is dataSize or memcmp")

    return lambda data: data[offset : offset + len(wanted)] == wanted


def read_blob(text: str, encoding: object) -> bytes:
    """Decode base64 where `encoding` says so, else base58."""
    try:
        return base64.b64decode(text, validate=True) if encoding == "base64" else decode_base58(text)
    except (binascii.Error, ValueError) as error:
        raise Refused(INVALID_PARAMS, f"Invalid param: not {encoding}: {error}") from error


def read_wire(text: str, options: Json) -> VersionedTransaction:
    """Read a transaction in the encoding that the options name."""
    wire = read_blob(text, options.get("encoding", "base58"))
    try:
        return read_transaction(wire)
    except InputError as error:
        raise Refused(INVALID_PARAMS, f"failed to deserialize the transaction: {error}") from error


def read_modifications(accounts: object) -> list[ModifiedAccount]:
    """Read what `modifyAccounts` takes."""
    if not isinstance(accounts, dict) or not accounts:
        raise Refused(INVALID_PARAMS, "Invalid params: modifyAccounts takes a map of address to account")

    return [_modified(address, account) for address, account in cast("dict[str, object]", accounts).items()]


def _modified(address: str, account: object) -> ModifiedAccount:
    fields = cast("Json", account) if isinstance(account, dict) else {}
    lamports, owner, data = fields.get("lamports"), fields.get("owner"), fields.get("data")
    if type(lamports) is not int or not isinstance(owner, str):
        raise Refused(INVALID_PARAMS, f"Invalid params: the account {address[:60]!r} needs lamports, owner and data")

    match data:
        case {"data": str(text)} | [str(text), "base64"]:
            decoded = read_blob(text, "base64")
        case _:
            raise Refused(INVALID_PARAMS, f"Invalid params: the data of {address[:60]!r} is not base64")

    return ModifiedAccount(address, lamports, owner, decoded, fields.get("executable") is True)
