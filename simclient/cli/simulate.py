"""`simclient simulate`: what a transaction would do on a past state."""

from __future__ import annotations

from typing import Annotated

import attrs
from cyclopts import Parameter

from .options import FLAG, Place

__all__ = ["simulate"]


async def simulate(
    transaction: str,
    url: str | None = None,
    /,
    *,
    after_slot: int | None = None,
    verify_signatures: Annotated[bool, FLAG] = False,
    json: Annotated[bool, FLAG, Parameter(name="--json")] = False,
    place: Place | None = None,
) -> int:
    """Say what a transaction would do on the state after a slot; nothing of it is kept.

    $ simclient simulate transaction.b64 --local --after-slot 350000010
    $ simclient simulate transaction.b64 HOST --start-slot 300000000 --after-slot 300000050 --json

    Signatures need not be right, and any recent blockhash will do. The exit code is 1 if the transaction would fail.

    Args:
        transaction: A file with the transaction, as bytes or base64; - for the standard input; or the base64 text itself.
        url: The server, a host or a ws:// or wss:// URL; by default what SIMULATOR_URL holds.
        after_slot: On the state after this slot; by default that before the first slot.
        verify_signatures: Wrong signatures are an error.
        json: Print JSON.
        place: All else.

    Raises:
        InputError: An option cannot be used, or there is no transaction.
        SimClientError: The session failed.
    """
    from ..research.simulation import simulate_after
    from .interrupt import CANCELLED_EXIT_CODE, watch_interrupts
    from .run_options import RunOptions
    from .simulate_output import print_simulation, read_transaction
    from .watching import open_target

    wire = read_transaction(transaction)
    place = place or Place()
    if not place.local and place.slots is None and place.end_slot is None and after_slot is not None:
        place = attrs.evolve(place, end_slot=after_slot)
    code = CANCELLED_EXIT_CODE
    async with watch_interrupts() as interrupt:
        with interrupt.cancelling():
            async with open_target(url, RunOptions(**attrs.asdict(place))) as config:
                result = await simulate_after(config, wire, after_slot=after_slot, verify_signatures=verify_signatures)
                code = print_simulation(result, is_json=json)
    return code
