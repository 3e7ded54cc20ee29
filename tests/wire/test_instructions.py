"""The instructions of executed transactions."""

from __future__ import annotations

import json

import pytest
from msgspec import Raw

from simclient.errors import RemoteProtocolError
from simclient.wire.instructions import Instruction, read_instructions

KEYS = ("payer", "market", "token", "vault")


def raw(value: object) -> Raw:
    return Raw(json.dumps(value).encode())


def test_an_instruction_is_followed_by_those_that_its_program_made() -> None:
    """Addresses in place of their numbers; a depth that is not said is that of a call."""
    own = raw(
        [{"programIdIndex": 1, "accounts": [0, 3], "data": "3Bxs"}, {"programIdIndex": 2, "accounts": [], "data": ""}]
    )
    called = [{"programIdIndex": 2, "accounts": [3], "data": "2", "stackHeight": 3}, {"programIdIndex": 2, "data": "5"}]
    inner = raw([{"index": 0, "instructions": called}])

    assert read_instructions(own, inner, KEYS) == (
        Instruction(program="market", accounts=("payer", "vault"), data="3Bxs"),
        Instruction(program="token", accounts=("vault",), data="2", depth=3),
        Instruction(program="token", accounts=(), data="5", depth=2),
        Instruction(program="token", accounts=(), data=""),
    )
    assert read_instructions(own, inner, KEYS)[1].data_bytes == b"\x01"


@pytest.mark.parametrize("missing", [Raw(), raw(None), raw([])])
def test_a_transaction_without_instructions_has_none(missing: Raw) -> None:
    """Whether they are left out or null."""
    assert read_instructions(missing, missing, KEYS) == ()


@pytest.mark.parametrize(
    "own",
    [
        [{"programIdIndex": 9, "accounts": [], "data": ""}],
        [{"programIdIndex": 1, "accounts": [4], "data": ""}],
        [{"programIdIndex": -1, "accounts": [], "data": ""}],
        [{"program": "spl-token", "parsed": {}}],
        "x",
    ],
)
def test_instructions_that_cannot_be_read_are_an_error(own: object) -> None:
    """Another encoding, or an address that is not there."""
    with pytest.raises(RemoteProtocolError, match="instructions of a transaction"):
        read_instructions(raw(own), Raw(), KEYS)
