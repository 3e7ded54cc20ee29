"""The package installed without any extra: small, light to import, and clear about what is missing."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

CORE = os.environ.get("SIMCLIENT_CORE", "")

pytestmark = pytest.mark.skipif(not CORE, reason="`nox -s package` installs the core alone")

MOST_BYTES = 10_000_000
UNPACKED_BIG = "zstandard"
"""Its wheel (5.6 MB) unpacks to two backends of 12 MB each, of which one is used; what is ours to choose is all the rest."""
NOT_OURS = {"pip", "setuptools", "pkg_resources", "_distutils_hack", UNPACKED_BIG}

PUBLIC = [
    "simclient",
    "simclient.notebook",
    "simclient.research",
    "simclient.rpc",
    "simclient.testing",
    "simclient.wire",
]
HEAVY = {"cyclopts", "IPython", "numpy", "pandas", "polars", "pyarrow", "pytest", "resvg_py", "rich", "solders"}

RUN_FILE = {"type": "metadata", "data": {"start_slot": 1, "end_slot": 9, "program_ids": [], "ran_at_unix_secs": 1}}
RUN = 'RunConfig(url="ws://127.0.0.1:1", start_slot=1, end_slot=2, output=Path("run.parquet"))'
NOTIFICATION = """
from simclient.testing import account_diff
from simclient.wire.notifications import decode_data_message
frame = b'{"jsonrpc":"2.0","method":"accountDiffNotification","params":{"subscription":1,"result":%b}}'
notification = decode_data_message(frame % account_diff(1))
""".strip()
MISSING = {
    "import simclient.local": "simclient[local]",
    "from simclient import open_local_simulator": "simclient[local]",
    "from simclient.notebook import open_local_simulator; open_local_simulator()": "simclient[local]",
    "import simclient.testing.fixtures": "simclient[testing]",
    "from simclient.research import compare_runs; compare_runs('run.ndjson', 'run.ndjson')": "simclient[compare]",
    "from simclient.research import write_charts; write_charts('run.ndjson', 'charts')": "simclient[report]",
    f"import trio; from pathlib import Path; from simclient.research import *; trio.run(run_backtest, {RUN})": (
        "simclient[parquet]"
    ),
    "from simclient.research import Table; Table('t', {}, list).to_polars()": "simclient[parquet]",
    f"{NOTIFICATION}\nfrom simclient import to_record_batch; to_record_batch([notification])": "simclient[arrow]",
}
"""What needs an extra, and which one its error names."""


def core(*arguments: str, program: str = "bin/python") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(CORE) / program), *arguments], capture_output=True, text=True, timeout=120, check=False, cwd=CORE
    )


def test_the_core_is_small() -> None:
    """Below 10 MB on the disk, besides zstandard, without compiled files."""
    [packages] = Path(CORE).glob("lib/python*/site-packages")
    sizes = {
        top: sum(file.stat().st_size for file in [top, *top.rglob("*")] if file.is_file() and file.suffix != ".pyc")
        for top in packages.iterdir()
        if top.name.split("-")[0] not in NOT_OURS
    }

    assert sum(sizes.values()) < MOST_BYTES, f"the largest: {sorted(sizes, key=lambda top: -sizes[top])[:5]}"


@pytest.mark.parametrize("module", PUBLIC)
def test_a_public_module_needs_no_extra(module: str) -> None:
    """Importing it, and each name that it offers but for those of an extra, works."""
    result = core("-W", "error", "-c", f"import {module}, sys; print(*sys.modules)")

    assert result.returncode == 0, result.stderr
    assert not HEAVY & {*result.stdout.split()}


@pytest.mark.parametrize("program", MISSING)
def test_what_is_missing_is_named_with_its_extra(program: str) -> None:
    """The last line of the error is what to type."""
    (Path(CORE) / "run.ndjson").write_text(json.dumps(RUN_FILE) + "\n", encoding="utf-8")
    result = core("-c", program)

    assert result.returncode == 1
    last = result.stderr.strip().splitlines()[-1]
    assert MISSING[program] in last
    assert "pip install" in last


def test_the_command_says_that_it_needs_its_extra() -> None:
    """One line, and no traceback."""
    result = core("--version", program="bin/simclient")

    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert 'pip install "simclient[cli]"' in result.stderr


def test_a_session_is_used_without_any_extra() -> None:
    """Against a scripted server: control plane, a subscription, compression, and the notebook door."""
    program = """
import trio
from simclient import AccountDiffs, Completed, ReadyForContinue, open_backtest_session
from simclient.testing import open_scripted_server
from simclient.wire.requests import Continue

async def control(peer):
    await peer.accept_create()
    await peer.send(ReadyForContinue())
    await peer.expect(Continue)
    await peer.send(Completed())
    await peer.accept_close()

async def data(peer):
    await peer.accept_subscribe()
    peer.start_compressing()
    await peer.complete()

async def main():
    async with open_scripted_server(control=[control], data=[data]) as server:
        watch = [AccountDiffs(program="TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")]
        async with open_backtest_session(server.url, start_slot=1, slot_count=1, subscriptions=watch) as session:
            async for event in session:
                if isinstance(event, ReadyForContinue):
                    await session.advance()
    print(type(event).__name__)

trio.run(main)
"""
    result = core("-W", "error", "-c", program)

    assert (result.stdout, result.stderr) == ("Completed\n", "")
