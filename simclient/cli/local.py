"""`simclient local`: the embedded simulator as a server of its own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from ..errors import InputError
from .options import FLAG, REPEATABLE
from .terminal import result_console

__all__ = ["local"]


async def local(
    *,
    port: int = 8900,
    bundle: Annotated[tuple[Path, ...], REPEATABLE] = (),
    split_slots: int | None = None,
    replay: Annotated[tuple[Path, ...], REPEATABLE] = (),
    speed: float | None = None,
    chaos: Annotated[tuple[str, ...], REPEATABLE] = (),
    require_key: Annotated[bool, FLAG] = False,
    listen_on: str = "127.0.0.1",
) -> int:
    """Serve the embedded simulator on this machine until Ctrl-C.

    $ simclient local
    $ simclient local --port 9000 --bundle day.bundle
    $ simclient local --replay paid.recording --speed 10
    $ simclient local --chaos latency:seconds=0.05 --chaos cut:at_message=200,connections=3

    Args:
        port: The port on 127.0.0.1; 0 for any free one.
        bundle: A bundle file to serve, repeatable; by default the small market that comes with the package.
        split_slots: Offer each bundle also in pieces of so many slots; a parallel session is split there.
        replay: A recording to serve again, or the folder that a parallel run was recorded into; repeatable. Then no market comes with it.
        speed: With --replay: 1 for the recorded time between slots, 2 for half of it; by default as fast as clients take it.
        chaos: A fault to inflict on connections, repeatable: KIND:OPTION=VALUE,..., with bandwidth, corrupt, cut, half-open, latency,
            refuse, reset, slicer, slow-close or stall, or random:seed=N for all of them.
        require_key: Only serve clients that send the key which the environment variable SIMULATOR_API_KEY holds here.
        listen_on: The address to listen on; one that other machines can reach only together with --require-key.

    Raises:
        InputError: A bundle or a recording cannot be read, the port is taken, or a fault is none.
    """
    from ..local import open_local_simulator
    from ..local.chaos import read_chaos
    from .interrupt import watch_interrupts

    if speed is not None and not replay:
        raise InputError(f"--speed {speed:g} is of a recording: name one with --replay")

    faults = read_chaos(chaos) if chaos else None
    key = _key() if require_key else None
    console = result_console()
    async with watch_interrupts() as interrupt:
        with interrupt.cancelling():
            async with open_local_simulator(
                bundle,
                port=port,
                split_slots=split_slots,
                recordings=replay,
                speed=speed,
                faults=faults,
                host=listen_on,
                api_key=key,
            ) as simulator:
                console.print(f"serving {simulator.url} until Ctrl-C")
                for served in simulator.ranges:
                    console.print(f"slots {served.bundle_start_slot} to {served.max_bundle_end_slot}")
                await interrupt.wait()

    return 0


def _key() -> str:
    from ..session.credentials import KEY_VARIABLE

    key = os.environ.get(KEY_VARIABLE, "")
    if not key:
        raise InputError(f"--require-key takes the key from the environment variable {KEY_VARIABLE}, which is not set")

    return key
