"""The engine: slots in order, true states before and after, and what a user adds."""

from __future__ import annotations

import struct
from base64 import b64decode
from pathlib import Path

import msgspec
import pytest
from solders.hash import Hash
from solders.message import MessageV1, TransactionConfig
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from simclient.errors import InputError
from simclient.local.bundle import shipped_bundle
from simclient.local.engine import TransactionRefused, open_engine
from simclient.local.engine.transactions import raise_compute_limit
from simclient.wire.accounts import AccountData, program_data_account

from .blocks import (
    BLOCK_TIME,
    FEE,
    FIRST_SLOT,
    LAMPORTS,
    PAYEE,
    PAYEE_ADDRESS,
    PAYER,
    PAYER_ADDRESS,
    POOR,
    SYSTEM_PROGRAM,
    blockhash,
    pay,
    write_blocks,
    write_payments,
)
from .notes import diffs, published, values
from .rpc_calls import balance

LAST = 2**63
LOADER = "BPFLoaderUpgradeab1e11111111111111111111111"
CLOCK = "SysvarC1ock11111111111111111111111111111111"


def account(
    lamports: int = 7, *, owner: str = SYSTEM_PROGRAM, data: bytes = b"", executable: bool = False
) -> AccountData:
    return AccountData.build(lamports=lamports, owner=owner, data=data, executable=executable)


# Slots


async def test_slots_come_in_order(payments: Path) -> None:
    """Each call executes the next slot; the last of the range says that it is."""
    async with open_engine(payments, start_slot=FIRST_SLOT, end_slot=FIRST_SLOT + 2) as engine:
        results = [await engine.execute_slot() for _ in range(3)]

    assert [result.slot for result in results] == [FIRST_SLOT, FIRST_SLOT + 1, FIRST_SLOT + 2]
    assert [result.is_last for result in results] == [False, False, True]


async def test_skipped_slots_are_passed_over(tmp_path: Path) -> None:
    """A slot without a block is never executed, and the next one that exists is known beforehand."""
    path = write_blocks(tmp_path / "gaps.bundle", {10: [], 13: [pay(1)], 17: []}, end_slot=20)
    async with open_engine(path, start_slot=11, end_slot=20) as engine:
        assert engine.next_slot == 13
        assert (await engine.execute_slot()).next_slot == 17
        assert (await engine.execute_slot()).next_slot is None


async def test_a_range_of_skipped_slots_has_no_next_slot(tmp_path: Path) -> None:
    """A range in which no block was produced is told at once."""
    path = write_blocks(tmp_path / "gaps.bundle", {10: [], 17: []})
    async with open_engine(path, start_slot=11, end_slot=16) as engine:
        assert engine.next_slot is None


async def test_after_the_range_there_is_nothing(payments: Path) -> None:
    """Asking for a slot after the last one of the range is refused, and the engine goes on."""
    async with open_engine(payments, start_slot=FIRST_SLOT, end_slot=FIRST_SLOT) as engine:
        await engine.execute_slot()
        with pytest.raises(InputError, match="no further slot"):
            await engine.execute_slot()
        assert await balance(engine, PAYEE_ADDRESS) == LAMPORTS + 1_000_000


async def test_the_next_turn_is_asked_for_before_the_results_of_this_one_are_read(payments: Path) -> None:
    """How far a turn goes is known ahead of its results; those of two turns come in order."""
    async with open_engine(payments, start_slot=FIRST_SLOT, end_slot=LAST) as engine:
        first = await engine.begin(most_slots=2)
        reached = await first.reached()
        second = await engine.begin(most_slots=1)
        results, following = await first.results(), await second.results()

    assert [result.slot for result in results] == [FIRST_SLOT + index for index in range(reached.slots)]
    assert (reached.slot, reached.next_batch, reached.next_slot) == (results[-1].slot, None, results[-1].slot + 1)
    assert [result.slot for result in following] == [reached.next_slot]


async def test_a_turn_that_is_refused_says_so_at_once(payments: Path) -> None:
    """Asking how far it goes raises what its results would."""
    async with open_engine(payments, start_slot=FIRST_SLOT, end_slot=LAST) as engine:
        pending = await engine.begin(most_slots=1, transactions=[b"junk"])
        with pytest.raises(TransactionRefused):
            await pending.reached()


