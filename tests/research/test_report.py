"""Reports: one file that needs nothing else and shows what was in the run, as text."""

from __future__ import annotations

import re
import struct
from html.parser import HTMLParser
from pathlib import Path

import pytest

from simclient.errors import InputError
from simclient.research import compare_runs, write_charts, write_report
from simclient.research.event_file import OutputError
from simclient.research.idl import load_idl
from simclient.research.report.charts import Bar, Series, bar_chart, column_chart, line_chart
from simclient.research.report.data import Columns

from .frames import address
from .idl.files import NEW, PROGRAM, event_line
from .idl.files import write as write_idl
from .lines import line, metadata, signature, sol, token, tx, write

PROGRESS = [{"seconds": n / 4, "slots": n, "transactions": 2 * n, "diffs": 0, "logs": 0} for n in range(5)]


class Document(HTMLParser):
    """Keeps what a browser would show and load; fails on tags that do not match."""

    VOID = ("meta",)

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def titles(self) -> list[str]:
        return [str(given["aria-label"]) for tag, given in self.tags if tag == "svg" and given["class"] == "wide"]


def a_run(path: Path) -> Path:
    """Write a run with successes, failures, two assets and progress."""
    failed = tx(2, slot=2, success=False, error="<script>alert(1)</script>\x1b[2J", token_changes=[])
    moved = tx(3, slot=5, fee_payer=address(2), sol_changes=[sol(2, 50, 20)], token_changes=[token(4, 9, 30)])
    summary = line(
        "summary",
        total_transactions=3,
        successes=2,
        failures=1,
        status="completed",
        slots=9,
        elapsed_seconds=1.0,
        progress=PROGRESS,
    )
    path.write_text(
        metadata(tool="simclient", url="wss://host/backtest") + tx(1) + failed + moved + summary, encoding="utf-8"
    )
    return path


def test_a_report_says_what_was_run_and_what_came_of_it(tmp_path: Path) -> None:
    """Outcome, figures, charts, and the tables behind them."""
    write_report(a_run(tmp_path / "run.ndjson"), tmp_path / "run.html")
    document = Document(tmp_path / "run.html")

    assert "Backtest of slots 1 to 9" in document.text
    assert "completed" in document.text
    assert "wss://host/backtest" in document.text
    assert document.titles() == [
        "Transactions by slot",
        "Slots over time",
        "Events received a second",
        "Failed transactions, by program and error",
        "Change of SOL since the beginning",
        f"Change of {address(1)[:4]}…{address(1)[-4:]} since the beginning",
    ]
    assert address(2) in document.text
    assert "+0.000023" in document.text  # 7 to 30 of a mint with 6 decimals


def test_a_report_needs_nothing_from_outside_and_runs_nothing(tmp_path: Path) -> None:
    """It can be sent and kept; what programs and servers said is shown, not obeyed."""
    write_report(a_run(tmp_path / "run.ndjson"), tmp_path / "run.html")
    document, source = Document(tmp_path / "run.html"), (tmp_path / "run.html").read_text(encoding="utf-8")

    assert {tag for tag, _ in document.tags}.isdisjoint({"script", "img", "link", "iframe", "a", "object"})
    assert not any({"src", "href", "onload", "onerror"} & given.keys() for _, given in document.tags)
    assert set(re.findall(r"[a-z]+://[^\"'< ]+", source)) <= {"http://www.w3.org/2000/svg", "wss://host/backtest"}
    assert "default-src 'none'" in source
    assert "<script>alert(1)</script>" in document.text
    assert "\x1b" not in source


