"""`simclient ranges`: the slots that a server can replay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import attrs
from cyclopts import Parameter

from .options import FLAG
from .terminal import clean, result_console

if TYPE_CHECKING:
    from ..wire.ranges import BundleKind

__all__ = ["ranges"]

_TENTH = 10
_KINDS: dict[str, BundleKind] = {"transactions": "blocks", "account-state": "account_state"}


async def ranges(
    url: str | None = None,
    /,
    *,
    after: str | None = None,
    before: str | None = None,
    size: int | None = None,
    kind: Literal["transactions", "account-state"] | None = None,
    scope: Literal["global", "user"] | None = None,
    json: Annotated[bool, FLAG, Parameter(name="--json")] = False,
) -> int:
    """List the slots that a server can replay.

    $ simclient ranges ws://127.0.0.1:8900
    $ simclient ranges HOST --after 2026-11-01 --size 1000 --json

    Args:
        url: The server, a host or a ws:// or wss:// URL; by default what SIMULATOR_URL holds. No key is needed.
        after: Only ranges that begin at or after this slot, RFC 3339 time or date (midnight UTC).
        before: Only ranges that end at or before it.
        size: Only ranges of about so many slots, give or take a tenth.
        kind: Only ranges of recorded transactions, or of recorded account state; newer servers.
        scope: Only ranges for everybody, or only your own; newer servers.
        json: Print JSON, as the server lists it.

    Raises:
        InputError: There is no server to ask, or a URL that cannot be used.
        SimClientError: The server could not be asked.
    """
    from rich.table import Table

    from .server import open_server
    from .terminal import print_json_text

    asked_kind: BundleKind | None = None if kind is None else _KINDS[kind]
    async with open_server(url, needs_key=False) as client:
        listed = await client.available_ranges(after=after, before=before, kind=asked_kind, scope=scope)
    if size is not None:
        listed = tuple(one for one in listed if abs((one.max_bundle_size or 0) - size) * _TENTH <= size)
    if json:
        print_json_text([attrs.asdict(one) for one in listed])
        return 0

    table = Table()
    for name in ("first slot", "last slot", "from (UTC)", "to (UTC)", "slots at most"):
        table.add_column(name, overflow="fold")
    for one in listed:
        table.add_row(
            str(one.bundle_start_slot),
            "growing" if one.max_bundle_end_slot is None else str(one.max_bundle_end_slot),
            clean(one.bundle_start_slot_utc or ""),
            clean(one.max_bundle_end_slot_utc or ""),
            "" if one.max_bundle_size is None else str(one.max_bundle_size),
        )
    result_console().print(table if table.row_count else "the server lists no such ranges")
    return 0
