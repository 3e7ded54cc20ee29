"""An allowance for what reading one message may cost."""

from __future__ import annotations

import json
from base64 import b64encode

import pytest
import zstandard

from simclient.errors import RemoteProtocolError
from simclient.wire.allowance import Allowance
from simclient.wire.codec import read_request
from simclient.wire.json_text import parse


def blob(value: object) -> str:
    return b64encode(zstandard.compress(json.dumps(value).encode())).decode()


def creation(actions: object) -> str:
    params = {"startSlot": 1, "endSlot": 2, "replayAccountState": False, "actions": blob(actions)}
    return json.dumps({"method": "createBacktestSession", "params": params})


def action(transactions: list[str]) -> dict[str, object]:
    return {
        "anchor": {"at": "afterEverySlot", "everyNSlots": 1},
        "kind": "simulate",
        "transactions": blob(transactions),
        "accountOverrides": {},
        "returnAccounts": [],
        "label": None,
    }


def test_values_are_counted_before_they_are_read() -> None:
    """As many values as are allowed are read, one more is refused."""
    with Allowance(most_values=3, most_blob_bytes=0).applied():
        assert parse("[1,2,3]") == [1, 2, 3]
    with Allowance(most_values=2, most_blob_bytes=0).applied(), pytest.raises(RemoteProtocolError, match="2 values"):
        parse("[1,2,3]")
    assert parse("[1,2,3]") == [1, 2, 3]


def test_compressed_parts_are_counted_together() -> None:
    """Two blobs within one, each of which would be allowed, are refused where all together are too large."""
    one, two = creation([action(["A" * 1_000])]), creation([action(["A" * 1_000]), action(["B" * 1_000])])
    with Allowance(most_values=1_000, most_blob_bytes=2_000).applied():
        read_request(one)
    with (
        Allowance(most_values=1_000, most_blob_bytes=2_000).applied(),
        pytest.raises(RemoteProtocolError, match="2,000 bytes when decompressed"),
    ):
        read_request(two)


def test_values_within_blobs_are_counted() -> None:
    """What is compressed counts like what is not."""
    text = creation([action(["A"] * 500)])
    with Allowance(most_values=400, most_blob_bytes=10_000).applied(), pytest.raises(RemoteProtocolError, match="400"):
        read_request(text)


def test_a_long_string_among_many_values_is_read_in_little_memory() -> None:
    """Looking for the depth of a text takes no note of each character: this would take gigabytes."""
    text = '["' + "A" * 30_000_000 + '"' + ',"\\"[["' * 200 + "]"
    assert len(parse(text)) == 201  # type: ignore[arg-type]
