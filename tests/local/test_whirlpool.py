"""The import of the public Whirlpool archive: real swaps of a real program, from files that may be wrong in any way.

`data/whirlpool` has 24 slots of a real day; where a test needs something else, it changes those files.
"""

from __future__ import annotations

import gzip
import json
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import attrs
import pytest
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.token.state import TokenAccount
from solders.transaction import VersionedTransaction

from simclient.errors import InputError
from simclient.local.agreement import compare_with_history
from simclient.local.bundle import BundleAccount, BundleSlot, BundleTransaction, Signatures, open_bundle
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


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    for name in ("state.json.gz", "transactions.jsonl.gz", "program.so.gz"):
        (tmp_path / name).write_bytes((FIXTURE / name).read_bytes())
    return Archive(
        state=tmp_path / "state.json.gz",
        transactions=tmp_path / "transactions.jsonl.gz",
        program=tmp_path / "program.so.gz",
        output=tmp_path / "day.bundle",
    )


FIRST_SWAP_LINE, FIRST_SWAP_SLOT = 2, START_SLOT + 1
TWO_SWAPS_SLOT = START_SLOT + 4


def first_payload(slot: Json) -> Json:
    return slot["transactions"][0]["instructions"][0]["payload"]


# What comes in.


def test_the_report_counts_what_was_rebuilt_and_what_was_not(archive: Archive) -> None:
    """The report says how many swaps came in, and names every instruction that did not."""
    assert archive.load() == ImportReport(
        start_slot=START_SLOT,
        end_slot=END_SLOT,
        state_slot=STATE_SLOT,
        slots=24,
        transactions=8,
        transactions_left_out=1,
        swaps=9,
        swaps_in_unknown_pools=0,
        liquidity_instructions=0,
        other_instructions=(
            ("collectReward", 2),
            ("updateFeesAndRewards", 1),
            ("collectFees", 1),
            ("decreaseLiquidity", 1),
            ("closePosition", 1),
        ),
        accounts=28,
        shared_token_accounts=0,
    )


def test_the_header_says_what_it_is_and_what_was_made_up(archive: Archive) -> None:
    """The bundle is named after its day, needs no signatures, and its origin tells what is not real."""
    archive.load()

    with open_bundle(archive.output) as reader:
        header = reader.header
    assert (header.name, header.start_slot, header.end_slot) == ("whirlpool-2022-04-06", START_SLOT, END_SLOT)
    assert header.signatures is Signatures.ABSENT
    assert header.builtins == (bytes(TOKEN_PROGRAM),)
    for said in ("9 recorded swaps", "made up", "blockhashes", "2 collectReward", "1 closePosition", "MIT"):
        assert said in header.origin


@pytest.mark.parametrize(("state_slot", "is_late"), [(START_SLOT - 1, False), (START_SLOT, True)])
def test_the_origin_says_when_the_state_is_too_late(archive: Archive, state_slot: int, is_late: bool) -> None:
    """With a state that is not from before the first block, swaps cannot be what they were."""
    archive.change_state(lambda state: state.update(slot=state_slot))
    archive.load()

    with open_bundle(archive.output) as reader:
        origin = reader.header.origin
    assert f"after slot {state_slot}" in origin
    assert ("some fail" in origin) == is_late


def test_every_block_of_the_file_is_a_slot(archive: Archive) -> None:
    """Slots, heights and times are the archive's, and so is the parent: the block before."""
    archive.load()

    recorded = [json.loads(line) for line in archive.lines()]
    slots = archive.slots()
    assert [(s.slot, s.block_height, s.block_time) for s in slots] == [
        (r["slot"], r["blockHeight"], r["blockTime"]) for r in recorded
    ]
    assert [s.parent_slot for s in slots] == [START_SLOT - 1, *(r["slot"] for r in recorded[:-1])]


def test_a_transaction_names_the_blockhash_of_the_block_before(archive: Archive) -> None:
    """The archive has no blockhashes: a block's is the SHA-256 of its slot's number."""
    archive.load()

    message = VersionedTransaction.from_bytes(archive.transaction(FIRST_SWAP_SLOT).wire).message
    assert bytes(message.recent_blockhash) == sha256(str(START_SLOT).encode()).digest()


