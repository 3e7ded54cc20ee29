"""What a service can replay: the ranges of slots it lists, asked for once and without a session."""

from __future__ import annotations

from importlib.metadata import version

from ..transport.http import open_http
from ..wire.ranges import AvailableRange, read_ranges
from ..wire.urls import control_url, http_base
from .credentials import control_headers, find_key

__all__ = ["available_ranges"]


async def available_ranges(
    url: str, *, api_key: str | None = None, user_agent: str | None = None
) -> tuple[AvailableRange, ...]:
    """Return the ranges that the service at `url` lists, in its order.

    Args:
        url: The control endpoint, as for `open_backtest_session`.
        api_key: The key; by default what `SIMULATOR_API_KEY` holds. A simulator on this machine needs none.
        user_agent: Put before ours in the `User-Agent` header.

    Raises:
        InputError: The URL cannot be used, or the host needs a key and there is none.
        ConnectError, ConnectionLost: The service could not be reached.
        HttpError: It refused.
        RemoteProtocolError: Its answer cannot be read.
    Source: `GET /available-ranges`, protocol of the service 0.9.0.
    """
    endpoint = control_url(url)
    ours = f"simclient/{version('simclient')}"
    headers = control_headers(find_key(endpoint, api_key), f"{user_agent} {ours}" if user_agent else ours)
    async with open_http() as http:
        return read_ranges(await http.get(f"{http_base(endpoint)}/available-ranges", headers=dict(headers)))
