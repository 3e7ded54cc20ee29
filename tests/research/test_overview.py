"""What a run came to, from its file."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from simclient.errors import InputError
from simclient.research import RunOverview, pnl, summarize

from .frames import SYSTEM_PROGRAM, TOKEN_2022_PROGRAM, TOKEN_PROGRAM, address, token_data
from .lines import line, metadata, signature, sol, token, tx, write

WALLET = address(2)


def changes(overview: RunOverview, wallet: str = WALLET) -> dict[str | None, tuple[int, int]]:
    [found] = [one for one in overview.pnl.wallets if one.wallet == wallet]
    return {change.mint: (change.opening, change.closing) for change in found.changes}


def state(lamports: int, owner: str, data: bytes = b"") -> dict[str, object]:
    return {"lamports": lamports, "owner": owner, "data": [base64.b64encode(data).decode(), "base64"]}


def test_counts_slots_fees_and_failures_are_summed(tmp_path: Path) -> None:
    """Failures by the program that failed, which the logs say."""
    logs = [
        f"Program {address(7)} invoke [1]",
        f"Program {address(8)} failed: custom program error: 0x1",
        f"Program {address(7)} failed: x",
    ]
    overview = summarize(
        write(
            tmp_path / "run.ndjson",
            tx(1, slot=3),
            tx(2, slot=2, success=False, logs=logs),
            tx(3, slot=5, success=False),
        )
    )

    assert (overview.transactions, overview.successes, overview.failures) == (3, 1, 2)
    assert (overview.first_slot, overview.last_slot) == (2, 5)
    assert (overview.fees_lamports, overview.compute_units) == (15_000, 3_000)
    assert [(one.program, one.count) for one in overview.failed_by] == [(address(8), 1), (None, 1)]
    assert overview.status == "unknown"


def test_a_wallet_sums_its_token_accounts_and_has_its_fees_apart(tmp_path: Path) -> None:
    """Here two accounts of one mint; the payer's SOL is that of its own address."""
    one = tx(1, fee_payer=WALLET, sol_changes=[sol(2, 100, 90)], token_changes=[token(4, 7, 9), token(5, 100, 0)])
    two = tx(2, slot=2, fee_payer=WALLET, sol_changes=[sol(2, 90, 85)], token_changes=[token(5, 0, 30)])
    overview = summarize(write(tmp_path / "run.ndjson", one, two))

    assert changes(overview) == {None: (100, 85), address(1): (107, 39)}
    assert overview.pnl.wallets[0].fees_lamports == 10_000


@pytest.mark.parametrize("program", [TOKEN_PROGRAM, TOKEN_2022_PROGRAM])
def test_diffs_tell_the_same(tmp_path: Path, program: str) -> None:
    """From the accounts' bytes, of both token programs; SOL from the wallet's own account."""

    def diff(account: int, before: dict[str, object], after: dict[str, object]) -> str:
        return line("diff", slot=1, tx_hash=signature(1), account=address(account), pre_state=before, post_state=after)

    held = [state(2_039_280, program, token_data(1, 2, amount)) for amount in (50, 20)]
    lines = [diff(4, *held), diff(2, state(10, SYSTEM_PROGRAM), state(4, SYSTEM_PROGRAM))]
    overview = summarize(write(tmp_path / "run.ndjson", *lines))

    assert changes(overview) == {None: (10, 4), address(1): (50, 20)}
    assert overview.diffs == 2


def test_only_the_wallets_that_were_asked_for_are_told(tmp_path: Path) -> None:
    """In that order; one that does not occur has no changes."""
    found = pnl(write(tmp_path / "run.ndjson", tx(1)), wallets=[address(99), WALLET])

    assert [(wallet.wallet, len(wallet.changes)) for wallet in found.wallets] == [(address(99), 0), (WALLET, 1)]
    assert found.table.to_polars().rows() == [(WALLET, address(1), 6, 7, 9, 2, None)]


def test_an_address_that_is_none_is_refused_before_the_file_is_read() -> None:
    """The message has it."""
    with pytest.raises(InputError, match="'x'"):
        pnl("/no/such/file", wallets=["x"])


def test_a_run_without_a_summary_was_interrupted(tmp_path: Path) -> None:
    """What it has is summed up all the same."""
    path = tmp_path / "run.ndjson"
    path.write_text(metadata() + tx(1) + tx(2)[:50])
    overview = summarize(path)

    assert (overview.status, overview.is_cut, overview.transactions) == ("interrupted", True, 1)
