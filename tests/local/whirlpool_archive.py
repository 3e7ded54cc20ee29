"""An archive of real swaps that tests may change: `data/whirlpool` has 24 slots of a real day."""

from __future__ import annotations

import gzip
import json
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from simclient.local.bundle import BundleAccount, BundleSlot, BundleTransaction, open_bundle
from simclient.local.engine.svm import Execution, Machine
from simclient.local.whirlpool import ImportReport, import_whirlpool

FIXTURE = Path(__file__).parent / "data" / "whirlpool"
WHOLE_DAY = Path(__file__).parents[3] / "shared" / "data" / "whirlpool-2022-04-06"
START_SLOT, END_SLOT, STATE_SLOT = 128_510_581, 128_510_604, 128_556_169
PROGRAM = Pubkey.from_string("whirLbMiicVdio4qvUfM5KAg6Ct8VwpYzGff3uctyCc")
ASSOCIATED_TOKEN_PROGRAM = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
LOADER = Pubkey.from_string("BPFLoaderUpgradeab1e11111111111111111111111")
TOKEN_PROGRAM = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
POOL_BYTES, REWARD_TIME = 653, slice(261, 269)

Json = Any


@attrs.frozen(kw_only=True)
class Archive:
    """The three files, and where the bundle goes."""

    state: Path
    transactions: Path
    program: Path
    output: Path

    def load(self, *, slot_limit: int | None = None) -> ImportReport:
        return import_whirlpool(self.state, self.transactions, self.program, self.output, slot_limit=slot_limit)

    def lines(self) -> list[bytes]:
        return gzip.decompress(self.transactions.read_bytes()).splitlines(keepends=True)

    def write_lines(self, lines: list[bytes]) -> None:
        self.transactions.write_bytes(gzip.compress(b"".join(lines)))

    def change_slot(self, line: int, change: Callable[[Json], None]) -> None:
        """Change one line of the transactions, counted from 1."""
        lines = self.lines()
        slot = json.loads(lines[line - 1])
        change(slot)
        lines[line - 1] = json.dumps(slot).encode() + b"\n"
        self.write_lines(lines)

    def change_state(self, change: Callable[[Json], None]) -> None:
        state = json.loads(gzip.decompress(self.state.read_bytes()))
        change(state)
        self.state.write_bytes(gzip.compress(json.dumps(state).encode()))

    def accounts(self) -> dict[Pubkey, BundleAccount]:
        with open_bundle(self.output) as reader:
            return {Pubkey.from_bytes(account.address): account for account in reader.accounts()}

    def slots(self) -> list[BundleSlot]:
        with open_bundle(self.output) as reader:
            return list(reader.slots())

    def transaction(self, slot: int) -> BundleTransaction:
        """The only transaction of a slot."""
        (transaction,) = next(s.transactions for s in self.slots() if s.slot == slot)
        return transaction


def copied_archive(folder: Path) -> Archive:
    """Copy the archive of 24 slots into `folder`, to be changed there."""
    for name in ("state.json.gz", "transactions.jsonl.gz", "program.so.gz"):
        (folder / name).write_bytes((FIXTURE / name).read_bytes())
    return Archive(
        state=folder / "state.json.gz",
        transactions=folder / "transactions.jsonl.gz",
        program=folder / "program.so.gz",
        output=folder / "day.bundle",
    )


FIRST_SWAP_LINE, FIRST_SWAP_SLOT = 2, START_SLOT + 1
TWO_SWAPS_SLOT = START_SLOT + 4


def first_payload(slot: Json) -> Json:
    return slot["transactions"][0]["instructions"][0]["payload"]


def before_the_day(archive: Archive) -> None:
    archive.change_state(lambda state: state.update(slot=START_SLOT - 1))


def opened_position(archive: Archive) -> list[Json]:
    """Return, as the archive writes them, the instructions of a position's whole life in the pool of the fixture's first swap."""
    payload = first_payload(json.loads(archive.lines()[FIRST_SWAP_LINE - 1]))
    state = {
        a["pubkey"]: b64decode(a["data"]) for a in json.loads(gzip.decompress(archive.state.read_bytes()))["accounts"]
    }
    spacing = int.from_bytes(state[payload["keyWhirlpool"]][41:43], "little")
    lower = int.from_bytes(state[payload["keyTickArray0"]][8:12], "little", signed=True)
    owner, mint = Pubkey.from_string(payload["keyTokenAuthority"]), Pubkey.from_bytes(bytes([7]) * 32)
    seeds = [bytes(owner), bytes(TOKEN_PROGRAM), bytes(mint)]
    common = {
        "keyWhirlpool": payload["keyWhirlpool"],
        "keyFunder": str(owner),
        "keyOwner": str(owner),
        "keyReceiver": str(owner),
        "keyPositionAuthority": str(owner),
        "keyPosition": str(Pubkey.find_program_address([b"position", bytes(mint)], PROGRAM)[0]),
        "keyPositionMint": str(mint),
        "keyPositionTokenAccount": str(Pubkey.find_program_address(seeds, ASSOCIATED_TOKEN_PROGRAM)[0]),
        "keyTokenOwnerAccountA": payload["keyTokenOwnerAccountA"],
        "keyTokenOwnerAccountB": payload["keyTokenOwnerAccountB"],
        "keyTokenVaultA": payload["keyVaultA"],
        "keyTokenVaultB": payload["keyVaultB"],
        "keyTickArrayLower": payload["keyTickArray0"],
        "keyTickArrayUpper": payload["keyTickArray0"],
        "dataTickLowerIndex": lower,
        "dataTickUpperIndex": lower + 20 * spacing,
        "dataLiquidityAmount": "1000000",
    }
    names = (
        "openPositionWithMetadata",
        "increaseLiquidity",
        "updateFeesAndRewards",
        "collectFees",
        "decreaseLiquidity",
        "closePosition",
    )
    return [{"name": name, "payload": common} for name in names]


def executions(bundle: Path) -> Iterator[tuple[BundleTransaction, Execution]]:
    """Execute a bundle's transactions from the first to the last."""
    with open_bundle(bundle) as reader:
        machine = Machine(reader.header.signatures)
        for account in reader.accounts():
            machine.load(account)
        for slot in reader.slots():
            machine.begin(slot)
            for transaction in slot.transactions:
                yield transaction, machine.execute(VersionedTransaction.from_bytes(transaction.wire))
