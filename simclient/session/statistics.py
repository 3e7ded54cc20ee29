"""What a session has done so far, in numbers."""

from __future__ import annotations

import attrs

__all__ = ["DataCounts", "SessionStatistics"]


@attrs.frozen(kw_only=True)
class DataCounts:
    """What subscriptions have done, to be added up."""

    notifications: int = 0
    bytes_received: int = 0
    reconnects: int = 0
    duplicates_dropped: int = 0
    out_of_order: int = 0
    last_slot: int | None = None

    def __add__(self, other: DataCounts) -> DataCounts:
        """Return the counts of both together."""
        slots = [slot for slot in (self.last_slot, other.last_slot) if slot is not None]
        return DataCounts(
            notifications=self.notifications + other.notifications,
            bytes_received=self.bytes_received + other.bytes_received,
            reconnects=self.reconnects + other.reconnects,
            duplicates_dropped=self.duplicates_dropped + other.duplicates_dropped,
            out_of_order=self.out_of_order + other.out_of_order,
            last_slot=max(slots, default=None),
        )


@attrs.frozen(kw_only=True)
class SessionStatistics:
    """Counts since the session was opened."""

    control_events: int = 0
    """Control events handed on; replays are not counted."""
    notifications: int = 0
    """Notifications handed on."""
    bytes_received: int = 0
    """On the data plane, as they came over the wire."""
    control_reconnects: int = 0
    data_reconnects: int = 0
    replays_dropped: int = 0
    """Control events that a reconnect repeated."""
    duplicates_dropped: int = 0
    """Notifications that a reconnect repeated."""
    out_of_order: int = 0
    """Notifications of a slot below one already seen, on a socket that replayed nothing; handed on all the same."""
    continues_resent: int = 0
    possible_orphans: int = 0
    """Creates whose answer was lost: the server may hold their sessions until the disconnect timeout."""
    times_control_waited: int = 0
    """How often reading the control socket stopped because too many control events were waiting for the user."""
    last_slot: int | None = None
    """The newest slot that the control plane has reported."""
    last_delivered_slot: int | None = None
    """The newest slot of which a notification was handed on."""

    @property
    def lag_slots(self) -> int | None:
        """How far the notifications are behind the control plane; 0 when they are level, None while either has said nothing.

        A subscription on which nothing happens lags too: the figure means something where notifications are expected in every slot.
        """
        if self.last_slot is None or self.last_delivered_slot is None:
            return None

        return max(0, self.last_slot - self.last_delivered_slot)