def test_a_transaction_keeps_its_signature_and_payer(archive: Archive) -> None:
    """A rebuilt transaction has the recorded signature first, and its fee is paid by the recorded payer."""
    archive.load()

    recorded = json.loads(archive.lines()[FIRST_SWAP_LINE - 1])["transactions"][0]
    transaction = VersionedTransaction.from_bytes(archive.transaction(FIRST_SWAP_SLOT).wire)
    assert str(transaction.signatures[0]) == recorded["signature"]
    assert str(transaction.message.account_keys[0]) == recorded["payer"]


def test_a_further_signer_gets_an_empty_signature(archive: Archive) -> None:
    """A token authority that is not the payer signs too, with the zeros that stand for what is not known."""
    payer = Pubkey.new_unique()
    archive.change_slot(FIRST_SWAP_LINE, lambda slot: slot["transactions"][0].update(payer=str(payer)))
    archive.load()

    transaction = VersionedTransaction.from_bytes(archive.transaction(FIRST_SWAP_SLOT).wire)
    assert transaction.message.account_keys[0] == payer
    assert [bytes(s) == bytes(64) for s in transaction.signatures] == [False, True]


def test_the_swaps_of_a_transaction_stay_together(archive: Archive) -> None:
    """Two swaps of one recorded transaction are two instructions of one."""
    archive.load()

    message = VersionedTransaction.from_bytes(archive.transaction(TWO_SWAPS_SLOT).wire).message
    assert [message.account_keys[i.program_id_index] for i in message.instructions] == [PROGRAM, PROGRAM]


@pytest.mark.parametrize(
    ("is_input", "a_to_b", "threshold", "price_limit"),
    [
        (1, 1, 0, 4_295_048_016),
        (1, 0, 0, 79_226_673_515_401_279_992_447_579_055),
        (0, 1, 2**64 - 1, 4_295_048_016),
        (0, 0, 2**64 - 1, 79_226_673_515_401_279_992_447_579_055),
    ],
)
def test_a_swap_has_no_limits(archive: Archive, is_input: int, a_to_b: int, threshold: int, price_limit: int) -> None:
    """Amount, side and direction are the recorded ones; threshold and price limit are those that stop nothing."""
    change = {"dataAmountSpecifiedIsInput": is_input, "dataAToB": a_to_b, "dataAmount": str(2**64 - 1)}
    archive.change_slot(FIRST_SWAP_LINE, lambda slot: first_payload(slot).update(change))
    archive.load()

    (instruction,) = VersionedTransaction.from_bytes(archive.transaction(FIRST_SWAP_SLOT).wire).message.instructions
    arguments = bytes(instruction.data)[8:]
    assert int.from_bytes(arguments[:8], "little") == 2**64 - 1
    assert int.from_bytes(arguments[8:16], "little") == threshold
    assert int.from_bytes(arguments[16:32], "little") == price_limit
    assert arguments[32:] == bytes((is_input, a_to_b))


def test_the_recorded_outcome_has_the_vaults_real_balances(archive: Archive) -> None:
    """What is recorded is the success, and what the vaults held on the chain, in the order of their addresses."""
    archive.load()

    recorded = archive.transaction(FIRST_SWAP_SLOT).recorded
    balances = json.loads(archive.lines()[FIRST_SWAP_LINE - 1])["transactions"][0]["balances"]
    assert recorded is not None
    assert recorded.is_success
    assert recorded.token_balances is not None
    assert [(b.address, b.pre_amount, b.post_amount) for b in recorded.token_balances] == sorted(
        (bytes(Pubkey.from_string(b["account"])), int(b["pre"]), int(b["post"])) for b in balances
    )


def test_slot_limit_takes_the_beginning(archive: Archive) -> None:
    """With a limit, the bundle ends with the block of that number."""
    assert archive.load(slot_limit=3).end_slot == START_SLOT + 2
    assert [slot.slot for slot in archive.slots()] == [START_SLOT, START_SLOT + 1, START_SLOT + 2]


