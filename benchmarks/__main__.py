"""`python -m benchmarks [--quick] [--peer PATH]` prints every figure and writes `bench.json` into the working directory.

A run that is not quick also writes the figures and the chart of the documentation anew, if the working directory has `docs/`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs

from .anatomy import anatomy_results
from .chart import draw_chart
from .comparison import comparison_results
from .decode import decode_results
from .floor import floor_results
from .programs import peer_binary
from .promptness import promptness_results
from .results import Result
from .simulator import simulator_results
from .startup import startup_results
from .tables import write_tables
from .throughput import throughput_results

_DRAWN = {"floor", "anatomy", "throughput", "promptness"}
"""The parts whose figures stand in the documentation."""
_CHART, _TABLES = Path("docs/explanation/throughput.svg"), Path("docs/explanation/figures.inc")


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="nox -s bench --", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a minute in place of five, and less exact")
    parser.add_argument("--peer", type=Path, help="client09, the driver of the Rust client, or the folder that has it")
    parser.add_argument("--day", type=Path, help="the folder of a Whirlpool day, as a further input of the simulator")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=["decode", "floor", "anatomy", "throughput", "promptness", "comparison", "simulator", "startup"],
        help="some parts",
    )
    arguments = parser.parse_args()
    peer = None if arguments.peer is None else peer_binary(arguments.peer)
    parts: dict[str, Callable[[], Iterator[Result]]] = {
        "decode": lambda: decode_results(quick=arguments.quick),
        "floor": lambda: floor_results(quick=arguments.quick),
        "anatomy": lambda: anatomy_results(quick=arguments.quick),
        "throughput": lambda: throughput_results(quick=arguments.quick, peer=peer),
        "promptness": lambda: promptness_results(quick=arguments.quick),
        "comparison": lambda: comparison_results(quick=arguments.quick),
        "simulator": lambda: simulator_results(quick=arguments.quick, day=arguments.day),
        "startup": lambda: startup_results(quick=arguments.quick),
    }
    results: list[Result] = []
    for name, measure in parts.items():
        if not arguments.only or name in arguments.only:
            for result in measure():
                results.append(result)
                sys.stdout.write(f"{result}\n")
                sys.stdout.flush()
    Path("bench.json").write_text(json.dumps([attrs.asdict(result) for result in results], indent=1))
    is_whole = not arguments.quick and set(arguments.only or parts) >= _DRAWN
    if is_whole and _CHART.parent.is_dir():
        _CHART.write_text(draw_chart(results))
        _TABLES.write_text(write_tables(results))


if __name__ == "__main__":
    main()
