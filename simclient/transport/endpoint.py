"""Where a connection goes: a URL read once, checked, and shown without secrets.

Rules: a URL with credentials is refused, and what error messages show of a URL has no query and only the beginning of
a long path segment, because the path of a session's endpoint is the credential for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, Protocol
from urllib.parse import SplitResult, urlsplit

import attrs

from ..errors import InputError

__all__ = [
    "HTTP_SCHEMES",
    "WEBSOCKET_SCHEMES",
    "Concealed",
    "Endpoint",
    "Headers",
    "check_headers",
    "encode_headers",
    "read_endpoint",
]

WEBSOCKET_SCHEMES: Final[Mapping[str, int]] = {"ws": 80, "wss": 443}
HTTP_SCHEMES: Final[Mapping[str, int]] = {"http": 80, "https": 443}
_TLS_SCHEMES = frozenset({"wss", "https"})
_SHOWN_SEGMENT_CHARACTERS = 16
"""Of each path segment in messages: enough to recognise a session by, too little to use it."""
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?|")
_TARGET = re.compile(r"[\x21-\x7e]+")


class Concealed(Protocol):
    """A value that no representation shows, such as a key."""

    def reveal(self) -> str:
        """Return it; only for the bytes of a header."""
        ...


Headers = Sequence[tuple[str, str | Concealed]]
"""Names and values. What is concealed is revealed where the bytes are made, and stands in no local of a frame that waits."""


@attrs.frozen(kw_only=True)
class Endpoint:
    """The parts of a URL that a connection needs."""

    scheme: str
    host: str
    """Without the brackets of an IPv6 address."""
    port: int
    target: str = attrs.field(repr=False)
    """Path and query, as the request line has them."""
    label: str
    """The URL for messages: shortened, without query."""

    @property
    def is_tls(self) -> bool:
        """Whether TLS goes on top of TCP."""
        return self.scheme in _TLS_SCHEMES

    @property
    def authority(self) -> str:
        """The value of the `Host` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default_port = 443 if self.is_tls else 80
        return host if self.port == default_port else f"{host}:{self.port}"


def read_endpoint(url: str, *, schemes: Mapping[str, int]) -> Endpoint:
    """Take a URL apart.

    Args:
        url: An absolute URL.
        schemes: The schemes that are allowed, each with its default port.

    Raises:
        InputError: The URL cannot be used; the message never contains credentials or a query.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise InputError(
            "not a URL: host, port or brackets cannot be read; expected SCHEME://HOST[:PORT]/PATH"
        ) from exc

    allowed = " or ".join(f"{scheme}://" for scheme in schemes)
    if parts.scheme not in schemes:
        raise InputError(f"a URL must begin with {allowed}, this one has the scheme {parts.scheme[:20]!r}")
    if parts.username is not None or parts.password is not None:
        raise InputError("credentials in a URL are refused, since URLs end up in logs; pass the key as an argument")
    if not parts.hostname:
        raise InputError(f"a URL needs a host: {allowed} is followed by none")

    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not _TARGET.fullmatch(target):
        raise InputError(
            f"the path of the URL for {parts.hostname} has blanks or non-ASCII characters; percent-encode them"
        )

    return Endpoint(
        scheme=parts.scheme,
        host=parts.hostname,
        port=schemes[parts.scheme] if port is None else port,
        target=target,
        label=_label(parts),
    )


def encode_headers(headers: Headers) -> list[tuple[bytes, bytes]]:
    """Check headers and return them as bytes.

    Raises:
        InputError: A name or value cannot be sent. The value is not shown, it may be a key.
    """
    check_headers(headers)
    return [(name.encode("ascii"), _plain(value).encode("ascii")) for name, value in headers]


def check_headers(headers: Headers) -> None:
    """Tell whether headers can be sent.

    Raises:
        InputError: A name or value cannot. The value is not shown, it may be a key.
    """
    for name, value in headers:
        if not _HEADER_NAME.fullmatch(name):
            raise InputError(f"not a header name: {name[:60]!r}")
        if not _HEADER_VALUE.fullmatch(_plain(value)):
            raise InputError(
                f"the value of the header {name} has characters outside printable ASCII, or blanks around it"
            )


def _plain(value: str | Concealed) -> str:
    return value if isinstance(value, str) else value.reveal()


def _label(parts: SplitResult) -> str:
    segments = [_shortened(segment) for segment in parts.path.split("/")]
    return f"{parts.scheme}://{parts.netloc}{'/'.join(segments)}"


def _shortened(segment: str) -> str:
    if len(segment) <= _SHOWN_SEGMENT_CHARACTERS:
        return segment
    return f"{segment[:_SHOWN_SEGMENT_CHARACTERS]}…"
