"""Solana's JSON-RPC, answered from the state after the last executed slot.

Errors have Solana's own codes. A transaction given to `sendTransaction` is simulated first (unless `skipPreflight`) and goes into the next
block that is executed, before the recorded ones. `modifyAccounts` takes effect at once.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import cast, final

import msgspec
import zstandard
from solders.account import Account
from solders.message import from_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata

from ...errors import InputError
from ...wire.addresses import decode_base58, encode_base58, is_address
from .accounts import decimals_of, token_account, ui_account, ui_amount
from .messages import ModifiedAccount
from .render import return_data_json
from .replay import Replay
from .svm import SLOTS_PER_EPOCH, error_of
from .transactions import read_transaction, rebuilt

__all__ = ["RpcServer"]

Json = dict[str, object]

_PARSE_ERROR, _INVALID_REQUEST, _METHOD_NOT_FOUND, _INVALID_PARAMS = -32700, -32600, -32601, -32602
_PREFLIGHT_FAILURE = -32002
"""`SendTransactionPreflightFailure`; like the others of this range from Solana's custom errors."""
_BLOCK_NOT_AVAILABLE = -32004
_MOST_ACCOUNTS = 100
"""Of one getMultipleAccounts, as Solana allows."""
_BLOCKHASH_LIFE_BLOCKS = 150
_VERSION = "4.1.0"
"""The Agave release that this LiteSVM is made from."""
_FEATURE_SET = 0
_GENESIS_HASH = "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d"
"""Mainnet's, whose slots are replayed."""


class _Refused(Exception):  # it becomes an error object
    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(message)
        self.error: Json = {"code": code, "message": message}
        if data is not None:
            self.error["data"] = data


