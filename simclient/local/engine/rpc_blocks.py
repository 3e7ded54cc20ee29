"""RPC methods about slots, blocks, time, and the node itself."""

from __future__ import annotations

from itertools import islice
from typing import Final, cast, final

from .ledger import BLOCKHASH_LIFE_BLOCKS, Block, Entry
from .rpc_bank import VERSION, Bank, Method
from .rpc_encoding import (
    TRANSACTION_ENCODINGS,
    account_keys_json,
    decoded_result,
    encoded_transaction,
    read_max_version,
)
from .rpc_params import INVALID_PARAMS, Json, Params, Refused
from .svm import SLOTS_PER_EPOCH

__all__ = ["BlockMethods"]

_BLOCK_CLEANED_UP, _BLOCK_NOT_AVAILABLE, _SLOT_SKIPPED = -32001, -32004, -32007
_MOST_SLOTS = 500_000
"""That `getBlocks` may be asked for (`MAX_GET_CONFIRMED_BLOCKS_RANGE`, solana-rpc-client-types)."""
_FEATURE_SET: Final = 0
"""Unknown: the SVM has every feature that mainnet has."""
_GENESIS_HASH: Final = "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d"
"""Mainnet's, whose slots are replayed."""
_IDENTITY: Final = "GeGEEW6LRoznEA2yiezh4sDdnmdjXrKZSGmpmzq5b83Q"
"""SHA-256 of `simclient.local`: no validator's, as nothing is produced here."""
_DETAILS = ("full", "accounts", "signatures", "none")
_ACCOUNTS_META = ("err", "status", "fee", "preBalances", "postBalances", "preTokenBalances", "postTokenBalances")
"""What is left of a transaction's meta where only its accounts are asked for."""


