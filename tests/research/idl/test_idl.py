"""Reading what Anchor programs write, with the old and the new format of their IDL."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simclient.research.idl import Idl, IdlError, load_idl
from simclient.wire.addresses import encode_base58
from simclient.wire.instructions import Instruction

from .files import FILLED_NEW, NEW, OLD, OWNER, PROGRAM, event_line, grid, order, write

OTHER = encode_base58(bytes([8]) * 32)
BOOK_OLD = hashlib.sha256(b"account:Book").digest()[:8]
BOOK_NEW = bytes([1, 2, 3, 4, 5, 6, 7, 8])
BAD_TYPE = {"name": "x", "instructions": [{"name": "y", "args": [{"name": "z", "type": "u7"}]}]}
PLACE_ORDER = bytes([51, 194, 155, 175, 109, 130, 96, 106])


@pytest.fixture(params=["old", "new"])
def idl(request: pytest.FixtureRequest, tmp_path: Path) -> Idl:
    """Return the same program's IDL in either format."""
    return load_idl(write(tmp_path / "idl.json", OLD if request.param == "old" else NEW))


@pytest.fixture
def new(tmp_path: Path) -> Idl:
    return load_idl(write(tmp_path / "idl.json", NEW))


def test_both_formats_name_the_program(idl: Idl) -> None:
    """By name and address."""
    assert (idl.name, idl.address) == ("market", PROGRAM)


def test_an_account_is_known_by_its_discriminator(tmp_path: Path) -> None:
    """The old format has none: it is made of the name. Bytes after the account are room for later."""
    body = (
        OWNER
        + b"\x02\0\0\0"
        + order(b"\x01", 5, "hi")
        + order(b"\x02" + (-3).to_bytes(8, "little", signed=True), 2**100, "")
        + b"seed"
    )
    for content, discriminator in ((OLD, BOOK_OLD), (NEW, BOOK_NEW)):
        decoded = load_idl(write(tmp_path / "idl.json", content)).account(discriminator + body + bytes(100))
        assert decoded is not None
        assert decoded.as_json() == {
            "name": "Book",
            "fields": {
                "owner": encode_base58(OWNER),
                "orders": [
                    {"side": "Ask", "price": 5, "note": "hi"},
                    {"side": {"At": {"slot": -3}}, "price": 2**100, "note": ""},
                ],
                "seed": base64.b64encode(b"seed").decode(),
            },
        }


def test_an_instruction_has_arguments_and_named_accounts(idl: Idl) -> None:
    """The discriminator of the old format is made of the name in snake case; accounts of a group have its name before theirs."""
    data = PLACE_ORDER + order(b"\x03\x07\x01", 1, "x") + b"\x01" + (9).to_bytes(8, "little")
    decoded = idl.instruction(data, ["A", "B", "C"])

    assert decoded is not None
    assert decoded.name in ("placeOrder", "place_order")
    assert decoded.fields == {"order": {"side": {"Pair": [7, True]}, "price": 1, "note": "x"}, "limit": 9}
    assert decoded.accounts == (("owner", "A"), ("vaults.base", "B"))
    initialize = idl.instruction(bytes.fromhex("afaf6d1f0d989bed"))
    assert initialize is not None
    assert initialize.as_json() == {"name": "initialize", "fields": {}}


def test_a_discriminator_can_have_any_length(new: Idl) -> None:
    """Since Anchor 0.31 a program chooses it."""
    decoded = new.instruction(b"\x05\x2a")

    assert decoded is not None
    assert (decoded.name, decoded.fields) == ("short", {"n": 42})


@pytest.mark.parametrize("has_owner", [True, False])
def test_generics_aliases_maps_floats_and_coptions_are_read(new: Idl, has_owner: bool) -> None:
    """What a parameter is can be a type or a number; a COption has the value's bytes in any case."""
    decoded = new.account(bytes([8, 7, 6, 5, 4, 3, 2, 1]) + grid(has_owner=has_owner))

    assert decoded is not None
    assert decoded.fields == {
        "row": {"cells": [-1, 2, 300]},
        "ratio": 0.5,
        "owner": encode_base58(OWNER) if has_owner else None,
        "tags": {"a": 7},
    }


def test_events_are_those_that_the_program_itself_logged(new: Idl) -> None:
    """Programs that it calls, and those that call it, can log the same bytes."""
    logs = [
        f"Program {OTHER} invoke [1]",
        event_line(1),
        f"Program {PROGRAM} invoke [2]",
        event_line(2),
        f"Program {OTHER} invoke [3]",
        event_line(3),
        f"Program {OTHER} failed: custom program error: 0x1",
        event_line(4),
        f"Program {PROGRAM} success",
        event_line(5),
        f"Program {OTHER} success",
    ]

    assert [event.fields for event in new.events_in(logs)] == [{"amount": 2}, {"amount": 4}]