@final
class RpcServer:
    """Answers JSON-RPC bodies from a replay."""

    def __init__(self, replay: Replay) -> None:
        self._replay = replay
        self._machine = replay.machine
        self._methods: dict[str, Callable[[_Params], object]] = {
            "getAccountInfo": self._get_account_info,
            "getBalance": self._get_balance,
            "getBlockHeight": lambda _: self._machine.block_height,
            "getBlockTime": self._get_block_time,
            "getEpochInfo": self._get_epoch_info,
            "getFeeForMessage": self._get_fee_for_message,
            "getGenesisHash": lambda _: _GENESIS_HASH,
            "getHealth": lambda _: "ok",
            "getLatestBlockhash": self._get_latest_blockhash,
            "getMinimumBalanceForRentExemption": self._get_minimum_balance,
            "getMultipleAccounts": self._get_multiple_accounts,
            "getProgramAccounts": self._get_program_accounts,
            "getSlot": lambda _: self._machine.slot,
            "getTokenAccountBalance": self._get_token_account_balance,
            "getTransaction": self._get_transaction,
            "getVersion": lambda _: {"solana-core": _VERSION, "feature-set": _FEATURE_SET},
            "isBlockhashValid": self._is_blockhash_valid,
            "modifyAccounts": self._modify_accounts,
            "sendTransaction": self._send_transaction,
            "simulateTransaction": self._simulate_transaction,
        }

    def answer(self, body: bytes) -> bytes:
        """Answer one request, or a batch of them."""
        try:
            request: object = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return msgspec.json.encode(_error(None, {"code": _PARSE_ERROR, "message": f"Parse error: {error}"}))

        batch = cast("list[object]", request) if isinstance(request, list) else []
        return msgspec.json.encode([self._one(one) for one in batch] if batch else self._one(request))

    def _one(self, request: object) -> Json:
        fields = cast("Json", request) if isinstance(request, dict) else {}
        name, request_id = fields.get("method"), fields.get("id")
        if not isinstance(name, str):
            return _error(request_id, {"code": _INVALID_REQUEST, "message": "Invalid request"})

        method = self._methods.get(name)
        if method is None:
            return _error(request_id, {"code": _METHOD_NOT_FOUND, "message": f"Method not found: {name}"})

        try:
            return {"jsonrpc": "2.0", "result": method(_Params(fields.get("params"))), "id": request_id}
        except _Refused as refused:
            return _error(request_id, refused.error)

    # Accounts

    def _get_account_info(self, params: _Params) -> Json:
        account = self._machine.get_account(params.address(0))
        return self._with_context(_account_json(account, params.options(1)))

    def _get_multiple_accounts(self, params: _Params) -> Json:
        addresses = params.addresses(0)
        options = params.options(1)
        return self._with_context([_account_json(self._machine.get_account(a), options) for a in addresses])

    def _get_program_accounts(self, params: _Params) -> object:
        program, options = params.address(0), params.options(1)
        matches = _filters(options.get("filters"))
        found = [
            {"pubkey": str(address), "account": _account_json(account, options)}
            for address, account in self._machine.svm.get_program_accounts(program)
            if account.lamports and all(match(account.data) for match in matches)
        ]
        return self._with_context(found) if options.get("withContext") else found

    def _get_balance(self, params: _Params) -> Json:
        account = self._machine.get_account(params.address(0))
        return self._with_context(0 if account is None else account.lamports)

    def _get_token_account_balance(self, params: _Params) -> Json:
        token = token_account(self._machine.get_account(params.address(0)))
        if token is None:
            raise _Refused(_INVALID_PARAMS, "Invalid param: not a Token account")

        mint, _, amount = token
        return self._with_context(ui_amount(amount, decimals_of(self._machine.get_account(mint))))

    def _get_minimum_balance(self, params: _Params) -> int:
        return self._machine.svm.minimum_balance_for_rent_exemption(params.number(0))

    def _modify_accounts(self, params: _Params) -> int:
        accounts = params.at(0)
        if not isinstance(accounts, dict) or not accounts:
            raise _Refused(_INVALID_PARAMS, "Invalid params: modifyAccounts takes a map of address to account")

        modified = [_modified(address, account) for address, account in cast("dict[str, object]", accounts).items()]
        try:
            self._machine.modify(modified)
        except InputError as error:
            raise _Refused(_INVALID_PARAMS, f"Invalid params: {error}") from error

        return len(modified)

    # Blocks and time

    def _get_latest_blockhash(self, params: _Params) -> Json:
        return self._with_context(
            {
                "blockhash": str(self._machine.blockhash),
                "lastValidBlockHeight": self._machine.block_height + _BLOCKHASH_LIFE_BLOCKS,
            }
        )

    def _is_blockhash_valid(self, params: _Params) -> Json:
        return self._with_context(params.text(0) == str(self._machine.blockhash))

    def _get_block_time(self, params: _Params) -> int:
        slot = params.number(0)
        block_time = self._replay.block_times.get(slot)
        if block_time is None:
            raise _Refused(_BLOCK_NOT_AVAILABLE, f"Block not available for slot {slot}")

        return block_time

    def _get_epoch_info(self, params: _Params) -> Json:
        slot = self._machine.slot
        return {
            "absoluteSlot": slot,
            "blockHeight": self._machine.block_height,
            "epoch": slot // SLOTS_PER_EPOCH,
            "slotIndex": slot % SLOTS_PER_EPOCH,
            "slotsInEpoch": SLOTS_PER_EPOCH,
            "transactionCount": len(self._replay.transactions),
        }

    # Transactions

    def _get_transaction(self, params: _Params) -> object:
        try:
            signature = Signature.from_string(params.text(0))
        except ValueError as error:
            raise _Refused(_INVALID_PARAMS, f"Invalid param: {error}") from error

        encoding = params.options(1).get("encoding", "json")
        if encoding not in ("json", "jsonParsed"):
            raise _Refused(_INVALID_PARAMS, f"Invalid param: encoding {encoding!r} is not served here, ask for json")

        found = self._replay.transactions.get(signature)
        return None if found is None else msgspec.Raw(found)

    def _get_fee_for_message(self, params: _Params) -> Json:
        wire = _decode(params.text(0), "base64")
        try:
            message = from_bytes_versioned(wire)
        except ValueError as error:
            raise _Refused(_INVALID_PARAMS, f"Invalid param: {error}") from error

        return self._with_context(5000 * message.header.num_required_signatures)

    def _simulate_transaction(self, params: _Params) -> Json:
        options = params.options(1)
        transaction = _transaction(params.text(0), options)
        if options.get("replaceRecentBlockhash"):
            transaction = rebuilt(transaction, blockhash=self._machine.blockhash)
        verifies = self._machine.svm.get_sigverify()
        if not options.get("sigVerify"):
            self._machine.svm = self._machine.svm.with_sigverify(False)
        try:
            value = self._simulation(transaction, options)
        finally:
            self._machine.svm = self._machine.svm.with_sigverify(verifies)
        return self._with_context(value)

    def _simulation(self, transaction: VersionedTransaction, options: Json) -> Json:
        result = self._machine.simulate(transaction)
        failed = isinstance(result, FailedTransactionMetadata)
        meta = result.meta()
        addresses = _addresses_of(options.get("accounts"))
        after: dict[Pubkey, Account] = (
            {}
            if isinstance(result, FailedTransactionMetadata)
            else {key: Account.from_bytes(bytes(account)) for key, account in result.post_accounts()}
        )
        value: Json = {
            "err": error_of(result) if isinstance(result, FailedTransactionMetadata) else None,
            "logs": meta.logs(),
            "unitsConsumed": meta.compute_units_consumed(),
            "accounts": None,
            "returnData": None,
            **return_data_json(meta),
        }
        if addresses and not failed:
            value["accounts"] = [self._after(address, after) for address in addresses]
        return value

    def _after(self, key: Pubkey, after: dict[Pubkey, Account]) -> Json | None:
        return ui_account(after.get(key) or self._machine.get_account(key))

    def _send_transaction(self, params: _Params) -> str:
        options = params.options(1)
        transaction = _transaction(params.text(0), options)
        if not options.get("skipPreflight"):
            result = self._machine.simulate(transaction)
            if isinstance(result, FailedTransactionMetadata):
                error, logs = error_of(result), result.meta().logs()
                raise _Refused(
                    _PREFLIGHT_FAILURE,
                    f"Transaction simulation failed: {msgspec.json.encode(error).decode()}",
                    {
                        "err": error,
                        "logs": logs,
                        "accounts": None,
                        "unitsConsumed": result.meta().compute_units_consumed(),
                    },
                )
        self._replay.send(transaction)
        return str(transaction.signatures[0])

    def _with_context(self, value: object) -> Json:
        return {"context": {"slot": self._machine.slot, "apiVersion": _VERSION}, "value": value}


