"""The official Rust clients against `simclient local` behind the fault proxy: what they are handed, compared with what there is.

They are not part of this repository: `rust/build.sh FOLDER` builds a driver of each published crate, and this runs where SIMCLIENT_PEER
names FOLDER/release. One seed of each scenario is a test; as a program it runs as many as asked, and prints a row for each scenario:

    python tests/interop/test_rust_clients.py FOLDER/release --runs 20

What is lost fails a run. What comes twice does not: these clients ask for the slot of their cursor again, and leave it to their user
to find what they have had.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs
import pytest
import trio

from simclient.local import open_local_simulator
from simclient.local.bundle import open_bundle, shipped_bundle
from simclient.testing import (
    NO_FAULTS,
    Close,
    ConnectionFaults,
    Cut,
    Fault,
    FaultPlan,
    Reset,
    faults_in_order,
    open_fault_proxy,
)

TOKEN_PROGRAM: Final = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
SYSTEM_PROGRAM: Final = "11111111111111111111111111111111"
SPLIT_SLOTS: Final = 60
"""Of the market's 240 slots: a parallel run has four sub-sessions."""
HANG_SECONDS: Final = 150.0
"""A run takes 1 to 10 s, most of it the client's backoff."""
DRIVERS: Final = ("driver09", "driver028")
FOLDER: Final = Path(os.environ.get("SIMCLIENT_PEER", "unset"))

Place = Callable[[random.Random, int], Fault]
"""Makes a fault, somewhere in about so many messages."""


def everywhere(*kinds: Place) -> Callable[[int, bool], FaultPlan]:
    """Strike the first control connection, its data connections and most of those that replace them, each at a place of its own."""

    def plan(seed: int, is_parallel: bool) -> FaultPlan:
        dice = random.Random(seed)
        control = dice.choice(kinds)(dice, 150)
        data = [dice.choice(kinds)(dice, 500) for _ in range(7 if is_parallel else 3)]
        return faults_in_order(*(ConnectionFaults(downstream=(fault,)) for fault in (control, *data)))

    return plan


def data_sockets(*kinds: Place, again: bool = False) -> Callable[[int, bool], FaultPlan]:
    """Strike each data connection that is opened first, and those that replace them if asked."""

    def plan(seed: int, is_parallel: bool) -> FaultPlan:
        dice = random.Random(seed)
        data = [dice.choice(kinds)(dice, 500) for _ in range((4 if is_parallel else 1) * (1 + again))]
        return faults_in_order(NO_FAULTS, *(ConnectionFaults(downstream=(fault,)) for fault in data))

    return plan


def handed_over(dice: random.Random, messages: int) -> Fault:
    return Close(at_message=dice.randint(2, messages))


def cut(dice: random.Random, messages: int) -> Fault:
    return Cut(at_byte=dice.randint(400, messages * 80))


def reset(dice: random.Random, messages: int) -> Fault:
    return Reset(at_byte=dice.randint(400, messages * 80))


def before_the_first(dice: random.Random, messages: int) -> Fault:
    return Close(at_message=1)


def near_the_end(seed: int, is_parallel: bool) -> FaultPlan:
    """Cut the data connections before the last 10 to 40 of their messages, so that they are down when the session completes."""
    last = 560 if is_parallel else 2_280
    fault = Cut(at_message=last - seed % 20)
    return faults_in_order(NO_FAULTS, *[ConnectionFaults(downstream=(fault,))] * (4 if is_parallel else 1))


def continue_lost(seed: int, is_parallel: bool) -> FaultPlan:
    """Cut the control connection in the middle of its last `continue`, which so never arrives."""
    requests = 4 if is_parallel else 2 + seed % 8
    return faults_in_order(ConnectionFaults(upstream=(Cut(at_message=requests, at_byte=20),)))


@attrs.frozen
class Scenario:
    """What befalls the connections, by seed and for a parallel run or not."""

    plan: Callable[[int, bool], FaultPlan]
    programs: tuple[str, ...] = (TOKEN_PROGRAM,)
    """Whose account diffs are asked for, on one socket per session."""


TWO: Final = (TOKEN_PROGRAM, SYSTEM_PROGRAM)
UNDISTURBED: Final = Scenario(lambda seed, is_parallel: lambda connection: NO_FAULTS)
SURVIVED: Final[Mapping[str, Scenario]] = {
    "undisturbed": UNDISTURBED,
    "all sockets handed over (1012)": Scenario(everywhere(handed_over)),
    "data sockets cut or reset": Scenario(data_sockets(cut, reset, again=True)),
    "data sockets cut before the first": Scenario(data_sockets(before_the_first)),
    "data sockets cut near the end": Scenario(near_the_end),
    "data sockets handed over, two programs": Scenario(data_sockets(handed_over), TWO),
}
"""What these clients were made for: of these runs every one must be whole."""
DEADLY: Final[Mapping[str, Scenario]] = {
    "all sockets cut or reset": Scenario(everywhere(cut, reset)),
    "a continue lost": Scenario(continue_lost),
    "data sockets lost twice, two programs": Scenario(data_sockets(handed_over, again=True), TWO),
}
"""What not all runs survive, whatever the server: a `continue` that was lost with its socket is never sent again (`message_loop` in
`managed/control.rs` and `managed/parallel.rs`), and the cursor of a socket with two programs is what was seen of either (`subscribe` in
`managed/subscription.rs`), though after a drop the first is replayed before the second is asked for."""
SCENARIOS: Final = {**SURVIVED, **DEADLY}


