"""The compressed stream, URLs, subscriptions and JSON-RPC requests."""

from __future__ import annotations

import json

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from simclient.errors import InputError, RemoteProtocolError
from simclient.wire.compression import StreamCompressor, StreamDecompressor
from simclient.wire.jsonrpc import RpcRequest, SubscribeRequest, UnsubscribeRequest, read_rpc_request
from simclient.wire.names import session_name
from simclient.wire.subscriptions import (
    AccountDiffs,
    Logs,
    Subscription,
    SubscriptionKey,
    Transactions,
    describe_subscription,
    keys_of,
    write_subscribe,
    write_unsubscribe,
)
from simclient.wire.urls import control_url, http_base, redact, rpc_urls

_ADDRESS = "4vJ9JU1bJJE96FWSJKvHsmmFADCg4gpZQff4P3bkLKi"


@settings(max_examples=30, deadline=None)
@given(messages=st.lists(st.binary(max_size=300), max_size=8))
def test_a_stream_keeps_every_message(messages: list[bytes]) -> None:
    """Empty messages too come out as they went in, in order."""
    compressor, decompressor = StreamCompressor(), StreamDecompressor()
    assert [decompressor.decompress(compressor.compress(message)) for message in messages] == messages


def test_a_large_message_comes_out_whole() -> None:
    """A message of many blocks is not cut."""
    large = b"a" * 5_000_000 + b"b"
    assert StreamDecompressor().decompress(StreamCompressor().compress(large)) == large


def test_a_message_over_the_ceiling_is_refused() -> None:
    """The size is counted while decompressing, not believed."""
    with pytest.raises(RemoteProtocolError, match="larger than 1000 bytes"):
        StreamDecompressor(1000).decompress(StreamCompressor().compress(bytes(10_000_000)))


def test_a_corrupted_frame_is_the_typed_error() -> None:
    """What is no zstd stream is refused."""
    with pytest.raises(RemoteProtocolError, match="corrupted"):
        StreamDecompressor().decompress(b"not zstd at all")


def test_a_window_that_claims_too_much_memory_is_refused() -> None:
    """A sender cannot make the receiver allocate 128 MiB."""
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=27)
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    with pytest.raises(RemoteProtocolError, match="memory"):
        StreamDecompressor().decompress(stream.compress(b"x") + stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK))


@pytest.mark.parametrize("endpoint", ["host", "ws://h", "wss://h/x/", "ws://h?x=1", "http://h", "[::1]:8"])
def test_a_control_url_stays_as_it_is(endpoint: str) -> None:
    """Applying the rule again changes nothing."""
    assert control_url(control_url(endpoint)) == control_url(endpoint)


@pytest.mark.parametrize("url", ["wss://user:pass@h/backtest", "user@h", "wss://:pass@h"])
def test_credentials_in_a_url_are_refused_and_not_repeated(url: str) -> None:
    """A key does not belong into a URL, and the message does not show it."""
    with pytest.raises(InputError) as caught:
        control_url(url)
    assert "pass@" not in str(caught.value)


def test_a_session_endpoint_may_be_a_path_or_a_url() -> None:
    """The data plane is on the control host, or where the server says."""
    assert rpc_urls("wss://h:1/backtest", "/s/1") == ("https://h:1/s/1", "wss://h:1/s/1")
    assert rpc_urls("ws://h/backtest", "http://other/s") == ("http://other/s", "ws://other/s")
    assert http_base("ws://h:1/backtest") == "http://h:1"


def test_a_redacted_url_shows_no_query() -> None:
    """What is printed of a URL has neither credentials nor query."""
    assert redact("https://u:p@h:1/x?api_key=secret#y") == "https://h:1/x"


def test_a_subscription_that_watches_nothing_is_refused() -> None:
    """An empty subscription is a mistake."""
    with pytest.raises(InputError, match="watches nothing"):
        AccountDiffs()
    with pytest.raises(InputError, match="watches nothing"):
        Logs(mentions=())


@pytest.mark.parametrize(
    "subscription",
    [
        AccountDiffs(program=_ADDRESS),
        AccountDiffs(account=(_ADDRESS,), label="mine"),
        Transactions(mentions=(_ADDRESS,)),
        Logs(mentions=(_ADDRESS,), commitment="finalized"),
    ],
)
def test_the_server_reads_the_subscription_that_was_written(subscription: Subscription) -> None:
    """Key, replay, compression and commitment survive."""
    (key,) = keys_of(subscription)
    request = read_rpc_request(write_subscribe(key, request_id=3, replay_from_slot=9, compress=True))
    assert isinstance(request, SubscribeRequest)
    assert (request.request_id, request.key, request.replay_from_slot, request.compress) == (3, key, 9, True)
    assert _ADDRESS in describe_subscription(subscription)


def test_options_are_sent_even_when_there_are_none() -> None:
    """The second parameter is there for the server to look in."""
    written = json.loads(write_subscribe(SubscriptionKey("accountDiffSubscribe", _ADDRESS), request_id=1))
    assert written["params"] == [_ADDRESS, {}]


@pytest.mark.parametrize(
    "options", ['{"compression":"gzip"}', '{"replayFromSlot":"5"}', '{"replayFromSlot":5.0}', "[1]"]
)
def test_spoilt_options_are_refused(options: str) -> None:
    """An unreadable option is an error and not a silent default."""
    with pytest.raises(RemoteProtocolError, match=r"params\[1\]"):
        read_rpc_request(f'{{"id":1,"method":"logsSubscribe","params":[{{"mentions":["a"]}},{options}]}}')


def test_other_requests_keep_their_parameters() -> None:
    """What is no subscription arrives with its parameters as text."""
    request = read_rpc_request('{"jsonrpc":"2.0","id":"x","method":"getSlot","params":[{"a":1}]}')
    assert request == RpcRequest(request_id="x", method="getSlot", params_raw='[{"a":1}]')
    key = SubscriptionKey("logsSubscribe", _ADDRESS)
    ended = read_rpc_request(write_unsubscribe(key, request_id=2, subscription_id=8))
    assert ended == UnsubscribeRequest(request_id=2, method="logsUnsubscribe", subscription_id=8)


def test_session_names_are_kept_in_lower_case() -> None:
    """Letters are lowered; anything else outside the alphabet is refused."""
    assert session_name("My-Run.2") == "my-run.2"
    with pytest.raises(InputError):
        session_name("-run")
