"""`simclient depth …`: market depth that a server computes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import attrs
from cyclopts import App, Parameter

from .options import FLAG, REPEATABLE

if TYPE_CHECKING:
    from ..wire.http_bodies import DepthStatus

__all__ = ["depth"]

depth = App(name="depth", help="Have a server compute market depth, and see what there is; newer servers only.")


@depth.command
async def measure(
    url: str | None = None,
    /,
    *,
    start_slot: int,
    end_slot: int,
    source: Literal["onchain", "router"],
    granularity: Literal["slot", "oracle"] = "slot",
    market: Annotated[tuple[str, ...], REPEATABLE] = (),
    wait: Annotated[bool, FLAG] = False,
    poll_seconds: float = 30.0,
    json: Annotated[bool, FLAG, Parameter(name="--json")] = False,
) -> int:
    """Have market depth computed over a range of slots.

    $ simclient depth measure HOST --start-slot 300000000 --end-slot 300000099 --source onchain --wait

    Args:
        url: The server, a host or a ws:// or wss:// URL; by default what SIMULATOR_URL holds.
        start_slot: The first slot.
        end_slot: The last slot, inclusive.
        source: How: from the markets' accounts, or by asking the router.
        granularity: For every slot, or at every update of an oracle.
        market: Only this market. Repeatable.
        wait: Wait until it is done; the exit code is 1 if it fails.
        poll_seconds: How often to ask meanwhile.
        json: Print JSON.

    Raises:
        InputError: The range cannot be used, or there is no server or no key.
        SimClientError: The server cannot be asked, or refuses; or it was waited for and failed.
    """
    from ..wire.http_bodies import DepthRequest
    from .server import open_server

    request = DepthRequest(
        start_slot=start_slot, end_slot=end_slot, source=source, granularity=granularity, markets=market
    )
    async with open_server(url) as client:
        status = await client.generate_depth(request)
        if wait:
            status = await client.wait_for_depth(status.request_id, poll_seconds=poll_seconds)
    return _show(status, is_json=json)


@depth.command
async def status(
    request_id: str, url: str | None = None, /, *, json: Annotated[bool, FLAG, Parameter(name="--json")] = False
) -> int:
    """Say how far a computation is.

    $ simclient depth status REQUEST_ID HOST

    Args:
        request_id: What `depth measure` printed.
        url: The server, a host or a ws:// or wss:// URL; by default what SIMULATOR_URL holds.
        json: Print JSON.

    Raises:
        SimClientError: The server cannot be asked, or refuses.
    """
    from .server import open_server

    async with open_server(url) as client:
        return _show(await client.depth_status(request_id), is_json=json)


@depth.command
async def coverage(url: str | None = None, /, *, json: Annotated[bool, FLAG, Parameter(name="--json")] = False) -> int:
    """Say of which slots there is market depth.

    $ simclient depth coverage HOST --json

    Args:
        url: The server, a host or a ws:// or wss:// URL; by default what SIMULATOR_URL holds.
        json: Print JSON.

    Raises:
        SimClientError: The server cannot be asked, or refuses.
    """
    from .server import open_server
    from .terminal import clean, print_json_text, result_console

    async with open_server(url) as client:
        found = await client.depth_coverage()
    if json:
        print_json_text(attrs.asdict(found))
        return 0

    console = result_console()
    for one in found.sources:
        console.print(f"{one.source}: {len(one.markets):,} markets, {len(one.venues):,} venues", soft_wrap=True)
        for piece in one.completed_ranges:
            console.print(f"    slots {piece.start} to {piece.end}")
    if not found.sources:
        console.print(clean("there is no market depth yet: simclient depth measure"))
    return 0


def _show(status: DepthStatus, *, is_json: bool) -> int:
    """Print how far a computation is."""
    from .terminal import clean, print_json_text, result_console

    if is_json:
        print_json_text(attrs.asdict(status))
    else:
        text = f"{clean(status.request_id)}: {status.status}, slots {status.start_slot} to {status.end_slot}"
        result_console().print(f"{text}, {status.source}", soft_wrap=True)
    return 0
