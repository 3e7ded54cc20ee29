"""Accounts of the token programs as objects, for the encoding `jsonParsed`.

Only the part that both programs share is read: of a Token-2022 account's extensions it is said that they are there, and which have no
state of their own. Source: spl-token 8 (`Account`, `Mint`, `Multisig`), Agave's account-decoder 4 (`parse_token.rs`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from solders.account import Account
from solders.pubkey import Pubkey

from .accounts import (
    ACCOUNT_KIND_AT,
    MINT_BYTES,
    MINT_KIND,
    MULTISIG_BYTES,
    TOKEN_ACCOUNT_BYTES,
    TOKEN_PROGRAM,
    TOKEN_PROGRAMS,
    decimals_of,
    is_token_account,
    ui_amount,
)

__all__ = ["is_mint", "parsed_account"]

Json = dict[str, object]

_STATES = {1: "initialized", 2: "frozen"}
_STATELESS_EXTENSIONS = {7: "immutableOwner", 9: "nonTransferable", 13: "nonTransferableAccount"}
"""Extensions that are a name and nothing else (spl-token-2022, `ExtensionType`)."""
_EXTENSION_HEADER_BYTES = 4
"""A u16 of the type and a u16 of the length."""


def parsed_account(account: Account, get_account: Callable[[Pubkey], Account | None]) -> Json | None:
    """Return the account's data parsed; None where it is not one that can be, which is then given in base64.

    Args:
        account: Any account.
        get_account: To find the mint of a token account, which has its decimals.
    """
    if account.owner not in TOKEN_PROGRAMS:
        return None

    data = account.data
    if is_token_account(data):
        mint = get_account(Pubkey.from_bytes(data[:32]))
        parsed = None if mint is None else _token_account(data, decimals_of(mint))
    elif is_mint(data):
        parsed = _mint(data)
    elif len(data) == MULTISIG_BYTES and data[2] == 1:
        parsed = _multisig(data)
    else:
        parsed = None

    if parsed is None:
        return None
    program = "spl-token" if account.owner == TOKEN_PROGRAM else "spl-token-2022"
    return {"program": program, "parsed": parsed, "space": len(data)}


def is_mint(data: bytes) -> bool:
    """Whether this is the data of an initialized mint, with extensions or without."""
    if len(data) < MINT_BYTES or len(data) == MULTISIG_BYTES or not data[45]:
        return False

    return len(data) == MINT_BYTES or (len(data) > ACCOUNT_KIND_AT and data[ACCOUNT_KIND_AT] == MINT_KIND)


def _token_account(data: bytes, decimals: int) -> Json | None:
    state = _STATES.get(data[108])
    if state is None:
        return None

    info: Json = {
        "isNative": data[109:113] != bytes(4),
        "mint": _address(data[:32]),
        "owner": _address(data[32:64]),
        "state": state,
        "tokenAmount": ui_amount(_u64(data, 64), decimals),
    }
    delegate, close_authority = _optional_address(data, 72), _optional_address(data, 129)
    if delegate is not None:
        info["delegate"] = delegate
        info["delegatedAmount"] = ui_amount(_u64(data, 121), decimals)
    if info["isNative"]:
        info["rentExemptReserve"] = ui_amount(_u64(data, 113), decimals)
    if close_authority is not None:
        info["closeAuthority"] = close_authority
    return {"info": info | _extensions(data), "type": "account"}


def _mint(data: bytes) -> Json:
    info: Json = {
        "mintAuthority": _optional_address(data, 0),
        "supply": str(_u64(data, 36)),
        "decimals": data[44],
        "isInitialized": True,
        "freezeAuthority": _optional_address(data, 46),
    }
    return {"info": info | _extensions(data), "type": "mint"}


def _multisig(data: bytes) -> Json:
    required, valid = data[0], min(data[1], 11)
    signers = [_address(data[3 + 32 * i : 35 + 32 * i]) for i in range(valid)]
    info = {"numRequiredSigners": required, "numValidSigners": valid, "isInitialized": True, "signers": signers}
    return {"info": info, "type": "multisig"}


def _extensions(data: bytes) -> Json:
    """Name the extensions; nothing where the account has none."""
    found = list(_extension_types(data))
    if not found:
        return {}

    return {"extensions": [{"extension": _STATELESS_EXTENSIONS.get(kind, "unparseableExtension")} for kind in found]}


def _extension_types(data: bytes) -> Iterator[int]:
    position = TOKEN_ACCOUNT_BYTES + 1
    while position + _EXTENSION_HEADER_BYTES <= len(data):
        kind = int.from_bytes(data[position : position + 2], "little")
        if not kind:
            return
        yield kind
        position += _EXTENSION_HEADER_BYTES + int.from_bytes(data[position + 2 : position + 4], "little")


def _address(data: bytes) -> str:
    return str(Pubkey.from_bytes(data))


def _optional_address(data: bytes, at: int) -> str | None:
    """Read a `COption<Pubkey>`: a u32 that says whether it is there, and the address."""
    return None if data[at : at + 4] == bytes(4) else _address(data[at + 4 : at + 36])


def _u64(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "little")
