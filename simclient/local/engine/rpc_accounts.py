"""RPC methods that read accounts, and `modifyAccounts`."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import final

import attrs
import zstandard
from solders.account import Account
from solders.pubkey import Pubkey

from ...errors import InputError
from ...wire.addresses import encode_base58
from .accounts import is_absent
from .parsed import parsed_account
from .rpc_bank import Bank, Method
from .rpc_params import (
    INVALID_PARAMS,
    Json,
    Options,
    Params,
    Refused,
    read_addresses,
    read_filters,
    read_modifications,
)

__all__ = ["AccountMethods", "AccountWriter", "read_account_writer"]

_MOST_ACCOUNTS = 100
"""Of one request (`MAX_MULTIPLE_ACCOUNTS`, solana-rpc-client-types)."""
_MOST_BASE58_BYTES = 128
"""Of data in base58, which takes time by the square of its length (`MAX_BASE58_BYTES`, Agave)."""
_MOST_ANSWER_BYTES = 256 * 2**20
"""Of accounts in one answer: Agave, too, ends a scan that finds more than it may."""
_ACCOUNT_BYTES = 256
"""What is written of an account beside its data, roughly."""
_LARGEST = 20
"""What `getLargestAccounts` lists (`NUM_LARGEST_ACCOUNTS`, Agave)."""
_SYSTEM_PROGRAM = Pubkey.default()
_INVALID_REQUEST, _SCAN_ERROR = -32600, -32012
_ENCODINGS = ("base58", "binary", "base64", "base64+zstd", "jsonParsed")
_CIRCULATIONS = ("circulating", "nonCirculating")


@final
class AccountMethods:
    """The methods, by name."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank
        self._machine = bank.machine
        self.methods: dict[str, Method] = {
            "getAccountInfo": self._get_account_info,
            "getBalance": self._get_balance,
            "getLargestAccounts": self._get_largest_accounts,
            "getMinimumBalanceForRentExemption": self._get_minimum_balance,
            "getMultipleAccounts": self._get_multiple_accounts,
            "getProgramAccounts": self._get_program_accounts,
            "getSupply": self._get_supply,
            "modifyAccounts": self._modify_accounts,
        }

    def _get_account_info(self, params: Params) -> Json:
        address, options = params.address(0), self._bank.options(params, 1)
        writer = read_account_writer(self._bank, options, default="binary")
        return self._bank.with_context(writer.write(self._bank.account(address)))

    def _get_multiple_accounts(self, params: Params) -> Json:
        addresses, options = read_addresses(params.at(0), _MOST_ACCOUNTS), self._bank.options(params, 1)
        writer = read_account_writer(self._bank, options, default="base64")
        return self._bank.with_context([writer.write(self._bank.account(address)) for address in addresses])

    def _get_program_accounts(self, params: Params) -> object:
        program, options = params.address(0), self._bank.options(params, 1)
        matches = read_filters(options.get("filters"))
        writer = read_account_writer(self._bank, options, default="binary")
        owned = self._machine.svm.get_program_accounts(program)
        if program == _SYSTEM_PROGRAM:  # LiteSVM has a faucet of its own, which is nobody's
            owned = [(address, account) for address, account in owned if address in self._machine.addresses]
        found = writer.write_all(
            (address, account) for address, account in owned if all(match(account.data) for match in matches)
        )
        return self._bank.with_context(found) if options.flag("withContext") else found

    def _get_balance(self, params: Params) -> Json:
        address = params.address(0)
        self._bank.options(params, 1)
        account = self._bank.account(address)
        return self._bank.with_context(0 if account is None else account.lamports)

    def _get_minimum_balance(self, params: Params) -> int:
        self._bank.options(params, 1)
        return self._machine.svm.minimum_balance_for_rent_exemption(params.number(0))

    def _get_largest_accounts(self, params: Params) -> Json:
        """List the largest accounts of the session, all of them circulating: a bundle does not say which are not."""
        options = self._bank.options(params, 0)
        circulation = options.choice("filter", _CIRCULATIONS, "circulating")
        found = sorted(self._balances(), key=lambda item: (-item[1], item[0])) if circulation == "circulating" else []
        return self._bank.with_context([{"address": a, "lamports": lamports} for a, lamports in found[:_LARGEST]])

    def _get_supply(self, params: Params) -> Json:
        """Add up what the session's accounts hold, which is what there is here: the chain's other accounts are unknown."""
        self._bank.options(params, 0)
        total = sum(lamports for _, lamports in self._balances())
        value: Json = {"total": total, "circulating": total, "nonCirculating": 0, "nonCirculatingAccounts": []}
        return self._bank.with_context(value)

    def _balances(self) -> Iterable[tuple[str, int]]:
        get_balance = self._machine.svm.get_balance
        return ((str(address), lamports) for address in self._machine.addresses if (lamports := get_balance(address)))

    def _modify_accounts(self, params: Params) -> int:
        modified = read_modifications(params.at(0))
        try:
            self._machine.modify(modified)
        except InputError as error:
            raise Refused(INVALID_PARAMS, f"Invalid params: {error}") from error

        return len(modified)


