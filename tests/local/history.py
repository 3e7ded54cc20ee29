"""Three blocks that an engine has executed, for the tests of what its RPC says of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.hash import Hash
from solders.message import MessageV0
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from simclient.local.engine import Engine, open_engine

from .blocks import FIRST_SLOT, LAMPORTS, PAYEE, PAYER, blockhash, pay, write_blocks

LAST_SLOT = FIRST_SLOT + 3
"""The slot before it is skipped."""
MEMO = pay(3, note="thanks")
V0_PAYMENT = bytes(
    VersionedTransaction(
        MessageV0.try_compile(
            PAYER.pubkey(),
            [transfer(TransferParams(from_pubkey=PAYER.pubkey(), to_pubkey=PAYEE.pubkey(), lamports=5))],
            list[AddressLookupTableAccount](),
            Hash.from_bytes(blockhash(1)),
        ),
        [PAYER],
    )
)
TOO_MUCH = pay(LAMPORTS * 9)
BLOCKS = {FIRST_SLOT: [pay(1), pay(2)], FIRST_SLOT + 1: [MEMO, V0_PAYMENT], LAST_SLOT: [TOO_MUCH]}
LATEST = {"maxSupportedTransactionVersion": 0}

Json = Any


def signature_of(wire: bytes) -> str:
    return str(VersionedTransaction.from_bytes(wire).signatures[0])


@asynccontextmanager
async def executed_blocks(folder: Path) -> AsyncGenerator[Engine]:
    """Open an engine that has executed three blocks."""
    path = write_blocks(folder / "blocks.bundle", BLOCKS, end_slot=LAST_SLOT + 5)
    async with open_engine(path, start_slot=FIRST_SLOT, end_slot=2**63) as engine:
        for _ in BLOCKS:
            await engine.execute_slot()
        yield engine


async def text(engine: Engine, method: str, *params: object) -> str:
    """Call a method, and return the whole answer as text."""
    body = b'{"jsonrpc":"2.0","id":1,"method":"%b","params":%b}'
    return (await engine.rpc(body % (method.encode(), msgspec.json.encode(params)))).decode()
