"""The trading agents that a 0.9 server can run inside a session, and what they report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import attrs

from .schema import I64, REQUIRED, U64, WireValue

__all__ = ["AgentParams", "AgentStats", "ArbRouteParams"]


@attrs.frozen(kw_only=True)
class ArbRouteParams(WireValue):
    """A round trip that an arbitrage agent looks for; only in 0.9."""

    base_mint: str
    temp_mint: str
    buy_dexes: tuple[str, ...] = ()
    sell_dexes: tuple[str, ...] = ()
    min_input: U64
    """In the smallest unit of the base mint, as the two below."""
    max_input: U64
    min_profit: U64 = 0


@attrs.frozen(kw_only=True)
class AgentParams(WireValue):
    """One agent; only in 0.9."""

    agent_type: Literal["arb"]
    wallet: str | None = None
    keypair: str | None = attrs.field(default=None, repr=False)
    """A secret key: it stands in no repr and no log."""
    seed_sol_lamports: U64 | None = None
    seed_token_accounts: Mapping[str, U64] = attrs.field(factory=dict[str, int])
    """Amount by mint, in the mint's smallest unit."""
    arb_routes: tuple[ArbRouteParams, ...] = ()


@attrs.frozen(kw_only=True)
class AgentStats(WireValue):
    """What one agent did; only in 0.9."""

    name: str
    slots_processed: Annotated[U64, REQUIRED] = 0
    opportunities_found: Annotated[U64, REQUIRED] = 0
    opportunities_skipped: Annotated[U64, REQUIRED] = 0
    no_routes: Annotated[U64, REQUIRED] = 0
    txs_produced: Annotated[U64, REQUIRED] = 0
    expected_gain_by_mint: Annotated[Mapping[str, I64], REQUIRED] = attrs.field(factory=dict[str, int])
    """In the mint's smallest unit; may be negative."""
    txs_submitted: U64 = 0
    txs_failed: U64 = 0
    txs_simulation_rejected: U64 = 0
    txs_simulation_failed: U64 = 0
