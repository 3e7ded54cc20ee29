"""The market that comes with the package: what it holds, and that its code makes it and its engine agrees with it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from simclient.local.bundle import BundleHeader, BundleSlot, open_bundle, shipped_bundle
from simclient.local.engine import open_engine
from simclient.local.market import write_market

MOST_BYTES = 2 * 2**20
"""More would weigh on everyone who installs the package."""


@cache
def market() -> tuple[BundleHeader, tuple[BundleSlot, ...]]:
    with open_bundle(shipped_bundle()) as bundle:
        return bundle.header, tuple(bundle.slots())


def test_the_code_makes_the_shipped_file(tmp_path: Path) -> None:
    """Running the generator again gives the shipped file, byte for byte."""
    write_market(tmp_path / "market.bundle")

    assert (tmp_path / "market.bundle").read_bytes() == shipped_bundle().read_bytes()


def test_it_is_small() -> None:
    """The file stays below 2 MiB."""
    assert shipped_bundle().stat().st_size < MOST_BYTES


def test_it_has_more_than_two_hundred_slots() -> None:
    """There is enough to advance through."""
    _, slots = market()

    assert len(slots) > 200


def test_some_slots_are_skipped() -> None:
    """Some slots of the range have no block, as on the chain; the next block names the one before as its parent."""
    header, slots = market()

    assert len(slots) < header.end_slot - header.start_slot + 1
    assert [slot.parent_slot for slot in slots[1:]] == [slot.slot for slot in slots[:-1]]


def test_both_ends_of_the_range_are_produced() -> None:
    """The first and the last slot of the range have blocks."""
    header, slots = market()

    assert (slots[0].slot, slots[-1].slot) == (header.start_slot, header.end_slot)


def test_some_blocks_are_empty() -> None:
    """Some blocks hold no transaction."""
    _, slots = market()

    assert any(not slot.transactions for slot in slots)


def test_some_transactions_fail() -> None:
    """Some recorded transactions failed, and most succeeded."""
    _, slots = market()
    outcomes = [t.recorded.is_success for slot in slots for t in slot.transactions if t.recorded is not None]

    assert 0 < outcomes.count(False) < len(outcomes) // 4


def test_no_signature_comes_twice() -> None:
    """Every transaction has a signature of its own, so that a signature names one transaction."""
    _, slots = market()
    signatures = [t.wire[1:65] for slot in slots for t in slot.transactions]

    assert len(set(signatures)) == len(signatures) == 745


async def test_the_engine_reproduces_every_recorded_outcome() -> None:
    """Replaying the whole market gives every recorded outcome, balance and log again."""
    header, slots = market()
    executed, correct, other = [], 0, 0
    async with open_engine(shipped_bundle(), start_slot=header.start_slot, end_slot=header.end_slot) as engine:
        is_last = False
        while not is_last:
            result = await engine.execute_slot()
            executed.append(result.slot)
            is_last, summary = result.is_last, result.summary
            correct += summary.correct_simulation
            other += summary.incorrect_simulation + summary.execution_errors + summary.balance_diff + summary.log_diff

    assert executed == [slot.slot for slot in slots]
    assert (correct, other) == (745, 0)