class _Params:
    """The positional parameters of a request; null counts as none."""

    def __init__(self, params: object) -> None:
        if params is not None and not isinstance(params, list):
            raise _Refused(_INVALID_PARAMS, "Invalid params: expected a list")

        self._params = cast("list[object]", params or [])

    def at(self, index: int) -> object:
        """Return the parameter at `index`."""
        if index >= len(self._params):
            raise _Refused(_INVALID_PARAMS, f"Invalid params: parameter {index} is missing")

        return self._params[index]

    def text(self, index: int) -> str:
        """Return a string."""
        value = self.at(index)
        if not isinstance(value, str):
            raise _Refused(_INVALID_PARAMS, f"Invalid params: parameter {index} must be a string")

        return value

    def number(self, index: int) -> int:
        """Return an unsigned number."""
        value = self.at(index)
        if type(value) is not int or not 0 <= value < 2**64:
            raise _Refused(_INVALID_PARAMS, f"Invalid params: parameter {index} must be a whole number")

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
            raise _Refused(_INVALID_PARAMS, f"Invalid params: parameter {index} must be an object")

        return cast("Json", value or {})


def _error(request_id: object, error: Json) -> Json:
    return {"jsonrpc": "2.0", "error": error, "id": request_id}


def _address(value: object) -> Pubkey:
    if not isinstance(value, str) or not is_address(value):
        raise _Refused(_INVALID_PARAMS, f"Invalid param: {str(value)[:60]!r} is not an address")

    return Pubkey.from_string(value)


