"""What the summary of a rerouting 0.28 session counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import attrs

from .schema import I64, OMIT_DEFAULT, U64, WireValue

__all__ = ["DirectFillTemplateReport", "RerouteStats"]


@attrs.frozen(kw_only=True)
class DirectFillTemplateReport(WireValue):
    """How one template did."""

    matched: U64
    outcomes: Mapping[str, U64]
    """How often, by outcome."""
    scored: U64
    bps_total: I64
    """Sum over the scored, in hundredths of a percent."""


@attrs.frozen(kw_only=True)
class RerouteStats(WireValue):
    """Counts over the session; only in 0.28. Sums named `bps` are in hundredths of a percent."""

    swaps_detected: U64 = 0
    swaps_filtered: U64 = 0
    swaps_rerouted: U64 = 0
    swaps_simulated: U64 = 0
    swaps_succeeded: U64 = 0
    requote_failures: U64 = 0
    override_setup_failures: U64 = 0
    metis_unavailable_blocks: U64 = 0
    quote_attempts_unavailable: U64 = 0
    direct_fill_matched: U64 = 0
    direct_fill_outcomes: Mapping[str, U64] = attrs.field(factory=dict[str, int])
    direct_fill_scored: U64 = 0
    direct_fill_bps_total: I64 = 0
    direct_fill_templates: Mapping[str, DirectFillTemplateReport] = attrs.field(
        factory=dict[str, DirectFillTemplateReport]
    )
    """By label."""
    originals_scored: U64 = 0
    originals_bps_total: I64 = 0
    originals_replayed: U64 = 0
    dataset_uri: Annotated[str | None, OMIT_DEFAULT] = None
