"""Names and ids of sessions by the rules of 0.28. Reading keeps to neither: 0.9 takes any text, and so must a client of both."""

from __future__ import annotations

import re

from ..errors import InputError

__all__ = ["session_id", "session_name", "short_id"]

_UUID = re.compile(
    r"[0-9a-f]{32}|\{?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\}?", re.ASCII | re.IGNORECASE
)
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,98}[a-z0-9])?", re.ASCII)


def session_name(text: str) -> str:
    """Return `text` as the server keeps it: with letters in lower case.

    Raises:
        InputError: It is not 1 to 100 of `a-z 0-9 . _ -` that begin and end with a letter or digit.
    """
    lowered = "".join(character.lower() if character.isascii() else character for character in text)
    if not _NAME.fullmatch(lowered):
        raise InputError(
            f"not a session name: {text[:60]!r}: use 1 to 100 of a-z 0-9 . _ - that begin and end with a letter or digit"
        )

    return lowered


def session_id(text: str, *, prefix: str = "backtest_") -> str:
    """Return an id as 0.28 prints it: the prefix, then 32 hex digits in lower case.

    Args:
        text: A UUID in any spelling, with or without the prefix.
        prefix: `backtest_`, or `parallel_` for the id of a parallel session.

    Raises:
        InputError: It is not such an id.
    """
    digits = text.removeprefix(prefix)
    if not _UUID.fullmatch(digits):
        raise InputError(f"not a session id: {text[:60]!r}: expected {prefix} and 32 hex digits")

    return prefix + re.sub("[{}-]", "", digits).lower()


def short_id(text: str) -> str:
    """Return what may be shown of a session's id, which is all that its data plane asks for: enough to tell sessions apart."""
    return f"…{text[-6:]}" if text else "(none)"
