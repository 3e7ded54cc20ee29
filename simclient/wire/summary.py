"""What `completed` carries."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

__all__ = ["AgentStats", "SessionSummary"]


@attrs.frozen(kw_only=True)
class SessionSummary:
    """How the replay compares with what was recorded; all are counts of transactions."""

    correct_simulation: int = 0
    incorrect_simulation: int = 0
    execution_errors: int = 0
    balance_diff: int = 0
    log_diff: int = 0


@attrs.frozen(kw_only=True)
class AgentStats:
    """What one agent did; only in 0.9."""

    name: str
    slots_processed: int = 0
    opportunities_found: int = 0
    opportunities_skipped: int = 0
    no_routes: int = 0
    txs_produced: int = 0
    expected_gain_by_mint: Mapping[str, int] = attrs.field(factory=dict)
    txs_submitted: int = 0
    txs_failed: int = 0
    txs_simulation_rejected: int = 0
    txs_simulation_failed: int = 0
