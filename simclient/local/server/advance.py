"""How far a session is to go on, and what goes into it before it does."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from ...wire.accounts import AccountData

__all__ = ["Advance"]

_U64_MAX = 2**64 - 1


@attrs.frozen(kw_only=True)
class Advance:
    """A checked request to go on."""

    slots: int = _U64_MAX
    """At most so many."""
    pause_after: int | None = None
    """Not beyond this slot, whether or not it was produced, and then pause."""
    transactions: tuple[bytes, ...] = ()
    modifications: Mapping[str, AccountData] = attrs.field(factory=dict[str, AccountData])
