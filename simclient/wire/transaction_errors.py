"""The text of a transaction's error, in the words that Solana's own tools use.

The service sends `meta.err` as JSON, such as `{"InstructionError":[2,{"Custom":6001}]}`; people, and the files of today's tool,
know it as "Error processing Instruction 2: custom program error: 0x1771". An error that is in neither table is shown as the
JSON it came as: a text is never invented.

Source: `Display` of `TransactionError` (solana-transaction-error 4.1) and `InstructionError` (solana-instruction-error 3.1).
"""

from __future__ import annotations

import msgspec

__all__ = ["describe_transaction_error"]

_Json = str | int | float | None | list["_Json"] | dict[str, "_Json"]

_TRANSACTION_ERRORS = {
    "AccountBorrowOutstanding": "Transaction processing left an account with an outstanding borrowed reference",
    "AccountInUse": "Account in use",
    "AccountLoadedTwice": "Account loaded twice",
    "AccountNotFound": "Attempt to debit an account but found no record of a prior credit.",
    "AddressLookupTableNotFound": "Transaction loads an address table account that doesn't exist",
    "AlreadyProcessed": "This transaction has already been processed",
    "BailOut": "BailOut",
    "BlockhashNotFound": "Blockhash not found",
    "CallChainTooDeep": "Loader call chain is too deep",
    "ClusterMaintenance": "Transactions are currently disabled due to cluster maintenance",
    "CommitCancelled": "CommitCancelled",
    "InsufficientFundsForFee": "Insufficient funds for fee",
    "InvalidAccountForFee": "This account may not be used to pay transaction fees",
    "InvalidAccountIndex": "Transaction contains an invalid account reference",
    "InvalidAddressLookupTableData": "Transaction loads an address table account with invalid data",
    "InvalidAddressLookupTableIndex": "Transaction address table lookup uses an invalid index",
    "InvalidAddressLookupTableOwner": "Transaction loads an address table account with an invalid owner",
    "InvalidLoadedAccountsDataSizeLimit": ("LoadedAccountsDataSizeLimit set for transaction must be greater than 0."),
    "InvalidProgramForExecution": "This program may not be used for executing instructions",
    "InvalidRentPayingAccount": "Transaction leaves an account with a lower balance than rent-exempt minimum",
    "InvalidWritableAccount": "Transaction loads a writable account that cannot be written",
    "MaxLoadedAccountsDataSizeExceeded": "Transaction exceeded max loaded accounts data size cap",
    "MissingSignatureForFee": "Transaction requires a fee but has no signature present",
    "ProgramAccountNotFound": "Attempt to load a program that does not exist",
    "ProgramCacheHitMaxLimit": "Program cache hit max limit",
    "ResanitizationNeeded": "ResanitizationNeeded",
    "SanitizeFailure": "Transaction failed to sanitize accounts offsets correctly",
    "SignatureFailure": "Transaction did not pass signature verification",
    "TooManyAccountLocks": "Transaction locked too many accounts",
    "UnbalancedTransaction": "Sum of account balances before and after transaction do not match",
    "UnsupportedVersion": "Transaction version is unsupported",
    "WouldExceedAccountDataBlockLimit": "Transaction would exceed account data limit within the block",
    "WouldExceedAccountDataTotalLimit": "Transaction would exceed total account data limit",
    "WouldExceedMaxAccountCostLimit": "Transaction would exceed max account limit within the block",
    "WouldExceedMaxBlockCostLimit": "Transaction would exceed max Block Cost Limit",
    "WouldExceedMaxVoteCostLimit": "Transaction would exceed max Vote Cost Limit",
}

_INDEXED_TRANSACTION_ERRORS = {
    "DuplicateInstruction": "Transaction contains a duplicate instruction ({}) that is not allowed",
    "InsufficientFundsForRent": "Transaction results in an account ({}) with insufficient funds for rent",
    "ProgramExecutionTemporarilyRestricted": (
        "Execution of the program referenced by account at index {} is temporarily restricted."
    ),
}
"""Errors that carry one number: as it is, or as `{"account_index": n}`."""

