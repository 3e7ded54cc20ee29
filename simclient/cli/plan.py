"""`simclient run --plan`: what a run would take."""

from __future__ import annotations

from rich.table import Table

from ..errors import SimClientError
from ..research.plan import RunPlan, plan_run
from ..research.values import RunConfig
from ..session.client.client import SimulatorClient, open_client
from ..wire.http_bodies import UsagePricing
from ..wire.ranges import split_range
from .terminal import clean, error_console, result_console

__all__ = ["print_plan"]

_SECONDS_PER_HOUR = 3_600


async def print_plan(config: RunConfig, *, is_local: bool) -> int:
    """Say what would be run, how long it would take, and what it would cost; nothing is run.

    Raises:
        SimClientError: The server cannot be asked, or does not have the slots.
    """
    slots = (config.start_slot, config.end_slot)
    if is_local:
        _print(config, plan_run((slots,), None), is_local=True)
        return 0

    async with open_client(config.url, api_key=config.api_key, user_agent=config.user_agent) as client:
        pricing = await _pricing(client)
        pieces = split_range(await client.available_ranges(), *slots) if config.is_parallel else (slots,)
        _print(config, plan_run(pieces, pricing), is_local=False)
    return 0


async def _pricing(client: SimulatorClient) -> UsagePricing | None:
    """Return what the account pays; a server that does not say is no failure."""
    try:
        return (await client.usage()).pricing
    except SimClientError as error:
        error_console().print(f"the price is not known: {clean(str(error))}", soft_wrap=True)
        return None


def _print(config: RunConfig, plan: RunPlan, *, is_local: bool) -> None:
    console = result_console()
    table = Table()
    for name in ("session", "first slot", "last slot", "slots"):
        table.add_column(name, justify="right", overflow="fold")
    for number, (first, last) in enumerate(plan.pieces, start=1):
        table.add_row(str(number), str(first), str(last), f"{last - first + 1:,}")
    console.print(table)
    if not is_local:
        console.print(f"time: about {_duration(plan.seconds)}", soft_wrap=True)
        console.print(
            "price: unknown" if plan.dollars is None else f"price: about ${plan.dollars:,.2f}", soft_wrap=True
        )
    for program in config.programs:
        console.print(
            f"program: {program.program} is replaced by {clean(program.source)} (SHA-256 {program.sha256})",
            soft_wrap=True,
        )
    if config.account_overrides is not None:
        console.print(
            f"accounts: {len(config.account_overrides.accounts):,} are set from {clean(config.account_overrides.source)}",
            soft_wrap=True,
        )


def _duration(seconds: float) -> str:
    """Return a time as people say it."""
    if seconds >= _SECONDS_PER_HOUR:
        return f"{seconds / _SECONDS_PER_HOUR:.1f} h"

    return f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"
