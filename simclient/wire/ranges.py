"""Which slots a service can replay. Source: `AvailableRange`, simulator-api 0.9.0; `GET /available-ranges`."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ..errors import RemoteProtocolError

__all__ = ["AvailableRange", "read_ranges", "write_ranges"]


class AvailableRange(msgspec.Struct, frozen=True, kw_only=True):
    """One bundle of recorded slots, or several that begin at the same slot."""

    bundle_start_slot: int
    bundle_start_slot_utc: str | None = None
    """RFC 3339."""
    max_bundle_end_slot: int | None = None
    """The last slot of the longest, inclusive; None: it is still growing."""
    max_bundle_end_slot_utc: str | None = None
    max_bundle_size: int | None = None
    """In slots."""


def read_ranges(text: str | bytes) -> tuple[AvailableRange, ...]:
    """Read the body of `/available-ranges`.

    Raises:
        RemoteProtocolError: It is not a list of ranges.
    """
    try:
        return msgspec.json.decode(text, type=tuple[AvailableRange, ...])
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise RemoteProtocolError(f"cannot read the available ranges: {error}", excerpt=str(text[:200])) from error


def write_ranges(ranges: Sequence[AvailableRange]) -> str:
    """Write the body of `/available-ranges`."""
    return msgspec.json.encode(list(ranges)).decode()
