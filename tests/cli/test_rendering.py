"""What is printed: safe, exact, and readable."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from simclient.cli.amounts import format_amount
from simclient.cli.progress import PlainProgress
from simclient.cli.summary import print_summary
from simclient.cli.terminal import clean
from simclient.research.balances import BalanceChange, WalletResult
from simclient.research.values import RunCounts, RunResult, RunStatus
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
