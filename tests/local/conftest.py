"""What tests in several files of this folder begin with."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from simclient.local.engine import Engine

from .blocks import FIRST_SLOT, pay, write_blocks, write_payments
from .four_batches import BLOCK, LAST_SLOT
from .history import executed_blocks
from .node_files import Files
from .whirlpool_archive import Archive, copied_archive


@pytest.fixture
def payments(tmp_path: Path) -> Path:
    """Return a bundle of five slots with one payment each."""
    return write_payments(tmp_path / "payments.bundle")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """Return a bundle of three slots, of which the second has four batches."""
    return write_blocks(tmp_path / "b.bundle", {FIRST_SLOT: [pay(7)], FIRST_SLOT + 1: BLOCK, LAST_SLOT: [pay(8)]})


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncGenerator[Engine]:
    """Give an engine that has executed the three blocks of `history.py`."""
    async with executed_blocks(tmp_path) as engine:
        yield engine


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Return a folder for what a node gave."""
    return Files(tmp_path)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """Return a copy of the archive of real swaps, to be changed."""
    return copied_archive(tmp_path)
