"""The state of a session over Solana's JSON-RPC, as typed methods.

Addresses and signatures are anything whose `str()` is one; they are checked before anything is sent. Transactions are bytes, or anything
whose `bytes()` is the signed wire form. The state is that after the last executed slot; before the first `ReadyForContinue` a server may
answer 503.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Annotated, SupportsBytes, TypeVar, final

import msgspec
from msgspec import Raw, Struct

from ..errors import InputError, RemoteProtocolError
from ..transport.http import HttpClient
from ..wire.accounts import AccountData
from ..wire.addresses import address_of, decode_base58
from ..wire.notifications import ExecutedTransaction, transaction_from_result
from ..wire.rpc_values import Account, Blockhash, DataSlice, ProgramAccount, SimulationResult, TokenAmount
from .calls import call, decode_answer, unreadable
from .injection import program_accounts
from .tokens import set_balance, set_token_balance

__all__ = ["MemcmpFilter", "SessionRpc"]

_MOST_ACCOUNTS = 100
"""Of one getMultipleAccounts, as Solana allows."""

_SIGNATURE_BYTES = 64
_LONGEST_SIGNATURE_CHARACTERS = 88
"""Base58 of 64 bytes; longer text is not decoded, which takes time quadratic in the length."""

_T = TypeVar("_T")
_Key = TypeVar("_Key")
_Count = Annotated[int, msgspec.Meta(ge=0)]
_Amount = Annotated[str, msgspec.Meta(pattern="^[0-9]{1,20}$")]
"""A u64 as JSON text, because JavaScript's numbers cannot hold one."""


class _UiAccount(Struct, frozen=True, rename="camel"):
    lamports: _Count
    owner: str
    data: tuple[str, str]
    executable: bool
    rent_epoch: int | None = None
    space: int | None = None


class _Value(Struct, frozen=True):
    value: Raw


class _Keyed(Struct, frozen=True):
    pubkey: str
    account: _UiAccount


class _UiTokenAmount(Struct, frozen=True):
    amount: _Amount
    decimals: _Count


class _UiBlockhash(Struct, frozen=True, rename="camel"):
    blockhash: str
    last_valid_block_height: _Count


class _ReturnData(Struct, frozen=True):
    data: tuple[str, str]


class _UiSimulation(Struct, frozen=True, rename="camel"):
    err: Raw = msgspec.field(default_factory=Raw)
    logs: tuple[str, ...] | None = None
    units_consumed: int | None = None
    accounts: tuple[_UiAccount | None, ...] | None = None
    return_data: _ReturnData | None = None


class MemcmpFilter(Struct, frozen=True, kw_only=True):
    """Matches accounts whose data holds `data` at `offset`."""

    offset: int
    """In bytes."""
    data: bytes