@final
@attrs.frozen(kw_only=True)
class AccountWriter:
    """Writes accounts in the encoding asked for, the data cut to the slice asked for."""

    encoding: str
    offset: int | None
    length: int
    bank: Bank

    def write(self, account: Account | None) -> Json | None:
        """Return the account as Solana's RPC writes it; None where there is none.

        Raises:
            Refused: Its data is too long for the encoding.
        """
        if account is None or is_absent(account):
            return None

        return {
            "lamports": account.lamports,
            "data": self._data(account),
            "owner": str(account.owner),
            "executable": account.executable,
            "rentEpoch": account.rent_epoch,
            "space": len(account.data),
        }

    def write_all(self, accounts: Iterable[tuple[Pubkey, Account]]) -> list[Json]:
        """Return accounts with their addresses, in the order of these; accounts that do not exist are left out.

        Raises:
            Refused: Some data is too long for the encoding, or all of it together for one answer.
        """
        found: list[tuple[Pubkey, Account]] = []
        size = 0
        for address, account in accounts:
            if account.lamports:
                size += _ACCOUNT_BYTES + self._size(account)
                found.append((address, account))
            if size > _MOST_ANSWER_BYTES:
                raise Refused(_SCAN_ERROR, "scan aborted: The accumulated scan results exceeded the limit")

        found.sort(key=lambda item: bytes(item[0]))
        return [{"pubkey": str(address), "account": self.write(account)} for address, account in found]

    def _size(self, account: Account) -> int:
        size = len(account.data)
        return size if self.offset is None else min(self.length, size)

    def _data(self, account: Account) -> object:
        if self.encoding == "jsonParsed":
            parsed = parsed_account(account, self.bank.machine.get_account)
            if parsed is not None:
                return parsed  # whole: a slice is of bytes

        data = account.data if self.offset is None else account.data[self.offset : self.offset + self.length]
        match self.encoding:
            case "binary":
                return _base58(data)
            case "base58":
                return [_base58(data), "base58"]
            case "base64+zstd":
                return [base64.b64encode(zstandard.compress(data)).decode("ascii"), "base64+zstd"]
            case _:
                return [base64.b64encode(data).decode("ascii"), "base64"]


def read_account_writer(bank: Bank, options: Options, *, default: str) -> AccountWriter:
    """Read how accounts are to be written.

    Args:
        bank: To look mints up.
        options: With `encoding` and `dataSlice`.
        default: The encoding of the method where none is asked for.
    """
    encoding, part = options.choice("encoding", _ENCODINGS, default), options.nested("dataSlice")
    offset, length = (None, 0) if part is None else (part.number("offset"), part.number("length"))
    if part is not None and (offset is None or length is None):
        raise Refused(INVALID_PARAMS, "Invalid params: dataSlice needs offset and length")

    return AccountWriter(encoding=encoding, offset=offset, length=length or 0, bank=bank)


def _base58(data: bytes) -> str:
    if len(data) > _MOST_BASE58_BYTES:
        raise Refused(
            _INVALID_REQUEST,
            f"Encoded binary (base 58) data should be less than {_MOST_BASE58_BYTES} bytes, please use Base64 encoding.",
        )

    return encode_base58(data)