_INSTRUCTION_ERRORS = {
    "AccountAlreadyInitialized": "instruction requires an uninitialized account",
    "AccountBorrowFailed": "instruction tries to borrow reference for an account which is already borrowed",
    "AccountBorrowOutstanding": "instruction left account with an outstanding borrowed reference",
    "AccountDataSizeChanged": "program other than the account's owner changed the size of the account data",
    "AccountDataTooSmall": "account data too small for instruction",
    "AccountNotExecutable": "instruction expected an executable account",
    "AccountNotRentExempt": "An account does not have enough lamports to be rent-exempt",
    "ArithmeticOverflow": "Program arithmetic overflowed",
    "BorshIoError": "Failed to serialize or deserialize account data",
    "BuiltinProgramsMustConsumeComputeUnits": "Builtin programs must consume compute units",
    "CallDepth": "Cross-program invocation call depth too deep",
    "ComputationalBudgetExceeded": "Computational budget exceeded",
    "DuplicateAccountIndex": "instruction contains duplicate accounts",
    "DuplicateAccountOutOfSync": "instruction modifications of multiply-passed account differ",
    "ExecutableAccountNotRentExempt": "executable accounts must be rent exempt",
    "ExecutableDataModified": "instruction changed executable accounts data",
    "ExecutableLamportChange": "instruction changed the balance of an executable account",
    "ExecutableModified": "instruction changed executable bit of an account",
    "ExternalAccountDataModified": "instruction modified data of an account it does not own",
    "ExternalAccountLamportSpend": "instruction spent from the balance of an account it does not own",
    "GenericError": "generic instruction error",
    "IllegalOwner": "Provided owner is not allowed",
    "Immutable": "Account is immutable",
    "IncorrectAuthority": "Incorrect authority provided",
    "IncorrectProgramId": "incorrect program id for instruction",
    "InsufficientFunds": "insufficient funds for instruction",
    "InvalidAccountData": "invalid account data for instruction",
    "InvalidAccountOwner": "Invalid account owner",
    "InvalidArgument": "invalid program argument",
    "InvalidError": "program returned invalid error code",
    "InvalidInstructionData": "invalid instruction data",
    "InvalidRealloc": "Failed to reallocate account data",
    "InvalidSeeds": "Provided seeds do not result in a valid address",
    "MaxAccountsDataAllocationsExceeded": ("Accounts data allocations exceeded the maximum allowed per transaction"),
    "MaxAccountsExceeded": "Max accounts exceeded",
    "MaxInstructionTraceLengthExceeded": "Max instruction trace length exceeded",
    "MaxSeedLengthExceeded": "Length of the seed is too long for address generation",
    "MissingAccount": "An account required by the instruction is missing",
    "MissingRequiredSignature": "missing required signature for instruction",
    "ModifiedProgramId": "instruction illegally modified the program id of an account",
    "NotEnoughAccountKeys": "insufficient account keys for instruction",
    "PrivilegeEscalation": "Cross-program invocation with unauthorized signer or writable account",
    "ProgramEnvironmentSetupFailure": "Failed to create program execution environment",
    "ProgramFailedToCompile": "Program failed to compile",
    "ProgramFailedToComplete": "Program failed to complete",
    "ReadonlyDataModified": "instruction modified data of a read-only account",
    "ReadonlyLamportChange": "instruction changed the balance of a read-only account",
    "ReentrancyNotAllowed": "Cross-program invocation reentrancy not allowed for this instruction",
    "RentEpochModified": "instruction modified rent epoch of an account",
    "UnbalancedInstruction": "sum of account balances before and after instruction do not match",
    "UninitializedAccount": "instruction requires an initialized account",
    "UnsupportedProgramId": "Unsupported program id",
    "UnsupportedSysvar": "Unsupported sysvar",
}


def describe_transaction_error(error: str | None) -> str | None:
    """Return the text of an error, None for the success of a transaction (None, or JSON null).

    Args:
        error: The JSON text of `meta.err`.
    """
    if error is None:
        return None

    try:
        value: _Json = msgspec.json.decode(error)
    except msgspec.DecodeError:
        return error

    if value is None:
        return None

    return _transaction_text(value) or error


def _transaction_text(value: _Json) -> str | None:
    """Return the text of a transaction's error, None where it is unknown."""
    match value:
        case str(name):
            return _TRANSACTION_ERRORS.get(name)
        case {"InstructionError": [int(index), inner]}:
            text = _instruction_text(inner)
            return None if text is None else f"Error processing Instruction {index}: {text}"
        case dict():
            return _indexed_text(value)
        case _:
            return None


def _indexed_text(value: dict[str, _Json]) -> str | None:
    """Return the text of an error that names an account or an instruction by its index."""
    for name, text in _INDEXED_TRANSACTION_ERRORS.items():
        match value.get(name):
            case int(index) | {"account_index": int(index)}:
                return text.format(index)
            case _:
                continue

    return None


def _instruction_text(value: _Json) -> str | None:
    """Return the text of an instruction's error, None where it is unknown."""
    match value:
        case str(name):
            return _INSTRUCTION_ERRORS.get(name)
        case {"Custom": int(code)}:
            return f"custom program error: {code:#x}"
        case {"BorshIoError": _}:
            return _INSTRUCTION_ERRORS["BorshIoError"]  # until Solana 2 it carried a text of its own
        case _:
            return None
