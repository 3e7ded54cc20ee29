"""A simulator in the background, and nothing left of any test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from simclient.notebook import NotebookSimulator, close_all, open_local_simulator


@pytest.fixture
def simulator(no_leaked_sockets: None) -> Iterator[NotebookSimulator]:
    """Serve the market that comes with the package; afterwards everything that is open is closed, and no socket is left."""
    yield open_local_simulator()
    close_all()