@attrs.frozen(kw_only=True)
class RustRun:
    """What came of one run."""

    outcome: str
    lost: int
    """Diffs and slots."""
    doubled: int

    @property
    def is_whole(self) -> bool:
        """Whether it completed, with everything there is."""
        return self.outcome == "completed" and not self.lost


async def run_driver(
    driver: Path, plan: FaultPlan, programs: Sequence[str], *, is_parallel: bool
) -> tuple[str, Counter[str]]:
    """Run one client through the market; return how it ended, and what it printed of diffs and slots."""
    with open_bundle(shipped_bundle()) as reader:
        command = [str(driver), "--start", str(reader.header.start_slot), "--end", str(reader.header.end_slot)]
    for program in programs:
        command += ["--account-diffs", program]
    if is_parallel:
        command += ["--parallel"]
    async with (
        open_local_simulator(split_slots=SPLIT_SLOTS) as simulator,
        open_fault_proxy(simulator.url, plan) as proxy,
    ):
        with trio.move_on_after(HANG_SECONDS):
            done = await trio.run_process([*command, "--url", proxy.url], capture_stdout=True, check=False)
            *lines, outcome = done.stdout.decode().splitlines() or ["outcome nothing"]
            return outcome.removeprefix("outcome "), Counter(line for line in lines if line[:5] in ("diff ", "slot "))
    return "hung", Counter()


async def what_there_is(driver: Path, programs: Sequence[str]) -> Counter[str]:
    """Return the diffs and slots of an undisturbed single run."""
    outcome, truth = await run_driver(driver, UNDISTURBED.plan(0, False), programs, is_parallel=False)
    assert outcome == "completed"
    assert sum(line.startswith("diff") for line in truth) > 2_000
    return truth


async def run_scenario(
    driver: Path, scenario: Scenario, seed: int, truth: Counter[str], *, is_parallel: bool
) -> RustRun:
    """Run a scenario, and compare with what there is."""
    plan = scenario.plan(seed, is_parallel)
    outcome, seen = await run_driver(driver, plan, scenario.programs, is_parallel=is_parallel)
    return RustRun(outcome=outcome, lost=(truth - seen).total(), doubled=(seen - truth).total())


BUILT = [
    pytest.param(
        driver,
        marks=pytest.mark.skipif(
            not (FOLDER / driver).exists(),
            reason=f"the Rust client is not there: SIMCLIENT_PEER names the folder of {driver}",
        ),
    )
    for driver in DRIVERS
]


@pytest.mark.parametrize("driver", BUILT)
@pytest.mark.parametrize("is_parallel", [False, True], ids=["single", "parallel"])
@pytest.mark.parametrize("scenario", SURVIVED)
async def test_nothing_is_lost_to_the_official_clients(driver: str, is_parallel: bool, scenario: str) -> None:
    """Each survives what it was made for: they attach again, replay, and get the end of every stream."""
    truth = await what_there_is(FOLDER / driver, SCENARIOS[scenario].programs)
    run = await run_scenario(FOLDER / driver, SCENARIOS[scenario], 1, truth, is_parallel=is_parallel)
    assert run.is_whole, run


async def print_rows(folder: Path, runs: int, at_once: int, drivers: Sequence[str], names: Sequence[str]) -> int:
    """Run everything, and print a row of the table for each; return how many runs of those that should were not whole."""
    failed = 0
    for driver, name in itertools.product(drivers, names):
        truth = await what_there_is(folder / driver, SCENARIOS[name].programs)
        for is_parallel in (False, True):
            results = await run_many(folder / driver, SCENARIOS[name], runs, at_once, truth, is_parallel=is_parallel)
            if name in SURVIVED:
                failed += sum(not result.is_whole for result in results)
            print(row(driver, name, results, is_parallel=is_parallel), flush=True)  # noqa: T201
    return failed


async def run_many(
    driver: Path, scenario: Scenario, runs: int, at_once: int, truth: Counter[str], *, is_parallel: bool
) -> list[RustRun]:
    """Run a scenario with so many seeds."""
    limiter = trio.CapacityLimiter(at_once)
    results: list[RustRun] = []

    async def run_one(seed: int) -> None:
        async with limiter:
            results.append(await run_scenario(driver, scenario, seed, truth, is_parallel=is_parallel))

    async with trio.open_nursery() as nursery:
        for seed in range(runs):
            nursery.start_soon(run_one, seed)
    return results


def row(driver: str, scenario: str, results: Sequence[RustRun], *, is_parallel: bool) -> str:
    """Sum up the runs of a scenario."""
    completed = [result for result in results if result.outcome == "completed"]
    endings = Counter(result.outcome for result in results)
    counts = ", ".join(f"{count} {ending}" for ending, count in endings.items())
    lost, doubled = sum(result.lost for result in completed), sum(result.doubled for result in completed)
    whole = sum(result.is_whole for result in results)
    kind = "parallel" if is_parallel else "single"
    return f"{driver:10} {scenario:38} {kind:8} {whole} whole; {counts}; lost {lost}, doubled {doubled}"


def main() -> int:
    """Run the matrix."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--driver", choices=DRIVERS, action="append")
    parser.add_argument("--scenario", choices=SCENARIOS, action="append")
    asked = parser.parse_args()
    drivers, scenarios = asked.driver or DRIVERS, asked.scenario or list(SCENARIOS)
    failed = trio.run(print_rows, asked.folder, asked.runs, asked.at_once, drivers, scenarios)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
