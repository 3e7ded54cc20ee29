"""Who may talk to the simulator: programs of this machine, not the web pages in its browser; where there is a key, who has it.

A page of any site can open a WebSocket to localhost (browsers send its `Origin`), and a hostile name server can give its own name the
address 127.0.0.1, so that the browser takes the simulator for the page's own server (the `Host` is then that name). Both are refused.

A key is asked for on the control socket only: by the protocol the data plane has none, and a session's id, which nobody can guess, is
what opens it.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

__all__ = ["has_key", "is_loopback_address", "refusal_of"]

_KEY_HEADER = b"x-api-key"


def has_key(headers: Sequence[tuple[bytes, bytes]], key: bytes | None) -> bool:
    """Tell whether a request may have a control socket; without a key that is asked for, every one may."""
    given = next((value for name, value in headers if name.lower() == _KEY_HEADER), b"")
    return key is None or hmac.compare_digest(given, key)


def refusal_of(headers: Sequence[tuple[bytes, bytes]], *, is_public: bool = False) -> str | None:
    """Say why a request with these headers is refused, None if it is not.

    Args:
        headers: The request's.
        is_public: Whether other machines may ask, by whatever name they know this one.
    """
    hosts = _values(headers, b"host")
    if not is_public and (len(hosts) != 1 or not _is_loopback(f"//{hosts[0]}")):
        return "the Host header must name this machine's loopback interface, such as 127.0.0.1 or localhost"

    if any(not _is_loopback(origin) for origin in _values(headers, b"origin")):
        return "requests of web pages are refused: the Origin header does not name this machine's loopback interface"

    return None


def _values(headers: Sequence[tuple[bytes, bytes]], name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in headers if key.lower() == name]


def _is_loopback(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False

    return is_loopback_address(host)


def is_loopback_address(host: str) -> bool:
    """Tell whether a name or an address is this machine's loopback interface."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