async def test_earlier_slots_are_executed_in_silence(payments: Path) -> None:
    """A range that begins later begins with the state that the slots before it left."""
    async with open_engine(payments, start_slot=FIRST_SLOT + 2, end_slot=LAST) as engine:
        assert await balance(engine, PAYEE_ADDRESS) == LAMPORTS + 2_000_001
        assert (await engine.execute_slot()).slot == FIRST_SLOT + 2


async def test_the_market_runs_from_its_middle() -> None:
    """A range in the middle of the shipped market gives the recorded outcomes too."""
    async with open_engine(shipped_bundle(), start_slot=350_000_120, end_slot=350_000_139) as engine:
        summaries = []
        while engine.next_slot is not None:
            summaries.append((await engine.execute_slot()).summary)

    assert sum(s.correct_simulation for s in summaries) > 20
    assert sum(s.incorrect_simulation + s.execution_errors + s.balance_diff + s.log_diff for s in summaries) == 0


# What is published


async def test_a_diff_has_the_states_before_and_after(payments: Path) -> None:
    """A payment changes the payer by amount and fee, and the payee by the amount."""
    async with open_engine(payments, start_slot=FIRST_SLOT, end_slot=LAST) as engine:
        result = await engine.execute_slot()

    assert diffs(result) == {
        PAYER_ADDRESS: (LAMPORTS, LAMPORTS - 1_000_000 - FEE),
        PAYEE_ADDRESS: (LAMPORTS, LAMPORTS + 1_000_000),
    }


async def test_transactions_of_one_slot_see_each_other(tmp_path: Path) -> None:
    """The state before the second transaction of a slot is the state after the first."""
    path = write_blocks(tmp_path / "two.bundle", {5: [pay(100), pay(200)]})
    async with open_engine(path, start_slot=5, end_slot=5) as engine:
        result = await engine.execute_slot()

    payee = [d for d in values(result, "accountDiff") if d["account"] == PAYEE_ADDRESS]
    assert [(d["tx_index"], d["pre"]["lamports"] - LAMPORTS, d["post"]["lamports"] - LAMPORTS) for d in payee] == [  # type: ignore[index]
        (0, 0, 100),
        (1, 100, 300),
    ]


async def test_a_failed_transaction_changes_only_its_payer(tmp_path: Path) -> None:
    """A payment beyond the payer's means costs the fee, changes nothing else, and carries Solana's error."""
    path = write_blocks(tmp_path / "greedy.bundle", {5: [pay(LAMPORTS * 2)]})
    async with open_engine(path, start_slot=5, end_slot=5) as engine:
        result = await engine.execute_slot()

    [transaction] = values(result, "transaction")
    assert diffs(result) == {PAYER_ADDRESS: (LAMPORTS, LAMPORTS - FEE)}
    assert transaction["meta"]["err"] == {"InstructionError": [0, {"Custom": 1}]}  # type: ignore[index]
    assert transaction["meta"]["fee"] == FEE  # type: ignore[index]


async def test_a_transaction_that_nobody_can_pay_for_changes_nothing(tmp_path: Path) -> None:
    """A payer that does not exist is charged nothing, and the transaction counts as not executed."""
    path = write_blocks(tmp_path / "poor.bundle", {5: [pay(1, payer=POOR)]})
    async with open_engine(path, start_slot=5, end_slot=5) as engine:
        result = await engine.execute_slot()

    [transaction] = values(result, "transaction")
    assert (diffs(result), result.summary.execution_errors) == ({}, 1)
    assert (transaction["meta"]["err"], transaction["meta"]["fee"]) == ("AccountNotFound", 0)  # type: ignore[index]


async def test_what_is_set_between_slots_is_the_state_before(payments: Path) -> None:
    """An account that earlier transactions wrote, and that is then set, has what was set as its state before the next one."""
    async with open_engine(payments, start_slot=FIRST_SLOT, end_slot=LAST) as engine:
        await engine.execute_slot()
        result = await engine.execute_slot(modifications={PAYEE_ADDRESS: account(7)})

    [transaction] = values(result, "transaction")
    assert diffs(result)[PAYEE_ADDRESS] == (7, 1_000_008)
    assert transaction["meta"]["preBalances"][1] == 7  # type: ignore[index]


async def test_a_new_account_had_no_state_before(tmp_path: Path) -> None:
    """An account that a transaction makes has the state null before it."""
    path = write_payments(tmp_path / "new.bundle")
    async with open_engine(path, start_slot=FIRST_SLOT, end_slot=LAST) as engine:
        result = await engine.execute_slot(modifications={PAYEE_ADDRESS: account(0)})

    assert diffs(result)[PAYEE_ADDRESS] == (0, 1_000_000)


