"""Pytest fixtures for programs that use simclient; needs the extra `testing`.

In a `conftest.py`: `pytest_plugins = ["simclient.testing.fixtures"]`. The fixtures are synchronous, so they serve trio tests of
pytest-trio and others alike.
"""

from __future__ import annotations

import gc
import os
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import SimClientError

try:
    import pytest
except ModuleNotFoundError as error:
    raise SimClientError('the fixtures for tests need pytest: pip install "simclient[testing]"') from error

__all__ = ["api_key_canary", "assert_hides", "no_leaked_sockets"]

_CANARY = "canary-4f1c9e0b7a52d683"
_OPEN_FILES = Path("/proc/self/fd")


@pytest.fixture
def api_key_canary(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> Iterator[str]:
    """Set `SIMULATOR_API_KEY` to a key that must appear in no log record and no output; give the key.

    For exceptions use `assert_hides(key, error)`.
    """
    monkeypatch.setenv("SIMULATOR_API_KEY", _CANARY)
    with caplog.at_level(0):
        yield _CANARY

    out, err = capfd.readouterr()
    for where, text in (("the log", caplog.text), ("stdout", out), ("stderr", err)):
        assert _CANARY not in text, f"the API key appears in {where}"


@pytest.fixture
def assert_hides() -> Callable[[str, BaseException], None]:
    """Give a function that fails if a key is visible in an error, its causes, its notes or any local of its traceback."""
    return _assert_hides


@pytest.fixture
def no_leaked_sockets() -> Iterator[None]:
    """Fail if sockets are open after the test that were not open before it; without effect where there is no /proc."""
    before = _open_sockets()
    yield
    leaked = _open_sockets() - before
    assert not leaked, f"{len(leaked)} sockets are still open: {sorted(leaked)}"


def _assert_hides(key: str, error: BaseException) -> None:
    full = traceback.TracebackException.from_exception(error, capture_locals=True)
    assert key not in "".join(full.format()), "the API key appears in the traceback"
    assert key not in repr(error), "the API key appears in the error"


def _open_sockets() -> set[str]:
    gc.collect()
    if not _OPEN_FILES.exists():
        return set()

    found: set[str] = set()
    for name in os.listdir(_OPEN_FILES):
        try:
            target = os.readlink(_OPEN_FILES / name)
        except FileNotFoundError:
            continue  # the listing's own descriptor
        if target.startswith("socket:"):
            found.add(target)

    return found
