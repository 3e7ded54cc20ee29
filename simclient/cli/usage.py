"""`simclient usage`: what an API key has used, and what that costs."""

from __future__ import annotations

from typing import Annotated

import attrs
from cyclopts import Parameter

from .options import FLAG

__all__ = ["usage"]

_MILLISECONDS_PER_HOUR = 3_600_000


async def usage(
    url: str | None = None,
    /,
    *,
    since: str | None = None,
    until: str | None = None,
    session_details: Annotated[bool, FLAG] = False,
    json: Annotated[bool, FLAG, Parameter(name="--json")] = False,
) -> int:
    """Say what your API key has used, and what that costs where the server says its prices.

    $ simclient usage HOST --since 2026-11-01
    $ simclient usage HOST --session-details --json

    Args:
        url: The server, a host or a ws:// or wss:// URL; by default what SIMULATOR_URL holds.
        since: From when on, an RFC 3339 time or a date (midnight UTC).
        until: Until when.
        session_details: Also list the sessions.
        json: Print JSON.

    Raises:
        InputError: There is no server or no key, or a time cannot be read.
        SimClientError: The server cannot be asked.
    """
    from rich.table import Table

    from ..research.plan import price_of
    from ..wire.http_bodies import ComputeTotals, UsagePricing
    from .server import open_server
    from .terminal import clean, print_json_text, result_console

    async with open_server(url) as client:
        report = await client.usage(since=since, until=until)
        sessions = [one async for one in client.usage_sessions(since=since, until=until)] if session_details else []

    def price(pricing: UsagePricing | None, slots: int, milliseconds: int) -> float | None:
        return None if pricing is None else round(price_of(pricing, slots=slots, milliseconds=milliseconds), 4)

    def total(compute: ComputeTotals) -> float | None:
        return price(report.pricing, compute.executed_slot_count, compute.session_duration_ms)

    if json:
        listed = [
            {
                **_fields(one),
                "dollars": price(report.pricing, one.executed_slot_count, one.session_duration_ms),
            }
            for one in sessions
        ]
        print_json_text({**_fields(report), "dollars": total(report.compute), "session_details": listed})
        return 0

    console, counts = result_console(), report.sessions
    hours = report.compute.session_duration_ms / _MILLISECONDS_PER_HOUR
    dollars = total(report.compute)
    for name, value in (
        ("key", report.api_key_name),
        ("time", f"{report.since} to {report.until}"),
        ("sessions", f"{counts.started:,} started, {counts.completed:,} completed, {counts.failed:,} failed"),
        ("executed", f"{report.compute.executed_slot_count:,} slots in {hours:,.1f} h"),
        ("price", "unknown: the server does not say its prices" if dollars is None else f"${dollars:,.2f}"),
    ):
        console.print(f"{name}: {clean(value)}", soft_wrap=True)
    if sessions:
        table = Table()
        for name in ("session", "ended", "slots", "minutes", "price"):
            table.add_column(name, overflow="fold")
        for one in sessions:
            cost = price(report.pricing, one.executed_slot_count, one.session_duration_ms)
            table.add_row(
                clean(one.session_name or one.session_id),
                one.ended_at,
                f"{one.executed_slot_count:,}",
                f"{one.session_duration_ms / 60_000:,.1f}",
                "" if cost is None else f"${cost:,.4f}",
            )
        console.print(table)
    return 0


def _fields(value: attrs.AttrsInstance) -> dict[str, object]:
    """Return a value of the wire as plain data."""
    return attrs.asdict(value)
