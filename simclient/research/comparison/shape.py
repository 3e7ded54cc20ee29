"""How the lines of a run begin and end, as we and today's tool write them: what can be told of them without decoding them."""

from __future__ import annotations

__all__ = ["OTHER_EVENTS", "SESSION", "TRANSACTION"]

TRANSACTION = '{"type":"tx","data":{"slot":'
"""Then come the slot, perhaps the time, and the signature."""
OTHER_EVENTS = (
    '{"type":"diff"',
    '{"type":"logs"',
    '{"type":"session_started"',
    '{"type":"metadata"',
    '{"type":"summary"',
)
SESSION = ',"session_id":"'
"""The last key of a line: which session said it."""
