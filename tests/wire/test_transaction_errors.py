"""The text of a transaction's error."""

from __future__ import annotations

import pytest

from simclient.wire.transaction_errors import describe_transaction_error


@pytest.mark.parametrize(
    ("error", "text"),
    [
        ('"AccountInUse"', "Account in use"),
        ('{"InstructionError":[2,{"Custom":6001}]}', "Error processing Instruction 2: custom program error: 0x1771"),
        ('{"InstructionError":[0,{"Custom":0}]}', "Error processing Instruction 0: custom program error: 0x0"),
        (
            '{"InstructionError":[1,"InvalidAccountData"]}',
            "Error processing Instruction 1: invalid account data for instruction",
        ),
        (
            '{"InstructionError":[3,{"BorshIoError":"Unknown"}]}',
            "Error processing Instruction 3: Failed to serialize or deserialize account data",
        ),
        ('{"DuplicateInstruction":4}', "Transaction contains a duplicate instruction (4) that is not allowed"),
        (
            '{"InsufficientFundsForRent":{"account_index":5}}',
            "Transaction results in an account (5) with insufficient funds for rent",
        ),
    ],
)
def test_an_error_reads_as_solana_tools_write_it(error: str, text: str) -> None:
    """Names, codes and indices stand where Rust's Display puts them."""
    assert describe_transaction_error(error) == text


@pytest.mark.parametrize("error", [None, "null"])
def test_a_success_has_no_text(error: str | None) -> None:
    """Neither an absent error nor JSON null is one."""
    assert describe_transaction_error(error) is None


@pytest.mark.parametrize("error", ['"BrandNew"', '{"InstructionError":[1,"BrandNew"]}', '{"New":1}', "[1]", "no JSON"])
def test_an_unknown_error_is_shown_as_it_came(error: str) -> None:
    """A text is never invented."""
    assert describe_transaction_error(error) == error
