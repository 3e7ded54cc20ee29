"""What a 0.28 session does by itself at chosen moments: scheduled actions and diagnostic probes."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Annotated, ClassVar, Literal, SupportsBytes

import attrs

from ..errors import InputError
from .accounts import AccountData
from .addresses import address_list, address_of
from .discovery import DiscoveryFilter
from .schema import COMPRESSED, OMIT_DEFAULT, POSITIVE, U8, U32, U64, AddressText, WireValue

__all__ = [
    "ActionAnchor",
    "ActionKind",
    "AfterEverySlot",
    "AfterMatch",
    "AfterSlot",
    "BeforeEverySlot",
    "BeforeMatch",
    "BeforeSlot",
    "DiagnosticProbeParams",
    "LiquidityArrays",
    "QuoteStamp",
    "ScheduledAction",
    "TxResolver",
]

ActionKind = Literal["simulate", "send"]


@attrs.frozen(kw_only=True)
class BeforeSlot(WireValue):
    """`beforeSlot`: before each of these slots is executed; only in 0.28, like all of this module."""

    wire_name: ClassVar[str] = "beforeSlot"

    slots: Annotated[tuple[U64, ...], COMPRESSED] = ()


@attrs.frozen(kw_only=True)
class AfterSlot(WireValue):
    """`afterSlot`: after each of these slots was executed."""

    wire_name: ClassVar[str] = "afterSlot"

    slots: Annotated[tuple[U64, ...], COMPRESSED] = ()


@attrs.frozen(kw_only=True)
class BeforeEverySlot(WireValue):
    """`beforeEverySlot`: before every n-th slot."""

    wire_name: ClassVar[str] = "beforeEverySlot"

    every_n_slots: POSITIVE = 1


@attrs.frozen(kw_only=True)
class AfterEverySlot(WireValue):
    """`afterEverySlot`: after every n-th slot."""

    wire_name: ClassVar[str] = "afterEverySlot"

    every_n_slots: POSITIVE = 1


@attrs.frozen(kw_only=True)
class BeforeMatch(WireValue):
    """`beforeMatch`: before each batch that matches the filter."""

    wire_name: ClassVar[str] = "beforeMatch"

    filter: DiscoveryFilter


@attrs.frozen(kw_only=True)
class AfterMatch(WireValue):
    """`afterMatch`: after each batch that matches the filter."""

    wire_name: ClassVar[str] = "afterMatch"

    filter: DiscoveryFilter


ActionAnchor = BeforeSlot | AfterSlot | BeforeEverySlot | AfterEverySlot | BeforeMatch | AfterMatch


def _distinct_indices(indices: tuple[int, ...]) -> tuple[int, ...]:
    if not indices or len(set(indices)) != len(indices):
        raise InputError(f"array_key_indices must be distinct, and at least one: {list(indices)[:20]}")

    return tuple(indices)


@attrs.frozen(kw_only=True)
class LiquidityArrays(WireValue):
    """`liquidityArrays`: put the pool's current liquidity arrays into the transaction's accounts."""

    wire_name: ClassVar[str] = "liquidityArrays"

    pool: AddressText = attrs.field(converter=address_of)
    input_mint: AddressText = attrs.field(converter=address_of)
    array_key_indices: tuple[U8, ...] = attrs.field(converter=_distinct_indices)
    """Places among the transaction's accounts; distinct, at least one."""


@attrs.frozen(kw_only=True)
class QuoteStamp(WireValue):
    """`quoteStamp`: stamp the transaction with the current quote."""

    wire_name: ClassVar[str] = "quoteStamp"


TxResolver = LiquidityArrays | QuoteStamp


def _transaction_texts(transactions: Iterable[object]) -> tuple[str, ...]:
    return tuple(map(_transaction_text, transactions))


def _transaction_text(transaction: object) -> str:
    if isinstance(transaction, str):
        return transaction
    if isinstance(transaction, bytes | bytearray | SupportsBytes):
        return b64encode(bytes(transaction)).decode("ascii")

    raise InputError(
        f"a {type(transaction).__name__} is not a transaction: pass base64, bytes, or an object whose bytes() is one"
    )


@attrs.frozen(kw_only=True)
class ScheduledAction(WireValue):
    """Transactions to simulate or send, or accounts to override, whenever its anchor is reached."""

    anchor: ActionAnchor
    kind: ActionKind = "simulate"
    transactions: Annotated[tuple[str, ...], COMPRESSED] = attrs.field(default=(), converter=_transaction_texts)
    """The wire form of each as base64; bytes, or anything whose `bytes()` is one, are encoded. What is only simulated need not be signed.
    With `BeforeSlot` and `AfterSlot` there is one for each slot of the anchor."""
    account_overrides: Mapping[AddressText, AccountData] = attrs.field(factory=dict[str, AccountData])
    """By address."""
    feeds_reroute: Annotated[bool, OMIT_DEFAULT] = False
    return_accounts: tuple[AddressText, ...] = attrs.field(default=(), converter=address_list)
    """Accounts whose state after the action is wanted."""
    label: str | None = None
    resolve: Annotated[TxResolver | None, OMIT_DEFAULT] = None
    """How the transactions are rewritten when the anchor is reached."""


@attrs.frozen(kw_only=True)
class DiagnosticProbeParams(WireValue):
    """Ask the router for quotes: each market at each value, whenever the anchor is reached.

    The server takes only `AfterSlot` and `AfterEverySlot`, 1 to 64 distinct markets and 1 to 16 values other than 0.
    """

    anchor: ActionAnchor
    markets: tuple[AddressText, ...] = attrs.field(converter=address_list)
    usd_values: tuple[U32, ...]
    """In whole dollars."""
    label: str | None = None
