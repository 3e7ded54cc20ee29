"""What a cell shows of its last value."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import attrs
import pytest

from simclient import Transactions
from simclient.notebook import NotebookSimulator, run_backtest
from simclient.research import RunConfig, RunResult, Table, compare_runs, read_run, summarize

from .cells import FIRST_SLOT, TOKEN_PROGRAM, WATCH, open_session, wait_until_ready

HOSTILE = "<script>alert(1)</script>"


class Text(HTMLParser):
    """Collects the text of a page, and checks that what is opened is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1] != "style":
            self.texts.append(data)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture
def result(simulator: NotebookSimulator, folder: Path) -> RunResult:
    return run_backtest(
        RunConfig(
            url=simulator.url,
            start_slot=FIRST_SLOT,
            end_slot=FIRST_SLOT + 19,
            subscriptions=(Transactions(mentions=TOKEN_PROGRAM), *WATCH),
            output=folder / "run.ndjson",
        )
    )


def shown(value: object) -> list[str]:
    return Text(value._repr_html_()).texts  # type: ignore[attr-defined]


def test_what_a_run_came_to_is_shown_with_its_wallets(result: RunResult, folder: Path) -> None:
    """From the result as from the file; amounts are in whole tokens."""
    file = folder / "run.ndjson"
    overview = summarize(file)
    wallet = next(one for one in overview.pnl.wallets if any(change.delta for change in one.changes))
    assert "Backtest completed" in shown(result)
    assert f"{result.counts.transactions:,}" in shown(result)
    for value in (result, overview, overview.pnl):
        assert wallet.wallet in shown(value)
    assert str(file) in shown(read_run(file))


def test_a_comparison_is_shown_by_its_counts(result: RunResult, folder: Path) -> None:
    """And says which runs they are."""
    assert result.counts.transactions
    texts = shown(compare_runs(folder / "run.ndjson", folder / "run.ndjson"))
    assert "the same in both" in texts
    assert any("run.ndjson" in text for text in texts)


def test_a_table_is_shown_by_its_first_rows(result: RunResult, folder: Path) -> None:
    """It says that there are more, and how to get them."""
    assert result.counts.transactions > 20
    table = read_run(folder / "run.ndjson").transaction_table
    texts = shown(table)
    assert {*table.columns} <= {*texts}
    assert sum(text == str(FIRST_SLOT) for text in texts) >= 1
    assert any("the first 20 rows" in text for text in texts)


def test_an_empty_table_says_so() -> None:
    """It has columns all the same."""
    assert shown(Table("nothing", {"slot": "u64"}, list)) == ["nothing", " has no rows"]


def test_hostile_text_is_shown_as_text(result: RunResult) -> None:
    """What a server says obeys nobody."""
    html = attrs.evolve(result, reason=HOSTILE)._repr_html_()
    assert HOSTILE not in html
    assert HOSTILE in Text(html).texts


def test_a_session_and_a_simulator_show_how_far_they_are(simulator: NotebookSimulator) -> None:
    """Without the session's id, which is as good as a key to its state."""
    session = open_session(simulator.url)
    wait_until_ready(session)
    session.advance(5)
    wait_until_ready(session)

    assert str(FIRST_SLOT + 4) in shown(session)
    assert session.session_id not in session._repr_html_()
    assert str(FIRST_SLOT) in shown(simulator)
    session.close()
    assert any("closed" in text for text in shown(session))
