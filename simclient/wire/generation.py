"""The two generations of the wire that simclient speaks."""

from __future__ import annotations

import enum

__all__ = ["NEWEST", "Generation"]


class Generation(enum.Enum):
    """A version of `simulator-api` whose JSON is written; reading accepts both."""

    V0_9 = "0.9"
    V0_28 = "0.28"


NEWEST = Generation.V0_28
"""What is written unless the caller says otherwise."""
