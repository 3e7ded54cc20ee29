"""Token accounts and mints, read from their bytes.

Both token programs share one layout: an account is 165 bytes (mint, owner, amount, …, a state byte that is 0 before it is
initialized), a mint 82 bytes. Token-2022 appends extensions to either: the data then goes on past byte 165, which says what it is.

Source: `Account::pack_into_slice`, `Mint::pack_into_slice` of spl-token; `AccountType` of spl-token-2022.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from ..wire.addresses import encode_base58
from ..wire.notifications import AccountState
from ..wire.program_address import TOKEN_2022_PROGRAM, TOKEN_PROGRAM

__all__ = ["Holding", "mint_decimals", "token_holding"]


_ACCOUNT_BYTES = 165
_MINT_BYTES = 82
_MULTISIG_BYTES = 355
"""A multisig is told by its length alone, also under Token-2022."""
_KIND_MINT = 1
_KIND_ACCOUNT = 2
_OWNER_AT = 32
_AMOUNT_AT = 64
_AMOUNT_END = 72
_STATE_AT = 108
_DECIMALS_AT = 44
_KEPT_ADDRESSES = 65_536
"""Mints and owners recur in every diff; writing 32 bytes as base58 takes some 10 µs."""


class Holding(NamedTuple):
    """What one token account holds."""

    mint: str
    owner: str
    """The wallet the account belongs to, not the token program."""
    amount: int
    """In the mint's smallest unit."""


def token_holding(state: AccountState | None) -> Holding | None:
    """Return what an account holds, None if it is not an initialized token account."""
    data = _data_of_kind(state, _ACCOUNT_BYTES, _KIND_ACCOUNT)
    if data is None or data[_STATE_AT] == 0:
        return None

    return Holding(
        mint=_address(data[:_OWNER_AT]),
        owner=_address(data[_OWNER_AT:_AMOUNT_AT]),
        amount=int.from_bytes(data[_AMOUNT_AT:_AMOUNT_END], "little"),
    )


def mint_decimals(state: AccountState | None) -> int | None:
    """Return the decimals of a mint, None if the account is not one."""
    data = _data_of_kind(state, _MINT_BYTES, _KIND_MINT)
    return None if data is None else data[_DECIMALS_AT]


def _data_of_kind(state: AccountState | None, plain_bytes: int, kind: int) -> bytes | None:
    """Return the data of a token program's account if it is of this kind."""
    if state is None or state.owner not in (TOKEN_PROGRAM, TOKEN_2022_PROGRAM):
        return None

    data = state.data
    if data is None or len(data) == plain_bytes:
        return data

    is_extended = (
        state.owner == TOKEN_2022_PROGRAM
        and len(data) > _ACCOUNT_BYTES
        and len(data) != _MULTISIG_BYTES
        and data[_ACCOUNT_BYTES] == kind
    )
    return data if is_extended else None


@lru_cache(maxsize=_KEPT_ADDRESSES)
def _address(data: bytes) -> str:
    """Return 32 bytes as base58."""
    return encode_base58(data)