def test_the_same_files_make_the_same_bytes(archive: Archive) -> None:
    """Nothing in a bundle depends on when or where it was made."""
    archive.load()
    first = archive.output.read_bytes()
    archive.load()
    assert archive.output.read_bytes() == first


# The accounts before the first slot.


def test_the_program_comes_after_its_data(archive: Archive) -> None:
    """The program is deployed at slot 0, its data first, as the runtime loads the code when the program is set."""
    archive.load()

    with open_bundle(archive.output) as reader:
        data, program = (account for account in reader.accounts() if account.owner == bytes(LOADER))
    assert data.data[:12] == bytes((3, 0, 0, 0)) + bytes(8)
    assert data.data[45:] == gzip.decompress(archive.program.read_bytes())
    assert program.address == bytes(PROGRAM)
    assert program.executable
    assert program.data == bytes((2, 0, 0, 0)) + data.address


def test_the_programs_accounts_keep_their_data(archive: Archive) -> None:
    """A tick array is what the archive says, and belongs to the program."""
    archive.load()

    state = json.loads(gzip.decompress(archive.state.read_bytes()))["accounts"]
    accounts = archive.accounts()
    kept = [accounts[Pubkey.from_string(account["pubkey"])] for account in state]
    assert {account.owner for account in kept} == {bytes(PROGRAM)}
    assert sorted(len(account.data) for account in kept) == [POOL_BYTES] * 2 + [9_988] * 6


def test_a_pools_reward_clock_is_not_in_the_future(archive: Archive) -> None:
    """The program refuses to swap in a pool that was updated later, so the clock is set back to the first block's time."""
    archive.load()

    first = json.loads(archive.lines()[0])["blockTime"]
    pools = [account for account in archive.accounts().values() if len(account.data) == POOL_BYTES]
    assert [int.from_bytes(pool.data[REWARD_TIME], "little") for pool in pools] == [first, first]


def test_a_users_token_account_belongs_to_the_recorded_authority(archive: Archive) -> None:
    """A token account is made for the pool's mint and the authority that used it, and is never short of tokens."""
    archive.load()

    payload = first_payload(json.loads(archive.lines()[FIRST_SWAP_LINE - 1]))
    accounts = archive.accounts()
    pool = accounts[Pubkey.from_string(payload["keyWhirlpool"])]
    account = accounts[Pubkey.from_string(payload["keyTokenOwnerAccountB"])]
    token = TokenAccount.from_bytes(account.data)
    assert account.owner == bytes(TOKEN_PROGRAM)
    assert str(token.owner) == payload["keyTokenAuthority"]
    assert bytes(token.mint) == pool.data[181:213]
    assert token.amount == 10**18


def test_a_vault_belongs_to_its_pool(archive: Archive) -> None:
    """The vaults of a pool are made from what the pool itself says, not from what a swap claims."""
    archive.load()

    payload = first_payload(json.loads(archive.lines()[FIRST_SWAP_LINE - 1]))
    vault = TokenAccount.from_bytes(archive.accounts()[Pubkey.from_string(payload["keyVaultA"])].data)
    assert str(vault.owner) == payload["keyWhirlpool"]


def test_a_token_account_of_two_authorities_belongs_to_the_first(archive: Archive) -> None:
    """A second authority of a token account is counted, and its swaps fail."""
    first = first_payload(json.loads(archive.lines()[FIRST_SWAP_LINE - 1]))
    shared = {"keyTokenOwnerAccountA": first["keyTokenOwnerAccountA"], "keyTokenAuthority": str(Pubkey.new_unique())}
    second = 7
    archive.change_slot(second, lambda slot: first_payload(slot).update(shared, keyWhirlpool=first["keyWhirlpool"]))

    assert archive.load().shared_token_accounts >= 1
    token = TokenAccount.from_bytes(archive.accounts()[Pubkey.from_string(first["keyTokenOwnerAccountA"])].data)
    assert str(token.owner) == first["keyTokenAuthority"]


def test_a_pool_that_the_state_does_not_have_is_counted(archive: Archive) -> None:
    """Swaps in a pool of which nothing is known come in all the same, and the report says how many cannot succeed."""
    archive.change_state(lambda state: state.update(accounts=[]))

    report = archive.load()
    assert (report.swaps, report.swaps_in_unknown_pools) == (9, 9)


