"""`simclient discover`: batches that invoke a program, ahead of their execution."""

from __future__ import annotations

from typing import Annotated

import attrs
from cyclopts import Parameter

from .options import FLAG, REPEATABLE, Place

__all__ = ["discover"]


async def discover(
    url: str | None = None,
    /,
    *,
    program: Annotated[tuple[str, ...], REPEATABLE],
    json: Annotated[bool, FLAG, Parameter(name="--json")] = False,
    place: Place | None = None,
) -> int:
    """List the batches of a range that invoke a program: the places where a program can stop before them.

    $ simclient discover --local --slots 20 --program TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA
    $ simclient discover HOST --start-slot 300000000 --slots 100 --program PROGRAM --json

    Args:
        url: The server, a host or a ws:// or wss:// URL; by default what SIMULATOR_URL holds.
        program: A program. Repeatable.
        json: Print JSON, one object per line, with the transactions of the batch as base64.
        place: All else.

    Raises:
        InputError: An option cannot be used.
        SimClientError: The run failed; what came before it was shown.
    """
    from ..session.inbox import Event
    from ..wire.discovery import ProgramExecuted
    from ..wire.responses import DiscoveryBatch
    from .run_options import RunOptions
    from .watching import Printer, watch

    printer = Printer(is_json=json)

    def show(event: Event) -> None:
        if not isinstance(event, DiscoveryBatch):
            return

        programs = [one.program for one in event.matched if isinstance(one, ProgramExecuted)]
        batch: dict[str, object] = {"slot": event.slot, "batch_index": event.batch_index, "programs": programs}
        batch["transactions"] = [one.data for one in event.transactions]
        count = f"{len(event.transactions):,} transactions"
        printer.show(batch, [f"slot {event.slot}  batch {event.batch_index}  {count}  {', '.join(programs)}"])

    options = RunOptions(**attrs.asdict(place or Place()), discover=program, transactions=(), logs=())
    return await watch(url, options, show, adapt=lambda config: attrs.evolve(config, subscriptions=()))
