"""Who may talk to a port on loopback: programs of this machine, not the web pages in its browser.

A page of any site can open a WebSocket to localhost (browsers send its `Origin`), and a hostile name server can give its own name the
address 127.0.0.1, so that the browser takes the simulator for the page's own server (the `Host` is then that name). Both are refused.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

__all__ = ["refusal_of"]


def refusal_of(headers: Sequence[tuple[bytes, bytes]]) -> str | None:
    """Say why a request with these headers is refused, None if it is not."""
    hosts = _values(headers, b"host")
    if len(hosts) != 1 or not _is_loopback(f"//{hosts[0]}"):
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

    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
