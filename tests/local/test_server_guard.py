from __future__ import annotations

import pytest

from simclient.local.server.guard import refusal_of


@pytest.mark.parametrize("host", [b"127.0.0.1:8900", b"localhost", b"[::1]:1"])
def test_a_loopback_host_is_served(host: bytes) -> None:
    """A request that names the loopback interface is served."""
    assert refusal_of([(b"host", host)]) is None


@pytest.mark.parametrize("host", [b"evil.example", b"127.0.0.1.evil.example", b"10.0.0.1", b""])
def test_another_host_is_refused(host: bytes) -> None:
    """A request under another name is refused: the name may have been pointed at loopback."""
    assert refusal_of([(b"host", host)]) is not None


@pytest.mark.parametrize("origin", [b"https://evil.example", b"null"])
def test_a_web_page_is_refused(origin: bytes) -> None:
    """A request that a page of another site made is refused."""
    assert refusal_of([(b"host", b"localhost"), (b"origin", origin)]) is not None