# What the engine makes of it.


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


def test_every_swap_of_the_fixture_succeeds(archive: Archive) -> None:
    """The real program executes the rebuilt swaps."""
    archive.load()

    assert [execution.error for _, execution in executions(archive.output)] == [None] * 8


def test_what_is_paid_in_is_what_was_paid_in(archive: Archive) -> None:
    """Each swap of the fixture names what goes in, so the vaults get exactly what they got on the chain."""
    archive.load()

    for transaction, execution in executions(archive.output):
        assert transaction.recorded is not None
        for balance in transaction.recorded.token_balances or ():
            index = execution.keys.all.index(Pubkey.from_bytes(balance.address))
            (_, before), (_, after) = execution.before[index], execution.after[index]
            assert before is not None
            assert after is not None
            recorded, moved = balance.post_amount - balance.pre_amount, after[2] - before[2]
            assert moved == recorded if recorded > 0 else moved < 0


@pytest.mark.skipif(not WHOLE_DAY.is_dir(), reason="the whole day (3.9 MB) lies outside of the repository")
def test_nearly_all_swaps_of_a_whole_day_succeed(tmp_path: Path) -> None:
    """Of the day's 9,446 transactions 9,253 succeed; the others leave the tick arrays that were right on the chain."""
    bundle = tmp_path / "day.bundle"
    report = import_whirlpool(
        WHOLE_DAY / "whirlpool-state-20220406.json.gz",
        WHOLE_DAY / "whirlpool-transaction-20220406.jsonl.gz",
        WHOLE_DAY / "whirlpool-20220331-127483851.so.gz",
        bundle,
    )
    assert (report.slots, report.transactions, report.swaps) == (141_959, 9_446, 9_466)

    outcomes = Counter(str(execution.error) for _, execution in executions(bundle))
    invalid_tick_array_sequence, invalid_tick_array_index = (
        str({"InstructionError": [0, {"Custom": code}]}) for code in (6023, 6038)
    )
    assert outcomes == {"None": 9_253, invalid_tick_array_sequence: 158, invalid_tick_array_index: 35}


# Everything, where the state is from before the first block.


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


def before_the_day(archive: Archive) -> None:
    archive.change_state(lambda state: state.update(slot=START_SLOT - 1))


def test_the_whole_life_of_a_position_is_rebuilt(archive: Archive) -> None:
    """The real program takes every instruction of a position as it is rebuilt, from opening to closing."""
    before_the_day(archive)
    life = opened_position(archive)
    archive.change_slot(FIRST_SWAP_LINE, lambda slot: slot["transactions"][0].update(instructions=life))
    archive.write_lines(archive.lines()[:FIRST_SWAP_LINE])
    report = archive.load()

    assert (report.liquidity_instructions, report.swaps, report.other_instructions) == (6, 0, ())
    [(_, execution)] = executions(archive.output)
    assert execution.error is None, execution.meta.logs()


def test_with_a_state_from_before_everything_is_rebuilt(archive: Archive) -> None:
    """Each recorded transaction comes in, with every instruction in its place; the report and the origin say so."""
    before_the_day(archive)
    report = archive.load()

    assert (report.transactions, report.transactions_left_out, report.swaps) == (9, 0, 9)
    assert (report.liquidity_instructions, report.other_instructions) == (6, ())
    with open_bundle(archive.output) as reader:
        assert "with 6 other instructions" in reader.header.origin


def test_a_replay_on_the_state_before_is_exact(archive: Archive, tmp_path: Path) -> None:
    """What the program moved from one state it moves again: history that was made here is replayed to the last token."""
    before_the_day(archive)
    life = opened_position(archive)
    archive.change_slot(4, lambda slot: slot.update(transactions=[made_up_transaction(life[:2])]))
    archive.change_slot(23, lambda slot: slot.update(transactions=[made_up_transaction(life[2:])]))
    archive.load()
    moved = {
        str(transaction.transaction.signatures[0]): {
            str(key): (before[2], after[2])
            for key, (_, before), (_, after) in zip(
                transaction.keys.all, transaction.before, transaction.after, strict=True
            )
            if before is not None and after is not None
        }
        for _, transaction in executions(archive.output)
        if transaction.error is None
    }
    for line in range(1, len(archive.lines()) + 1):
        archive.change_slot(line, lambda slot: make_history(slot, moved))
    archive.load()
    agreement = compare_with_history(archive.output)

    assert agreement.outcomes.equal == agreement.outcomes.total == len(moved) >= 10
    assert agreement.moved_in.exact == agreement.moved_in.total > 9
    assert agreement.moved_out.exact == agreement.moved_out.total > 9


