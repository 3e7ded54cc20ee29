"""How long one notification takes to decode into our classes, next to the usual ways of reading JSON.

Each way decodes the same bytes; the best of several rounds counts, since everything else on the machine only adds time. The cattrs way is
what the control plane does: orjson into dicts, then a plain converter into attrs classes with the same fields.
"""

from __future__ import annotations

import base64
import json
import timeit
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import attrs
import cattrs
import orjson

from simclient.wire.notifications import decode_data_message, decode_data_messages

from .results import Result

__all__ = ["decode_results"]

_CALLS = 20_000
_ROUNDS = 7
_RUN = 100
"""Messages decoded at once, as one read of a socket gives them."""
_ADDRESS = "4vJ9JU1bJJE96FWSJKvHsmmFADCg4gpZQff4P3bkLKi"
_SIGNATURE = "5" * 88


@attrs.frozen
class _State:
    lamports: int
    owner: str
    executable: bool
    rentEpoch: int  # noqa: N815  # as on the wire
    space: int
    data: tuple[str, str]


@attrs.frozen
class _Context:
    slot: int


@attrs.frozen
class _Diff:
    context: _Context
    account: str
    signature: str
    tx_index: int
    block_time: int
    pre: _State
    post: _State


@attrs.frozen
class _LogsValue:
    signature: str
    err: Any
    logs: tuple[str, ...]


@attrs.frozen
class _Logs:
    context: _Context
    value: _LogsValue


@attrs.frozen
class _TransactionResult:
    slot: int
    blockTime: int  # noqa: N815  # as on the wire
    transaction: dict[str, Any]
    meta: dict[str, Any]


def decode_results(*, quick: bool) -> Iterator[Result]:
    """Measure each kind of notification in each way."""
    calls = _CALLS // 10 if quick else _CALLS
    for name, payload, kind in _payloads():
        baseline = _microseconds(partial(orjson.loads, payload), calls)
        ways: list[tuple[str, Callable[[], object]]] = [
            ("ours, alone", partial(decode_data_message, payload)),
            ("json.loads", partial(json.loads, payload)),
            ("orjson + cattrs", partial(_structured, payload, kind)),
        ]
        yield Result(f"decode {name} {len(payload)} B, orjson.loads", "µs", baseline)
        in_run = _microseconds(partial(decode_data_messages, [payload] * _RUN), calls // _RUN) / _RUN
        yield Result(f"decode {name} {len(payload)} B, ours, in a run", "µs", in_run, "orjson.loads", in_run / baseline)
        for way, call in ways:
            value = _microseconds(call, calls)
            yield Result(f"decode {name} {len(payload)} B, {way}", "µs", value, "orjson.loads", value / baseline)


_CONVERTER = cattrs.Converter()


def _structured(payload: bytes, kind: type[object]) -> object:
    return _CONVERTER.structure(orjson.loads(payload)["params"]["result"], kind)


def _microseconds(call: Callable[[], object], calls: int) -> float:
    return min(timeit.repeat(call, number=calls, repeat=_ROUNDS)) / calls * 1e6


def _payloads() -> Iterator[tuple[str, bytes, type[object]]]:
    yield "account diff", _notification("accountDiff", _diff(60)), _Diff
    yield "account diff", _notification("accountDiff", _diff(1300)), _Diff
    yield "transaction", _notification("transaction", _transaction()), _TransactionResult
    yield "logs", _notification("logs", _logs()), _Logs


def _notification(kind: str, result: dict[str, object]) -> bytes:
    params = {"subscription": 1, "result": result}
    return orjson.dumps({"jsonrpc": "2.0", "method": f"{kind}Notification", "params": params})


def _diff(data_bytes: int) -> dict[str, object]:
    state = {
        "lamports": 2_039_280,
        "owner": _ADDRESS,
        "executable": False,
        "rentEpoch": 2**64 - 1,
        "space": data_bytes,
        "data": [base64.b64encode(bytes(range(256)) * 8)[: data_bytes * 4 // 3].decode(), "base64"],
    }
    return {
        "context": {"slot": 350_000_000},
        "account": _ADDRESS,
        "signature": _SIGNATURE,
        "tx_index": 12,
        "block_time": 1_751_371_200,
        "pre": state,
        "post": state,
    }


def _logs() -> dict[str, object]:
    logs = [f"Program {_ADDRESS} invoke [{depth}]" for depth in range(1, 10)]
    value = {"signature": _SIGNATURE, "err": None, "logs": logs}
    return {"context": {"slot": 350_000_000}, "value": value}


def _transaction() -> dict[str, object]:
    instruction = {"programIdIndex": 3, "accounts": list(range(12)), "data": "3Bxs4gQ6iCpLiarB", "stackHeight": 1}
    balance = {
        "accountIndex": 2,
        "mint": _ADDRESS,
        "owner": _ADDRESS,
        "uiTokenAmount": {
            "amount": "12345678901",
            "decimals": 6,
            "uiAmount": 12345.678901,
            "uiAmountString": "12345.678901",
        },
    }
    return {
        "slot": 350_000_000,
        "blockTime": 1_751_371_200,
        "version": "legacy",
        "transaction": {
            "signatures": [_SIGNATURE],
            "message": {
                "header": {
                    "numRequiredSignatures": 1,
                    "numReadonlySignedAccounts": 0,
                    "numReadonlyUnsignedAccounts": 4,
                },
                "accountKeys": [_ADDRESS] * 20,
                "recentBlockhash": _ADDRESS,
                "instructions": [instruction] * 3,
            },
        },
        "meta": {
            "err": None,
            "status": {"Ok": None},
            "fee": 5000,
            "preBalances": [2_039_280] * 20,
            "postBalances": [2_039_280] * 20,
            "innerInstructions": [{"index": 0, "instructions": [instruction] * 4}],
            "preTokenBalances": [balance] * 4,
            "postTokenBalances": [balance] * 4,
            "logMessages": [f"Program {_ADDRESS} invoke [{depth}]" for depth in range(1, 20)],
            "computeUnitsConsumed": 54_000,
            "rewards": [],
            "loadedAddresses": {"writable": [], "readonly": []},
        },
    }
