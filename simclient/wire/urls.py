"""URLs of the two planes, by the rules of the service, and what may be printed of one.

Source: `urls.rs` of simulator-client 0.9.0.
"""

from __future__ import annotations

from urllib.parse import SplitResult, urljoin, urlsplit, urlunsplit

from ..errors import InputError

__all__ = ["control_url", "http_base", "redact", "rpc_urls", "websocket_url"]

_CONTROL_PATH = "/backtest"
_WEBSOCKET_SCHEMES = ("ws", "wss")
_TO_HTTP = {"ws": "http", "wss": "https"}
_TO_WEBSOCKET = {"http": "ws", "https": "wss"}


def control_url(endpoint: str) -> str:
    """Return the control socket's URL for what a user gave.

    A bare host becomes `wss://HOST/backtest`; a `ws://` or `wss://` URL gains `/backtest` if it is missing; another scheme passes
    through untouched. Applying it again changes nothing.

    Raises:
        InputError: There is no host, or the URL carries credentials.
    """
    text = endpoint.strip()
    if "://" not in text:
        text = f"wss://{text}"
    parts = _split(text)
    if parts.scheme not in _WEBSOCKET_SCHEMES:
        return text

    path = parts.path.rstrip("/")
    if not path.endswith(_CONTROL_PATH):
        path += _CONTROL_PATH
    return urlunsplit(parts._replace(path=path))


def http_base(url: str) -> str:
    """Return `http(s)://HOST[:PORT]` of the control host; what has no scheme is returned as it is.

    Raises:
        InputError: There is no host, or the URL carries credentials.
    """
    if "://" not in url:
        return url

    parts = _split(url)
    return f"{_TO_HTTP.get(parts.scheme, parts.scheme)}://{parts.netloc}"


def rpc_urls(control: str, rpc_endpoint: str) -> tuple[str, str]:
    """Return the HTTP and the WebSocket URL of a session's data plane.

    Args:
        control: The control socket's URL.
        rpc_endpoint: What the server gave: an absolute URL, or a path on the control host.
    """
    http_url = rpc_endpoint if "://" in rpc_endpoint else urljoin(http_base(control), rpc_endpoint)
    parts = _split(http_url)
    http_scheme = _TO_HTTP.get(parts.scheme, parts.scheme)
    http_url = urlunsplit(parts._replace(scheme=http_scheme))
    return http_url, websocket_url(http_url)


def websocket_url(http_url: str) -> str:
    """Return the `ws(s)://` URL of an `http(s)://` URL.

    Raises:
        InputError: It is not one, there is no host, or it carries credentials.
    """
    scheme, separator, rest = http_url.partition("://")
    if not separator or scheme not in _TO_WEBSOCKET:
        raise InputError(f"no WebSocket URL for {redact(http_url)}: expected http:// or https://")

    _split(http_url)
    return f"{_TO_WEBSOCKET[scheme]}://{rest}"


def redact(url: str) -> str:
    """Return what may be printed of `url`: scheme, host, port and path, without credentials, query and fragment."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "(an unreadable URL)"

    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # raises where it is not a port
    except ValueError as error:
        raise InputError(f"not a URL: {redact(url)}: {error}") from error

    if not parts.hostname:
        raise InputError(f"not a URL with a host: {redact(url)}; give a host or ws(s)://HOST[:PORT]/backtest")
    if parts.username is not None or parts.password is not None:
        raise InputError(f"the URL for {parts.hostname} carries credentials; pass the key by SIMULATOR_API_KEY instead")

    return parts