@final
class BlockMethods:
    """The methods, by name."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank
        self._machine = bank.machine
        self._ledger = bank.ledger
        self.methods: dict[str, Method] = {
            "getBlock": self._get_block,
            "getBlockHeight": self._get_block_height,
            "getBlockTime": self._get_block_time,
            "getBlocks": self._get_blocks,
            "getBlocksWithLimit": self._get_blocks_with_limit,
            "getEpochInfo": self._get_epoch_info,
            "getEpochSchedule": self._get_epoch_schedule,
            "getFirstAvailableBlock": self._get_first_available_block,
            "getGenesisHash": lambda _: _GENESIS_HASH,
            "getHealth": lambda _: "ok",
            "getIdentity": lambda _: {"identity": _IDENTITY},
            "getLatestBlockhash": self._get_latest_blockhash,
            "getSlot": self._get_slot,
            "getTransactionCount": self._get_transaction_count,
            "getVersion": lambda _: {"solana-core": VERSION, "feature-set": _FEATURE_SET},
            "isBlockhashValid": self._is_blockhash_valid,
            "minimumLedgerSlot": self._get_first_available_block,
        }

    def _get_slot(self, params: Params) -> int:
        self._bank.options(params, 0)
        return self._machine.slot

    def _get_block_height(self, params: Params) -> int:
        self._bank.options(params, 0)
        return self._machine.block_height

    def _get_transaction_count(self, params: Params) -> int:
        self._bank.options(params, 0)
        return self._ledger.transaction_count

    def _get_latest_blockhash(self, params: Params) -> Json:
        self._bank.options(params, 0)
        last_height = self._machine.block_height + BLOCKHASH_LIFE_BLOCKS
        return self._bank.with_context({"blockhash": str(self._machine.blockhash), "lastValidBlockHeight": last_height})

    def _is_blockhash_valid(self, params: Params) -> Json:
        blockhash = params.blockhash(0)
        self._bank.options(params, 1)
        return self._bank.with_context(self._ledger.is_recent(blockhash))

    def _get_epoch_info(self, params: Params) -> Json:
        self._bank.options(params, 0)
        slot = self._machine.slot
        return {
            "absoluteSlot": slot,
            "blockHeight": self._machine.block_height,
            "epoch": slot // SLOTS_PER_EPOCH,
            "slotIndex": slot % SLOTS_PER_EPOCH,
            "slotsInEpoch": SLOTS_PER_EPOCH,
            "transactionCount": self._ledger.transaction_count,
        }

    def _get_epoch_schedule(self, params: Params) -> Json:
        """Mainnet has had no warm-up."""
        return {
            "slotsPerEpoch": SLOTS_PER_EPOCH,
            "leaderScheduleSlotOffset": SLOTS_PER_EPOCH,
            "warmup": False,
            "firstNormalEpoch": 0,
            "firstNormalSlot": 0,
        }

    def _get_first_available_block(self, params: Params) -> int:
        first = self._ledger.first_slot
        return self._machine.slot if first is None else first

    def _get_block_time(self, params: Params) -> int:
        return self._block(params.number(0)).block_time

    def _get_blocks(self, params: Params) -> list[int]:
        start, end = params.number(0), params.get(1)
        configured_at = 1 if isinstance(end, dict) else 2
        self._bank.historic_options(params, configured_at)
        last = self._machine.slot if end is None or isinstance(end, dict) else params.number(1)
        if last < start:
            return []
        if last - start > _MOST_SLOTS:
            raise Refused(INVALID_PARAMS, f"Slot range too large; max {_MOST_SLOTS}")

        return [slot for slot in self._ledger.slots() if start <= slot <= last]

    def _get_blocks_with_limit(self, params: Params) -> list[int]:
        start, limit = params.number(0), params.number(1)
        self._bank.historic_options(params, 2)
        if limit > _MOST_SLOTS:
            raise Refused(INVALID_PARAMS, f"Limit too large; max {_MOST_SLOTS}")

        return list(islice((slot for slot in self._ledger.slots() if slot >= start), limit))

    def _get_block(self, params: Params) -> Json:
        slot = params.number(0)
        options = self._bank.historic_options(params, 1, text_means="encoding")
        encoding = options.choice("encoding", TRANSACTION_ENCODINGS, "json")
        details = options.choice("transactionDetails", _DETAILS, "full")
        max_version = read_max_version(options)
        has_rewards = options.get("rewards") is None or options.flag("rewards")
        block = self._block(slot)
        found: Json = {
            "blockhash": str(block.blockhash),
            "previousBlockhash": str(block.previous_blockhash),
            "parentSlot": block.parent_slot,
            "blockHeight": block.block_height,
            "blockTime": block.block_time,
        }
        match details:
            case "full":
                found["transactions"] = [_in_full(entry, encoding, max_version) for entry in block.entries]
            case "accounts":
                found["transactions"] = [_with_accounts(entry, max_version) for entry in block.entries]
            case "signatures":
                found["signatures"] = [str(entry.signature) for entry in block.entries]
            case _:
                pass
        if has_rewards:
            found["rewards"] = []  # the leaders are not in a bundle, and nobody is paid here
        return found

    def _block(self, slot: int) -> Block:
        """Find a block; one that there is not is refused with the reason."""
        block = self._ledger.block(slot)
        if block is not None:
            return block

        first = self._ledger.first_slot
        if slot > self._machine.slot:
            raise Refused(_BLOCK_NOT_AVAILABLE, f"Block not available for slot {slot}")
        if first is None or slot < first:
            message = f"Block {slot} cleaned up, does not exist on node. First available block: {first}"
            raise Refused(_BLOCK_CLEANED_UP, message)
        raise Refused(_SLOT_SKIPPED, f"Slot {slot} was skipped, or missing due to ledger jump to recent snapshot")


def _in_full(entry: Entry, encoding: str, max_version: int | None) -> Json:
    result = decoded_result(entry, max_version)
    transaction, meta = encoded_transaction(entry, result, encoding)
    return {"transaction": transaction, "meta": meta} | _version(result)


def _with_accounts(entry: Entry, max_version: int | None) -> Json:
    result = decoded_result(entry, max_version)
    transaction, meta = cast("Json", result["transaction"]), cast("Json", result["meta"])
    found = {"signatures": transaction["signatures"], "accountKeys": account_keys_json(transaction, meta)}
    return {"transaction": found, "meta": {name: meta[name] for name in _ACCOUNTS_META}} | _version(result)


def _version(result: Json) -> Json:
    return {"version": result["version"]} if "version" in result else {}
