"""What did the maker hold just before each payment? Stop before every batch that runs the Token program, and read the state there.

The session announces matching batches ahead of their execution. At each pause nothing of the batch has been executed, and everything
before it has: a read over RPC shows what the transactions of the batch will find.
"""

from __future__ import annotations

import trio

from simclient import (
    TOKEN_PROGRAM,
    ProgramExecuted,
    associated_token_address,
    open_backtest_session,
    open_local_simulator,
)
from simclient.local.market import MAKER, USD

START_SLOT, LAST_SLOT = 350_000_000, 350_000_019


async def main() -> None:
    """Print the maker's dollars at each pause, and how many transactions are about to be executed."""
    dollars = associated_token_address(MAKER.address, USD.address)
    async with (
        open_local_simulator() as simulator,
        open_backtest_session(
            simulator.url,
            start_slot=START_SLOT,
            end_slot=LAST_SLOT,
            discoveries=[ProgramExecuted(program=TOKEN_PROGRAM)],
        ) as session,
    ):
        async for pause in session.discoveries():
            balance = await session.rpc.get_token_account_balance(dollars)
            waiting = len(pause.discovery.transactions)
            print(
                f"{pause.slot} batch {pause.batch_index}: {balance.amount / 10**balance.decimals:,.2f} USD, {waiting} waiting"
            )


if __name__ == "__main__":
    trio.run(main)