def test_lines_that_are_no_events_are_passed_over(new: Idl) -> None:
    """Programs write what they like."""
    logs = [
        f"Program {PROGRAM} invoke [1]",
        "Program data: %%%",
        "Program data: ",
        "Program log: hello",
        event_line(1)[:-8],
    ]

    assert list(new.events_in(logs)) == []


def test_a_program_tells_events_by_calling_itself(new: Idl) -> None:
    """Such an instruction is an event and no call; those of other programs are neither."""
    event = bytes.fromhex("e445a52e51cb9a1d") + FILLED_NEW + (42).to_bytes(8, "little")
    instructions = [
        Instruction(program=program, accounts=(), data=encode_base58(data), depth=2)
        for program in (PROGRAM, OTHER)
        for data in (event, event[:-1], b"\x05\x2a")
    ]

    logged = [f"Program {PROGRAM} invoke [1]", event_line(1)]
    assert [one.fields for one in new.events_in(logged, instructions)] == [{"amount": 1}, {"amount": 42}]
    assert [call and call.fields for call in map(new.call, instructions)] == [None, None, {"n": 42}, None, None, None]
    assert new.call(Instruction(program=PROGRAM, accounts=(), data="0OIl")) is None


@pytest.mark.parametrize(
    ("error", "explained"),
    [
        ("Error processing Instruction 2: custom program error: 0x1771", " (SlippageExceeded: too much slippage)"),
        ("custom program error: 0x1772", " (Closed)"),
        ("custom program error: 0x1", ""),
        ("Account in use", ""),
    ],
)
def test_an_error_gets_the_words_of_the_program(idl: Idl, error: str, explained: str) -> None:
    """After those of Solana's tools."""
    assert idl.explain(error) == error + explained


@given(st.binary(max_size=80))
def test_no_bytes_raise(data: bytes) -> None:
    """What does not fit is not decoded."""
    idl = IDLS["new"]
    for discriminator in (BOOK_NEW, bytes([8, 7, 6, 5, 4, 3, 2, 1]), b""):
        idl.account(discriminator + data)
    idl.instruction(PLACE_ORDER + data)
    idl.event(FILLED_NEW + data)


@pytest.fixture(scope="module", autouse=True)
def _idls(tmp_path_factory: pytest.TempPathFactory) -> None:
    IDLS["new"] = load_idl(write(tmp_path_factory.mktemp("idl") / "idl.json", NEW))


IDLS: dict[str, Idl] = {}


def test_a_count_that_cannot_be_is_not_believed(new: Idl) -> None:
    """Four billion orders in a few bytes: nothing is allocated for them."""
    assert new.account(BOOK_NEW + OWNER + b"\xff\xff\xff\xff" + bytes(64)) is None


def test_a_type_that_holds_itself_ends(tmp_path: Path) -> None:
    """It would be read for ever."""
    content: Any = copy.deepcopy(NEW)
    content["types"][0]["type"]["fields"] = [{"name": "again", "type": {"defined": {"name": "Book"}}}]

    assert load_idl(write(tmp_path / "idl.json", content)).account(BOOK_NEW + bytes(100)) is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("hello", r"is no IDL: JSON is malformed"),
        ("[]", r"there is no name: is this the IDL of an Anchor program\? at \$"),
        ('{"name": "x"}', r"there is no instructions at \$"),
        ('{"name": "x", "instructions": [{}]}', r"there is no name at \$\.instructions\[0\]"),
        (
            json.dumps(BAD_TYPE),
            r"the type 'u7' is not known at \$\.instructions\[0\]\.args\[0\]\.type",
        ),
        ('{"name": "x", "instructions": [], "accounts": [{"name": "Y"}]}', r"there is no type Y at \$\.accounts\[0\]"),
        ('{"name": "x", "instructions": [], "address": "y"}', r"not an address: 'y'"),
    ],
)
def test_a_file_that_is_no_idl_is_refused(tmp_path: Path, content: str, message: str) -> None:
    """The message names the file and the place in it."""
    path = tmp_path / "idl.json"
    path.write_text(content)

    with pytest.raises(IdlError, match=message) as caught:
        load_idl(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_named() -> None:
    """As any input."""
    with pytest.raises(IdlError, match="cannot read /no/such"):
        load_idl("/no/such")
