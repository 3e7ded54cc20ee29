"""The lines of an events file."""

from __future__ import annotations

import json
from typing import Any

from simclient.research.ndjson import diff_line, line, logs_line, transaction_line

from .frames import SESSION, TOKEN_PROGRAM, address, diff, logs, state, token_balance, token_data, transaction


def data_of(line: bytes, kind: str) -> dict[str, Any]:
    """Check a line's envelope, and return its data."""
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    event = json.loads(line)
    assert set(event) == {"type", "data"}
    assert event["type"] == kind
    data: dict[str, Any] = event["data"]
    return data


def test_a_transaction_line_has_the_fields_of_todays_tool_and_ours() -> None:
    """Unchanged balances are left out, a missing side counts as 0."""
    keys = [address(1), address(2), address(3)]
    line = transaction_line(
        transaction(
            9,
            keys=keys,
            signatures=["sig"],
            index=4,
            time=1_700_000_000,
            err={"InstructionError": [0, {"Custom": 1}]},
            fee=5_000,
            computeUnitsConsumed=1_234,
            logMessages=["Program log: \u2028 hello"],
            preBalances=[10, 20, 30],
            postBalances=[5, 20, 18446744073709551615],
            preTokenBalances=[token_balance(1, address(7), address(8), 50)],
            postTokenBalances=[token_balance(1, address(7), address(8), 50), token_balance(2, address(7), None, 3)],
        ),
        session_id=SESSION,
    )

    assert data_of(line, "tx") == {
        "slot": 9,
        "timestamp": 1_700_000_000,
        "signature": "sig",
        "success": False,
        "error": "Error processing Instruction 0: custom program error: 0x1",
        "logs": ["Program log: \u2028 hello"],
        "sol_changes": [
            {"pubkey": keys[0], "pre_lamports": 10, "post_lamports": 5},
            {"pubkey": keys[2], "pre_lamports": 30, "post_lamports": 18446744073709551615},
        ],
        "token_changes": [
            {"pubkey": keys[2], "mint": address(7), "owner": "", "pre_amount": 0, "post_amount": 3, "decimals": 6}
        ],
        "tx_index": 4,
        "fee": 5_000,
        "compute_units": 1_234,
        "err": {"InstructionError": [0, {"Custom": 1}]},
        "fee_payer": keys[0],
        "session_id": SESSION,
    }


def test_a_success_has_no_error_and_no_unknown_time() -> None:
    """Optional keys of today's tool are left out; ours are null."""
    data = data_of(transaction_line(transaction(keys=[], signatures=["sig"]), session_id=SESSION), "tx")

    assert data["success"] is True
    assert not {"error", "timestamp"} & set(data)
    assert data["err"] is None
    assert data["fee"] is None


def test_a_diff_line_keeps_the_states_as_they_came() -> None:
    """The server's JSON is opaque; what a token account held stands beside it."""
    pre = {**state(1, owner=TOKEN_PROGRAM, data=token_data(1, 2, 30)), "newField": 1.50}
    event = diff(9, account=address(4), signature="sig", tx_index=3, block_time=1, pre=pre, post=None)

    data = data_of(diff_line(event, session_id=SESSION), "diff")
    assert data == {
        "slot": 9,
        "tx_hash": "sig",
        "account": address(4),
        "tx_index": 3,
        "block_time": 1,
        "pre_lamports": 1,
        "pre_state": pre,
        "signature": "sig",
        "pre_token_account": {"mint": address(1), "owner": address(2), "amount": 30},
        "session_id": SESSION,
    }
    assert b'"newField": 1.5' in diff_line(event, session_id=SESSION)


def test_a_diff_without_signature_and_account_is_a_line_too() -> None:
    """Nothing received is lost: today's tool needs texts, our signature is null."""
    data = data_of(diff_line(diff(9), session_id=SESSION), "diff")

    assert data == {"slot": 9, "tx_hash": "1" * 64, "account": "1" * 32, "signature": None, "session_id": SESSION}


def test_a_logs_line_says_which_transaction_and_how_it_ended() -> None:
    """It is a type of our own."""
    data = data_of(logs_line(logs(3, err="AccountInUse", lines=["a", "b"]), session_id=SESSION), "logs")

    assert data == {
        "slot": 3,
        "signature": "sig",
        "success": False,
        "error": "Account in use",
        "logs": ["a", "b"],
        "err": "AccountInUse",
        "session_id": SESSION,
    }


def test_a_line_of_any_type_has_the_same_envelope() -> None:
    """The lines about the run itself are made of plain values."""
    assert data_of(line("metadata", {"start_slot": 1}), "metadata") == {"start_slot": 1}
