"""Notifications for tests, made as JSON frames and read by the decoder that a run uses."""

from __future__ import annotations

import base64
import json

from simclient.wire.addresses import encode_base58
from simclient.wire.notifications import AccountDiff, ExecutedTransaction, TransactionLogs, decode_data_message

TOKEN_PROGRAM = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
TOKEN_2022_PROGRAM = "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"
SYSTEM_PROGRAM = "11111111111111111111111111111111"
SESSION = "backtest_1"


def address(number: int) -> str:
    """Return a valid address that differs by its number."""
    return encode_base58(bytes([number]) * 32)


def token_data(mint: int, owner: int, amount: int, *, state: int = 1) -> bytes:
    """Return the 165 bytes of a token account."""
    head = bytes([mint]) * 32 + bytes([owner]) * 32 + amount.to_bytes(8, "little")
    return head + bytes(36) + bytes([state]) + bytes(56)


def state(lamports: int, *, owner: str = SYSTEM_PROGRAM, data: bytes = b"") -> dict[str, object]:
    """Return an account's state as the server sends it."""
    return {
        "lamports": lamports,
        "data": [base64.b64encode(data).decode(), "base64"],
        "owner": owner,
        "executable": False,
        "rentEpoch": 18446744073709551615,
        "space": len(data),
    }


def diff_frame(slot: int = 7, **result: object) -> bytes:
    """Return an account diff as it comes over the wire."""
    body = {"context": {"slot": slot}, **result}
    return _frame("accountDiffNotification", body)


def diff(slot: int = 7, **result: object) -> AccountDiff:
    """Return an account diff."""
    message = decode_data_message(diff_frame(slot, **result))
    assert isinstance(message, AccountDiff)
    return message


def transaction(
    slot: int = 7,
    *,
    keys: list[str],
    signatures: list[str],
    index: int | None = None,
    time: int | None = None,
    **meta: object,
) -> ExecutedTransaction:
    """Return an executed transaction."""
    body = {
        "slot": slot,
        "blockTime": time,
        "transactionIndex": index,
        "transaction": {"signatures": signatures, "message": {"accountKeys": keys}},
        "meta": {"err": None, **meta},
    }
    message = decode_data_message(_frame("transactionNotification", body))
    assert isinstance(message, ExecutedTransaction)
    return message


def logs(
    slot: int = 7, *, signature: str = "sig", err: object = None, lines: list[str] | None = None
) -> TransactionLogs:
    """Return the logs of a transaction."""
    body = {"context": {"slot": slot}, "value": {"signature": signature, "err": err, "logs": lines or []}}
    message = decode_data_message(_frame("logsNotification", body))
    assert isinstance(message, TransactionLogs)
    return message


def token_balance(index: int, mint: str, owner: str | None, amount: int, decimals: int = 6) -> dict[str, object]:
    """Return a token balance of a transaction's metadata."""
    balance: dict[str, object] = {
        "accountIndex": index,
        "mint": mint,
        "uiTokenAmount": {"amount": str(amount), "decimals": decimals},
    }
    return balance if owner is None else {**balance, "owner": owner}


def _frame(method: str, result: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "method": method, "params": {"subscription": 1, "result": result}}).encode()