def test_every_chart_is_drawn_for_large_and_for_small_screens(tmp_path: Path) -> None:
    """The page shows one of the two; nothing is wider than a telephone in the small one."""
    write_report(a_run(tmp_path / "run.ndjson"), tmp_path / "run.html")
    charts = [given for tag, given in Document(tmp_path / "run.html").tags if tag == "svg"]

    assert [given["class"] for given in charts] == ["wide", "narrow"] * (len(charts) // 2)
    assert {int(str(given["width"])) for given in charts if given["class"] == "narrow"} == {370}


@pytest.mark.parametrize("content", [[], [line("diff", slot=2, tx_hash=signature(1), account=address(1))]])
def test_a_run_with_little_in_it_has_a_report_too(tmp_path: Path, content: list[str]) -> None:
    """Without transactions, without summary, killed in the middle of a line."""
    (tmp_path / "run.ndjson").write_text(metadata() + "".join(content) + tx(1)[:30])
    write_report(tmp_path / "run.ndjson", tmp_path / "run.html")
    document = Document(tmp_path / "run.html")

    assert "interrupted" in document.text
    assert "the last line of the file is cut" in document.text.lower()
    assert document.titles() == ["Account diffs by slot"]


def test_an_idl_gives_errors_and_events_their_names(tmp_path: Path) -> None:
    """As the program's authors call them."""
    logs = [f"Program {PROGRAM} invoke [1]", event_line(7), event_line(8), f"Program {PROGRAM} success"]
    failed = tx(2, success=False, error="Error processing Instruction 0: custom program error: 0x1771")
    run = write(tmp_path / "run.ndjson", tx(1, logs=logs), failed)
    write_report(run, tmp_path / "run.html", idls=[load_idl(write_idl(tmp_path / "idl.json", NEW))])
    document = Document(tmp_path / "run.html")

    assert "Events of programs" in document.titles()
    assert "market.Filled" in document.text
    assert "0x1771 (SlippageExceeded: too much slippage)" in document.text


def test_a_comparison_has_a_report(tmp_path: Path) -> None:
    """Counts as a chart, and each kind as a table."""
    a = write(tmp_path / "a", tx(1), tx(2), tx(3, slot=3), tx(4, slot=4))
    b = write(
        tmp_path / "b", tx(1, success=False), tx(3, slot=3, compute_units=7), tx(4, slot=4, compute_units=8), tx(5)
    )
    write_report(compare_runs(a, b), tmp_path / "x.html")
    document = Document(tmp_path / "x.html")

    assert document.titles() == ["Transactions that differ", "Compute units more or less, by slot"]
    assert "Regressions: succeeded, and now fail (1)" in document.text
    assert "Only in the baseline (1)" in document.text
    assert signature(5) in document.text


def test_charts_alone_are_png_files(tmp_path: Path) -> None:
    """Twice as large as on the page, with the title and a margin, and not blank."""
    paths = write_charts(a_run(tmp_path / "run.ndjson"), tmp_path / "charts")

    assert [path.name for path in paths][:2] == ["activity.png", "slots.png"]
    for path in paths:
        content = path.read_bytes()
        assert content.startswith(b"\x89PNG\r\n")
        width, height = struct.unpack(">II", content[16:24])
        assert width in (2 * (1080 + 32), 2 * (520 + 32))
        assert height > 100
        assert len(content) > 2_000


@pytest.mark.parametrize(("path", "error"), [("/no/such/folder/x.html", InputError), ("/dev/full", OutputError)])
def test_a_report_that_cannot_be_written_is_an_error(tmp_path: Path, path: str, error: type[Exception]) -> None:
    """The message has the path."""
    with pytest.raises(error, match=path):
        write_report(a_run(tmp_path / "run.ndjson"), path)


def test_columns_cover_the_range_and_nothing_else() -> None:
    """However long it is; a slot before it is in the first one."""
    columns = Columns.over(100, 1_099)

    assert (columns.width, columns.count, columns.slots()[-1]) == (5, 200, 1_095)
    assert [columns.of(slot) for slot in (50, 100, 104, 105, 1_099)] == [0, 0, 0, 1, 199]


@pytest.mark.parametrize("values", [[], [0.0], [0.0, 0.0], [-5.0, 5.0], [1e18, 2e18], [1e-9, 2e-9]])
def test_any_values_can_be_drawn(values: list[float]) -> None:
    """Nothing is drawn outside of the picture."""
    xs = list(range(len(values)))
    series = [Series(name="a", values=values, css="s1"), Series(name="b", values=values, css="s2")]
    for draw in (line_chart, column_chart):
        chart = draw("t", xs, series, width=400, format_x=str, format_y=str)
        numbers = [
            float(n) for points in re.findall(r'points="([^"]*)"', chart.svg) for n in re.split("[ ,]", points) if n
        ]
        assert all(0 <= number <= 400 for number in numbers)
        assert "nan" not in chart.svg
    assert "<rect" in bar_chart("t", [Bar(name="x", value=0.0)], width=400, format_value=str).svg
