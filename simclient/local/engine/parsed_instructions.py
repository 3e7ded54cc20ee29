"""Instructions of well-known programs as objects, for the encoding `jsonParsed`.

They are those of the system program, both token programs, associated token accounts, and memos. Of Token-2022 the instructions that it
shares with the first token program are parsed; those of its extensions are not, and stay in the form that Solana gives for programs that
it does not know. So do instructions with too few accounts, or with data that is none.
Source: Agave's `solana-transaction-status` 4 (`parse_system.rs`, `parse_token.rs`, `parse_associated_token.rs`, `parse_instruction.rs`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, final

from solders.pubkey import Pubkey

from .accounts import TOKEN_PROGRAMS, ui_amount

__all__ = ["parsed_instruction"]

Json = dict[str, object]
_Parser = Callable[["_Reader", Sequence[str]], Json]

_SYSTEM = "11111111111111111111111111111111"
_ASSOCIATED = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL"
_MEMOS = ("Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo", "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
_TOKENS = frozenset(map(str, TOKEN_PROGRAMS))


class _NotParsable(Exception):
    """It stays as it is."""


def parsed_instruction(program: str, accounts: Sequence[str], data: bytes) -> Json | None:
    """Return `program` and `parsed` of an instruction; None where it is not one that can be parsed.

    Args:
        program: The program's address.
        accounts: The addresses of its accounts, in their order.
        data: Its data.
    """
    try:
        if program in _MEMOS:
            return {"program": "spl-memo", "parsed": data.decode()}
        if program == _SYSTEM:
            return {"program": "system", "parsed": _parsed(_SYSTEM_INSTRUCTIONS, _Reader(data), 4, accounts)}
        if program in _TOKENS:
            return {"program": "spl-token", "parsed": _parsed(_TOKEN_INSTRUCTIONS, _Reader(data), 1, accounts)}
        if program == _ASSOCIATED:
            reader = _Reader(data or b"\0")
            parsed = _parsed(_ASSOCIATED_INSTRUCTIONS, reader, 1, accounts)
            return {"program": "spl-associated-token-account", "parsed": parsed}
    except (_NotParsable, UnicodeDecodeError):
        return None

    return None


def _parsed(
    instructions: Mapping[int, tuple[str, int, _Parser]], reader: _Reader, tag_bytes: int, accounts: Sequence[str]
) -> Json:
    """Parse by the tag that the data begins with, which says what the rest is and how many accounts there must be."""
    known = instructions.get(reader.number(tag_bytes))
    if known is None or len(accounts) < known[1]:
        raise _NotParsable

    name, _, parse = known
    return {"type": name, "info": parse(reader, accounts)}


@final
class _Reader:
    """Takes values from the front of an instruction's data."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def take(self, size: int) -> bytes:
        """Take so many bytes.

        Raises:
            _NotParsable: There are not so many.
        """
        found = self._data[self._position : self._position + size]
        if len(found) < size:
            raise _NotParsable

        self._position += size
        return found

    def number(self, size: int) -> int:
        """Take a little-endian number."""
        return int.from_bytes(self.take(size), "little")

    def u64(self) -> int:
        """Take a u64."""
        return self.number(8)

    def address(self) -> str:
        """Take an address."""
        return str(Pubkey.from_bytes(self.take(32)))

    def optional_address(self) -> str | None:
        """Take a byte that says whether there is an address, and the address."""
        match self.number(1):
            case 0:
                return None
            case 1:
                return self.address()
            case _:
                raise _NotParsable

    def text(self) -> str:
        """Take a text with its length, as bincode writes it."""
        return self.take(self.u64()).decode()


def _of_accounts(*names: str) -> _Parser:
    """Name the first accounts; there is nothing else to say."""
    return lambda _, accounts: dict(zip(names, accounts, strict=False))


# The system program


def _create_account(data: _Reader, accounts: Sequence[str]) -> Json:
    info: Json = {"source": accounts[0], "newAccount": accounts[1]}
    return info | {"lamports": data.u64(), "space": data.u64(), "owner": data.address()}


def _create_account_with_seed(data: _Reader, accounts: Sequence[str]) -> Json:
    info: Json = {"source": accounts[0], "newAccount": accounts[1], "base": data.address(), "seed": data.text()}
    return info | {"lamports": data.u64(), "space": data.u64(), "owner": data.address()}


