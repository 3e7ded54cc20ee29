"""Faults on demand, as words: what `simclient local --chaos` takes, made into a plan of the faults that `simclient.testing` injects.

    KIND[:OPTION=VALUE,...]        latency:seconds=0.05,jitter_seconds=0.02
                                   cut:at_message=50,connections=3
                                   close:at_message=50,code=1012
                                   stall:at_byte=20000,seconds=5,direction=upstream
                                   refuse:connections=2
                                   random:seed=7

A kind is a fault of `transport/faults.py` and its options are that fault's; `connections=N` limits it to the first N connections, and
`direction` is `downstream`, from server to client, unless it says `upstream`. Several are in force together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import attrs
import msgspec

from ..errors import InputError
from ..transport.faults import (
    Bandwidth,
    Close,
    ConnectionFaults,
    Corrupt,
    Cut,
    Fault,
    FaultPlan,
    HalfOpen,
    Latency,
    Reset,
    Slicer,
    SlowClose,
    Stall,
    random_faults,
)

__all__ = ["CHAOS_KINDS", "read_chaos"]

_FAULTS: Final[Mapping[str, type[Fault]]] = {
    "bandwidth": Bandwidth,
    "close": Close,
    "corrupt": Corrupt,
    "cut": Cut,
    "half-open": HalfOpen,
    "latency": Latency,
    "reset": Reset,
    "slicer": Slicer,
    "slow-close": SlowClose,
    "stall": Stall,
}
_REFUSE, _RANDOM = "refuse", "random"
CHAOS_KINDS: Final = (*_FAULTS, _REFUSE, _RANDOM)


def read_chaos(specifications: Sequence[str]) -> FaultPlan:
    """Make a plan out of what a user wrote; several specifications are in force together.

    Raises:
        InputError: One cannot be read; the message names it and says what there is.
    """
    plans = [_read(specification) for specification in specifications]

    def plan(connection: int) -> ConnectionFaults:
        return _joined([one(connection) for one in plans])

    return plan


def _read(specification: str) -> FaultPlan:
    kind, _, rest = specification.partition(":")
    options = _options(specification, rest)
    connections = _number(specification, options, "connections")
    if kind == _RANDOM:
        found = random_faults(_number(specification, options, "seed") or 0, connections=connections)
        connections = None
    elif kind == _REFUSE:
        found = _always(ConnectionFaults(is_refused=True))
    elif kind in _FAULTS:
        found = _always(_one_fault(specification, _FAULTS[kind], options))
    else:
        there_are = ", ".join(CHAOS_KINDS)
        raise InputError(f"--chaos {specification!r}: no kind of fault is called {kind!r}; there are {there_are}")

    if options:
        raise InputError(
            f"--chaos {specification!r}: {kind} has no option {next(iter(options))!r}; its options are {_options_of(kind)}"
        )
    return found if connections is None else _limited(found, connections)


def _options(specification: str, text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in text.split(",") if text else ():
        name, equals, value = part.partition("=")
        if not equals or not name or name in found:
            raise InputError(f"--chaos {specification!r}: {part!r} is not OPTION=VALUE, each option once")
        found[name] = value
    return found


def _options_of(kind: str) -> str:
    """Return the options of a kind of fault, for people."""
    own = (
        ["seed"]
        if kind == _RANDOM
        else [field.name for field in attrs.fields(_FAULTS[kind])]
        if kind in _FAULTS
        else []
    )
    return ", ".join([*own, *(["direction"] if kind in _FAULTS else []), "connections"])


def _number(specification: str, options: dict[str, str], name: str) -> int | None:
    """Take a whole number out of the options; None where it is absent."""
    text = options.pop(name, None)
    if text is not None and not text.isdecimal():
        raise InputError(f"--chaos {specification!r}: {name} is {text!r}, not a whole number")

    return None if text is None else int(text)


def _one_fault(specification: str, kind: type[Fault], options: dict[str, str]) -> ConnectionFaults:
    """Make the fault that the options describe, and take these out."""
    direction = options.pop("direction", "downstream")
    names = [field.name for field in attrs.fields(kind)]
    values = {name: options.pop(name) for name in names if name in options}
    try:
        fault: Fault = msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise InputError(f"--chaos {specification!r}: {error}; the options are {', '.join(names)}") from error

    if any(isinstance(value, int | float) and not value >= 0 for value in attrs.astuple(fault)):
        raise InputError(f"--chaos {specification!r}: a number that is less than 0")
    match direction:
        case "downstream":
            return ConnectionFaults(downstream=(fault,))
        case "upstream":
            return ConnectionFaults(upstream=(fault,))
        case _:
            raise InputError(
                f"--chaos {specification!r}: the direction {direction!r} is neither downstream nor upstream"
            )


def _always(faults: ConnectionFaults) -> FaultPlan:
    return lambda connection: faults


def _limited(plan: FaultPlan, connections: int) -> FaultPlan:
    return lambda connection: plan(connection) if connection < connections else ConnectionFaults()


def _joined(faults: Sequence[ConnectionFaults]) -> ConnectionFaults:
    return ConnectionFaults(
        downstream=tuple(fault for one in faults for fault in one.downstream),
        upstream=tuple(fault for one in faults for fault in one.upstream),
        is_refused=any(one.is_refused for one in faults),
        seed=next((one.seed for one in faults if one.seed), 0),
    )
