"""A request that cannot be granted, and how a client of either generation is told."""

from __future__ import annotations

from ...wire.failures import BacktestFailure, Internal, InvalidRequest, describe_failure
from ...wire.generation import Generation

__all__ = ["Refused", "for_generation"]


class Refused(Exception):
    """A request that cannot be granted; `failure` is the answer."""

    def __init__(self, failure: BacktestFailure) -> None:
        super().__init__(failure)
        self.failure = failure


def for_generation(failure: BacktestFailure, generation: Generation) -> BacktestFailure:
    """Return a failure that a client of this generation can read: an unknown kind makes 0.9 drop the whole message."""
    only = getattr(failure, "wire_only", None)
    if only in (None, generation):
        return failure

    text = describe_failure(failure)
    return Internal(error=text) if failure.is_terminal else InvalidRequest(error=text)