def _transfer_lamports(data: _Reader, accounts: Sequence[str]) -> Json:
    return {"source": accounts[0], "destination": accounts[1], "lamports": data.u64()}


def _withdraw_from_nonce(data: _Reader, accounts: Sequence[str]) -> Json:
    names = ("nonceAccount", "destination", "recentBlockhashesSysvar", "rentSysvar", "nonceAuthority")
    return {**dict(zip(names, accounts, strict=False)), "lamports": data.u64()}


def _initialize_nonce(data: _Reader, accounts: Sequence[str]) -> Json:
    names = ("nonceAccount", "recentBlockhashesSysvar", "rentSysvar")
    return {**dict(zip(names, accounts, strict=False)), "nonceAuthority": data.address()}


def _authorize_nonce(data: _Reader, accounts: Sequence[str]) -> Json:
    return {"nonceAccount": accounts[0], "nonceAuthority": accounts[1], "newAuthorized": data.address()}


def _allocate_with_seed(data: _Reader, accounts: Sequence[str]) -> Json:
    info: Json = {"account": accounts[0], "base": data.address(), "seed": data.text()}
    return info | {"space": data.u64(), "owner": data.address()}


def _assign_with_seed(data: _Reader, accounts: Sequence[str]) -> Json:
    return {"account": accounts[0], "base": data.address(), "seed": data.text(), "owner": data.address()}


def _transfer_with_seed(data: _Reader, accounts: Sequence[str]) -> Json:
    info: Json = {"source": accounts[0], "sourceBase": accounts[1], "destination": accounts[2]}
    return info | {"lamports": data.u64(), "sourceSeed": data.text(), "sourceOwner": data.address()}


_SYSTEM_INSTRUCTIONS: Final[Mapping[int, tuple[str, int, _Parser]]] = {
    0: ("createAccount", 2, _create_account),
    1: ("assign", 1, lambda data, accounts: {"account": accounts[0], "owner": data.address()}),
    2: ("transfer", 2, _transfer_lamports),
    3: ("createAccountWithSeed", 2, _create_account_with_seed),
    4: ("advanceNonce", 3, _of_accounts("nonceAccount", "recentBlockhashesSysvar", "nonceAuthority")),
    5: ("withdrawFromNonce", 5, _withdraw_from_nonce),
    6: ("initializeNonce", 3, _initialize_nonce),
    7: ("authorizeNonce", 2, _authorize_nonce),
    8: ("allocate", 1, lambda data, accounts: {"account": accounts[0], "space": data.u64()}),
    9: ("allocateWithSeed", 2, _allocate_with_seed),
    10: ("assignWithSeed", 2, _assign_with_seed),
    11: ("transferWithSeed", 3, _transfer_with_seed),
    12: ("upgradeNonce", 1, _of_accounts("nonceAccount")),
}
"""By its tag: its name, how many accounts it has at least, and how the rest is read."""


# The token programs

_AUTHORITIES: Final = ("mintTokens", "freezeAccount", "accountOwner", "closeAccount")
"""What `setAuthority` sets; those of Token-2022's extensions come after these."""
_OF_AN_ACCOUNT: Final = ("accountOwner", "closeAccount")


def _signed(info: Json, accounts: Sequence[str], first: int, role: str) -> Json:
    """Add who signs: the account at `first`, or where more follow, a multisig account with its signers."""
    if len(accounts) <= first + 1:
        return info | {role: accounts[first]}

    return info | {f"multisig{role[0].upper()}{role[1:]}": accounts[first], "signers": list(accounts[first + 1 :])}


def _moved(*names: str, role: str) -> _Parser:
    """Read an instruction over an amount: the accounts have these names, and the next one signs."""

    def parse(data: _Reader, accounts: Sequence[str]) -> Json:
        info: Json = {**dict(zip(names, accounts, strict=False)), "amount": str(data.u64())}
        return _signed(info, accounts, len(names), role)

    return parse


def _moved_checked(*names: str, role: str) -> _Parser:
    """Read an instruction over an amount that says the mint's decimals."""

    def parse(data: _Reader, accounts: Sequence[str]) -> Json:
        amount, decimals = data.u64(), data.number(1)
        info: Json = {**dict(zip(names, accounts, strict=False)), "tokenAmount": ui_amount(amount, decimals)}
        return _signed(info, accounts, len(names), role)

    return parse