def _addresses(value: object) -> list[Pubkey]:
    addresses = cast("list[object]", value) if isinstance(value, list) else None
    if addresses is None or len(addresses) > _MOST_ACCOUNTS:
        raise _Refused(_INVALID_PARAMS, f"Invalid params: expected a list of at most {_MOST_ACCOUNTS} addresses")

    return [_address(one) for one in addresses]


def _addresses_of(accounts: object) -> list[Pubkey]:
    """Return the addresses that a simulation is to give back."""
    return _addresses(cast("Json", accounts).get("addresses", [])) if isinstance(accounts, dict) else []


def _account_json(account: Account | None, options: Json) -> Json | None:
    """Write an account in the encoding asked for; `jsonParsed` falls back to base64, as Solana does for unknown programs."""
    found = ui_account(account)
    if found is None or account is None:
        return found

    data = account.data
    match options.get("dataSlice"):
        case {"offset": int(offset), "length": int(length)}:
            data = data[offset : offset + length]
        case _:
            pass
    match options.get("encoding"):
        case "base58" | "binary":
            found["data"] = [encode_base58(data), "base58"]
        case "base64+zstd":
            found["data"] = [base64.b64encode(zstandard.compress(data)).decode("ascii"), "base64+zstd"]
        case _:
            found["data"] = [base64.b64encode(data).decode("ascii"), "base64"]
    return found


def _filters(filters: object) -> list[Callable[[bytes], bool]]:
    if filters is None:
        return []
    if not isinstance(filters, list):
        raise _Refused(_INVALID_PARAMS, "Invalid params: filters must be a list")

    return [_filter(one) for one in cast("list[object]", filters)]


def _filter(value: object) -> Callable[[bytes], bool]:
    match value:
        case {"dataSize": int(size)}:
            return lambda data: len(data) == size
        case {"memcmp": {"offset": int(offset), "bytes": str(text), "encoding": "base64"}}:
            wanted = _decode(text, "base64")
        case {"memcmp": {"offset": int(offset), "bytes": str(text)}}:
            wanted = _decode(text, "base58")
        case _:
            raise _Refused(_INVALID_PARAMS, "Invalid params: a filter is dataSize or memcmp")

    return lambda data: data[offset : offset + len(wanted)] == wanted


def _decode(text: str, encoding: object) -> bytes:
    try:
        return base64.b64decode(text, validate=True) if encoding == "base64" else decode_base58(text)
    except (binascii.Error, ValueError) as error:
        raise _Refused(_INVALID_PARAMS, f"Invalid param: not {encoding}: {error}") from error


def _transaction(text: str, options: Json) -> VersionedTransaction:
    wire = _decode(text, options.get("encoding", "base58"))
    try:
        return read_transaction(wire)
    except InputError as error:
        raise _Refused(_INVALID_PARAMS, f"failed to deserialize the transaction: {error}") from error


def _modified(address: str, account: object) -> ModifiedAccount:
    fields = cast("Json", account) if isinstance(account, dict) else {}
    lamports, owner, data = fields.get("lamports"), fields.get("owner"), fields.get("data")
    if type(lamports) is not int or not isinstance(owner, str):
        raise _Refused(_INVALID_PARAMS, f"Invalid params: the account {address[:60]!r} needs lamports, owner and data")

    match data:
        case {"data": str(text)} | [str(text), "base64"]:
            decoded = _decode(text, "base64")
        case _:
            raise _Refused(_INVALID_PARAMS, f"Invalid params: the data of {address[:60]!r} is not base64")

    return ModifiedAccount(address, lamports, owner, decoded, fields.get("executable") is True)
