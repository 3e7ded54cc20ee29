"""The codec: exact, patient, and one error for whatever is wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from simclient.errors import InputError, RemoteProtocolError
from simclient.wire.accounts import AccountData
from simclient.wire.addresses import encode_base58
from simclient.wire.agents import AgentParams
from simclient.wire.blobs import pack, unpack
from simclient.wire.codec import read_request, read_response, read_value, write_request, write_value
from simclient.wire.discovery import ProgramExecuted, UnknownFilter
from simclient.wire.failures import UnknownFailure
from simclient.wire.generation import Generation
from simclient.wire.jsonrpc import read_rpc_request
from simclient.wire.misfit import Misfit
from simclient.wire.notifications import decode_data_message
from simclient.wire.params import SessionParams
from simclient.wire.ranges import read_ranges
from simclient.wire.requests import Continue, CreateSession
from simclient.wire.responses import (
    DiscoveryBatch,
    ErrorEvent,
    ReadyForContinue,
    SequencedResponse,
    SlotNotification,
    Status,
    UnknownResponse,
)

_READERS: tuple[Any, ...] = (read_response, read_request, read_ranges, read_rpc_request)
_HOSTILE: tuple[bytes, ...] = (
    b"",
    b"\xff\xfe",
    b"\xef\xbb\xbf{}",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"method":"slotNotification","params":' + b"9" * 10_000 + b"}",
    b'{"method":"slotNotification","params":1e400}',
    b'{"method":"slotNotification","params":NaN}',
    b'{"method":"\\ud800"}',
    b'{"method":"x","params":"\\udfff\\ud800"}',
    b'{"method":"continue","method":"continue"}',
    b'{"jsonrpc":"2.0","method":"newNotification","params":' + b"[" * 900 + b"]" * 900 + b"}",
    b'{"jsonrpc":"2.0","method":"newNotification","params":[1],"x":"\\ud800"}',
    b'{"id":1,"error":{"code":"x","message":1}}',
    b'{"id":1,"result":-5}',
    b'"' + b"x" * 100_000,
)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(("method", "params", "id", "seqId", "x")), inner)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize("reader", [*_READERS, decode_data_message], ids=lambda reader: reader.__name__)
@pytest.mark.parametrize("text", _HOSTILE, ids=range(len(_HOSTILE)))
def test_hostile_texts_give_a_value_or_the_one_error(reader: Any, text: bytes) -> None:
    """No reader raises anything but `RemoteProtocolError`, with a short excerpt."""
    refusal = _refusal(reader, text)
    assert refusal is None or (len(refusal.excerpt) <= 220 and len(str(refusal)) < 2_000)


@pytest.mark.parametrize("reader", [*_READERS, decode_data_message], ids=lambda reader: reader.__name__)
@settings(max_examples=60, deadline=None)
@given(text=st.binary(max_size=60) | _json.map(lambda value: json.dumps(value).encode()))
@example(text=b"null")
def test_any_bytes_give_a_value_or_the_one_error(reader: Any, text: bytes) -> None:
    """Random bytes and random JSON are read, or refused with the one typed error."""
    _refusal(reader, text)


def _refusal(reader: Any, text: bytes) -> RemoteProtocolError | None:
    try:
        reader(text)
    except RemoteProtocolError as error:
        return error
    return None


@pytest.mark.parametrize("slot", ['"5"', "5.0", "5e0", "-0", "true", "-1", "18446744073709551616", "null", "[5]"])
def test_what_is_not_exactly_a_slot_is_refused(slot: str) -> None:
    """Numbers as strings, floats, booleans and integers out of range are errors at their JSON path."""
    with pytest.raises(RemoteProtocolError) as caught:
        read_response(f'{{"method":"paused","params":{{"slot":{slot}}}}}')
    assert caught.value.path == "$.params.slot"


def test_the_largest_slot_survives() -> None:
    """A u64 keeps every digit."""
    read = read_response('{"seqId":18446744073709551615,"method":"slotNotification","params":18446744073709551615}')
    assert read == SequencedResponse(response=SlotNotification(slot=2**64 - 1), seq_id=2**64 - 1)


def test_an_error_says_where_what_was_expected_and_what_was_there() -> None:
    """The message names the path into lists and objects, the expectation and the finding."""
    with pytest.raises(RemoteProtocolError, match=r"\$\.params\.transactions\[1\]: expected a string, found 7"):
        read_request('{"method":"continue","params":{"transactions":["AA==",7]}}')


def test_an_unknown_response_is_kept_as_it_came() -> None:
    """A method that this version does not know arrives with its text, without the sequence number."""
    read = read_response('{"seqId":3,"method":"newThing","params":{"x":[1]}}')
    assert read.response == UnknownResponse(method="newThing", raw='{"method":"newThing","params":{"x":[1]}}')
    assert read.seq_id == 3


def test_an_unknown_failure_is_kept_and_not_terminal() -> None:
    """An error that this version does not know arrives as a value."""
    read = read_response('{"method":"error","params":{"brandNew":{"x":1}}}').response
    assert read == ErrorEvent(failure=UnknownFailure(kind="brandNew", raw='{"brandNew":{"x":1}}'))


def test_an_unknown_status_is_kept() -> None:
    """A status is a name, known or not."""
    assert read_response('{"method":"status","params":{"status":"warmingUp"}}').response == Status(status="warmingUp")


def test_an_unknown_filter_is_kept_from_a_server_and_refused_from_a_client() -> None:
    """What a server matched may be new; what a client asks for must be understood."""
    text = '{"method":"discoveryBatch","params":{"slot":1,"batchIndex":2,"matched":[{"kind":"new","value":1}],"transactions":[]}}'
    read = read_response(text).response
    assert isinstance(read, DiscoveryBatch)
    assert read.matched == (UnknownFilter(kind="new", raw='{"kind":"new","value":1}'),)
    with pytest.raises(RemoteProtocolError, match=r"discoveries\[0\]"):
        read_request(
            '{"method":"createBacktestSession","params":{"startSlot":1,"endSlot":2,"discoveries":[{"kind":"new","value":1}]}}'
        )


def test_a_unit_method_takes_no_parameters() -> None:
    """Absent and null parameters are the same; an object is refused."""
    assert read_response('{"method":"readyForContinue","params":null}').response == ReadyForContinue()
    with pytest.raises(RemoteProtocolError):
        read_response('{"method":"readyForContinue","params":{}}')


def test_the_generation_chooses_what_is_written() -> None:
    """The same request is written with the fields of the generation asked for."""
    request = CreateSession(params=SessionParams(start_slot=1, end_slot=2), name="run")
    old = json.loads(write_request(request, generation=Generation.V0_9))["params"]
    new = json.loads(write_request(request))["params"]
    assert ("signerFilter" in old, "name" in old) == (True, False)
    assert ("signerFilter" in new, new["name"]) == (False, "run")


class _Address:
    """Stands for solders' `Pubkey`: its `str()` is its address."""

    def __str__(self) -> str:
        return encode_base58(bytes(32))


def test_addresses_may_be_objects() -> None:
    """Whatever prints as an address is one."""
    account = AccountData.build(lamports=1, owner=_Address())  # type: ignore[arg-type]
    assert account.owner == "1" * 32
    assert ProgramExecuted(program=_Address()).program == "1" * 32


def test_half_a_surrogate_pair_is_not_written() -> None:
    """A string that UTF-8 cannot hold is refused before anything is sent."""
    with pytest.raises(InputError, match="surrogate"):
        write_request(Continue(transactions=("\ud800",)))


def test_a_blob_over_the_ceiling_is_refused() -> None:
    """What decompresses to more than allowed is an error that names the ceiling."""
    with pytest.raises(Misfit) as caught:
        unpack(pack("a" * 100_000), most_bytes=1_000)
    assert "1000 bytes" in caught.value.expected


def test_a_secret_stands_in_no_repr() -> None:
    """The repr of an agent does not show its key, while the wire carries it."""
    text = '{"agentType":"arb","keypair":"s3cret"}'
    agent = read_value(AgentParams, text)
    assert "s3cret" not in repr(agent)
    assert "s3cret" in write_value(agent)
