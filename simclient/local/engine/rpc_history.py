"""RPC methods that look transactions up."""

from __future__ import annotations

from typing import final

import msgspec
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from .ledger import BLOCKHASH_LIFE_BLOCKS, Block, Entry
from .rpc_bank import Bank, Method
from .rpc_encoding import TRANSACTION_ENCODINGS, decoded_result, encoded_transaction, read_max_version
from .rpc_params import INVALID_PARAMS, Json, Params, Refused, read_addresses, read_signatures
from .transactions import compute_unit_price, keys_of

__all__ = ["HistoryMethods"]

_MOST_STATUSES = 256
"""Of one request (`MAX_GET_SIGNATURE_STATUSES_QUERY_ITEMS`, solana-rpc-client-types)."""
_MOST_SIGNATURES = 1_000
"""That `getSignaturesForAddress` gives (`MAX_GET_CONFIRMED_SIGNATURES_FOR_ADDRESS2_LIMIT`, the same)."""
_MOST_LOCKED = 128
"""Addresses of one `getRecentPrioritizationFees` (`MAX_TX_ACCOUNT_LOCKS`, Agave)."""
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
            "getRecentPrioritizationFees": self._get_recent_prioritization_fees,
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

    def _get_recent_prioritization_fees(self, params: Params) -> list[Json]:
        """Give, for the newest blocks, the least compute unit price that a transaction writing these accounts has paid."""
        addresses = read_addresses(params.get(0) or [], _MOST_LOCKED)
        slots = list(self._ledger.slots())[-BLOCKHASH_LIFE_BLOCKS:]
        blocks = (self._ledger.block(slot) for slot in slots)
        return [
            {"slot": block.slot, "prioritizationFee": self._least_price(block, addresses)}
            for block in blocks
            if block is not None
        ]

    def _least_price(self, block: Block, addresses: list[Pubkey]) -> int:
        """Return what Agave keeps of a block: the least price of all, or the highest of the least of each account."""
        least: int | None = None
        by_account: dict[Pubkey, int] = {}
        for entry in block.entries:
            transaction = VersionedTransaction.from_bytes(entry.wire)
            price = compute_unit_price(transaction)
            least = price if least is None else min(least, price)
            for address in keys_of(transaction, self._bank.machine.get_account).writable:
                by_account[address] = min(price, by_account.get(address, price))
        return max([least or 0, *(by_account[address] for address in addresses if address in by_account)])


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
