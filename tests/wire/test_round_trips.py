"""For every class of the wire: write, then read, is the identity."""

from __future__ import annotations

import base64
import functools
import types
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simclient.errors import InputError
from simclient.wire import (
    accounts,
    action_results,
    actions,
    agents,
    http_bodies,
    params,
    ranges,
    replacements,
    requests,
    reroute,
    reroute_stats,
    responses,
    subscribe_options,
    summary,
)
from simclient.wire.addresses import encode_base58
from simclient.wire.codec import (
    read_request,
    read_response,
    read_value,
    write_request,
    write_response,
    write_value,
)
from simclient.wire.discovery import DiscoveryFilter
from simclient.wire.failures import BacktestFailure, describe_failure
from simclient.wire.generation import NEWEST, Generation
from simclient.wire.json_text import dump
from simclient.wire.reroute import DirectFillTemplate
from simclient.wire.schema import Bounds, Mark, WireValue, fields_of

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
addresses = st.binary(min_size=32, max_size=32).map(encode_base58)
u64 = st.integers(0, 2**64 - 1)
_TIMES = ("since", "until", "start", "end", "started_at", "ended_at", "expiration")
_MARKED = {
    Mark.ADDRESS: addresses,
    Mark.SIGNATURE: st.binary(min_size=64, max_size=64).map(encode_base58),
    Mark.RAW: st.recursive(st.booleans() | u64 | texts, st.lists, max_leaves=3).map(dump),
    Mark.BASE64: st.binary(max_size=8).map(lambda data: base64.b64encode(data).decode()),
}
_PLAIN: dict[object, st.SearchStrategy[Any]] = {
    str: texts,
    bool: st.booleans(),
    int: u64,
    float: st.floats(allow_nan=False, allow_infinity=False),
    type(None): st.none(),
}


