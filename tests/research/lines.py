"""Lines of run files for tests, in the shape of today's tool and of ours."""

from __future__ import annotations

import json
from pathlib import Path

from simclient.wire.addresses import encode_base58

from .frames import address


def signature(number: int) -> str:
    """Return a valid signature that differs by its number."""
    return encode_base58(number.to_bytes(64, "big"))


def line(kind: str, **data: object) -> str:
    return json.dumps({"type": kind, "data": data}, separators=(",", ":")) + "\n"


def metadata(**more: object) -> str:
    return line("metadata", start_slot=1, end_slot=9, program_ids=[address(9)], ran_at_unix_secs=1, **more)


def tx(number: int, *, slot: int = 1, success: bool = True, **more: object) -> str:
    """Return a transaction with one change of SOL and one of a token, unless told otherwise."""
    data: dict[str, object] = {
        "slot": slot,
        "timestamp": 1_700_000_000,
        "signature": signature(number),
        "success": success,
    }
    if not success:
        data["error"] = "Error processing Instruction 0: custom program error: 0x1"
    data |= {"logs": [f"Program {address(9)} invoke [1]", f"Program {address(9)} success"]}
    data |= {"sol_changes": [sol(3, 100, 95)], "token_changes": [token(4, 7, 9)]}
    data |= {"tx_index": 0, "fee": 5_000, "compute_units": 1_000, "err": None, "session_id": "s"}
    return line("tx", **(data | more))


def sol(account: int, before: int, after: int) -> dict[str, object]:
    return {"pubkey": address(account), "pre_lamports": before, "post_lamports": after}


def token(account: int, before: int, after: int, *, mint: int = 1, owner: int = 2) -> dict[str, object]:
    return {
        "pubkey": address(account),
        "mint": address(mint),
        "owner": address(owner),
        "pre_amount": before,
        "post_amount": after,
        "decimals": 6,
    }


def summary(total: int = 0, **more: object) -> str:
    return line("summary", total_transactions=total, successes=total, failures=0, **more)


def write(path: Path, *lines: str) -> Path:
    """Write a file of a run: metadata, what is given, and a summary."""
    path.write_text("".join((metadata(), *lines, summary())), encoding="utf-8")
    return path
