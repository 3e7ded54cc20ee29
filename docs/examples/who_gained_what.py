"""Who gained what? Replay a range, keep everything in a file, and say what every wallet gained or lost.

Without arguments this runs on the embedded simulator, over the market that comes with the package. On a hosted simulator, and with a
program of your own in place of the one on the chain:

    python who_gained_what.py --url simulator.example --start-slot 350000000 --slots 1000 --program ADDRESS --elf mine.so

The file can be looked at with `simclient report`, and compared with that of another run with `simclient compare`.
"""

from __future__ import annotations

import argparse
from contextlib import AsyncExitStack
from pathlib import Path

import trio

from simclient import TOKEN_PROGRAM, AccountDiffs, Transactions, open_local_simulator
from simclient.research import RunConfig, RunResult, pnl, read_program, run_backtest

SHOWN = 3


async def run(options: argparse.Namespace) -> RunResult:
    """Replay the range into the file."""
    async with AsyncExitStack() as stack:
        url = options.url
        if url is None:
            url = (await stack.enter_async_context(open_local_simulator())).url
        return await run_backtest(
            RunConfig(
                url=url,
                start_slot=options.start_slot,
                end_slot=options.start_slot + options.slots - 1,
                subscriptions=(Transactions(mentions=options.program), AccountDiffs(program=TOKEN_PROGRAM)),
                programs=() if options.elf is None else (read_program(options.program, options.elf),),
                output=options.output,
            )
        )


def print_gains(file: Path) -> None:
    """Print the largest gains and losses of each asset; the file is all that is needed."""
    changes = [(wallet.wallet, change) for wallet in pnl(file).wallets for change in wallet.changes if change.delta]
    for mint in sorted({change.mint for _, change in changes}, key=lambda mint: mint or ""):
        rows = sorted(((c.delta / 10 ** (c.decimals or 0), w) for w, c in changes if c.mint == mint), reverse=True)
        print(mint or "SOL")
        for delta, wallet in dict.fromkeys([*rows[:SHOWN], *rows[-SHOWN:]]):
            print(f"    {wallet:<44}  {delta:+,.6f}")


def main() -> None:
    """Run, and say who gained."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url")
    parser.add_argument("--start-slot", type=int, default=350_000_000)
    parser.add_argument("--slots", type=int, default=100)
    parser.add_argument("--program", default=TOKEN_PROGRAM)
    parser.add_argument("--elf", type=Path)
    parser.add_argument("--output", type=Path, default=Path("who_gained_what.ndjson"))
    options = parser.parse_args()
    result = trio.run(run, options)
    counts = result.counts
    print(f"{counts.slots} slots, {counts.transactions} transactions, {counts.failures} of them failed")
    print_gains(options.output)


if __name__ == "__main__":
    main()