@functools.cache
def values_of(kind: Any, generation: Generation = NEWEST) -> st.SearchStrategy[Any]:
    """Return a strategy for what a generation knows of a wire class, of a union or of the type of a field."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind in _PLAIN:
        return _PLAIN[kind]
    if origin is Annotated:
        return _marked(arguments[0], arguments[1:], generation)
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple:
        return st.lists(values_of(arguments[0], generation), max_size=3).map(tuple)
    if origin is Mapping:
        return st.dictionaries(values_of(arguments[0], generation), values_of(arguments[1], generation), max_size=2)
    if origin in (Union, types.UnionType):
        known = [one for one in arguments if not _is_unknown(one, generation)]
        return st.one_of(*(values_of(one, generation) for one in known))

    return st.deferred(lambda: _instances(kind, generation))


def _is_unknown(kind: Any, generation: Generation) -> bool:
    """Tell whether a member of a union stands for what is not known, or for what the generation does not know."""
    is_catch_all = isinstance(kind, type) and kind.__name__.startswith("Unknown")
    return is_catch_all or getattr(kind, "wire_only", None) not in (None, generation)


def _marked(inner: Any, marks: tuple[object, ...], generation: Generation) -> st.SearchStrategy[Any]:
    for mark in marks:
        if isinstance(mark, Bounds):
            return st.integers(mark.least, mark.most)
        if mark in _MARKED:
            return _MARKED[mark]
    return values_of(inner, generation)


def _instances(cls: type[WireValue], generation: Generation) -> st.SearchStrategy[Any]:
    if cls is DirectFillTemplate:
        return st.just(_TEMPLATE)  # its parts must fit together

    known = [spec for spec in fields_of(cls) if spec.only in (None, generation) and spec.name != "is_extended"]
    fields = {spec.name: _field(cls, spec.name, spec.type, generation) for spec in known}
    return (
        st.fixed_dictionaries(fields).map(lambda arguments: _made(cls, arguments)).filter(lambda one: one is not None)
    )


def _field(cls: type[WireValue], name: str, kind: Any, generation: Generation) -> st.SearchStrategy[Any]:
    if name in _TIMES and kind in (str, str | None) and cls.__module__.endswith("http_bodies"):
        return st.datetimes().map(lambda time: f"{time:%Y-%m-%dT%H:%M:%S}Z".rjust(20, "0"))
    if name == "aggregators":
        return st.lists(st.sampled_from(("jupiter", "okx", "titan", "dflow"))).map(tuple)
    if name == "mints":
        return st.lists(addresses, min_size=2, max_size=2).map(tuple)
    return values_of(kind, generation)


def _made(cls: type[WireValue], arguments: dict[str, Any]) -> WireValue | None:
    try:
        return cls(**arguments)
    except InputError:
        return None


_HERE, _THERE = encode_base58(bytes([1]) * 32), encode_base58(bytes([2]) * 32)
_TEMPLATE = DirectFillTemplate(
    label="one",
    mode="ExactIn",
    input_mint=_HERE,
    output_mint=_THERE,
    instruction=reroute.TemplateInstruction(
        program_id=_HERE,
        accounts=(
            reroute.TemplateAccount(address=_HERE, signer=True),
            reroute.TemplateAccount(address=_HERE, writable=True),
            reroute.TemplateAccount(address=_THERE, writable=True),
        ),
        data=accounts.EncodedBinary.from_bytes(bytes(8)),
    ),
    amount_offset=0,
    taker=reroute.TakerSlots(user=(0,), input_token_account=(1,), output_token_account=(2,)),
)

_MODULES = (
    accounts, action_results, actions, agents, http_bodies, params, ranges, replacements, requests,
    reroute, reroute_stats, responses, subscribe_options, summary,
)  # fmt: skip
_CLASSES = sorted(
    {
        cls
        for module in _MODULES
        for cls in vars(module).values()
        if isinstance(cls, type) and issubclass(cls, WireValue) and fields_of(cls) and not cls.__name__.startswith("_")
    }
    - {WireValue, responses.SubSessionEvent},
    key=lambda cls: cls.__name__,
)
_UNIONS = (
    requests.ControlRequest,
    responses.ControlResponse,
    responses.SessionEvent,
    DiscoveryFilter,
    BacktestFailure,
    actions.ActionAnchor,
    actions.TxResolver,
    replacements.ReplacementNotification,
    reroute.Seed,
)
_relaxed = settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


@pytest.mark.parametrize("generation", Generation)
@pytest.mark.parametrize("cls", _CLASSES, ids=lambda cls: cls.__name__)
@_relaxed
@given(data=st.data())
def test_every_class_survives_writing_and_reading(cls: Any, generation: Generation, data: st.DataObject) -> None:
    """What is read is what was written."""
    value = data.draw(values_of(cls, generation))
    assert read_value(cls, write_value(value, generation=generation)) == value


@pytest.mark.parametrize("generation", Generation)
@pytest.mark.parametrize("union", _UNIONS, ids=lambda union: str(get_args(union)[0].__name__))
@_relaxed
@given(data=st.data())
def test_every_union_survives_writing_and_reading(union: Any, generation: Generation, data: st.DataObject) -> None:
    """A variant is read as what it was written from."""
    value = data.draw(values_of(union, generation))
    assert read_value(union, write_value(value, kind=union, generation=generation)) == value


@_relaxed
@given(request=values_of(requests.ControlRequest))
def test_requests_keep_their_value(request: Any) -> None:
    """The server reads the very request that the client wrote."""
    assert read_request(write_request(request)) == request


@_relaxed
@given(response=values_of(responses.ControlResponse), seq_id=st.none() | u64)
def test_responses_keep_their_sequence_number(response: Any, seq_id: int | None) -> None:
    """The client reads the very response that the server wrote, with its number."""
    sequenced = read_response(write_response(response, seq_id=seq_id))
    assert sequenced == responses.SequencedResponse(response=response, seq_id=seq_id)


@_relaxed
@given(name=texts, value=st.recursive(st.none() | st.booleans() | u64 | texts, st.lists, max_leaves=5))
def test_unknown_fields_are_written_back(name: str, value: Any) -> None:
    """A field that this version does not know survives reading and writing."""
    text = dump({"slot": 5, f"x{name}": value})
    assert write_value(read_value(responses.Paused, text)) == text


@_relaxed
@given(failure=values_of(BacktestFailure))
def test_every_failure_is_described_in_a_line(failure: Any) -> None:
    """A failure says what went wrong, and never is an empty text."""
    assert describe_failure(failure)
