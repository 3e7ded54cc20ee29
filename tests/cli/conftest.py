"""What tests of commands share."""

from __future__ import annotations

from pathlib import Path

import pytest

from .bundles import write_payments


@pytest.fixture(scope="session")
def payments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a bundle of 20 slots with one payment each."""
    return write_payments(tmp_path_factory.mktemp("bundles") / "payments.bundle")


@pytest.fixture(scope="session")
def many_payments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a bundle that takes several seconds to replay."""
    return write_payments(tmp_path_factory.mktemp("bundles") / "many.bundle", slots=3_000, payments=5)
