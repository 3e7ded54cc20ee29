"""Executed transactions and instructions in the encodings that the RPC offers.

The encoding `json` is what subscribers get and what the ledger keeps; the others are made from it when they are asked for. In `jsonParsed`
accounts are objects, and instructions of well-known programs too (`parsed_instructions.py`); those of others name their program and
accounts.
"""

from __future__ import annotations

from base64 import b64encode
from typing import cast

import msgspec

from ...wire.addresses import decode_base58, encode_base58
from .ledger import Entry
from .parsed_instructions import parsed_instruction
from .rpc_params import Json, Options, Refused

__all__ = [
    "TRANSACTION_ENCODINGS",
    "account_keys_json",
    "decoded_result",
    "encoded_transaction",
    "instruction_object",
    "read_max_version",
]

TRANSACTION_ENCODINGS = ("json", "jsonParsed", "base58", "binary", "base64")
_UNSUPPORTED_VERSION = -32015
_Keys = list[str]


def read_max_version(options: Options) -> int | None:
    """Return the newest transaction version that the caller reads; None: only legacy ones, and no word of versions."""
    return options.number("maxSupportedTransactionVersion")


def decoded_result(entry: Entry, max_version: int | None) -> Json:
    """Return what `getTransaction` gives for it in the `json` encoding, its version checked.

    Raises:
        Refused: The caller does not read its version.
    """
    result = msgspec.json.decode(entry.result, type=dict[str, object])
    version = result["version"]
    if isinstance(version, int) and (max_version is None or version > max_version):
        raise Refused(
            _UNSUPPORTED_VERSION,
            f"Transaction version ({version}) is not supported by the requesting client. Please try the request again with"
            f' the following configuration parameter: "maxSupportedTransactionVersion": {version}',
        )

    if max_version is None:
        del result["version"]
    return result


def encoded_transaction(entry: Entry, result: Json, encoding: str) -> tuple[object, Json]:
    """Return the transaction and its meta in an encoding."""
    transaction, meta = cast("Json", result["transaction"]), cast("Json", result["meta"])
    match encoding:
        case "base64":
            return [b64encode(entry.wire).decode("ascii"), "base64"], meta
        case "base58":
            return [encode_base58(entry.wire), "base58"], meta
        case "binary":
            return encode_base58(entry.wire), meta
        case "jsonParsed":
            return _parsed_transaction(transaction, meta), _parsed_meta(transaction, meta)
        case _:
            return transaction, meta


def account_keys_json(transaction: Json, meta: Json) -> list[Json]:
    """Return every account of a transaction with what it may do, static ones first."""
    message = cast("Json", transaction["message"])
    header = cast("dict[str, int]", message["header"])
    static, loaded = cast("_Keys", message["accountKeys"]), cast("dict[str, _Keys]", meta["loadedAddresses"])
    signers = header["numRequiredSignatures"]
    writable_signers = signers - header["numReadonlySignedAccounts"]
    last_writable = len(static) - header["numReadonlyUnsignedAccounts"]
    found = [
        _key(key, index < signers, index < writable_signers or signers <= index < last_writable, "transaction")
        for index, key in enumerate(static)
    ]
    found += [_key(key, False, True, "lookupTable") for key in loaded["writable"]]
    return found + [_key(key, False, False, "lookupTable") for key in loaded["readonly"]]


def instruction_object(instruction: Json, keys: _Keys) -> Json:
    """Return an instruction as an object: parsed, or where that cannot be with its program and accounts by address."""
    program, indexes = cast("int", instruction["programIdIndex"]), cast("list[int]", instruction["accounts"])
    address = keys[program] if program < len(keys) else ""
    accounts = [keys[index] for index in indexes if index < len(keys)]
    data = cast("str", instruction["data"])
    parsed = parsed_instruction(address, accounts, decode_base58(data)) if len(accounts) == len(indexes) else None
    content = {"accounts": accounts, "data": data} if parsed is None else parsed
    return {"programId": address, **content, "stackHeight": instruction["stackHeight"]}


def _key(key: str, is_signer: bool, is_writable: bool, source: str) -> Json:
    return {"pubkey": key, "signer": is_signer, "writable": is_writable, "source": source}


def _parsed_transaction(transaction: Json, meta: Json) -> Json:
    message = cast("Json", transaction["message"])
    keys = _all_keys(transaction, meta)
    parsed: Json = {
        "accountKeys": account_keys_json(transaction, meta),
        "recentBlockhash": message["recentBlockhash"],
        "instructions": [instruction_object(one, keys) for one in cast("list[Json]", message["instructions"])],
    }
    if "addressTableLookups" in message:
        parsed["addressTableLookups"] = message["addressTableLookups"]
    return {"signatures": transaction["signatures"], "message": parsed}


def _parsed_meta(transaction: Json, meta: Json) -> Json:
    """Return the meta without the addresses that stand among the account keys."""
    keys = _all_keys(transaction, meta)
    parsed = {name: value for name, value in meta.items() if name != "loadedAddresses"}
    parsed["innerInstructions"] = [
        {
            "index": one["index"],
            "instructions": [instruction_object(i, keys) for i in cast("list[Json]", one["instructions"])],
        }
        for one in cast("list[Json]", meta["innerInstructions"])
    ]
    return parsed


def _all_keys(transaction: Json, meta: Json) -> _Keys:
    message, loaded = cast("Json", transaction["message"]), cast("dict[str, _Keys]", meta["loadedAddresses"])
    return [*cast("_Keys", message["accountKeys"]), *loaded["writable"], *loaded["readonly"]]
