"""Where the key comes from, and that it is never shown."""

from __future__ import annotations

import copy
import pickle
import traceback

import attrs
import pytest

from simclient.errors import InputError, SimClientError
from simclient.session.client.client import open_client
from simclient.session.credentials import KEY_VARIABLE, Secret, control_headers, find_key, is_loopback
from simclient.testing import (
    ConnectionFaults,
    ControlPeer,
    Cut,
    faults_in_order,
    open_fault_proxy,
    open_scripted_server,
)
from simclient.transport.endpoint import encode_headers
from simclient.wire.responses import ReadyForContinue

from .sessions import open_session, read_to_the_end

REMOTE = "wss://simulator.example/backtest"
LOCAL = "ws://127.0.0.1:9000/backtest"
CANARY = "canary-5f2b"


def test_an_argument_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the caller passes is used."""
    monkeypatch.setenv(KEY_VARIABLE, "other")
    key = find_key(REMOTE, CANARY)
    assert key is not None
    assert key.reveal() == CANARY


def test_the_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """SIMULATOR_API_KEY is read when nothing is passed, for a local simulator too."""
    monkeypatch.setenv(KEY_VARIABLE, CANARY)
    for url in (REMOTE, LOCAL):
        key = find_key(url, None)
        assert key is not None
        assert key.reveal() == CANARY


def test_a_remote_host_needs_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the variable."""
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    with pytest.raises(InputError, match=KEY_VARIABLE):
        find_key(REMOTE, None)


def test_this_machine_needs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded simulator runs without a key."""
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    assert find_key(LOCAL, None) is None


def test_a_key_is_not_sent_in_the_clear() -> None:
    """A remote host without TLS is refused, without showing the key."""
    with pytest.raises(InputError) as caught:
        find_key("ws://simulator.example/backtest", CANARY)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("key", [f"{CANARY}\r\nX: y", f"{CANARY}ü"])
def test_a_key_that_no_header_can_carry_is_refused_unshown(key: str) -> None:
    """A header cannot be smuggled in by the key."""
    with pytest.raises(InputError) as caught:
        find_key(REMOTE, key)
    assert CANARY not in str(caught.value)


def test_no_representation_shows_a_secret() -> None:
    """repr, str, format, attrs and pickle."""

    @attrs.frozen
    class Holder:
        secret: Secret

    secret = Secret(CANARY)
    shown = [repr(secret), str(secret), f"{secret} {secret:>20}", repr(Holder(secret)), repr([secret])]
    assert not any(CANARY in text for text in shown)
    for leak in (pickle.dumps, copy.copy):
        with pytest.raises(TypeError):
            leak(secret)


def test_headers_carry_the_key_and_our_name() -> None:
    """X-API-Key is there only with a key, which stays concealed until the bytes are made."""
    headers = control_headers(Secret("k"), "simclient/1")
    assert encode_headers(headers) == [(b"User-Agent", b"simclient/1"), (b"X-API-Key", b"k")]
    assert "'k'" not in repr(headers)
    assert control_headers(None, "simclient/1") == [("User-Agent", "simclient/1")]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("ws://127.0.0.1:1/x", True),
        ("ws://localhost/x", True),
        ("ws://[::1]:5/x", True),
        ("ws://127.0.0.1.example/x", False),
        ("wss://localhost.example/x", False),
        ("ws://10.0.0.1/x", False),
    ],
)
def test_loopback_is_decided_by_the_host_alone(url: str, expected: bool) -> None:
    """A name that only looks local is remote."""
    assert is_loopback(url) is expected


# Over real connections


async def fail_with_the_canary(
    monkeypatch: pytest.MonkeyPatch, *, is_argument: bool = False
) -> tuple[SimClientError, str]:
    """Let a session with a key fail in mid-run; return the error, and what the session said of itself."""
    if not is_argument:
        monkeypatch.setenv("SIMULATOR_API_KEY", CANARY)

    async def control(peer: ControlPeer) -> None:
        assert peer.headers["x-api-key"] == CANARY
        await peer.accept_create()
        await peer.send(ReadyForContinue(), seq_id=1)
        peer.cut()

    async def again(peer: ControlPeer) -> None:
        await peer.refuse(403)

    async with open_scripted_server(control=[control, again]) as server:
        with pytest.raises(SimClientError) as caught:
            async with open_session(server, api_key=CANARY if is_argument else None) as session:
                shown = f"{session!r} {session.statistics()!r} {session.rpc!r}"
                await read_to_the_end(session)

    return caught.value, shown


async def test_the_key_is_in_no_log_error_or_representation(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nor in what is printed."""
    with caplog.at_level(0):
        error, shown = await fail_with_the_canary(monkeypatch)

    everything = [shown, "".join(traceback.format_exception(error)), caplog.text, *capfd.readouterr()]
    assert not any(CANARY in text for text in everything)


@pytest.mark.parametrize("is_argument", [False, True], ids=["from the environment", "as an argument"])
async def test_the_key_is_in_no_local_of_a_traceback(monkeypatch: pytest.MonkeyPatch, is_argument: bool) -> None:
    """Crash reporters and rich tracebacks show locals."""
    error, _ = await fail_with_the_canary(monkeypatch, is_argument=is_argument)

    report = traceback.TracebackException.from_exception(error, capture_locals=True)
    assert [frame for frame in _frames(report) if CANARY in str(frame.locals) and frame.filename != __file__] == []


async def test_the_key_is_in_no_local_of_a_traceback_of_http() -> None:
    """Neither where nobody listens nor where the answer breaks off: the frames of the HTTP library hold all headers."""
    async with open_scripted_server() as server:
        gone = server.url
    plan = faults_in_order(ConnectionFaults(downstream=(Cut(at_byte=5),)))
    async with open_scripted_server() as server, open_fault_proxy(server.url, plan) as proxy:
        for url in (gone, proxy.url):
            with pytest.raises(SimClientError) as caught:
                async with open_client(url, api_key=CANARY) as client:
                    await client.available_ranges()

            report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
            assert [f for f in _frames(report) if CANARY in str(f.locals) and f.filename != __file__] == []


def _frames(report: traceback.TracebackException) -> list[traceback.FrameSummary]:
    """Return the frames of an error and of what led to it."""
    frames = list(report.stack)
    for cause in (report.__cause__, report.__context__):
        frames += [] if cause is None else _frames(cause)
    return frames
