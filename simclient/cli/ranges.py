"""`simclient ranges`: the slots that a server can replay."""

from __future__ import annotations

from .terminal import clean, result_console

__all__ = ["ranges"]


async def ranges(url: str | None = None, /) -> int:
    """List the slots that a server can replay.

    $ simclient ranges ws://127.0.0.1:8900

    Args:
        url: The server, a host or a ws:// or wss:// URL; by default what SIMULATOR_URL holds.

    Raises:
        InputError: There is no server to ask, or a URL that cannot be used.
        SimClientError: The server could not be asked.
    """
    from rich.table import Table

    from ..session.client import open_client
    from .run_config import server_url, user_agent

    table = Table()
    for name in ("first slot", "last slot", "from (UTC)", "to (UTC)", "slots at most"):
        table.add_column(name, overflow="fold")
    async with open_client(server_url(url), user_agent=user_agent()) as client:
        listed = await client.available_ranges()
    for one in listed:
        table.add_row(
            str(one.bundle_start_slot),
            "growing" if one.max_bundle_end_slot is None else str(one.max_bundle_end_slot),
            clean(one.bundle_start_slot_utc or ""),
            clean(one.max_bundle_end_slot_utc or ""),
            "" if one.max_bundle_size is None else str(one.max_bundle_size),
        )
    result_console().print(table if table.row_count else "the server lists no ranges")
    return 0
