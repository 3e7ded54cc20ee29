"""Would it still go through? Let a session try a transaction by itself, after every twentieth slot, without keeping what it does.

The market that comes with the package has one maker. Here the maker would like to withdraw 410,000 USD to a vault: an action simulates
that after every twentieth slot, on the state as it is then, and gives the maker's token account back. Nothing is sent, so the replay goes
on as recorded.

Scheduled actions need no round trip: the server carries them out between two slots of one long `advance`. A hosted simulator must speak
protocol 0.28.
"""

from __future__ import annotations

import base64
import json

import trio
from solders.instruction import AccountMeta, Instruction
from solders.message import Message
from solders.pubkey import Pubkey
from solders.transaction import Transaction

from simclient import (
    TOKEN_PROGRAM,
    ActionReport,
    Actions,
    AfterEverySlot,
    Completed,
    ReadyForContinue,
    ScheduledAction,
    associated_token_address,
    open_backtest_session,
    open_local_simulator,
)
from simclient.local.market import MAKER, TAKERS, USD

START_SLOT, LAST_SLOT = 350_000_000, 350_000_239
AMOUNT = 410_000 * 10**USD.decimals
TRANSFER = 3
"""The instruction of the Token program: the amount follows, 8 bytes little-endian."""


def withdrawal() -> Transaction:
    """Build the transaction; it is not signed, since it is only simulated."""
    source = Pubkey.from_string(associated_token_address(MAKER.address, USD.address))
    vault = Pubkey.from_string(associated_token_address(TAKERS[0].address, USD.address))
    instruction = Instruction(
        Pubkey.from_string(TOKEN_PROGRAM),
        bytes([TRANSFER]) + AMOUNT.to_bytes(8, "little"),
        [
            AccountMeta(source, is_signer=False, is_writable=True),
            AccountMeta(vault, is_signer=False, is_writable=True),
            AccountMeta(MAKER.address, is_signer=True, is_writable=True),
        ],
    )
    return Transaction.new_unsigned(Message([instruction], MAKER.address))


def usd_of(account: str | None) -> float:
    """Return what a token account holds, in whole USD, from the JSON that came with a result."""
    assert account is not None
    data = base64.b64decode(json.loads(account)["data"][0])
    amount = int.from_bytes(data[64:72], "little")
    return amount / float(10**USD.decimals)


async def main() -> None:
    """Replay the market and print what became of each attempt."""
    action = ScheduledAction(
        anchor=AfterEverySlot(every_n_slots=20),
        transactions=(withdrawal(),),
        return_accounts=(MAKER.account(USD),),
        label="withdrawal",
    )
    async with (
        open_local_simulator() as simulator,
        open_backtest_session(
            simulator.url, start_slot=START_SLOT, end_slot=LAST_SLOT, actions=[action], subscriptions=[Actions()]
        ) as session,
    ):
        async for event in session:
            match event:
                case ReadyForContinue():
                    await session.advance(LAST_SLOT - START_SLOT + 1)
                case ActionReport(result=result):
                    [outcome] = result.transaction_outcomes
                    verdict = "would go through" if outcome.error is None else f"would fail: {outcome.error}"
                    print(f"{result.slot} {result.label} {verdict}, {usd_of(result.accounts[0]):,.0f} USD")
                case Completed():
                    print("done")
                case _:
                    pass


if __name__ == "__main__":
    trio.run(main)
