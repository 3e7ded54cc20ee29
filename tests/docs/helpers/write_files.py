"""`python -m write_files KIND PATH…`: files that a reader has and a page does not make.

`idl FILE`: the IDL of an Anchor program. `transaction FILE`: a signed payment between wallets of the market, base64.
`blocks FOLDER ACCOUNTS`: what a node answers for the first slots of the market and the accounts that are in them.
"""

from __future__ import annotations

import gzip
import json
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

import httpx2
import trio
from solders.hash import Hash
from solders.message import Message
from solders.system_program import TransferParams, transfer
from solders.transaction import Transaction

from simclient import ReadyForContinue, open_backtest_session, open_local_simulator
from simclient.local.market import TAKERS

Json = Any
FIRST_SLOT, SLOTS = 350_000_000, 3

IDL = {
    "address": "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
    "metadata": {"name": "market", "version": "0.1.0", "spec": "0.1.0"},
    "instructions": [],
    "accounts": [],
    "events": [],
    "errors": [{"code": 6001, "name": "SlippageExceeded", "msg": "too much slippage"}],
    "types": [],
}


def write_idl(file: str) -> None:
    """Write the IDL of a program that has no more than an error."""
    Path(file).write_text(json.dumps(IDL))


def write_transaction(file: str) -> None:
    """Write a payment that the market's wallets can make."""
    payer, payee = TAKERS[0], TAKERS[1]
    payment = transfer(TransferParams(from_pubkey=payer.address, to_pubkey=payee.address, lamports=1_000))
    message = Message.new_with_blockhash([payment], payer.address, Hash.default())
    Path(file).write_text(b64encode(bytes(Transaction([payer.keypair], message, Hash.default()))).decode())


def write_blocks(folder: str, accounts: str) -> None:
    """Ask a session of the embedded simulator as one would ask a node; programs are the runtime's own there."""
    blocks, states = trio.run(_capture)
    Path(folder).mkdir()
    for slot, block in blocks.items():
        Path(folder, f"{slot}.json").write_text(json.dumps(block))
    Path(accounts).write_bytes(gzip.compress("\n".join(json.dumps(state) for state in states).encode()))


async def _capture() -> tuple[dict[int, Json], list[Json]]:
    async with (
        open_local_simulator() as simulator,
        open_backtest_session(simulator.url, start_slot=FIRST_SLOT, slot_count=SLOTS - 1) as session,
        httpx2.AsyncClient() as http,
    ):

        async def ask(method: str, *params: object) -> Json:
            request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
            return (await http.post(session.rpc_url, json=request)).json()["result"]

        async for event in session:
            if isinstance(event, ReadyForContinue) and session.statistics().last_slot is None:
                await session.advance(SLOTS)

        slots = range(FIRST_SLOT, FIRST_SLOT + SLOTS)
        options = {"maxSupportedTransactionVersion": 0}
        blocks = {slot: await ask("getBlock", slot, {**options, "encoding": "base64"}) for slot in slots}
        listed = [await ask("getBlock", slot, {**options, "transactionDetails": "accounts"}) for slot in slots]
        entries = [entry for block in listed for entry in block["transactions"]]
        addresses = {key["pubkey"] for entry in entries for key in entry["transaction"]["accountKeys"]}
        answers = {a: await ask("getAccountInfo", a, {"encoding": "base64"}) for a in sorted(addresses)}
    known = {address: answer["value"] for address, answer in answers.items()}
    states = [{"pubkey": a, "account": state} for a, state in known.items() if not (state and state["executable"])]
    return blocks, states


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["idl", file]:
            write_idl(file)
        case ["transaction", file]:
            write_transaction(file)
        case ["blocks", folder, accounts]:
            write_blocks(folder, accounts)
        case _:
            raise SystemExit(__doc__)
