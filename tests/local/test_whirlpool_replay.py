"""What the engine makes of the swaps of the Whirlpool archive: the real program executes what was rebuilt."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest
from solders.pubkey import Pubkey
from solders.signature import Signature

from simclient.local.agreement import compare_with_history
from simclient.local.bundle import open_bundle
from simclient.local.whirlpool import import_whirlpool

from .whirlpool_archive import FIRST_SWAP_LINE, WHOLE_DAY, Archive, Json, before_the_day, executions, opened_position


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
