"""What a node gave, as files, and the bundle that is made of them."""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import zstandard
from solders.pubkey import Pubkey

from simclient.local.bundle import BundleAccount, BundleSlot, open_bundle

from .blocks import BLOCK_TIME, FIRST_SLOT, LAMPORTS, PAYEE_ADDRESS, PAYER_ADDRESS, POOR, SYSTEM_PROGRAM, blockhash, pay

Json = Any
PAYMENT, MEMO, FROM_POOR = pay(5), pay(6, note="hello"), pay(7, payer=POOR)
BASE58_HASH = str(Pubkey.from_bytes(blockhash(FIRST_SLOT)))


def account(lamports: int = LAMPORTS, owner: str = SYSTEM_PROGRAM, data: bytes = b"") -> Json:
    return {
        "lamports": lamports,
        "owner": owner,
        "data": [b64encode(data).decode(), "base64"],
        "executable": False,
        "rentEpoch": 2**64 - 1,
        "space": len(data),
    }


def block(*wires: bytes, slot: int = FIRST_SLOT) -> Json:
    return {
        "blockhash": BASE58_HASH,
        "previousBlockhash": BASE58_HASH,
        "parentSlot": slot - 1,
        "blockHeight": slot,
        "blockTime": BLOCK_TIME,
        "rewards": [],
        "transactions": [
            {"transaction": [b64encode(wire).decode(), "base64"], "meta": None, "version": "legacy"} for wire in wires
        ],
    }


def exchange(method: str, params: Json, result: Json) -> Json:
    return {"request": {"method": method, "params": params}, "response": {"jsonrpc": "2.0", "id": 1, "result": result}}


ACCOUNTS = {PAYER_ADDRESS: account(), PAYEE_ADDRESS: None}
BLOCK = block(PAYMENT)
WITH_CONTEXT = {"context": {"slot": 7}, "value": account()}


class Files:
    """A folder of what a node gave, and the bundle that is made of it."""

    def __init__(self, folder: Path) -> None:
        self.sources = folder / "node"
        self.sources.mkdir()
        self.output = folder / "real.bundle"

    def write(self, name: str, *values: Json) -> Path:
        path = self.sources / name
        text = "".join(json.dumps(value) + "\n" for value in values).encode()
        if name.endswith(".gz"):
            text = gzip.compress(text)
        elif name.endswith(".zst"):
            text = zstandard.compress(text)
        path.write_bytes(text)
        return path

    def slots(self) -> list[BundleSlot]:
        with open_bundle(self.output) as bundle:
            return list(bundle.slots())

    def accounts(self) -> list[BundleAccount]:
        with open_bundle(self.output) as bundle:
            return list(bundle.accounts())
