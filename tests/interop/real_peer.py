"""Run `simclient run` against server09, the scripted service made of the published Rust crates, and count what arrived.

    python tests/interop/real_peer.py FOLDER --seeds 20

FOLDER holds the built server09. Per scenario and seed one server and one client; the server says whether it is content, the client's file
what it received. Each notification's signature ends in its number, so that loss and repeats show.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import attrs

PROGRAM = "4vJ9JU1bJJE96FWSJKvHsmmFADCg4gpZQff4P3bkLKi"
KEY = "local-key"
NOTIFICATIONS = 1000
SLOTS = 20
HANG_SECONDS = 120
SCENARIOS: dict[str, str] = {
    "replay": "--scenario replay --slot-ms 1",
    "replay zstd": "--scenario replay --slot-ms 1 --zstd",
    "burst": "--scenario burst",
    "burst zstd": "--scenario burst --zstd",
    "burst early complete": "--scenario burst --early-complete",
    "drop": "--scenario drop --drops 3 --slot-ms 5",
    "drop zstd": "--scenario drop --drops 3 --slot-ms 5 --zstd",
    "drop early complete": "--scenario drop --drops 3 --slot-ms 5 --early-complete",
    "drop simulation errors": "--scenario drop --drops 3 --slot-ms 5 --simulation-errors 5",
    "drop cut at ready": "--scenario drop --drops 1 --slot-ms 5 --cut-at-ready 0",
    "handoff": "--scenario handoff --slot-ms 5",
    "handoff zstd": "--scenario handoff --slot-ms 5 --zstd",
    "handoff simulation errors": "--scenario handoff --slot-ms 5 --simulation-errors 5",
}
"""All of the server's scenarios but `parallel`, with its faults."""


@attrs.frozen(kw_only=True)
class PeerRun:
    """What came of one run."""

    scenario: str
    seed: int
    ok: bool
    """Whether the server is content and the client ended well."""
    received: int
    lost: int
    doubled: int
    is_ordered: bool
    problems: str

    @property
    def is_right(self) -> bool:
        """Whether everything arrived once and in order."""
        return self.ok and self.received == NOTIFICATIONS and not (self.lost or self.doubled) and self.is_ordered


def run_peer(folder: Path, scenario: str, seed: int) -> PeerRun:
    """Run one server and one client."""
    port = _free_port()
    flags = f"--key {KEY} --notifications {NOTIFICATIONS} --payload-bytes 100 --seed {seed} {SCENARIOS[scenario]}"
    server = subprocess.Popen(
        [folder / "server09", "--port", str(port), "--max-secs", str(HANG_SECONDS), *flags.split()],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with tempfile.TemporaryDirectory() as scratch, server:
        try:
            _wait_for(port)
            output = Path(scratch) / "events.ndjson"
            client = _run_client(port, output)
            verdict, _ = server.communicate(timeout=HANG_SECONDS)
        finally:
            server.kill()
        return _judge(scenario, seed, verdict, client, output)


def _run_client(port: int, output: Path) -> subprocess.CompletedProcess[str]:
    url = f"ws://127.0.0.1:{port}/backtest"
    asked = ["--start-slot", "1000", "--slots", str(SLOTS), "--advance", "5", "--account-diffs", PROGRAM]
    return subprocess.run(
        [sys.executable, "-m", "simclient", "run", url, *asked, "--output", str(output)],
        env={**os.environ, "SIMULATOR_API_KEY": KEY},
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )


def _judge(scenario: str, seed: int, verdict: str, client: subprocess.CompletedProcess[str], output: Path) -> PeerRun:
    said = cast(dict[str, object], json.loads(verdict))
    numbers = list(_numbers(output))
    problems = [f"server: {said['problems']}"] if not said["ok"] else []
    if client.returncode != 0:
        problems.append(f"client {client.returncode}: {client.stderr[-500:]}")
    return PeerRun(
        scenario=scenario,
        seed=seed,
        ok=not problems,
        received=len(numbers),
        lost=len(set(range(NOTIFICATIONS)) - set(numbers)),
        doubled=len(numbers) - len(set(numbers)),
        is_ordered=numbers == sorted(numbers),
        problems="; ".join(problems),
    )


def _numbers(output: Path) -> Iterator[int]:
    """Return the number at the end of each notification's signature."""
    for line in output.read_text().splitlines() if output.exists() else ():
        found = re.search(r'"signature":\s*"[^"]*?(\d{17})"', line)
        if found:
            yield int(found[1])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int) -> None:
    """Wait until somebody listens, without connecting: the server counts its clients."""
    needle = f":{port:04X} "
    deadline = time.monotonic() + HANG_SECONDS
    while not any(needle in line and " 0A " in line for line in Path("/proc/net/tcp").read_text().splitlines()):
        if time.monotonic() > deadline:
            raise TimeoutError("server09 does not listen")
        time.sleep(0.02)


def main() -> int:
    """Run all scenarios and print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--at-once", type=int, default=4)
    arguments = parser.parse_args()
    failed = 0
    with ThreadPoolExecutor(arguments.at_once) as pool:
        for scenario in SCENARIOS:
            runs = list(pool.map(lambda seed: run_peer(arguments.folder, scenario, seed), range(arguments.seeds)))  # noqa: B023
            right = sum(run.is_right for run in runs)
            failed += len(runs) - right
            lost, doubled = sum(run.lost for run in runs), sum(run.doubled for run in runs)
            print(f"{scenario:28} ok {right}/{len(runs)}  lost {lost}  doubled {doubled}", flush=True)  # noqa: T201
            for run in runs:
                if not run.is_right:
                    print(f"    {run}", flush=True)  # noqa: T201
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
