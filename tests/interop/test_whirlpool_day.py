"""The beginning of a real day of a real AMM, served to our own client: the standard large input."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from simclient import Completed, ExecutedTransaction, ReadyForContinue, Transactions, open_backtest_session
from simclient.local import open_local_simulator
from simclient.local.agreement import compare_with_history
from simclient.local.whirlpool import import_whirlpool

DAY = Path(__file__).parents[3] / "shared" / "data" / "whirlpool-2022-04-06"
PROGRAM = "whirLbMiicVdio4qvUfM5KAg6Ct8VwpYzGff3uctyCc"
BLOCKS = 10_000


@pytest.mark.skipif(not DAY.is_dir(), reason="the whole day (3.9 MB) lies outside of the repository")
async def test_a_session_over_real_history_gives_every_swap_once(tmp_path: Path) -> None:
    """Every transaction of 10,000 blocks comes once, in order, and ends as it does when the bundle is checked."""
    bundle = tmp_path / "day.bundle"
    report = import_whirlpool(
        DAY / "whirlpool-state-20220406.json.gz",
        DAY / "whirlpool-transaction-20220406.jsonl.gz",
        DAY / "whirlpool-20220331-127483851.so.gz",
        bundle,
        slot_limit=BLOCKS,
    )
    agreement = compare_with_history(bundle)
    transactions: list[ExecutedTransaction] = []
    completed: Completed | None = None
    async with (
        open_local_simulator([bundle]) as simulator,
        open_backtest_session(
            simulator.url,
            start_slot=report.start_slot,
            end_slot=report.end_slot,
            subscriptions=[Transactions(mentions=PROGRAM)],
            send_summary=True,
        ) as session,
    ):
        with trio.fail_after(120):
            async for event in session:
                match event:
                    case ReadyForContinue():
                        await session.advance(BLOCKS)
                    case ExecutedTransaction():
                        transactions.append(event)
                    case Completed():
                        completed = event
                    case _:
                        pass

    signatures = [transaction.signature for transaction in transactions]
    places = [(transaction.slot, transaction.tx_index or 0) for transaction in transactions]
    assert len(signatures) == len(set(signatures)) == report.transactions == agreement.transactions > 500
    assert places == sorted(places)
    assert sum(transaction.is_success for transaction in transactions) == agreement.outcomes.equal
    assert completed is not None
    assert completed.summary is not None
    assert completed.summary.correct_simulation == agreement.outcomes.equal
