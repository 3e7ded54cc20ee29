"""Comparing two runs of 200,000 transactions: ours, a plain join in Python, and `sim compare` where it is installed.

Each is a process of its own, and ours starts more; the figures are seconds and the largest memory of one. `sim` asks the public mainnet for
the names of mints, which ours never does: where it can be, it is run without a network (`unshare -n`), so that only its own work counts.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from simclient.wire.addresses import encode_base58

from .results import Result

__all__ = ["comparison_results"]

TRANSACTIONS = 200_000
SHARES = (0.05, 1.0)
"""Of transactions that differ: as after a small change, and as after the replacement of a program that all of them use."""

PLAIN_JOIN = """
import json, sys
def read(path):
    with open(path, "rb") as file:
        events = (json.loads(line) for line in file)
        return {event["data"]["signature"]: event["data"] for event in events if event["type"] == "tx"}
a, b = map(read, sys.argv[1:])
keys = "success", "error", "logs", "sol_changes", "token_changes", "fee", "compute_units"
print(sum(any(a[s].get(k) != b[s].get(k) for k in keys) for s in a.keys() & b.keys()), len(a.keys() ^ b.keys()))
"""


def comparison_results(*, quick: bool = False) -> Iterator[Result]:
    """Yield the figures for each share of differences."""
    count = TRANSACTIONS // 10 if quick else TRANSACTIONS
    with tempfile.TemporaryDirectory() as folder:
        for share in SHARES:
            files = write_runs(Path(folder), count, share)
            yield from _figures(files, f"{share:.0%} of {count:,} differ")


def write_runs(folder: Path, count: int, share: float) -> list[str]:
    """Write two runs of so many transactions, of which a share differs in one way or another; return their paths."""
    chance = random.Random(1)  # noqa: S311 - the same files every time
    paths = [folder / "baseline.ndjson", folder / "experiment.ndjson"]
    pool = [encode_base58(chance.randbytes(32)) for _ in range(3_000)]
    with open(paths[0], "w") as baseline, open(paths[1], "w") as experiment:
        for file in (baseline, experiment):
            metadata = {"start_slot": 0, "end_slot": count // 100, "ran_at_unix_secs": 1}
            file.write(_line("metadata", metadata))
        for number in range(count):
            transaction = _transaction(chance, pool, number)
            baseline.write(_line("tx", transaction))
            if chance.random() < share:
                transaction |= {"compute_units": 1, "logs": [*transaction["logs"], "Program log: more"]}
            experiment.write(_line("tx", transaction))
    return [str(path) for path in paths]


def _transaction(chance: random.Random, pool: list[str], number: int) -> dict[str, Any]:
    """Return about 3 KB, as a swap over several programs has them."""
    programs = chance.choices(pool, k=chance.randint(8, 30))
    return {
        "slot": number // 100,
        "timestamp": 1_700_000_000,
        "signature": encode_base58(chance.randbytes(64)),
        "success": True,
        "logs": [
            f"Program {program} consumed {chance.randint(1, 90_000)} of 200000 compute units" for program in programs
        ],
        "sol_changes": [
            {"pubkey": one, "pre_lamports": number + 9, "post_lamports": number} for one in chance.choices(pool, k=3)
        ],
        "token_changes": [
            {"pubkey": a, "mint": b, "owner": c, "pre_amount": number, "post_amount": number + 5, "decimals": 6}
            for a, b, c in (chance.choices(pool, k=3) for _ in range(chance.randint(2, 8)))
        ],
        "tx_index": number % 100,
        "fee": 5_000,
        "compute_units": chance.randint(10_000, 300_000),
    }


def _line(kind: str, data: object) -> str:
    return json.dumps({"type": kind, "data": data}, separators=(",", ":")) + "\n"


def _figures(files: list[str], name: str) -> Iterator[Result]:
    ours = _measure([sys.executable, "-m", "simclient", "compare", *files])
    others = {"plain Python join": [sys.executable, "-c", PLAIN_JOIN, *files]}
    sim = shutil.which("sim")
    if sim is not None:
        others["sim compare"] = [*_without_network(), sim, "compare", *files]
    yield Result(f"compare, {name}: memory", "MiB", ours[1])
    yield Result(f"compare, {name}", "s", ours[0])
    for other, command in others.items():
        seconds, mebibytes = _measure(command)
        yield Result(f"{other}, {name}: memory", "MiB", mebibytes)
        yield Result(f"{other}, {name}", "s", seconds, ratio_to="ours", ratio=seconds / ours[0])


def _measure(command: list[str]) -> tuple[float, float]:
    """Return the seconds that a command takes, the best of three, and the largest memory of any of its processes in MiB."""
    best, largest = float("inf"), 0.0
    for _ in range(3):
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 - ours
        _, status, usage = os.wait4(process.pid, 0)
        best = min(best, time.perf_counter() - began)
        largest = max(largest, usage.ru_maxrss / 1024)
        if status:
            raise SystemExit(f"{command[:4]} failed")
    return best, largest


def _without_network() -> list[str]:
    """Return how to run a command without a network, nothing where that is not allowed."""
    tried = subprocess.run(["unshare", "-n", "true"], check=False, stderr=subprocess.DEVNULL)  # noqa: S607
    return ["unshare", "-n"] if tried.returncode == 0 else []
