"""The parameters a session is created with, and what they contain."""

from __future__ import annotations

import attrs

from .discovery import DiscoveryFilter

__all__ = ["SessionParams"]


@attrs.frozen(kw_only=True)
class SessionParams:
    """What `createBacktestSession` carries.

    Slots are inclusive on both ends. Source: `CreateSessionParams`, simulator-api 0.9.0 and 0.28.0.
    """

    start_slot: int
    end_slot: int
    signer_filter: tuple[str, ...] = ()
    """Only in 0.9."""
    send_summary: bool = False
    capacity_wait_timeout_seconds: int | None = None
    disconnect_timeout_seconds: int | None = None
    """How long the server keeps the session without a client; 0 or None: gone at once; at most 900."""
    extra_compute_units: int | None = None
    discoveries: tuple[DiscoveryFilter, ...] = ()
