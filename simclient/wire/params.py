"""The parameters a session is created with."""

from __future__ import annotations

from typing import Annotated

import attrs

from .actions import DiagnosticProbeParams, ScheduledAction
from .addresses import address_set
from .agents import AgentParams
from .discovery import DiscoveryFilter
from .reroute import RerouteParams
from .schema import COMPRESSED, OMIT_DEFAULT, ONLY_0_9, ONLY_0_28, U16, U32, U64, AddressText, Named, WireValue

__all__ = ["SessionParams"]


@attrs.frozen(kw_only=True)
class SessionParams(WireValue):
    """What `createBacktestSession` carries.

    Slots are inclusive on both ends. Source: `CreateSessionParams`, simulator-api 0.9.0 and 0.28.0.
    """

    start_slot: U64
    end_slot: U64
    signer_filter: Annotated[tuple[AddressText, ...], ONLY_0_9] = attrs.field(default=(), converter=address_set)
    """Only transactions signed by one of these are executed; empty: all."""
    send_summary: bool = False
    reroute: Annotated[RerouteParams | None, OMIT_DEFAULT, ONLY_0_28] = None
    capacity_wait_timeout_seconds: Annotated[U16 | None, Named("capacityWaitTimeoutSecs")] = None
    """How long to wait for a free place; None: the server decides."""
    disconnect_timeout_seconds: Annotated[U16 | None, Named("disconnectTimeoutSecs")] = None
    """How long the server keeps the session without a client; 0 or None: gone at once; at most 900."""
    extra_compute_units: U32 | None = None
    agents: Annotated[tuple[AgentParams, ...], ONLY_0_9] = ()
    discoveries: Annotated[tuple[DiscoveryFilter, ...], OMIT_DEFAULT] = ()
    actions: Annotated[tuple[ScheduledAction, ...], COMPRESSED, OMIT_DEFAULT, ONLY_0_28] = ()
    replay_account_state: Annotated[bool, ONLY_0_28] = False
    """Reconstruct account state from what was recorded instead of executing transactions."""
    diagnostic_probes: Annotated[tuple[DiagnosticProbeParams, ...], OMIT_DEFAULT, ONLY_0_28] = ()
