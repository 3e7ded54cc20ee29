"""What `completed` carries."""

from __future__ import annotations

from typing import Annotated

import attrs

from .agents import AgentStats
from .reroute_stats import RerouteStats
from .schema import OMIT_DEFAULT, ONLY_0_28, REQUIRED, U64, WireValue

__all__ = ["AgentStats", "SessionSummary"]


@attrs.frozen(kw_only=True)
class SessionSummary(WireValue):
    """How the replay compares with what was recorded; all are counts of transactions."""

    correct_simulation: Annotated[U64, REQUIRED] = 0
    incorrect_simulation: Annotated[U64, REQUIRED] = 0
    execution_errors: Annotated[U64, REQUIRED] = 0
    balance_diff: Annotated[U64, REQUIRED] = 0
    log_diff: Annotated[U64, REQUIRED] = 0
    unsanitizable: Annotated[U64, ONLY_0_28] = 0
    """Recorded transactions that the runtime refuses to look at."""
    reroute_stats: Annotated[RerouteStats | None, OMIT_DEFAULT, ONLY_0_28] = None
