"""How long a control event takes to the user's code while the data plane is saturated, and a single notification while it is idle.

Sender and reader share the machine's monotonic clock. Keepalive runs many times as often as by default, and a connection that misses it
would be given up: the reconnects are a figure, and should be none.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import quantiles

from .programs import Figures, Program, sending
from .results import Result
from .streams import Stream

__all__ = ["promptness_results"]

_PULSE_SECONDS = 0.005
_TRICKLE_SECONDS = 0.002
_QUICK_DIVISOR = 2


def promptness_results(*, quick: bool) -> Iterator[Result]:
    """Measure control events beside each kind of stream, then notifications of a stream that has one now and then."""
    divisor = _QUICK_DIVISOR if quick else 1  # not more: what fits into the sockets' buffers saturates nothing
    for is_compressed, subscriptions, count in ((False, 1, 1_000_000), (False, 4, 250_000), (True, 4, 250_000)):
        stream = Stream(kind="account-diff", message_bytes=600, count=count // divisor, is_compressed=is_compressed)
        program = Program(name="simclient", subscriptions=subscriptions, is_kept_alive_often=True)
        with sending(stream, "--pulse", str(_PULSE_SECONDS)) as address:
            figures = program.run(stream, address)
        how = f"{stream.how}, {subscriptions} saturated"
        yield from _delays(f"control event beside data ({how})", figures)
        yield Result(f"connections lost beside data ({how})", "", figures.reconnects)

    trickle = Stream(kind="account-diff", message_bytes=600, count=2000 // divisor)
    with sending(trickle, "--trickle", str(_TRICKLE_SECONDS)) as address:
        baseline: Result | None = None
        for name in ("trio-websocket", "simclient"):
            for result in _delays(
                f"notification on an idle stream, {name}", Program(name=name, consumer="pulses").run(trickle, address)
            ):
                yield result.compared_with(baseline if "median" in result.name else None)
                baseline = result if "median" in result.name else baseline


def _delays(label: str, figures: Figures) -> Iterator[Result]:
    milliseconds = [seconds * 1e3 for seconds in figures.pulses_seconds]
    parts = quantiles(milliseconds, n=100)
    yield Result(f"{label}, median of {len(milliseconds)}", "ms", parts[49])
    yield Result(f"{label}, 99th percentile", "ms", parts[98])
    yield Result(f"{label}, longest", "ms", max(milliseconds))
