"""What a rerouting 0.28 session says of each swap that it replaced: the results of `replacementSubscribe`."""

from __future__ import annotations

from typing import Annotated, ClassVar

import attrs

from .accounts import EncodedBinary
from .schema import I64, OMIT_DEFAULT, U32, U64, AddressText, Named, SignatureText, WireValue

__all__ = [
    "DirectFill",
    "L1Score",
    "OriginalReplayed",
    "ProbedHop",
    "ReplacementContext",
    "ReplacementNotification",
    "Requote",
    "RerouteLeg",
    "RouteHop",
    "RouteHopSwap",
]


@attrs.frozen(kw_only=True)
class RouteHopSwap(WireValue):
    """The swap of one hop; amounts are decimal text in the smallest unit, and may exceed a u64."""

    label: str | None = None
    amm_key: str | None = None
    input_mint: str | None = None
    in_amount: str | None = None
    output_mint: str | None = None
    out_amount: str | None = None


@attrs.frozen(kw_only=True)
class RouteHop(WireValue):
    """One hop of a route."""

    leg: U32 | None = None
    percent: U64 = 100
    """Of the leg's amount."""
    program: str | None = None
    bps: U64 | None = None
    swap_info: RouteHopSwap


RoutePlan = Annotated[tuple[RouteHop, ...] | None, OMIT_DEFAULT]


@attrs.frozen(kw_only=True)
class ReplacementContext(WireValue):
    """Where the notification stands in the replay."""

    slot: U64


@attrs.frozen(kw_only=True)
class L1Score(WireValue):
    """How a replacement compares with what happened on the chain."""

    l1_fill: Annotated[U64 | None, OMIT_DEFAULT] = None
    """What the swap gave on the chain, in the output mint's smallest unit."""
    change_vs_l1_bps: Annotated[I64 | None, OMIT_DEFAULT] = None
    """Against that, in hundredths of a percent."""


@attrs.frozen(kw_only=True)
class _Replacement(L1Score):
    context: ReplacementContext
    slot: U64
    batch_index: U32
    original_signature: SignatureText
    original_failed: bool = False
    outcome: str
    category: Annotated[str | None, OMIT_DEFAULT] = None
    error: Annotated[str | None, OMIT_DEFAULT, Named("err")] = None


@attrs.frozen(kw_only=True)
class RerouteLeg(WireValue):
    """One leg of a swap that was quoted again; amounts are in the mint's smallest unit."""

    input_mint: AddressText
    output_mint: AddressText
    amount: U64
    swap_mode: str
    original_quoted_out: U64
    metis_quoted_out: U64
    route_summary: str
    route_plan: RoutePlan = None
    original_route_plan: RoutePlan = None
    realized_route_plan: RoutePlan = None


@attrs.frozen(kw_only=True)
class Requote(_Replacement):
    """`requote`: the swap was quoted again and simulated."""

    wire_name: ClassVar[str] = "requote"

    compute_units_consumed: U64
    fee: Annotated[U64 | None, OMIT_DEFAULT] = None
    """In lamports."""
    legs: tuple[RerouteLeg, ...] = ()
    routed_transaction: EncodedBinary
    logs: tuple[str, ...] = ()
    realized_output_amount: Annotated[U64 | None, OMIT_DEFAULT] = None
    original_realized_output_amount: Annotated[U64 | None, OMIT_DEFAULT] = None


@attrs.frozen(kw_only=True)
class ProbedHop(WireValue):
    """The hop of the chain's swap that a template was tried against."""

    slot: U64
    block_time: I64
    """Seconds since 1970."""
    tx_index: U32
    ix_index: U32
    leg_index: U32
    program: AddressText | None = None
    input_amount: U64
    output_amount: U64
    replay_input_amount: U64 | None = None
    replay_output_amount: U64 | None = None


@attrs.frozen(kw_only=True)
class DirectFill(_Replacement):
    """`directFill`: a template was tried in the place of a hop."""

    wire_name: ClassVar[str] = "directFill"

    template: str
    """Its label."""
    program: AddressText
    hop: ProbedHop
    quote_tx_index: U32
    quote_lag_blocks: U32
    input_mint: AddressText
    output_mint: AddressText
    amount: U64
    swap_mode: str
    template_fill: Annotated[U64 | None, OMIT_DEFAULT] = None


@attrs.frozen(kw_only=True)
class OriginalReplayed(_Replacement):
    """`original`: the original swap was replayed."""

    wire_name: ClassVar[str] = "original"

    compute_units_consumed: U64
    fee: Annotated[U64 | None, OMIT_DEFAULT] = None
    """In lamports."""
    route_plan: RoutePlan = None
    l1_route_plan: RoutePlan = None
    simulated_output_amount: Annotated[U64 | None, OMIT_DEFAULT] = None


ReplacementNotification = Requote | DirectFill | OriginalReplayed
