"""The scripted service of the published Rust crates is content with `simclient run`, and nothing is lost or doubled.

It is not part of this repository: set SIMCLIENT_PEER to the folder of the built `server09` to run this. `real_peer.py` runs more seeds.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(os.environ.get("SIMCLIENT_PEER", "unset"))


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("real_peer", Path(__file__).parent / "real_peer.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["real_peer"] = module
    spec.loader.exec_module(module)
    return module


real_peer = _load()


@pytest.mark.skipif(
    not (FOLDER / "server09").exists(), reason="the Rust peer is not there: SIMCLIENT_PEER names the folder of server09"
)
@pytest.mark.parametrize("scenario", real_peer.SCENARIOS)
def test_nothing_is_lost_or_doubled_against_the_real_peer(scenario: str) -> None:
    """One seed of each scenario; the server's own verdict counts too."""
    run = real_peer.run_peer(FOLDER, scenario, seed=1)
    assert run.is_right, run
