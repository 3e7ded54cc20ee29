"""The stop button of a real kernel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel

LAST_RESORT_SECONDS = 60

OPEN = """
import polars  # which has system calls restarted after signals, so that Ctrl-C ends no wait by itself
polars.DataFrame({"slot": [1]}).lazy().collect()
from simclient import ReadyForContinue
from simclient.notebook import open_backtest_session, open_local_simulator
simulator = open_local_simulator()
session = open_backtest_session(simulator.url, start_slot=350_000_000, slot_count=99)
for event in session:
    if isinstance(event, ReadyForContinue):
        break
"""
WAIT = "print('waiting', flush=True); next(session)"
READ_ON = """
session.advance(100)
print(type(list(session)[-1]).__name__)
"""


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    manager, client = start_new_kernel(startup_timeout=LAST_RESORT_SECONDS, cwd=str(tmp_path))
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel()


def test_the_stop_button_ends_a_cell_and_leaves_its_session(
    kernel: tuple[KernelManager, BlockingKernelClient],
) -> None:
    """The cell ends with KeyboardInterrupt; the next one reads the session to its end; the kernel ends with the session open."""
    manager, client = kernel
    assert client.execute_interactive(OPEN, timeout=LAST_RESORT_SECONDS)["content"]["status"] == "ok"
    texts: list[str] = []

    def hear(message: dict[str, dict[str, str]]) -> None:
        """Stop the cell as soon as it says that it waits."""
        if "text" in message["content"]:
            texts.append(message["content"]["text"])
            if "waiting" in texts[-1]:
                manager.interrupt_kernel()

    stopped = client.execute_interactive(WAIT, timeout=LAST_RESORT_SECONDS, output_hook=hear)
    assert stopped["content"]["ename"] == "KeyboardInterrupt"

    assert (
        client.execute_interactive(READ_ON, timeout=LAST_RESORT_SECONDS, output_hook=hear)["content"]["status"] == "ok"
    )
    assert "Completed\n" in texts