def made_up_transaction(instructions: list[Json]) -> Json:
    return {
        "index": 0,
        "signature": str(Signature.new_unique()),
        "payer": instructions[0]["payload"]["keyOwner"],
        "balances": [],
        "instructions": instructions,
    }


def make_history(slot: Json, moved: dict[str, dict[str, tuple[int, int]]]) -> None:
    """Keep the transactions that succeeded, with the balances that they had here."""
    slot["transactions"] = [t for t in slot["transactions"] if t["signature"] in moved]
    for transaction in slot["transactions"]:
        transaction["balances"] = [
            {"account": key, "pre": str(before), "post": str(after)}
            for key, (before, after) in moved[transaction["signature"]].items()
        ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"dataLiquidityAmount": str(2**128)},
            "$.dataLiquidityAmount is 340282366920938463463374607431768211456, which",
        ),
        ({"dataLiquidityAmount": True}, "$.dataLiquidityAmount is not a number"),
        ({"keyPosition": "0"}, "$.keyPosition"),
        ({"keyPosition": None}, "$.keyPosition is not an address"),
    ],
)
def test_an_instruction_that_cannot_be_read_is_named(archive: Archive, change: Json, said: str) -> None:
    """What is wrong with it is said with the file's name and the line's number."""
    before_the_day(archive)
    [_, increase, *_] = opened_position(archive)
    increase["payload"].update(change)
    archive.change_slot(FIRST_SWAP_LINE, lambda slot: slot["transactions"][0].update(instructions=[increase]))

    with pytest.raises(InputError) as caught:
        archive.load()
    assert f"{archive.transactions}, line {FIRST_SWAP_LINE}: a increaseLiquidity that cannot be read" in str(
        caught.value
    )
    assert said in str(caught.value)


@pytest.mark.skipif(not WHOLE_DAY.is_dir(), reason="the whole day (3.9 MB) lies outside of the repository")
def test_every_instruction_of_a_whole_day_is_known(tmp_path: Path) -> None:
    """With a state that says it is from before, all 2,113 instructions beside the swaps are rebuilt and none is left out."""
    state = json.loads(gzip.decompress((WHOLE_DAY / "whirlpool-state-20220406.json.gz").read_bytes()))
    early = tmp_path / "early.json.gz"
    early.write_bytes(gzip.compress(json.dumps(state | {"slot": 1}).encode(), compresslevel=1))
    report = import_whirlpool(
        early,
        WHOLE_DAY / "whirlpool-transaction-20220406.jsonl.gz",
        WHOLE_DAY / "whirlpool-20220331-127483851.so.gz",
        tmp_path / "day.bundle",
    )
    assert (report.transactions, report.swaps, report.liquidity_instructions) == (10_170, 9_466, 2_113)
    assert (report.transactions_left_out, report.other_instructions) == (0, ())


