"""Whole runs from a notebook."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from simclient import Transactions
from simclient.notebook import NotebookSimulator, run_backtest
from simclient.research import RunConfig, RunStatus, read_run
from simclient.research.values import SilentObserver
from simclient.session.inbox import Event

from .cells import FIRST_SLOT, TOKEN_PROGRAM, WATCH


def config(simulator: NotebookSimulator, output: Path, *, slots: int) -> RunConfig:
    return RunConfig(
        url=simulator.url,
        start_slot=FIRST_SLOT,
        end_slot=FIRST_SLOT + slots - 1,
        subscriptions=(Transactions(mentions=TOKEN_PROGRAM), *WATCH),
        output=output,
        advance_slots=5,
    )


def test_a_run_returns_what_it_came_to(simulator: NotebookSimulator, tmp_path: Path) -> None:
    """And leaves its file."""
    result = run_backtest(config(simulator, tmp_path / "run.ndjson", slots=20))

    assert result.status is RunStatus.COMPLETED
    assert len([*read_run(tmp_path / "run.ndjson").transactions()]) == result.counts.transactions > 20


def test_ctrl_c_ends_a_run_whose_file_says_so(simulator: NotebookSimulator, tmp_path: Path) -> None:
    """When the cell ends, the file has its last line."""

    class Interrupting(SilentObserver):
        """Has Ctrl-C come in the middle of the run."""

        events = 0

        def received(self, event: Event) -> None:
            self.events += 1
            if self.events == 10:
                os.kill(os.getpid(), signal.SIGINT)

    output = tmp_path / "run.ndjson"
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    try:
        with pytest.raises(KeyboardInterrupt):
            run_backtest(config(simulator, output, slots=240), observer=Interrupting())
    finally:
        signal.signal(signal.SIGINT, before)

    summary = read_run(output).summary()
    assert summary is not None
    assert summary.status == "cancelled"
