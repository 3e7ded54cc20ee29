"""RPC methods that take a transaction: simulated, sent, or only asked what it would cost.

One that is sent is simulated first (unless `skipPreflight`) and goes into the next block that is executed, before the recorded ones.
"""

from __future__ import annotations

from typing import final

import msgspec
from solders.account import Account
from solders.message import from_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata, SimulatedTransactionInfo, TransactionMetadata

from ...errors import InputError
from ...wire.transaction_errors import describe_transaction_error
from .ledger import BLOCKHASH_LIFE_BLOCKS
from .rpc_accounts import AccountWriter, read_account_writer
from .rpc_bank import Bank, Method
from .rpc_encoding import instruction_object
from .rpc_params import INVALID_PARAMS, Json, Options, Params, Refused, read_addresses, read_blob, read_wire
from .svm import error_of
from .transaction_json import return_data_json, returned_by
from .transactions import instruction_json, keys_of, rebuilt

__all__ = ["SendingMethods"]

_PREFLIGHT_FAILURE, _SIGNATURE_FAILURE = -32002, -32003
_SERVER_ERROR = -32000
"""The first of the codes that JSON-RPC leaves to servers."""
_BASE58 = ("base58", "binary")
_COMMITMENTS = ("processed", "confirmed", "finalized")
_Simulation = SimulatedTransactionInfo | FailedTransactionMetadata


@final
class SendingMethods:
    """The methods, by name."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank
        self._machine = bank.machine
        self.methods: dict[str, Method] = {
            "getFeeForMessage": self._get_fee_for_message,
            "sendTransaction": self._send_transaction,
            "simulateTransaction": self._simulate_transaction,
        }

    def _get_fee_for_message(self, params: Params) -> Json:
        """Let the SVM say what it would charge: the signatures, and the priority fee that the message sets."""
        wire = read_blob(params.text(0), "base64")
        self._bank.options(params, 1)
        try:
            message = from_bytes_versioned(wire)
            signatures = [Signature.default()] * message.header.num_required_signatures
            transaction = VersionedTransaction.populate(message, signatures)
            transaction.sanitize()
        except Exception as error:  # solders has no one class for them
            raise Refused(INVALID_PARAMS, f"failed to deserialize VersionedMessage: {error}") from error

        return self._bank.with_context(self._simulate(transaction, verifies=False).meta().fee())

    def _simulate_transaction(self, params: Params) -> Json:
        options = self._bank.options(params, 1)
        verifies, is_replaced = options.flag("sigVerify"), options.flag("replaceRecentBlockhash")
        if verifies and is_replaced:
            raise Refused(INVALID_PARAMS, "sigVerify may not be used with replaceRecentBlockhash")

        transaction = read_wire(params.text(0), options)
        if is_replaced:
            transaction = rebuilt(transaction, blockhash=self._machine.blockhash)
        keys = keys_of(transaction, self._machine.get_account).all
        wanted = self._read_wanted(options, len(keys))
        has_inner = options.flag("innerInstructions")
        result = self._simulate(transaction, verifies=verifies)
        if verifies:
            _check_signatures(result)
        value = _outcome(result)
        if wanted is not None:
            value["accounts"] = self._accounts_after(result, *wanted)
        if has_inner:
            value["innerInstructions"] = _inner_instructions(result.meta(), [str(key) for key in keys])
        if is_replaced:
            last_height = self._machine.block_height + BLOCKHASH_LIFE_BLOCKS
            value["replacementBlockhash"] = {
                "blockhash": str(self._machine.blockhash),
                "lastValidBlockHeight": last_height,
            }
        return self._bank.with_context(value)

    def _send_transaction(self, params: Params) -> str:
        options = self._bank.options(params, 1)
        options.choice("preflightCommitment", _COMMITMENTS, "finalized")
        options.number("maxRetries")
        transaction = read_wire(params.text(0), options)
        if not options.flag("skipPreflight"):
            self._preflight(transaction)
        try:
            self._bank.replay.send(transaction)
        except InputError as error:
            raise Refused(_SERVER_ERROR, str(error)) from error

        return str(transaction.signatures[0])

    def _preflight(self, transaction: VersionedTransaction) -> None:
        """Simulate a transaction before it is sent.

        Raises:
            Refused: It would fail.
        """
        result = self._simulate(transaction, verifies=self._machine.svm.get_sigverify())
        if not isinstance(result, FailedTransactionMetadata):
            return

        _check_signatures(result)
        reason = describe_transaction_error(msgspec.json.encode(error_of(result)).decode())
        raise Refused(_PREFLIGHT_FAILURE, f"Transaction simulation failed: {reason}", _outcome(result))

    def _simulate(self, transaction: VersionedTransaction, *, verifies: bool) -> _Simulation:
        """Simulate with or without looking at the signatures."""
        machine, before = self._machine, self._machine.svm.get_sigverify()
        machine.svm = machine.svm.with_sigverify(verifies)
        try:
            return machine.simulate(transaction)
        finally:
            machine.svm = machine.svm.with_sigverify(before)

    def _read_wanted(self, options: Options, key_count: int) -> tuple[AccountWriter, list[Pubkey]] | None:
        """Read which accounts are wanted as they are afterwards, at most as many as the transaction has; None for none."""
        nested = options.nested("accounts")
        if nested is None:
            return None
        if nested.get("encoding") in _BASE58:
            raise Refused(INVALID_PARAMS, "base58 encoding not supported")

        addresses = read_addresses(nested.get("addresses"), key_count)
        return read_account_writer(self._bank, nested, default="base64"), addresses

    def _accounts_after(self, result: _Simulation, writer: AccountWriter, addresses: list[Pubkey]) -> list[Json | None]:
        if isinstance(result, FailedTransactionMetadata):
            return [None] * len(addresses)

        after = {key: Account.from_bytes(bytes(account)) for key, account in result.post_accounts()}
        return [
            writer.write(after[address] if address in after else self._machine.get_account(address))
            for address in addresses
        ]


def _check_signatures(result: _Simulation) -> None:
    if isinstance(result, FailedTransactionMetadata) and error_of(result) == "SignatureFailure":
        raise Refused(_SIGNATURE_FAILURE, "Transaction signature verification failure")


def _outcome(result: _Simulation) -> Json:
    """Return what a simulation came to, as Solana's RPC writes it."""
    meta = result.meta()
    return {
        "err": error_of(result) if isinstance(result, FailedTransactionMetadata) else None,
        "logs": meta.logs(),
        "accounts": None,
        "unitsConsumed": meta.compute_units_consumed(),
        "returnData": None,
        "innerInstructions": None,
        "replacementBlockhash": None,
        "fee": meta.fee(),
        **return_data_json(returned_by(meta)),
    }


def _inner_instructions(meta: TransactionMetadata, keys: list[str]) -> list[Json]:
    """Return the instructions that the transaction's own called, by address, as simulations give them."""
    return [
        {
            "index": index,
            "instructions": [
                instruction_object(instruction_json(i.instruction(), i.stack_height()), keys) for i in inner
            ],
        }
        for index, inner in enumerate(meta.inner_instructions())
        if inner
    ]
