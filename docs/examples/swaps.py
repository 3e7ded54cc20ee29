"""Swaps of Orca's Whirlpool program: find them in transactions, change their size, and ask what they would give.

The other programs in this folder use it. On its own it lists the swaps of the blocks that the examples replay: 24 slots of a real day, see
the README of `tests/local/data/whirlpool`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import trio
from solders.instruction import AccountMeta, Instruction
from solders.message import Message
from solders.pubkey import Pubkey
from solders.transaction import Transaction, VersionedTransaction

from simclient import ProgramExecuted, SessionRpc, open_backtest_session, open_local_simulator

WHIRLPOOL = "whirLbMiicVdio4qvUfM5KAg6Ct8VwpYzGff3uctyCc"
BUNDLE = Path(__file__).parent / "data" / "whirlpool.bundle"
FIRST_SLOT, LAST_SLOT = 128_510_581, 128_510_604

SWAP = bytes.fromhex("f8c69e91e17587c8")  # the first bytes of SHA-256 of "global:swap"
AUTHORITY, POOL, ACCOUNT_A, ACCOUNT_B, TICK_ARRAYS = (
    1,
    2,
    3,
    5,
    slice(7, 10),
)  # places in the accounts of the instruction
LOWEST_SQRT_PRICE, HIGHEST_SQRT_PRICE = 4_295_048_016, 79_226_673_515_401_279_992_447_579_055


@dataclass(frozen=True)
class Swap:
    """One swap: so much of one token of a pool for as much of the other as it gives."""

    accounts: tuple[AccountMeta, ...]
    amount: int
    a_to_b: bool

    @property
    def pool(self) -> str:
        """The pool's address."""
        return str(self.accounts[POOL].pubkey)

    @property
    def receiving_account(self) -> str:
        """The token account that is paid into."""
        return str(self.accounts[ACCOUNT_B if self.a_to_b else ACCOUNT_A].pubkey)

    def transaction(self) -> bytes:
        """Return a transaction that does it, without a limit on the price; nobody has signed it."""
        limit = LOWEST_SQRT_PRICE if self.a_to_b else HIGHEST_SQRT_PRICE
        data = (
            SWAP + self.amount.to_bytes(8, "little") + bytes(8) + limit.to_bytes(16, "little") + bytes([1, self.a_to_b])
        )
        instruction = Instruction(Pubkey.from_string(WHIRLPOOL), data, list(self.accounts))
        payer = self.accounts[AUTHORITY].pubkey
        return bytes(Transaction.new_unsigned(Message([instruction], payer)))

    def reversed(self, amount: int) -> Swap:
        """Return the swap back: it begins in the same ticks, and here it must end in them too."""
        first = self.accounts[TICK_ARRAYS][0]
        accounts = (*self.accounts[: TICK_ARRAYS.start], first, first, first, *self.accounts[TICK_ARRAYS.stop :])
        return Swap(accounts, amount, not self.a_to_b)

    def of(self, amount: int) -> Swap:
        """Return the same swap of another size."""
        return replace(self, amount=amount)


def swaps_in(transaction: VersionedTransaction) -> Iterator[Swap]:
    """Yield the swaps of an exact amount among a transaction's instructions."""
    message = transaction.message
    assert isinstance(message, Message)  # these blocks have no lookup tables
    keys = message.account_keys
    for instruction in message.instructions:
        data = bytes(instruction.data)
        if str(keys[instruction.program_id_index]) == WHIRLPOOL and data.startswith(SWAP) and data[40]:
            accounts = tuple(
                AccountMeta(keys[index], message.is_signer(index), is_writable(message, index))
                for index in instruction.accounts
            )
            yield Swap(accounts, int.from_bytes(data[8:16], "little"), bool(data[41]))


def is_writable(message: Message, index: int) -> bool:
    """Tell whether a message may write to one of its accounts; its header says so by their order."""
    header, signers = message.header, message.header.num_required_signatures
    if index < signers:
        return index < signers - header.num_readonly_signed_accounts

    return index < len(message.account_keys) - header.num_readonly_unsigned_accounts


async def output_of(rpc: SessionRpc, swap: Swap) -> int | None:
    """Return what a swap would give on the session's state, in the token's smallest unit; None: it would fail."""
    before = await rpc.get_account(swap.receiving_account)
    result = await rpc.simulate_transaction(swap.transaction(), accounts=[swap.receiving_account])
    [after] = result.accounts
    if not result.is_success or before is None or after is None:
        return None

    return amount_in(after.data) - amount_in(before.data)


def amount_in(token_account: bytes) -> int:
    """Return what a token account holds."""
    return int.from_bytes(token_account[64:72], "little")


async def main() -> None:
    """List the swaps of the examples' blocks."""
    async with (
        open_local_simulator([BUNDLE]) as simulator,
        open_backtest_session(
            simulator.url,
            start_slot=FIRST_SLOT,
            end_slot=LAST_SLOT,
            discoveries=[ProgramExecuted(program=WHIRLPOOL)],
        ) as session,
    ):
        async for pause in session.discoveries():
            for encoded in pause.discovery.transactions:
                for swap in swaps_in(VersionedTransaction.from_bytes(encoded.decode())):
                    print(pause.slot, swap.pool, f"{swap.amount:,}", "A to B" if swap.a_to_b else "B to A")


if __name__ == "__main__":
    trio.run(main)
