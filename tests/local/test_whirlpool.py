"""The import of the public Whirlpool archive: what of its real swaps and accounts comes into the bundle."""

from __future__ import annotations

import gzip
import json
from hashlib import sha256

import pytest
from solders.pubkey import Pubkey
from solders.token.state import TokenAccount
from solders.transaction import VersionedTransaction

from simclient.local.bundle import Signatures, open_bundle
from simclient.local.whirlpool import ImportReport

from .whirlpool_archive import (
    END_SLOT,
    FIRST_SWAP_LINE,
    FIRST_SWAP_SLOT,
    LOADER,
    POOL_BYTES,
    PROGRAM,
    REWARD_TIME,
    START_SLOT,
    STATE_SLOT,
    TOKEN_PROGRAM,
    TWO_SWAPS_SLOT,
    Archive,
    first_payload,
)

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