@final
class SessionRpc:
    """Reads and writes a session's state; `session.rpc` is one."""

    def __init__(self, url: str, http: HttpClient) -> None:
        self._url = url
        self._http = http

    @property
    def url(self) -> str:
        """Where calls go now."""
        return self._url

    def move_to(self, url: str) -> None:
        """Send later calls to `url`: the session is served there now."""
        self._url = url

    async def get_account(self, address: object) -> Account | None:
        """Return an account; None where it does not exist.

        Raises:
            InputError: `address` is not one.
            SimClientError: The call failed: RpcError, HttpError, ConnectError, ConnectionLost or RemoteProtocolError. So for every method.
        """
        params = [address_of(address), {"encoding": "base64"}]
        return _account(await self._value("getAccountInfo", params, msgspec.json.Decoder(_UiAccount | None)))

    async def get_multiple_accounts(self, addresses: Sequence[object]) -> tuple[Account | None, ...]:
        """Return accounts in the order of `addresses`, None where one does not exist; more than 100 are asked for in parts."""
        checked = [address_of(address) for address in addresses]
        decoder = msgspec.json.Decoder(tuple[_UiAccount | None, ...])
        found: list[Account | None] = []
        for start in range(0, len(checked), _MOST_ACCOUNTS):
            part = checked[start : start + _MOST_ACCOUNTS]
            answer = await self._value("getMultipleAccounts", [part, {"encoding": "base64"}], decoder)
            found += _all("getMultipleAccounts", answer, asked=len(part))
        return tuple(found)

    async def get_program_accounts(
        self,
        program: object,
        *,
        data_size: int | None = None,
        memcmp: Sequence[MemcmpFilter] = (),
        data_slice: DataSlice | None = None,
    ) -> tuple[ProgramAccount, ...]:
        """Return the accounts that `program` owns.

        Args:
            program: The program's address.
            data_size: Only accounts with so many bytes of data.
            memcmp: Only accounts whose data matches each of these.
            data_slice: Only this part of each account's data.
        """
        filters: list[object] = [] if data_size is None else [{"dataSize": data_size}]
        filters += [
            {"memcmp": {"offset": m.offset, "bytes": base64.b64encode(m.data).decode("ascii"), "encoding": "base64"}}
            for m in memcmp
        ]
        options: dict[str, object] = {"encoding": "base64", "filters": filters}
        if data_slice is not None:
            options["dataSlice"] = {"offset": data_slice.offset, "length": data_slice.length}
        found = await self._call(
            "getProgramAccounts", [address_of(program), options], msgspec.json.Decoder(tuple[_Keyed, ...])
        )
        return tuple(ProgramAccount(address=one.pubkey, account=_whole(one.account)) for one in found)

    async def get_balance(self, address: object) -> int:
        """Return an account's lamports; 0 where it does not exist."""
        return await self._value("getBalance", [address_of(address)], msgspec.json.Decoder(_Count))

    async def get_token_account_balance(self, address: object) -> TokenAmount:
        """Return what a token account holds; RpcError where it is none."""
        found = await self._value("getTokenAccountBalance", [address_of(address)], msgspec.json.Decoder(_UiTokenAmount))
        return TokenAmount(amount=int(found.amount), decimals=found.decimals)

    async def get_slot(self) -> int:
        """Return the last executed slot."""
        return await self._call("getSlot", [], msgspec.json.Decoder(_Count))

    async def get_block_height(self) -> int:
        """Return the number of blocks up to the last executed slot."""
        return await self._call("getBlockHeight", [], msgspec.json.Decoder(_Count))

    async def get_latest_blockhash(self) -> Blockhash:
        """Return the newest blockhash."""
        found = await self._value("getLatestBlockhash", [], msgspec.json.Decoder(_UiBlockhash))
        return Blockhash(blockhash=found.blockhash, last_valid_block_height=found.last_valid_block_height)

    async def get_minimum_balance_for_rent_exemption(self, data_length_bytes: int) -> int:
        """Return the lamports that an account with so many bytes of data needs."""
        params = [data_length_bytes]
        return await self._call("getMinimumBalanceForRentExemption", params, msgspec.json.Decoder(_Count))

    async def get_transaction(self, signature: object) -> ExecutedTransaction | None:
        """Return an executed transaction; None where the session knows none of that signature.

        Raises:
            InputError: `signature` is not one.
        """
        options = {"encoding": "json", "commitment": "confirmed", "maxSupportedTransactionVersion": 0}
        found = await self._call("getTransaction", [_signature(signature), options], msgspec.json.Decoder(Raw))
        return None if bytes(found) == b"null" else transaction_from_result(bytes(found))

    async def simulate_transaction(
        self,
        transaction: object,
        *,
        accounts: Sequence[object] = (),
        verify_signatures: bool = False,
        replace_recent_blockhash: bool = True,
    ) -> SimulationResult:
        """Return what a transaction would do, without keeping anything; a failing one is a result, not an error.

        Args:
            transaction: The wire form; it need not be signed unless `verify_signatures`.
            accounts: Addresses whose state afterwards is wanted.
            verify_signatures: Whether wrong signatures are an error.
            replace_recent_blockhash: Whether the server puts its own blockhash in.
        """
        options: dict[str, object] = {
            "encoding": "base64",
            "sigVerify": verify_signatures,
            "replaceRecentBlockhash": replace_recent_blockhash and not verify_signatures,
        }
        if accounts:
            options["accounts"] = {"encoding": "base64", "addresses": [address_of(address) for address in accounts]}
        params = [_wire(transaction), options]
        found = await self._value("simulateTransaction", params, msgspec.json.Decoder(_UiSimulation))
        error = bytes(found.err).decode() if found.err else "null"
        afterwards = (None,) * len(accounts) if found.accounts is None else found.accounts
        return SimulationResult(
            error=None if error == "null" else error,
            logs=found.logs or (),
            units_consumed=found.units_consumed,
            accounts=_all("simulateTransaction", afterwards, asked=len(accounts)),
            return_data=None if found.return_data is None else _decoded(found.return_data.data),
        )

    async def send_transaction(self, transaction: object, *, skip_preflight: bool = False) -> str:
        """Hand in a signed transaction; return its signature.

        Args:
            transaction: The signed wire form.
            skip_preflight: Whether not to simulate it first.
        """
        options = {"encoding": "base64", "skipPreflight": skip_preflight}
        return await self._call("sendTransaction", [_wire(transaction), options], msgspec.json.Decoder(str))

    async def modify_accounts(self, accounts: Mapping[_Key, AccountData]) -> None:
        """Set whole accounts at once; 0 lamports delete one."""
        encoded = {
            address_of(address): {
                "lamports": account.lamports,
                "owner": account.owner,
                "data": {"data": account.data.data, "encoding": account.data.encoding},
                "executable": account.executable,
                "space": account.space,
            }
            for address, account in accounts.items()
        }
        await self._call("modifyAccounts", [encoded], msgspec.json.Decoder(Raw))

    async def program_accounts(self, program: object, elf: bytes, *, create: bool = False) -> dict[str, AccountData]:
        """Build the accounts that put another program into the session, for `advance(modify_accounts=…)`; nothing is changed.

        Args:
            program: The program's address.
            elf: The new program: the bytes of the `.so` file.
            create: Whether a program that is not deployed yet is to be; else it is an error, since the address may be mistyped.

        Returns:
            By address: of the upgradeable loader the ProgramData account, which keeps the upgrade authority; of an older loader the program
            itself; and both accounts of a new one.

        Raises:
            ProgramError: `elf` is not a program, or what stands at `program` cannot be replaced; the message says the way out.
            HttpError, ConnectError, ConnectionLost: The RPC was not ready for 65 s.
        """
        return await program_accounts(self, program, elf, create=create)

    async def replace_program(self, program: object, elf: bytes, *, create: bool = False) -> None:
        """Put another program into the session, from the next slot on; it is what `program_accounts` builds.

        Raises:
            ProgramError, HttpError, ConnectError, ConnectionLost: As for `program_accounts`.
            RpcError: The server refused the accounts.
        """
        await self.modify_accounts(await self.program_accounts(program, elf, create=create))

    async def set_balance(self, address: object, lamports: int) -> None:
        """Set an account's lamports and leave the rest of it alone; a wallet that does not exist is made."""
        await set_balance(self, address, lamports)

    async def set_token_balance(self, wallet: object, mint: object, amount: int) -> str:
        """Set what a wallet holds of a token in its associated account, which is made where there is none; return that account's address.

        The supply of the token stays as it is.

        Args:
            wallet: The owner's address.
            mint: The token's address.
            amount: In the token's smallest unit.

        Raises:
            InputError: An address is not one, `mint` is not a mint, or the amount is not a u64.
        """
        return await set_token_balance(self, wallet, mint, amount)

    async def _call(self, method: str, params: Sequence[object], decoder: msgspec.json.Decoder[_T]) -> _T:
        return await call(self._http, self._url, method, params, decoder)

    async def _value(self, method: str, params: Sequence[object], decoder: msgspec.json.Decoder[_T]) -> _T:
        """Call a method whose result is a context and a value."""
        found = await self._call(method, params, msgspec.json.Decoder(_Value))
        return decode_answer(method, found.value, decoder)


