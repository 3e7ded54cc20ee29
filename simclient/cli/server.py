"""The server that a command asks: which one, and a client for it."""

from __future__ import annotations

import os
from contextlib import AbstractAsyncContextManager

from ..errors import InputError
from ..research.versions import installed_versions
from ..session.client.client import SimulatorClient, open_client
from ..session.credentials import KEY_VARIABLE, is_loopback
from ..wire.urls import control_url, redact

__all__ = ["open_server", "server_url", "user_agent"]

_URL_VARIABLE = "SIMULATOR_URL"


def open_server(url: str | None, *, needs_key: bool = True) -> AbstractAsyncContextManager[SimulatorClient]:
    """Open a client for the server to use; arguments and errors are those of `server_url`."""
    return open_client(server_url(url, needs_key=needs_key), user_agent=user_agent())


def server_url(url: str | None, *, needs_key: bool = True) -> str:
    """Return the URL of the server to use: the one given, else the one of the environment.

    Args:
        url: The one given.
        needs_key: Whether the server wants a key for what is to be asked, unless it is on this machine.

    Raises:
        InputError: There is none, it cannot be used, or it needs a key and there is none.
    """
    text = url or os.environ.get(_URL_VARIABLE)
    if not text:
        raise InputError(f"no server: name its URL or set {_URL_VARIABLE}; simclient run --local needs none")

    endpoint = control_url(text)
    if needs_key and not is_loopback(endpoint) and not os.environ.get(KEY_VARIABLE):
        raise InputError(f"no API key for {redact(endpoint)}: set the environment variable {KEY_VARIABLE}")

    return endpoint


def user_agent() -> str:
    """Return how the command line names itself, before the library's own name."""
    return f"simclient-cli/{installed_versions()['simclient']}"
