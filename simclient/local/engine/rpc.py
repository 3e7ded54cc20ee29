"""Solana's JSON-RPC, answered from the state after the last executed slot.

Errors have Solana's own codes. A transaction given to `sendTransaction` is simulated first (unless `skipPreflight`) and goes into the next
block that is executed, before the recorded ones. `modifyAccounts` takes effect at once.
"""

from __future__ import annotations

import base64
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
from ...wire.addresses import encode_base58
from .accounts import decimals_of, token_account, ui_account, ui_amount
from .render import return_data_json
from .replay import Replay
from .rpc_params import (
    INVALID_PARAMS,
    Json,
    Params,
    Refused,
    read_address_list,
    read_blob,
    read_filters,
    read_modifications,
    read_wire,
)
from .svm import SLOTS_PER_EPOCH, error_of
from .transactions import rebuilt

__all__ = ["RpcServer"]

_PARSE_ERROR, _INVALID_REQUEST, _METHOD_NOT_FOUND = -32700, -32600, -32601
_PREFLIGHT_FAILURE = -32002
"""`SendTransactionPreflightFailure`; like the others of this range from Solana's custom errors."""
_BLOCK_NOT_AVAILABLE = -32004
_BLOCKHASH_LIFE_BLOCKS = 150
_VERSION = "4.1.0"
"""The Agave release that this LiteSVM is made from."""
_FEATURE_SET = 0
_GENESIS_HASH = "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d"
"""Mainnet's, whose slots are replayed."""


@final
class RpcServer:
    """Answers JSON-RPC bodies from a replay."""

    def __init__(self, replay: Replay) -> None:
        self._replay = replay
        self._machine = replay.machine
        self._methods: dict[str, Callable[[Params], object]] = {
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

        batch = _batch(request)
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
            return {"jsonrpc": "2.0", "result": method(Params(fields.get("params"))), "id": request_id}
        except Refused as refused:
            return _error(request_id, refused.error)

    # Accounts

    def _get_account_info(self, params: Params) -> Json:
        account = self._machine.get_account(params.address(0))
        return self._with_context(_account_json(account, params.options(1)))

    def _get_multiple_accounts(self, params: Params) -> Json:
        addresses = params.addresses(0)
        options = params.options(1)
        return self._with_context([_account_json(self._machine.get_account(a), options) for a in addresses])

    def _get_program_accounts(self, params: Params) -> object:
        program, options = params.address(0), params.options(1)
        matches = read_filters(options.get("filters"))
        found = [
            {"pubkey": str(address), "account": _account_json(account, options)}
            for address, account in self._machine.svm.get_program_accounts(program)
            if account.lamports and all(match(account.data) for match in matches)
        ]
        return self._with_context(found) if options.get("withContext") else found

    def _get_balance(self, params: Params) -> Json:
        account = self._machine.get_account(params.address(0))
        return self._with_context(0 if account is None else account.lamports)

    def _get_token_account_balance(self, params: Params) -> Json:
        token = token_account(self._machine.get_account(params.address(0)))
        if token is None:
            raise Refused(INVALID_PARAMS, "Invalid param: not a Token account")

        mint, _, amount = token
        return self._with_context(ui_amount(amount, decimals_of(self._machine.get_account(mint))))

    def _get_minimum_balance(self, params: Params) -> int:
        return self._machine.svm.minimum_balance_for_rent_exemption(params.number(0))

    def _modify_accounts(self, params: Params) -> int:
        modified = read_modifications(params.at(0))
        try:
            self._machine.modify(modified)
        except InputError as error:
            raise Refused(INVALID_PARAMS, f"Invalid params: {error}") from error

        return len(modified)

    # Blocks and time

    def _get_latest_blockhash(self, params: Params) -> Json:
        return self._with_context(
            {
                "blockhash": str(self._machine.blockhash),
                "lastValidBlockHeight": self._machine.block_height + _BLOCKHASH_LIFE_BLOCKS,
            }
        )

    def _is_blockhash_valid(self, params: Params) -> Json:
        return self._with_context(params.text(0) == str(self._machine.blockhash))

    def _get_block_time(self, params: Params) -> int:
        slot = params.number(0)
        block_time = self._replay.block_times.get(slot)
        if block_time is None:
            raise Refused(_BLOCK_NOT_AVAILABLE, f"Block not available for slot {slot}")

        return block_time

    def _get_epoch_info(self, params: Params) -> Json:
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

    def _get_transaction(self, params: Params) -> object:
        try:
            signature = Signature.from_string(params.text(0))
        except ValueError as error:
            raise Refused(INVALID_PARAMS, f"Invalid param: {error}") from error

        encoding = params.options(1).get("encoding", "json")
        if encoding not in ("json", "jsonParsed"):
            raise Refused(INVALID_PARAMS, f"Invalid param: encoding {encoding!r} is not served here, ask for json")

        found = self._replay.transactions.get(signature)
        return None if found is None else msgspec.Raw(found)

    def _get_fee_for_message(self, params: Params) -> Json:
        wire = read_blob(params.text(0), "base64")
        try:
            message = from_bytes_versioned(wire)
        except ValueError as error:
            raise Refused(INVALID_PARAMS, f"Invalid param: {error}") from error

        return self._with_context(5000 * message.header.num_required_signatures)

    def _simulate_transaction(self, params: Params) -> Json:
        options = params.options(1)
        transaction = read_wire(params.text(0), options)
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
        addresses = read_address_list(options.get("accounts"))
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

    def _send_transaction(self, params: Params) -> str:
        options = params.options(1)
        transaction = read_wire(params.text(0), options)
        if not options.get("skipPreflight"):
            result = self._machine.simulate(transaction)
            if isinstance(result, FailedTransactionMetadata):
                error, logs = error_of(result), result.meta().logs()
                raise Refused(
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


def _batch(request: object) -> list[object]:
    """Return the requests of a batch; none where it is a single request."""
    return cast("list[object]", request) if isinstance(request, list) else []


def _error(request_id: object, error: Json) -> Json:
    return {"jsonrpc": "2.0", "error": error, "id": request_id}


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
