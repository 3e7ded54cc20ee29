"""The API key: where it comes from, where it may go, and nowhere else.

The key is given as an argument or in the environment variable `SIMULATOR_API_KEY`, and is sent to the control host only, over TLS unless
that host is this machine.
"""

from __future__ import annotations

import ipaddress
import os
from typing import final
from urllib.parse import urlsplit

from ..errors import InputError
from ..wire.urls import redact

__all__ = ["KEY_VARIABLE", "Secret", "control_headers", "find_key", "is_loopback"]

KEY_VARIABLE = "SIMULATOR_API_KEY"
_KEY_HEADER = "X-API-Key"


@final
class Secret:
    """A text that no representation shows."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text; only for the bytes of a header."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, format_spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a Secret cannot be pickled or copied")


def find_key(control_url: str, api_key: str | None, *, is_optional: bool = False) -> Secret | None:
    """Return the key to send to `control_url`, from the argument or the environment.

    Args:
        control_url: Whose.
        api_key: The argument.
        is_optional: Whether a remote host may do without; None is returned where there is none.

    Raises:
        InputError: A remote host needs a key and there is none, or it would have to travel in the clear, or it has characters that a
            header cannot carry.
    """
    text = (os.environ.get(KEY_VARIABLE) if api_key is None else api_key) or ""
    local = is_loopback(control_url)
    if not text:
        if local or is_optional:
            return None
        raise InputError(
            f"no API key for {redact(control_url)}: set {KEY_VARIABLE} or pass api_key"
            " (the embedded simulator needs none)"
        )

    if not local and urlsplit(control_url).scheme != "wss":
        raise InputError(f"the API key is not sent in the clear: use wss:// instead of {redact(control_url)}")
    if not (text.isascii() and text.isprintable()):
        raise InputError(f"the API key holds characters that an HTTP header cannot carry; check {KEY_VARIABLE}")

    return Secret(text)


def control_headers(secret: Secret | None, user_agent: str) -> list[tuple[str, str | Secret]]:
    """Return the headers for the control host, and for no other."""
    headers: list[tuple[str, str | Secret]] = [("User-Agent", user_agent)]
    if secret is not None:
        headers.append((_KEY_HEADER, secret))
    return headers


def is_loopback(url: str) -> bool:
    """Tell whether the host of `url` is this machine by its name or literal address."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
