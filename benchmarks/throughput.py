"""Events per second from the socket to the user's code, next to the other ways of reading the same stream in the same run.

Programs take turns, so that what else the machine does falls on all of them; medians count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import attrs

from .programs import Figures, Program, median_of, sending
from .results import Result
from .streams import Stream

__all__ = ["LABELS", "throughput_results"]

LABELS = {
    ("account-diff", 600): "account diffs 600 B",
    ("account-diff", 4096): "account diffs 4 KB",
    ("transaction", 6144): "transactions 6 KB",
    ("logs", 800): "logs 800 B",
}
"""What is measured, and what it is called."""

_COUNTS = {
    ("account-diff", 600): 300_000,
    ("account-diff", 4096): 80_000,
    ("transaction", 6144): 50_000,
    ("logs", 800): 200_000,
}
_SECURED = ("account-diff",)
"""What is measured over TLS too."""
_QUICK_DIVISOR = 10
_ROUNDS = 3
_OURS = Program(name="simclient")


def throughput_results(*, quick: bool, peer: Path | None) -> Iterator[Result]:
    """Measure every kind of stream, plain and compressed, read by every program that can."""
    for (kind, message_bytes), label in LABELS.items():
        count = _COUNTS[kind, message_bytes] // (_QUICK_DIVISOR if quick else 1)
        for is_secured in (False, True) if kind in _SECURED else (False,):
            for is_compressed in (False, True):
                stream = Stream(
                    kind=kind,
                    message_bytes=message_bytes,
                    count=count,
                    is_compressed=is_compressed,
                    is_secured=is_secured,
                )
                yield from _compare(f"{label}, {stream.how}", stream, _programs(stream, peer), 1 if quick else _ROUNDS)


def _programs(stream: Stream, peer: Path | None) -> list[Program]:
    programs = [_OURS, Program(name="simclient", subscriptions=4)]
    # The Rust driver takes logs unmanaged, and empties them only between other events; nor can it be told whom to trust.
    if peer is not None and stream.kind != "logs" and not stream.is_secured:
        programs.append(Program(name="Rust client", peer=peer))
    if stream.is_compressed:
        return programs

    programs += [Program(name="trio-websocket"), Program(name="websockets")]
    if stream.kind == "logs":
        programs.append(Program(name="solana-py"))
    if stream.kind == "account-diff" and not stream.is_secured:
        programs += [Program(name="simclient", consumer=consumer) for consumer in ("count", "decode")]
        programs += [Program(name="simclient-batches", consumer=consumer) for consumer in ("count", "read")]
        programs.append(Program(name="simclient-arrow"))
    return programs


def _compare(label: str, stream: Stream, programs: list[Program], rounds: int) -> Iterator[Result]:
    runs: dict[Program, list[Figures]] = {program: [] for program in programs}
    with sending(stream) as address:
        for _ in range(rounds):
            for program in programs:
                runs[program].append(program.run(stream, address))
    figures = {program: median_of(several) for program, several in runs.items()}
    for unit, value_of in _UNITS.items():
        results = {
            program: Result(f"{label}: {program.title}", unit, value_of(one)) for program, one in figures.items()
        }
        yield from results.values()
        for program in programs[1:]:
            if program.name.startswith("simclient-") or program.consumer != "read":
                continue  # what a consumer pays is in the figures
            compared = results[_OURS].compared_with(results[program])
            yield attrs.evolve(compared, name=f"{compared.name} / {program.title}")


_UNITS: dict[str, Callable[[Figures], float]] = {
    "events/s": lambda figures: figures.per_second,
    "CPU s/M": lambda figures: figures.cpu_per_million,
    "MiB peak": lambda figures: figures.peak_bytes / 2**20,
}
