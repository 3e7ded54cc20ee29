"""RPC methods that look transactions up."""

from __future__ import annotations

from typing import final

import msgspec
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from .ledger import Entry
from .rpc_bank import Bank, Method
from .rpc_encoding import TRANSACTION_ENCODINGS, decoded_result, encoded_transaction, read_max_version
from .rpc_params import INVALID_PARAMS, Json, Params, Refused, read_signatures

__all__ = ["HistoryMethods"]

_MOST_STATUSES = 256
"""Of one request (`MAX_GET_SIGNATURE_STATUSES_QUERY_ITEMS`, solana-rpc-client-types)."""
_MOST_SIGNATURES = 1_000
"""That `getSignaturesForAddress` gives (`MAX_GET_CONFIRMED_SIGNATURES_FOR_ADDRESS2_LIMIT`, the same)."""
_FINALIZED = "finalized"
"""What is replayed is long past."""
_MEMO_PROGRAMS = frozenset(
    Pubkey.from_string(address)
    for address in (
        "Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo",
        "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr",
    )
)


@final
class HistoryMethods:
    """The methods, by name."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank
        self._ledger = bank.ledger
        self.methods: dict[str, Method] = {
            "getSignatureStatuses": self._get_signature_statuses,
            "getSignaturesForAddress": self._get_signatures_for_address,
            "getTransaction": self._get_transaction,
        }

    def _get_transaction(self, params: Params) -> object:
        signature = params.signature(0)
        options = self._bank.historic_options(params, 1, text_means="encoding")
        encoding = options.choice("encoding", TRANSACTION_ENCODINGS, "json")
        max_version = read_max_version(options)
        entry = self._ledger.entry(signature)
        if entry is None:
            return None

        result = decoded_result(entry, max_version)
        if encoding == "json" and max_version is not None:
            return msgspec.Raw(entry.result)

        result["transaction"], result["meta"] = encoded_transaction(entry, result, encoding)
        return result

    def _get_signature_statuses(self, params: Params) -> Json:
        signatures = read_signatures(params.at(0), _MOST_STATUSES)
        params.options(1).flag("searchTransactionHistory")
        return self._bank.with_context([_status(self._ledger.entry(signature)) for signature in signatures])

    def _get_signatures_for_address(self, params: Params) -> list[Json]:
        address = str(params.address(0))
        options = self._bank.historic_options(params, 1)
        before, until, limit = options.signature("before"), options.signature("until"), options.number("limit")
        limit = _MOST_SIGNATURES if limit is None else limit
        if not 1 <= limit <= _MOST_SIGNATURES:
            raise Refused(INVALID_PARAMS, f"Invalid limit; max {_MOST_SIGNATURES}")

        found: list[Json] = []
        is_before = before is None
        for entry in self._ledger.newest_first():
            if entry.signature == until or len(found) == limit:
                break
            if is_before and address in entry.mentions:
                found.append(_line(entry))
            is_before |= entry.signature == before
        return found


def _status(entry: Entry | None) -> Json | None:
    if entry is None:
        return None

    return {
        "slot": entry.slot,
        "confirmations": None,
        "err": entry.error,
        "status": {"Ok": None} if entry.error is None else {"Err": entry.error},
        "confirmationStatus": _FINALIZED,
    }


def _line(entry: Entry) -> Json:
    return {
        "signature": str(entry.signature),
        "slot": entry.slot,
        "err": entry.error,
        "memo": _memo(entry),
        "blockTime": entry.block_time,
        "confirmationStatus": _FINALIZED,
    }


def _memo(entry: Entry) -> str | None:
    """Return a transaction's memos, each with its length, as Solana's index of signatures keeps them."""
    message = VersionedTransaction.from_bytes(entry.wire).message
    keys = message.account_keys
    memos = [
        bytes(instruction.data)
        for instruction in message.instructions
        if instruction.program_id_index < len(keys) and keys[instruction.program_id_index] in _MEMO_PROGRAMS
    ]
    return "; ".join(f"[{len(memo)}] {_memo_text(memo)}" for memo in memos) or None


def _memo_text(memo: bytes) -> str:
    try:
        return memo.decode()
    except UnicodeDecodeError:
        return "(unparseable)"
