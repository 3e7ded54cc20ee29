"""`simclient local`: the embedded simulator as a server of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..local import open_local_simulator
from ..local.bundle import shipped_bundle
from .interrupt import watch_interrupts
from .terminal import result_console

__all__ = ["serve"]


async def serve(bundles: Sequence[Path], *, port: int) -> int:
    """Serve bundles on loopback until Ctrl-C, which is its ordinary end.

    Raises:
        InputError: A bundle cannot be read, or the port is taken.
    """
    console = result_console()
    async with watch_interrupts() as interrupt:
        with interrupt.cancelling():
            async with open_local_simulator(bundles or [shipped_bundle()], port=port) as simulator:
                console.print(f"serving {simulator.url} until Ctrl-C")
                for served in simulator.ranges:
                    console.print(f"slots {served.bundle_start_slot} to {served.max_bundle_end_slot}")
                await interrupt.wait()

    return 0