def _only_signed(*names: str, role: str) -> _Parser:
    return lambda _, accounts: _signed(dict(zip(names, accounts, strict=False)), accounts, len(names), role)


def _initialize_mint(*, has_rent: bool) -> _Parser:
    def parse(data: _Reader, accounts: Sequence[str]) -> Json:
        info: Json = {"mint": accounts[0], "decimals": data.number(1), "mintAuthority": data.address()}
        freezes = data.optional_address()
        return (
            info
            | ({"rentSysvar": accounts[1]} if has_rent else {})
            | ({} if freezes is None else {"freezeAuthority": freezes})
        )

    return parse


def _initialize_account(*, has_rent: bool) -> _Parser:
    def parse(data: _Reader, accounts: Sequence[str]) -> Json:
        info: Json = {"account": accounts[0], "mint": accounts[1], "owner": data.address()}
        return info | ({"rentSysvar": accounts[2]} if has_rent else {})

    return parse


def _initialize_multisig(*, has_rent: bool) -> _Parser:
    def parse(data: _Reader, accounts: Sequence[str]) -> Json:
        signers = list(accounts[2 if has_rent else 1 :])
        info: Json = {"multisig": accounts[0], "signers": signers, "m": data.number(1)}
        return info | ({"rentSysvar": accounts[1]} if has_rent else {})

    return parse


def _set_authority(data: _Reader, accounts: Sequence[str]) -> Json:
    kind = data.number(1)
    if kind >= len(_AUTHORITIES):
        raise _NotParsable

    name = _AUTHORITIES[kind]
    info: Json = {
        "account" if name in _OF_AN_ACCOUNT else "mint": accounts[0],
        "authorityType": name,
        "newAuthority": data.optional_address(),
    }
    return _signed(info, accounts, 1, "authority")


_TOKEN_INSTRUCTIONS: Final[Mapping[int, tuple[str, int, _Parser]]] = {
    0: ("initializeMint", 2, _initialize_mint(has_rent=True)),
    1: ("initializeAccount", 4, _of_accounts("account", "mint", "owner", "rentSysvar")),
    2: ("initializeMultisig", 3, _initialize_multisig(has_rent=True)),
    3: ("transfer", 3, _moved("source", "destination", role="authority")),
    4: ("approve", 3, _moved("source", "delegate", role="owner")),
    5: ("revoke", 2, _only_signed("source", role="owner")),
    6: ("setAuthority", 2, _set_authority),
    7: ("mintTo", 3, _moved("mint", "account", role="mintAuthority")),
    8: ("burn", 3, _moved("account", "mint", role="authority")),
    9: ("closeAccount", 3, _only_signed("account", "destination", role="owner")),
    10: ("freezeAccount", 3, _only_signed("account", "mint", role="freezeAuthority")),
    11: ("thawAccount", 3, _only_signed("account", "mint", role="freezeAuthority")),
    12: ("transferChecked", 4, _moved_checked("source", "mint", "destination", role="authority")),
    13: ("approveChecked", 4, _moved_checked("source", "mint", "delegate", role="owner")),
    14: ("mintToChecked", 3, _moved_checked("mint", "account", role="mintAuthority")),
    15: ("burnChecked", 3, _moved_checked("account", "mint", role="authority")),
    16: ("initializeAccount2", 3, _initialize_account(has_rent=True)),
    17: ("syncNative", 1, _of_accounts("account")),
    18: ("initializeAccount3", 2, _initialize_account(has_rent=False)),
    19: ("initializeMultisig2", 2, _initialize_multisig(has_rent=False)),
    20: ("initializeMint2", 1, _initialize_mint(has_rent=False)),
    22: ("initializeImmutableOwner", 1, _of_accounts("account")),
}
"""As those of the system program."""


# Associated token accounts

_CREATED: Final = ("source", "account", "wallet", "mint", "systemProgram", "tokenProgram")
_NESTED: Final = ("nestedSource", "nestedMint", "destination", "nestedOwner", "ownerMint", "wallet", "tokenProgram")
_ASSOCIATED_INSTRUCTIONS: Final[Mapping[int, tuple[str, int, _Parser]]] = {
    0: ("create", 6, _of_accounts(*_CREATED)),
    1: ("createIdempotent", 6, _of_accounts(*_CREATED)),
    2: ("recoverNested", 7, _of_accounts(*_NESTED)),
}
"""As those of the system program."""