# Files that are wrong.


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{", "Input data was truncated"),
        (b"[]", "Expected `object`"),
        (b"\xff\n", "not a slot"),
        (b'{"slot":1,"blockHeight":1,"blockTime":1}\n', "transactions"),
        (b'{"slot":-1,"blockHeight":1,"blockTime":1,"transactions":[]}\n', "$.slot"),
        (b'{"slot":18446744073709551616,"blockHeight":1,"blockTime":1,"transactions":[]}\n', "$.slot"),
        (b'{"slot":1,"blockHeight":1,"blockTime":253402300800,"transactions":[]}\n', "$.blockTime"),
        (b'{"slot":1,"blockHeight":1,"blockTime":1,"transactions":[]}\n', "slot 1 comes after slot 128510582"),
    ],
)
def test_a_line_that_is_not_a_slot_is_named(archive: Archive, line: bytes, said: str) -> None:
    """What is wrong with a line is said with the file's name and the line's number."""
    archive.write_lines([*archive.lines()[:2], line])

    with pytest.raises(InputError) as caught:
        archive.load()
    assert f"{archive.transactions}, line 3: " in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"dataAmount": str(2**64)}, "which no u64 holds"),
        ({"dataAmount": "-1"}, "$.dataAmount"),
        ({"dataAmount": "much"}, "$.dataAmount"),
        ({"dataAToB": 2}, "$.dataAToB"),
        ({"keyOracle": "0"}, "$.keyOracle"),
        ({"keyOracle": None}, "$.keyOracle"),
    ],
)
def test_a_swap_that_cannot_be_read_is_named(archive: Archive, change: Json, said: str) -> None:
    """What is wrong with a swap is said with the file's name and the line's number."""
    archive.change_slot(FIRST_SWAP_LINE, lambda slot: first_payload(slot).update(change))

    with pytest.raises(InputError) as caught:
        archive.load()
    assert f"{archive.transactions}, line {FIRST_SWAP_LINE}: " in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize("change", [{"signature": "abc"}, {"signature": 5}, {"payer": "l"}])
def test_a_transaction_that_cannot_be_read_is_named(archive: Archive, change: Json) -> None:
    """A signature or a payer that is not one is said with its place in the line."""
    archive.change_slot(FIRST_SWAP_LINE, lambda slot: slot["transactions"][0].update(change))

    with pytest.raises(InputError, match=rf"line {FIRST_SWAP_LINE}: .*\$\.transactions\[0\]\.{next(iter(change))}"):
        archive.load()


def test_a_balance_that_no_u64_holds_is_named(archive: Archive) -> None:
    """A bundle cannot hold such a balance, so the line is refused."""
    balance = {"post": str(2**64)}
    archive.change_slot(FIRST_SWAP_LINE, lambda slot: slot["transactions"][0]["balances"][0].update(balance))

    with pytest.raises(InputError, match=rf"line {FIRST_SWAP_LINE}: a balance of .* that no u64 holds"):
        archive.load()


def test_a_file_without_slots_is_refused(archive: Archive) -> None:
    """There is no bundle without a slot."""
    archive.write_lines([])

    with pytest.raises(InputError, match="has no slots"):
        archive.load()


@pytest.mark.parametrize("name", ["state", "transactions", "program"])
def test_a_file_that_ends_early_is_named(archive: Archive, name: str) -> None:
    """A cut-off download is said to be one."""
    path: Path = getattr(archive, name)
    path.write_bytes(path.read_bytes()[:-20])

    with pytest.raises(InputError, match=f"cannot read {path}"):
        archive.load()


@pytest.mark.parametrize("name", ["state", "transactions", "program"])
def test_a_file_that_is_not_there_is_named(archive: Archive, name: str) -> None:
    """A path that was mistyped is said."""
    path: Path = getattr(archive, name)
    path.unlink()

    with pytest.raises(InputError, match=f"cannot read {path}"):
        archive.load()


def test_a_program_that_is_not_one_is_refused(archive: Archive) -> None:
    """Files given in another order are noticed before anything is written."""
    archive.program.write_bytes(archive.transactions.read_bytes())

    with pytest.raises(InputError, match="not a gzipped ELF file"):
        archive.load()


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"slot":1,"accounts":[{"pubkey":"1","data":""}]}', b"\xff"])
def test_a_state_that_is_not_one_is_refused(archive: Archive, content: bytes) -> None:
    """What is wrong with the state is said with the file's name."""
    archive.state.write_bytes(gzip.compress(content))

    with pytest.raises(InputError, match=f"cannot read the state {archive.state}"):
        archive.load()


def test_a_failed_import_leaves_the_output_alone(archive: Archive) -> None:
    """What was there before is still there when the files turn out to be wrong."""
    archive.output.write_bytes(b"before")
    archive.write_lines([*archive.lines(), b"{"])

    with pytest.raises(InputError):
        archive.load()
    assert archive.output.read_bytes() == b"before"
