"""What would have happened with another program? Replay a range twice, the second time with a program replaced, and compare.

Without arguments this runs on the embedded simulator, over the market that comes with the package: the Token program is replaced by the
code of Token-2022, which the same simulator has. To try a program of your own on a hosted simulator:

    python replace_program.py --url simulator.example --program ADDRESS --elf target/deploy/mine.so --start-slot 350000000 --slots 100

The key is read from SIMULATOR_API_KEY.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import trio

from simclient import (
    TOKEN_2022_PROGRAM,
    TOKEN_PROGRAM,
    BacktestSession,
    Completed,
    ExecutedTransaction,
    ReadyForContinue,
    Transactions,
    open_backtest_session,
    open_local_simulator,
    program_data_address,
)

HEADER_BYTES = 45
"""Before the ELF in the account that holds a program's code."""

Run = dict[str, ExecutedTransaction]
"""Transactions by signature."""


async def replay(url: str, options: argparse.Namespace, *, replace: bool) -> Run:
    """Replay the range and return what the program's transactions did."""
    run: Run = {}
    async with open_backtest_session(
        url,
        start_slot=options.start_slot,
        slot_count=options.slots - 1,
        subscriptions=[Transactions(mentions=options.program)],
    ) as session:
        is_replaced = not replace
        async for event in session:
            match event:
                case ReadyForContinue():
                    if not is_replaced:  # only now: the RPC is not sure to answer before the session is ready
                        await session.rpc.replace_program(options.program, await read_elf(session, options.elf))
                        is_replaced = True
                    await session.advance(options.slots)
                case ExecutedTransaction(signature=str(signature)):
                    run[signature] = event
                case Completed():
                    print("replayed", "with the other program" if replace else "as it was", f"{len(run)} transactions")
                case _:
                    pass
    return run


async def read_elf(session: BacktestSession, path: Path | None) -> bytes:
    """Read the program from a file or, for the demonstration, from the session's state."""
    if path is not None:
        return await trio.Path(path).read_bytes()

    account = await session.rpc.get_account(program_data_address(TOKEN_2022_PROGRAM))
    assert account is not None
    return account.data[HEADER_BYTES:]


def compare(baseline: Run, experiment: Run) -> None:
    """Print what became of each transaction."""
    outcomes: Counter[tuple[str, str]] = Counter()
    errors: Counter[str] = Counter()
    units = 0
    for signature, before in baseline.items():
        after = experiment[signature]
        outcomes[_outcome(before), _outcome(after)] += 1
        units += (after.compute_units or 0) - (before.compute_units or 0)
        if before.is_success and not after.is_success:
            errors[str(after.error)] += 1

    for (was, became), count in sorted(outcomes.items()):
        print(f"{count:6} {was:>9} -> {became}")
    for error, count in errors.most_common(3):
        print(f"{count:6} new failures: {error}")
    print(f"{units / len(baseline):+6.0f} compute units per transaction")


def _outcome(transaction: ExecutedTransaction) -> str:
    return "succeeded" if transaction.is_success else "failed"


async def main(options: argparse.Namespace) -> None:
    """Replay twice and compare."""
    if options.url is not None:
        compare(*[await replay(options.url, options, replace=replace) for replace in (False, True)])
        return

    async with open_local_simulator() as simulator:
        compare(*[await replay(simulator.url, options, replace=replace) for replace in (False, True)])


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description="Replay a range with a program replaced, and compare with the baseline."
    )
    parser.add_argument("--url", help="a hosted simulator; by default the embedded one")
    parser.add_argument("--program", default=TOKEN_PROGRAM, help="the address of the program to replace")
    parser.add_argument("--elf", type=Path, help="the .so to put in its place; needed for a hosted simulator")
    parser.add_argument("--start-slot", type=int, default=350_000_000)
    parser.add_argument("--slots", type=int, default=100)
    options = parser.parse_args()
    if options.url is not None and options.elf is None:
        parser.error("--url needs --elf")
    return options


if __name__ == "__main__":
    trio.run(main, read_options())
