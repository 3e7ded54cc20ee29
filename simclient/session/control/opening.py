"""How a control socket is opened, and how we name ourselves on it."""

from __future__ import annotations

from functools import partial
from importlib.metadata import version

from ...transport.websocket import open_websocket
from ..credentials import Secret, control_headers
from ..options import SessionOptions
from .link import OpenSocket

__all__ = ["socket_opener", "user_agent_of"]


def user_agent_of(kind: str, prefix: str | None) -> str:
    """Return the `User-Agent` of a managed or raw connection."""
    ours = f"simclient/{version('simclient')} ({kind})"
    return f"{prefix} {ours}" if prefix else ours


def socket_opener(control_url: str, secret: Secret | None, options: SessionOptions, user_agent: str) -> OpenSocket:
    """Return what opens a new control socket each time it is called."""
    return partial(
        open_websocket,
        control_url,
        headers=control_headers(secret, user_agent),
        limits=options.transport_limits,
        ssl_context=options.ssl_context,
        open_stream=options.open_stream,
    )
