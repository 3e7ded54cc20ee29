"""`simclient local`: the embedded simulator as a server of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from .options import REPEATABLE
from .terminal import result_console

__all__ = ["local"]


async def local(
    *, port: int = 8900, bundle: Annotated[tuple[Path, ...], REPEATABLE] = (), split_slots: int | None = None
) -> int:
    """Serve the embedded simulator on this machine until Ctrl-C.

    $ simclient local
    $ simclient local --port 9000 --bundle day.bundle

    Args:
        port: The port on 127.0.0.1; 0 for any free one.
        bundle: A bundle file to serve, repeatable; by default the small market that comes with the package.
        split_slots: Offer each bundle also in pieces of so many slots; a parallel session is split there.

    Raises:
        InputError: A bundle cannot be read, or the port is taken.
    """
    from ..local import open_local_simulator
    from ..local.bundle import shipped_bundle
    from .interrupt import watch_interrupts

    console = result_console()
    async with watch_interrupts() as interrupt:
        with interrupt.cancelling():
            async with open_local_simulator(
                bundle or [shipped_bundle()], port=port, split_slots=split_slots
            ) as simulator:
                console.print(f"serving {simulator.url} until Ctrl-C")
                for served in simulator.ranges:
                    console.print(f"slots {served.bundle_start_slot} to {served.max_bundle_end_slot}")
                await interrupt.wait()

    return 0
