"""What one control connection holds: a single session, or the sub-sessions of a parallel run.

The two differ in how an event is wrapped on its way, and in nothing else: each session numbers its own events, and keeps them for whoever
attaches. The connection that attached last is the owner.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import final

from ...wire.generation import Generation
from ...wire.json_text import dump
from .bell import Bell
from .session import ServedSession

__all__ = ["ControlSession", "Envelope"]

Envelope = Callable[[int, str], bytes]
"""Makes a message of an event's sequence number and its JSON text."""


@final
class ControlSession:
    """A single session under its own id, or a parallel one."""

    def __init__(
        self,
        control_id: str,
        *,
        is_parallel: bool,
        disconnect_seconds: float,
        generation: Generation,
        key: bytes | None = None,
        name: str | None = None,
        token: str | None = None,
    ) -> None:
        self.control_id = control_id
        self.is_parallel = is_parallel
        self.name = name
        self.token = token
        """What the creation that made it carries; the same creation sent again finds it by that."""
        self.generation = generation
        self.key = key
        """What tells its creator's API key from others."""
        self.disconnect_seconds = disconnect_seconds
        """How long it outlives its client."""
        self.members: dict[str, ServedSession] = {}
        """By session id, in the order of their ranges."""
        self.bell = Bell()
        """Rings when anything about a member has changed."""
        self.owner: object = None
        """The control connection that holds it; None: nobody does."""
        self.abandoned_at = 0.0
        """When the last owner went, by `trio.current_time()`."""

    def envelope_of(self, session: ServedSession) -> Envelope:
        """Return how the events of a member are wrapped."""
        if not self.is_parallel:
            return _numbered

        head = f'{{"method":"sessionEventV2","params":{{"session_id":{dump(session.session_id)},"seq_id":'
        return lambda number, event: f'{head}{number},"event":{event}}}}}'.encode()

    def cursors(self, last_sequences: Mapping[str, int]) -> dict[str, int]:
        """Return where the replay of each member begins; one that is not named begins with its first event.

        Ids that are not among the members are passed over: a client may still know those of an attempt that failed.
        """
        return {session_id: last_sequences.get(session_id, 0) for session_id in self.members}


def _numbered(number: int, event: str) -> bytes:
    return f'{{"seqId":{number},{event[1:]}'.encode()
