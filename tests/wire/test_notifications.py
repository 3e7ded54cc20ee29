"""What comes on the data plane, as users see it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simclient.errors import RemoteProtocolError
from simclient.wire.jsonrpc import write_notification, write_subscription_complete
from simclient.wire.notifications import (
    AccountDiff,
    Acknowledgement,
    ExecutedTransaction,
    Refusal,
    SubscriptionComplete,
    TokenBalance,
    TransactionLogs,
    UnknownNotification,
    decode_data_message,
    decode_data_messages,
)

_STATE = {
    "lamports": 2**64 - 1,
    "data": [base64.b64encode(b"\x01\x02").decode(), "base64"],
    "owner": "not base58!",
    "executable": False,
    "rentEpoch": 2**64 - 1,
    "space": 2,
}
_DIFF: dict[str, Any] = {
    "context": {"slot": 7},
    "account": "acc",
    "signature": "sig",
    "tx_index": 3,
    "block_time": 1_780_000_000,
    "pre": _STATE,
    "post": {"lamports": 1},
}
_BALANCE = {
    "accountIndex": 1,
    "mint": "m",
    "owner": "o",
    "uiTokenAmount": {"amount": "340282366920938463463", "decimals": 6},
}
_META: dict[str, Any] = {
    "err": {"InstructionError": [0, {"Custom": 1}]},
    "fee": 5000,
    "computeUnitsConsumed": 150,
    "logMessages": ["a", "b"],
    "preBalances": [1, 2],
    "postBalances": [0, 3],
    "preTokenBalances": [_BALANCE],
    "postTokenBalances": None,
    "loadedAddresses": {"writable": ["w"], "readonly": ["r"]},
}
_TRANSACTION: dict[str, Any] = {
    "slot": 7,
    "blockTime": 1_780_000_000,
    "version": 0,
    "transaction": {"signatures": ["s1", "s2"], "message": {"accountKeys": ["k"]}},
    "meta": _META,
}
_LOGS: dict[str, Any] = {"context": {"slot": 7}, "value": {"signature": "sig", "err": None, "logs": ["a"]}}


def _decode(method: str, result: Any) -> Any:
    return decode_data_message(write_notification(method, 5, json.dumps(result).encode()))


def test_an_account_diff_shows_both_states() -> None:
    """Every field of the wire is there under its Python name; u64 keep every digit and strings are opaque."""
    diff = _decode("accountDiffNotification", _DIFF)
    assert isinstance(diff, AccountDiff)
    assert (diff.subscription_id, diff.slot, diff.account, diff.signature) == (5, 7, "acc", "sig")
    assert (diff.tx_index, diff.block_time) == (3, 1_780_000_000)
    assert diff.pre is not None
    assert diff.post is not None
    assert (diff.pre.lamports, diff.pre.rent_epoch, diff.pre.owner) == (2**64 - 1, 2**64 - 1, "not base58!")
    assert (diff.pre.data, diff.pre.space, diff.pre.executable) == (b"\x01\x02", 2, False)
    assert (diff.post.lamports, diff.post.data, diff.post.owner) == (1, None, None)


def test_the_whole_message_and_its_result_are_kept() -> None:
    """`raw` is the frame, `result_bytes` what does not depend on the connection."""
    result = json.dumps(_LOGS | {"newField": 1}).encode()
    payload = write_notification("logsNotification", 5, result)
    logs = decode_data_message(payload)
    assert isinstance(logs, TransactionLogs)
    assert (logs.raw, logs.result_bytes) == (payload, result)


@pytest.mark.parametrize("absent", ["account", "signature", "tx_index", "block_time", "pre", "post"])
def test_any_field_of_a_diff_but_the_slot_may_be_absent(absent: str) -> None:
    """An absent field is None."""
    diff = _decode("accountDiffNotification", {name: field for name, field in _DIFF.items() if name != absent})
    assert getattr(diff, absent) is None
    assert diff.slot == 7


@pytest.mark.parametrize(("absent", "name"), [("lamports", "lamports"), ("data", "data"), ("owner", "owner"),
                                              ("executable", "executable"), ("rentEpoch", "rent_epoch"), ("space", "space")])  # fmt: skip
def test_any_field_of_a_state_may_be_absent(absent: str, name: str) -> None:
    """An absent field is None."""
    state = {field: value for field, value in _STATE.items() if field != absent}
    diff = _decode("accountDiffNotification", _DIFF | {"post": state})
    assert getattr(diff.post, name) is None


def test_a_transaction_reads_like_get_transaction() -> None:
    """Signatures, keys in the order of the balances, and the metadata."""
    transaction = _decode("transactionNotification", _TRANSACTION)
    assert isinstance(transaction, ExecutedTransaction)
    assert (transaction.slot, transaction.signature, transaction.signatures) == (7, "s1", ("s1", "s2"))
    assert transaction.account_keys == ("k", "w", "r")
    assert (transaction.is_success, transaction.error) == (False, '{"InstructionError": [0, {"Custom": 1}]}')
    assert (transaction.fee, transaction.compute_units, transaction.logs) == (5000, 150, ("a", "b"))
    assert (transaction.pre_balances, transaction.post_balances, transaction.version) == ((1, 2), (0, 3), 0)
    balance = TokenBalance(account_index=1, mint="m", owner="o", amount=340282366920938463463, decimals=6)
    assert (transaction.pre_token_balances, transaction.post_token_balances) == ((balance,), ())


@pytest.mark.parametrize("absent", sorted(_META))
def test_any_part_of_the_metadata_may_be_absent(absent: str) -> None:
    """What is absent is None or empty, and everything else is still read."""
    meta = {name: field for name, field in _META.items() if name != absent}
    transaction = _decode("transactionNotification", _TRANSACTION | {"meta": meta})
    assert transaction.signature == "s1"
    assert transaction.is_success is (absent == "err")


@pytest.mark.parametrize("absent", ["blockTime", "version", "transaction", "meta"])
def test_any_part_of_a_transaction_but_the_slot_may_be_absent(absent: str) -> None:
    """What is absent is None or empty."""
    result = {name: field for name, field in _TRANSACTION.items() if name != absent}
    assert _decode("transactionNotification", result).slot == 7


def test_logs_show_their_lines() -> None:
    """Logs carry signature, outcome and lines."""
    logs = _decode("logsNotification", _LOGS)
    assert (logs.slot, logs.signature, logs.is_success, logs.error, logs.logs) == (7, "sig", True, None, ("a",))


def test_the_other_messages_of_a_data_socket() -> None:
    """Acknowledgements, refusals and end markers are told apart."""
    assert decode_data_message(b'{"jsonrpc":"2.0","id":1,"result":9}') == Acknowledgement(
        request_id=1, subscription_id=9
    )
    refused = decode_data_message(b'{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"no"}}')
    assert refused == Refusal(request_id=1, code=-32602, message="no")
    complete = decode_data_message(write_subscription_complete(4))
    assert isinstance(complete, SubscriptionComplete)
    assert complete.subscription_id == 4


def test_an_unknown_notification_is_kept_with_its_place() -> None:
    """A method that this version does not know arrives with subscription, slot and text."""
    payload = write_notification("newNotification", 5, b'{"context":{"slot":7},"x":1}')
    unknown = decode_data_message(payload)
    assert unknown == UnknownNotification(method="newNotification", raw=payload, subscription_id=5, slot=7)


def test_a_notification_that_does_not_fit_names_the_place() -> None:
    """A known method with a wrong field is an error at its JSON path."""
    with pytest.raises(RemoteProtocolError) as caught:
        _decode("accountDiffNotification", {"context": {"slot": "7"}})
    assert caught.value.path == "$.params.result.context.slot"


def test_bad_account_data_is_an_error_when_it_is_read() -> None:
    """Data is decoded when asked for; what is not base64 is refused then."""
    diff = _decode("accountDiffNotification", _DIFF | {"post": {"data": ["!", "base64"]}})
    with pytest.raises(RemoteProtocolError):
        _ = diff.post.data


def test_a_run_of_messages_is_read_up_to_the_first_unreadable_one() -> None:
    """What is rare in it is read like the rest, each keeps its own frame, and the fault is that of the first that cannot be read."""
    payloads = [
        write_notification("accountDiffNotification", 5, b'{"context":{"slot":1}}'),
        write_notification("weatherNotification", 5, b'{"context":{"slot":2}}'),
        b'{"jsonrpc":"2.0","id":1,"result":9}',
        write_notification("accountDiffNotification", 5, b'{"context":{"slot":3}}'),
        write_subscription_complete(5),
        b'{"jsonrpc":',
        b"never reached",
    ]
    messages, fault = decode_data_messages(payloads, "mine")
    assert [type(message) for message in messages] == [
        AccountDiff,
        UnknownNotification,
        Acknowledgement,
        AccountDiff,
        SubscriptionComplete,
    ]
    assert fault is not None
    assert fault.excerpt == '{"jsonrpc":'
    for place in (0, 1, 3):
        message = messages[place]
        assert isinstance(message, AccountDiff | UnknownNotification)
        assert (message.raw, message.label) == (payloads[place], "mine")


@pytest.mark.parametrize("encoded", [["AQID", "base64"], "AQID"])
def test_a_transaction_in_another_encoding_is_an_error_when_it_is_read(encoded: object) -> None:
    """It comes with its slot and its raw text; what would have to be read out of it says why it cannot."""
    transaction = _decode("transactionNotification", _TRANSACTION | {"transaction": encoded})
    assert (transaction.slot, transaction.fee) == (7, 5000)
    with pytest.raises(RemoteProtocolError, match="not in the `json` encoding") as caught:
        _ = transaction.signature
    assert caught.value.path == "$.params.result.transaction"


def test_a_part_of_a_transaction_that_does_not_fit_is_an_error_when_it_is_read() -> None:
    """Whoever does not read it is not troubled."""
    transaction = _decode("transactionNotification", _TRANSACTION | {"meta": _META | {"logMessages": [1]}})
    assert transaction.fee == 5000
    with pytest.raises(RemoteProtocolError) as caught:
        _ = transaction.logs
    assert caught.value.path == "$.params.result.meta.logMessages"


@given(kinds=st.lists(st.sampled_from("dtlcaux")))
def test_a_run_of_mixed_messages_is_read_as_each_alone(kinds: list[str]) -> None:
    """Reading in bulk makes no difference, whatever follows what; all up to the first that cannot be read."""
    samples = {
        "d": write_notification("accountDiffNotification", 5, json.dumps(_DIFF).encode()),
        "t": write_notification("transactionNotification", 5, json.dumps(_TRANSACTION).encode()),
        "l": write_notification("logsNotification", 5, json.dumps(_LOGS).encode()),
        "c": write_subscription_complete(5),
        "a": b'{"jsonrpc":"2.0","id":1,"result":9}',
        "u": write_notification("newNotification", 5, b'{"slot":7}'),
        "x": b'{"method":"accountDiffNotification"}',
    }
    payloads = [samples[kind] for kind in kinds]
    messages, fault = decode_data_messages(payloads, "mine")
    readable = kinds[: kinds.index("x")] if "x" in kinds else kinds
    assert messages == [decode_data_message(samples[kind], "mine") for kind in readable]
    assert (fault is not None) is ("x" in kinds)