async def test_notifications_name_what_subscriptions_may_ask_for(payments: Path) -> None:
    """A diff is found by its account and its owner; a transaction and its logs by everything they mention."""
    async with open_engine(payments, start_slot=FIRST_SLOT, end_slot=LAST) as engine:
        found = published(await engine.execute_slot())

    mentioned = (PAYER_ADDRESS, PAYEE_ADDRESS, SYSTEM_PROGRAM)
    assert [(p.kind, p.keys, p.programs) for p in found] == [
        ("accountDiff", (PAYER_ADDRESS,), (SYSTEM_PROGRAM,)),
        ("accountDiff", (PAYEE_ADDRESS,), (SYSTEM_PROGRAM,)),
        ("transaction", mentioned, ()),
        ("logs", mentioned, ()),
    ]


async def test_every_notification_has_its_slot_and_time(payments: Path) -> None:
    """A diff has its slot and block time, a transaction too."""
    async with open_engine(payments, start_slot=FIRST_SLOT + 1, end_slot=LAST) as engine:
        result = await engine.execute_slot()

    [diff, *_], [transaction] = values(result, "accountDiff"), values(result, "transaction")
    assert (diff["context"], diff["block_time"]) == ({"slot": FIRST_SLOT + 1}, BLOCK_TIME + FIRST_SLOT + 1)
    assert (transaction["slot"], transaction["blockTime"]) == (FIRST_SLOT + 1, BLOCK_TIME + FIRST_SLOT + 1)


async def test_a_transaction_of_version_one_keeps_its_version(tmp_path: Path) -> None:
    """A transaction of SIMD-0385 is executed and rendered as version 1."""
    path = write_blocks(tmp_path / "v1.bundle", {5: [pay_v1(1_000)]})
    async with open_engine(path, start_slot=5, end_slot=5) as engine:
        result = await engine.execute_slot()

    [transaction] = values(result, "transaction")
    assert (transaction["version"], transaction["meta"]["err"]) == (1, None)  # type: ignore[index]


def test_extra_compute_units_reach_a_transaction_of_version_one() -> None:
    """Version 1 has its limit beside the instructions; it is raised there, and only where it is set."""
    limited = VersionedTransaction.from_bytes(pay_v1(1_000, compute_unit_limit=10))
    unlimited = VersionedTransaction.from_bytes(pay_v1(1_000, compute_unit_limit=None))

    raised = raise_compute_limit(limited, 500).message
    assert isinstance(raised, MessageV1)
    assert raised.config.compute_unit_limit == 510
    assert raise_compute_limit(unlimited, 500) == unlimited


def pay_v1(lamports: int, *, compute_unit_limit: int | None = 1_000) -> bytes:
    instruction = transfer(TransferParams(from_pubkey=PAYER.pubkey(), to_pubkey=PAYEE.pubkey(), lamports=lamports))
    plain = MessageV1.try_compile(PAYER.pubkey(), [instruction], Hash.from_bytes(blockhash(0)))
    config = TransactionConfig(compute_unit_limit=compute_unit_limit)
    message = MessageV1(plain.header, config, plain.lifetime_specifier, plain.account_keys, plain.instructions)
    return bytes(VersionedTransaction(message, [PAYER]))


async def test_the_clock_is_the_blocks(tmp_path: Path) -> None:
    """The clock has slot and time of the block, and the epoch's beginning, which stays through the epoch."""
    epoch = 3 * 432_000
    path = write_blocks(tmp_path / "epochs.bundle", {epoch - 5: [], epoch + 10: [], epoch + 20: []})
    clocks = []
    async with open_engine(path, start_slot=epoch - 5, end_slot=epoch + 20) as engine:
        while engine.next_slot is not None:
            await engine.execute_slot()
            body = {"id": 1, "method": "getAccountInfo", "params": [CLOCK, {"encoding": "base64"}]}
            answer = msgspec.json.decode(await engine.rpc(msgspec.json.encode(body)))
            clocks.append(struct.unpack("<QqQQq", b64decode(answer["result"]["value"]["data"][0])))

    before = BLOCK_TIME + epoch - 5 - 431_995 * 2 // 5
    begin = BLOCK_TIME + epoch + 10 - 4
    assert clocks == [
        (epoch - 5, before, 2, 3, BLOCK_TIME + epoch - 5),
        (epoch + 10, begin, 3, 4, BLOCK_TIME + epoch + 10),
        (epoch + 20, begin, 3, 4, BLOCK_TIME + epoch + 20),
    ]


