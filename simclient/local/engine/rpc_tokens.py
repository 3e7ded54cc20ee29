"""RPC methods that read the accounts of the token programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import final

from solders.account import Account
from solders.pubkey import Pubkey

from .accounts import TOKEN_PROGRAMS, account_state, decimals_of, holding_of, is_token_account, ui_amount
from .parsed import is_mint
from .rpc_accounts import read_account_writer
from .rpc_bank import Bank, Method
from .rpc_params import INVALID_PARAMS, Json, Options, Params, Refused

__all__ = ["TokenMethods"]

_LARGEST = 20
"""What `getTokenLargestAccounts` lists (`NUM_LARGEST_ACCOUNTS`, Agave)."""
_DELEGATE = slice(72, 108)
"""In a token account: a `COption<Pubkey>`."""


@final
class TokenMethods:
    """The methods, by name."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank
        self._machine = bank.machine
        self.methods: dict[str, Method] = {
            "getTokenAccountBalance": self._get_token_account_balance,
            "getTokenAccountsByDelegate": self._get_token_accounts_by_delegate,
            "getTokenAccountsByOwner": self._get_token_accounts_by_owner,
            "getTokenLargestAccounts": self._get_token_largest_accounts,
            "getTokenSupply": self._get_token_supply,
        }

    def _get_token_account_balance(self, params: Params) -> Json:
        address = params.address(0)
        self._bank.options(params, 1)
        token = holding_of(account_state(self._found(address)))
        if token is None:
            raise Refused(INVALID_PARAMS, "Invalid param: not a Token account")

        mint, _, amount = token
        return self._bank.with_context(ui_amount(amount, self._machine.decimals(mint)))

    def _get_token_supply(self, params: Params) -> Json:
        address = params.address(0)
        self._bank.options(params, 1)
        mint = self._mint(address)
        return self._bank.with_context(ui_amount(int.from_bytes(mint.data[36:44], "little"), mint.data[44]))

    def _get_token_largest_accounts(self, params: Params) -> Json:
        address = params.address(0)
        self._bank.options(params, 1)
        mint = self._mint(address)
        held = [
            (int.from_bytes(account.data[64:72], "little"), holder)
            for holder, account in self._token_accounts([mint.owner])
            if account.data[:32] == bytes(address)
        ]
        held.sort(key=lambda item: (-item[0], bytes(item[1])))
        decimals = decimals_of(mint)
        return self._bank.with_context(
            [{"address": str(holder)} | ui_amount(amount, decimals) for amount, holder in held[:_LARGEST]]
        )

    def _get_token_accounts_by_owner(self, params: Params) -> Json:
        wanted = bytes(params.address(0))
        return self._matching(params, slice(32, 64), wanted)

    def _get_token_accounts_by_delegate(self, params: Params) -> Json:
        wanted = (1).to_bytes(4, "little") + bytes(params.address(0))
        return self._matching(params, _DELEGATE, wanted)

    def _matching(self, params: Params, where: slice, wanted: bytes) -> Json:
        """Return the token accounts of a mint or a program that have `wanted` in their data."""
        options = self._bank.options(params, 2)
        programs, mint = self._read_filter(params.options(1))
        writer = read_account_writer(self._bank, options, default="binary")
        found = writer.write_all(
            (address, account)
            for address, account in self._token_accounts(programs)
            if account.data[where] == wanted and (mint is None or account.data[:32] == bytes(mint))
        )
        return self._bank.with_context(found)

    def _read_filter(self, options: Options) -> tuple[list[Pubkey], Pubkey | None]:
        """Read `{"mint": …}` or `{"programId": …}`: the programs to look at, and the mint."""
        mint, program = options.address("mint"), options.address("programId")
        if mint is not None:
            return [self._mint(mint).owner], mint
        if program is None:
            raise Refused(INVALID_PARAMS, "Invalid params: the filter is mint or programId")
        if program not in TOKEN_PROGRAMS:
            raise Refused(INVALID_PARAMS, "Invalid param: unrecognized Token program id")

        return [program], None

    def _token_accounts(self, programs: list[Pubkey]) -> Iterator[tuple[Pubkey, Account]]:
        for program in programs:
            for address, account in self._machine.svm.get_program_accounts(program):
                if account.lamports and is_token_account(account.data):
                    yield address, account

    def _mint(self, address: Pubkey) -> Account:
        account = self._found(address)
        if account.owner not in TOKEN_PROGRAMS:
            raise Refused(INVALID_PARAMS, "Invalid param: not a Token mint")
        if not is_mint(account.data):
            raise Refused(INVALID_PARAMS, "Invalid param: mint could not be unpacked")

        return account

    def _found(self, address: Pubkey) -> Account:
        account = self._bank.account(address)
        if account is None:
            raise Refused(INVALID_PARAMS, "Invalid param: could not find account")

        return account
