"""The only door between wire text and the wire classes, in both directions and for both generations.

`read_…` takes text or bytes and gives values; `write_…` takes values and gives compact JSON text. Rules:

- Exact: a number in a string, a float for an integer, an integer for a boolean, or one out of its type's range is an error.
- One error: whatever is wrong with the text, `RemoteProtocolError` says the JSON path, what was expected and what was there.
- Patient: an unknown variant from the server becomes an `Unknown…` value, unknown fields are kept, and both are written back.
  A request with an unknown method is an error: a server must not guess what its client wants.
- Reading without a generation accepts both; with one, a field of the other generation is an unknown field.
"""

from __future__ import annotations

import functools
from typing import cast

from ..errors import RemoteProtocolError
from .generation import NEWEST, Generation
from .json_text import JsonValue, RepeatedKeys, dump, parse
from .misfit import Misfit
from .requests import ControlRequest
from .responses import ControlResponse, SequencedResponse
from .structure import Converters

__all__ = ["read_request", "read_response", "read_value", "write_request", "write_response", "write_value"]

_SEQUENCE = "seqId"


def read_response(text: str | bytes, *, generation: Generation | None = None) -> SequencedResponse:
    """Read what a server said on the control socket.

    Args:
        text: One frame.
        generation: Whose fields are known; None: both.

    Raises:
        RemoteProtocolError: It is not a response of the protocol. A sequence number that is not one is an error too: the real client
            then takes the frame for unsequenced.
    """
    value = parse(text)
    if isinstance(value, RepeatedKeys) and _SEQUENCE in value.repeated:
        raise _unreadable("control response", Misfit("this member once", value[_SEQUENCE]).at(_SEQUENCE))

    has_sequence = isinstance(value, dict) and _SEQUENCE in value
    sequence = value.pop(_SEQUENCE) if isinstance(value, dict) and has_sequence else None
    if has_sequence and (type(sequence) is not int or not 0 <= sequence < 2**64):
        raise _unreadable("control response", Misfit("a u64", sequence).at(_SEQUENCE))

    assert sequence is None or isinstance(sequence, int)
    response = _read(ControlResponse, value, "control response", generation, keeps_unknown=True)
    return SequencedResponse(response=cast("ControlResponse", response), seq_id=sequence)


def read_request(text: str | bytes, *, generation: Generation | None = None) -> ControlRequest:
    """Read what a client said on the control socket.

    Raises:
        RemoteProtocolError: It is not a request of the protocol.
    """
    return cast(
        "ControlRequest", _read(ControlRequest, parse(text), "control request", generation, keeps_unknown=False)
    )


def write_request(request: ControlRequest, *, generation: Generation = NEWEST) -> str:
    """Write what a client says on the control socket.

    Raises:
        InputError: A string in it cannot be written as UTF-8.
    """
    return dump(_converters(generation).unstructure(request, ControlRequest))


def write_response(response: ControlResponse, *, seq_id: int | None = None, generation: Generation = NEWEST) -> str:
    """Write what a server says on the control socket, with its sequence number if it has one."""
    value = _converters(generation).unstructure(response, ControlResponse)
    assert isinstance(value, dict)
    return dump(value if seq_id is None else {_SEQUENCE: seq_id, **value})


def read_value(
    kind: object, text: str | bytes, *, generation: Generation | None = None, keeps_unknown: bool = True
) -> object:
    """Read a text that holds one wire value.

    Args:
        kind: Its class, or the union it stands in.
        text: JSON.
        generation: Whose fields are known; None: both.
        keeps_unknown: Whether an unknown variant becomes an `Unknown…` value, as from a server, or is an error, as from a client.

    Raises:
        RemoteProtocolError: It does not hold such a value.
    """
    name = kind.__name__ if isinstance(kind, type) else "value"
    return _read(kind, parse(text), name, generation, keeps_unknown=keeps_unknown)


def write_value(value: object, *, kind: object = None, generation: Generation = NEWEST) -> str:
    """Write one wire value.

    Args:
        value: An instance of a wire class.
        kind: The union it stands in; None: it stands alone.
        generation: For whom.
    """
    return dump(_converters(generation).unstructure(value, type(value) if kind is None else kind))


def _read(kind: object, value: JsonValue, what: str, generation: Generation | None, *, keeps_unknown: bool) -> object:
    try:
        return _converters(generation, keeps_unknown=keeps_unknown).structure(value, kind)
    except Misfit as misfit:
        raise _unreadable(what, misfit) from misfit


def _unreadable(what: str, misfit: Misfit) -> RemoteProtocolError:
    message = f"{what} cannot be read: {misfit.path}: expected {misfit.expected}, found {misfit.found}"
    return RemoteProtocolError(message, path=misfit.path, excerpt=misfit.found)


@functools.cache
def _converters(generation: Generation | None, *, keeps_unknown: bool = True) -> Converters:
    return Converters(generation, keeps_unknown=keeps_unknown)