# What a user adds


async def test_a_users_transaction_comes_before_the_recorded_ones(payments: Path) -> None:
    """A given transaction is the first of the slot."""
    async with open_engine(payments, start_slot=FIRST_SLOT, end_slot=LAST) as engine:
        result = await engine.execute_slot(transactions=[pay(42)])

    amounts = [t["meta"]["postBalances"][1] - t["meta"]["preBalances"][1] for t in values(result, "transaction")]  # type: ignore[index]
    assert amounts == [42, 1_000_000]


@pytest.mark.parametrize("wire", [b"", b"junk", pay(42)[:-1], b"\x00" + pay(42)[65:]])
async def test_what_is_no_transaction_is_refused_by_its_index(payments: Path, wire: bytes) -> None:
    """A bad transaction is refused with its place; neither the good one nor the modification nor the slot took effect."""
    async with open_engine(payments, start_slot=FIRST_SLOT, end_slot=LAST) as engine:
        with pytest.raises(TransactionRefused) as caught:
            await engine.execute_slot(transactions=[pay(42), wire], modifications={PAYEE_ADDRESS: account(0)})
        assert caught.value.index == 1
        assert await balance(engine, PAYEE_ADDRESS) == LAMPORTS
        assert (await engine.execute_slot()).slot == FIRST_SLOT


async def test_a_modification_is_there_before_the_slot(payments: Path) -> None:
    """The transactions of the slot see what was modified."""
    async with open_engine(payments, start_slot=FIRST_SLOT, end_slot=LAST) as engine:
        result = await engine.execute_slot(modifications={PAYEE_ADDRESS: account(7_000_000)})

    assert diffs(result)[PAYEE_ADDRESS] == (7_000_000, 8_000_000)


async def test_an_account_without_lamports_is_deleted(payments: Path) -> None:
    """A modification to zero lamports deletes the account, whatever else it says."""
    async with open_engine(payments, start_slot=FIRST_SLOT, end_slot=LAST) as engine:
        deleted = account(0, owner=LOADER, data=b"x", executable=True)
        await engine.execute_slot(modifications={str(POOR.pubkey()): account(5), PAYER_ADDRESS: deleted})
        assert await balance(engine, PAYER_ADDRESS) == 0
        assert await balance(engine, str(POOR.pubkey())) == 5


@pytest.mark.parametrize(
    "bad",
    [
        {CLOCK: account(data=b"no clock")},
        {str(POOR.pubkey()): account(owner=LOADER, data=b"\x02", executable=True)},
        {str(POOR.pubkey()): account(executable=True)},
        {str(POOR.pubkey()): account(data=bytes(10 * 2**20 + 1))},
    ],
    ids=["sysvar", "program", "no-program", "too-long"],
)
async def test_accounts_are_set_all_or_none(payments: Path, bad: dict[str, AccountData]) -> None:
    """An account that cannot be set is refused, and those before it are as they were."""
    async with open_engine(payments, start_slot=FIRST_SLOT, end_slot=LAST) as engine:
        with pytest.raises(InputError, match=next(iter(bad))):
            await engine.execute_slot(modifications={PAYEE_ADDRESS: account(1), **bad})
        assert await balance(engine, PAYEE_ADDRESS) == LAMPORTS
        assert (await engine.execute_slot()).slot == FIRST_SLOT


async def test_a_program_that_does_not_load_is_refused(payments: Path) -> None:
    """New program data that is no ELF is refused, and the program before it stays."""
    program, data = str(POOR.pubkey()), str(PAYEE.pubkey())
    tag = (2).to_bytes(4, "little") + bytes(PAYEE.pubkey())
    modifications = {
        program: account(10**9, owner=LOADER, data=tag, executable=True),
        data: program_data_account(b"no ELF", deploy_slot=1, lamports=10**9),
    }
    async with open_engine(payments, start_slot=FIRST_SLOT, end_slot=LAST) as engine:
        with pytest.raises(InputError, match="cannot be set"):
            await engine.execute_slot(modifications=modifications)
        assert [await balance(engine, program), await balance(engine, data)] == [0, LAMPORTS]
