"""A slot of four batches between two of one, and what the tests that step through it share."""

from __future__ import annotations

from simclient.local import LocalSimulator

from .blocks import FIRST_SLOT, LAMPORTS, MEMO_PROGRAM, PAYEE_ADDRESS, pay
from .clients import Control, Message, post

LAST_SLOT = FIRST_SLOT + 2
MEMO = str(MEMO_PROGRAM)
BLOCK = [pay(1), pay(2, note="hello"), pay(3), pay(4, note="again")]
"""Each writes the payer: four batches."""


def methods(messages: list[Message]) -> list[str]:
    """Return the methods, without those of statuses."""
    return [m["method"] for m in messages if m["method"] != "status"]


async def balance(simulator: LocalSimulator, control: Control) -> int:
    """Return what the payee was paid."""
    value: int = (await post(simulator, control.endpoint, "getBalance", PAYEE_ADDRESS)).json()["result"]["value"]
    return value - LAMPORTS
