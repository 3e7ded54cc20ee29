"""What is printed: safe, exact, and readable."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from simclient.cli.amounts import format_amount
from simclient.cli.progress import LiveProgress, PlainProgress
from simclient.cli.summary import print_summary
from simclient.cli.terminal import clean
from simclient.research.balances import BalanceChange, WalletResult
from simclient.research.values import RunCounts, RunResult, RunStatus, SessionState, StartedRun
from simclient.wire.failures import SimulationError
from simclient.wire.responses import ErrorEvent


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain [bold]text[/bold] é", "plain [bold]text[/bold] é"),
        ("\x1b[2Jgone\x07", "�[2Jgone�"),
        ("two\nlines\tand a tab", "two lines and a tab"),
        ("right\u202eto left", "right�to left"),
        ("x" * 3_000, "x" * 2_000 + "…"),
    ],
)
def test_hostile_text_cannot_move_the_cursor(text: str, shown: str) -> None:
    """Control characters are replaced, and one line stays one line."""
    assert clean(text) == shown


@pytest.mark.parametrize(
    ("amount", "decimals", "shown"),
    [
        (1_234_567_890, 6, "1,234.56789"),
        (-1, 9, "-0.000000001"),
        (5_000_000, 6, "5"),
        (18446744073709551615, 0, "18,446,744,073,709,551,615"),
        (1_234, None, "1,234 units"),
    ],
)
def test_amounts_are_exact(amount: int, decimals: int | None, shown: str) -> None:
    """No floating point, and no invented decimals."""
    assert format_amount(amount, decimals) == shown


def test_an_error_of_the_server_is_shown_as_plain_text() -> None:
    """Neither markup nor control characters of a server have an effect."""
    out = io.StringIO()
    progress = PlainProgress(Console(file=out, width=80, markup=False, highlight=False, emoji=False))
    progress.noticed(ErrorEvent(failure=SimulationError(error="[red]bad[/red]\x1b[2J")))

    assert "[red]bad[/red]�[2J" in out.getvalue()


@pytest.mark.parametrize("width", [40, 80])
def test_the_wallets_table_fits_the_terminal(width: int) -> None:
    """On a narrow one only the changes are shown, unbroken."""
    change = BalanceChange(mint=None, opening=10_000_000_000, closing=8_987_654_321, decimals=9)
    wallet = WalletResult(wallet="9hSR6S7WPtxmTojgo6GG3k4yDPecgJY292j7xrsUGWBu", fees_lamports=5_000, changes=(change,))
    result = RunResult(
        status=RunStatus.COMPLETED, reason=None, started=None, counts=RunCounts(), wallets=(wallet,), compared=None
    )
    out = io.StringIO()
    print_summary(Console(file=out, width=width, force_terminal=True, color_system=None), result)

    table = [line for line in out.getvalue().splitlines() if line.startswith(("│", "┏"))]
    assert all(len(line) <= width for line in table)
    assert any("-1.012345679" in line for line in table)


@pytest.mark.parametrize(("width", "has_rates"), [(40, False), (100, True)])
def test_every_part_of_a_run_has_its_slots_and_its_time_left(width: int, has_rates: bool) -> None:
    """And its rate, where there is room for it."""
    out = io.StringIO()
    parts = [
        SessionState(session_id=str(n), start_slot=1_000 * n, end_slot=1_000 * n + 99, slots=25 * n, last_slot=1_000 * n + 25 * n - 1)
        for n in (1, 2)
    ]  # fmt: skip
    with LiveProgress(Console(file=out, width=width, force_terminal=True, color_system=None)) as progress:
        for part in parts:
            progress.started(
                StartedRun(
                    session_id=part.session_id,
                    task_id=None,
                    session_name=None,
                    start_slot=part.start_slot,
                    end_slot=part.end_slot,
                )
            )
        progress.progressed(RunCounts(slots=75, last_slot=2_049, elapsed_seconds=5.0, sessions=tuple(parts)))

    shown = out.getvalue()
    for text in ("75/200", "25/100", "50/100", "0:00:08 left", "0:00:15 left", "0:00:05 left"):
        assert text in shown
    assert [rate in shown for rate in ("15 slots/s", "5 slots/s", "10 slots/s")] == [has_rates] * 3