def _signature(value: object) -> str:
    text = str(value)
    try:
        if len(text) <= _LONGEST_SIGNATURE_CHARACTERS and len(decode_base58(text)) == _SIGNATURE_BYTES:
            return text
    except ValueError:
        pass
    raise InputError(f"not a signature: {text[:100]!r} is not base58 of 64 bytes; copy the whole signature")


def _all(method: str, found: Sequence[_UiAccount | None], *, asked: int) -> tuple[Account | None, ...]:
    """Return what was asked for: an account more or less would shift each to another's address."""
    if len(found) != asked:
        raise unreadable(method, b"", f"{len(found)} accounts, where {asked} were asked for")

    return tuple(map(_account, found))


def _account(account: _UiAccount | None) -> Account | None:
    return None if account is None else _whole(account)


def _whole(account: _UiAccount) -> Account:
    return Account(
        lamports=account.lamports,
        owner=account.owner,
        data=_decoded(account.data),
        executable=account.executable,
        rent_epoch=account.rent_epoch,
        space=account.space,
    )


def _decoded(data: tuple[str, str]) -> bytes:
    text, encoding = data
    if encoding != "base64":
        raise RemoteProtocolError(f"data in {encoding[:20]!r}, where base64 was asked for")

    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise RemoteProtocolError(f"data is not base64: {error}", excerpt=text[:40]) from error


def _wire(transaction: object) -> str:
    if isinstance(transaction, bytes | bytearray | SupportsBytes):
        return base64.b64encode(bytes(transaction)).decode("ascii")

    raise InputError(
        f"a {type(transaction).__name__} is not a transaction: pass bytes, or an object whose bytes() is one"
    )
