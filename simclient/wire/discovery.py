"""Discovery filters: which batches the server announces ahead of their execution."""

from __future__ import annotations

from typing import Annotated, ClassVar

import attrs

from .addresses import address_of, address_set
from .generation import Generation
from .schema import OMIT_DEFAULT, AddressText, BareValue, SnakeValue

__all__ = ["DiscoveryFilter", "OracleUpdate", "ProgramExecuted", "UnknownFilter"]


@attrs.frozen(kw_only=True)
class ProgramExecuted(BareValue):
    """`programExecuted`: matches a batch in which a transaction invokes this program."""

    wire_name: ClassVar[str] = "programExecuted"

    program: AddressText = attrs.field(converter=address_of)
    """Address, base58."""


@attrs.frozen(kw_only=True)
class OracleUpdate(SnakeValue):
    """`oracleUpdate`: matches a batch in which a program writes accounts and no tokens move; only in 0.28."""

    wire_name: ClassVar[str] = "oracleUpdate"
    wire_only: ClassVar[Generation | None] = Generation.V0_28

    programs: tuple[AddressText, ...] = attrs.field(converter=address_set)
    """One of these is invoked."""
    accounts: Annotated[tuple[AddressText, ...], OMIT_DEFAULT] = attrs.field(default=(), converter=address_set)
    """One of these is written; empty: any."""


@attrs.frozen(kw_only=True)
class UnknownFilter:
    """A filter kind that this version does not know, as the server wrote it."""

    kind: str
    raw: str
    """The whole filter as JSON text."""


DiscoveryFilter = ProgramExecuted | OracleUpdate | UnknownFilter
