"""The recording's format: what was written is read, in whatever pieces it comes, up to where it was cut or damaged."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simclient.errors import RemoteProtocolError
from simclient.wire.chunks import PROLOGUE, UINT32, pack_chunk, pack_record
from simclient.wire.recording import (
    MAGIC,
    ControlMoment,
    DataMoment,
    Moment,
    RecordedKey,
    RecordingDecoder,
    RecordingEncoder,
    RecordingHeader,
    compressed,
)

HEADER = RecordingHeader(
    created_by="tests",
    url="wss://example.com/backtest",
    start_slot=1,
    end_slot=9,
    started_utc="2026-01-01T00:00:00Z",
    keys=(RecordedKey(method="logsSubscribe", address="a"),),
)
MOMENTS: list[Moment] = [
    ControlMoment(0, b'{"method":"readyForContinue"}'),
    DataMoment(5, b'{"a":1}'),
    DataMoment(5, b""),
    ControlMoment(2**40, b"{}"),
]


def written(moments: list[Moment], *, chunks: int = 1, end: bool = True) -> bytes:
    """Write a recording, in so many chunks."""
    encoder = RecordingEncoder()
    data = encoder.prologue()
    encoder.begin(HEADER)
    for number, moment in enumerate(moments):
        if isinstance(moment, ControlMoment):
            encoder.control(moment.at_microseconds, moment.message)
        else:
            encoder.data(moment.at_microseconds, moment.message)
        if number < chunks - 1:
            data += compressed(encoder.take())
    if end:
        encoder.end("completed", None)
    return data + compressed(encoder.take())


def read(data: bytes, *, piece: int = 2**20) -> tuple[RecordingDecoder, list[Moment]]:
    """Read what can be read, in pieces of so many bytes."""
    decoder = RecordingDecoder()
    found: list[Moment] = []
    for start in range(0, len(data), piece):
        for chunk in decoder.feed(data[start : start + piece]):
            found += chunk.moments
    decoder.finish()
    return decoder, found


@pytest.mark.parametrize("piece", [1, 7, 10_000])
@pytest.mark.parametrize("chunks", [1, 3])
def test_what_was_written_is_read(piece: int, chunks: int) -> None:
    """Every event comes back as it was, whatever the pieces."""
    decoder, found = read(written(MOMENTS, chunks=chunks), piece=piece)

    assert (found, decoder.header, decoder.damage) == (MOMENTS, HEADER, None)
    assert decoder.end is not None
    assert (decoder.end.status, decoder.end.control_count, decoder.end.data_count) == ("completed", 2, 2)


def test_a_cut_is_read_up_to_the_last_whole_chunk() -> None:
    """A file that ends at any byte gives a beginning of the events, and says where it was cut."""
    data = written(MOMENTS, chunks=3)
    first_chunk = PROLOGUE.size + UINT32.size + int.from_bytes(data[PROLOGUE.size : PROLOGUE.size + 4], "little")
    for length in range(first_chunk, len(data)):
        decoder, found = read(data[:length])
        assert found == MOMENTS[: len(found)]
        assert decoder.damage is not None
        assert "the file ends here, before the recording does" in decoder.damage
    for length in range(first_chunk):
        with pytest.raises(RemoteProtocolError, match="not a recording"):
            read(data[:length])


def test_every_flipped_bit_is_noticed() -> None:
    """A single wrong bit anywhere ends the reading there, or is refused, or changes nothing."""
    data = written(MOMENTS, chunks=3)
    for position in range(len(data) * 8):
        damaged = bytearray(data)
        damaged[position // 8] ^= 1 << position % 8
        try:
            decoder, found = read(bytes(damaged))
        except RemoteProtocolError:
            continue
        assert found == MOMENTS[: len(found)]
        assert decoder.damage is not None or (found, decoder.header) == (MOMENTS, HEADER)


def test_an_end_without_its_counts_is_noticed() -> None:
    """The end record's counts must agree with what was read."""
    end = msgspec.msgpack.encode({"status": "completed", "control_count": 1, "data_count": 0})
    content = pack_record(1, msgspec.msgpack.encode(HEADER)) + pack_record(4, end)
    decoder, _ = read(PROLOGUE.pack(MAGIC, 1) + pack_chunk(content, level=3))

    assert decoder.damage is not None
    assert "counts disagree" in decoder.damage


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([(2, [0, b""])], "not a recording"),
        ([(1, HEADER), (1, HEADER)], "a second header"),
        ([(1, HEADER), (9, {})], "kind 9 are not known"),
        ([(1, HEADER), (3, [-1, b""])], "unreadable"),
        ([(1, HEADER), (4, {"status": "x", "control_count": 0, "data_count": 0}), (3, [0, b""])], "something follows"),
    ],
)
def test_records_out_of_order_are_refused(records: list[tuple[int, object]], said: str) -> None:
    """No order is believed that the format does not allow; without a header nothing is read at all."""
    content = b"".join(pack_record(kind, msgspec.msgpack.encode(body)) for kind, body in records)
    data = PROLOGUE.pack(MAGIC, 1) + pack_chunk(content, level=3)
    try:
        decoder, _ = read(data)
        message = decoder.damage
    except RemoteProtocolError as error:
        message = str(error)

    assert message is not None
    assert said in message


def test_another_version_is_refused() -> None:
    """A later format is not guessed at."""
    with pytest.raises(RemoteProtocolError, match="version 2"):
        read(PROLOGUE.pack(MAGIC, 2))


@settings(max_examples=50, deadline=None)
@given(
    messages=st.lists(st.tuples(st.booleans(), st.binary(max_size=200_000)), max_size=12),
    piece=st.integers(1, 500_000),
)
def test_any_bytes_can_be_recorded(messages: list[tuple[bool, bytes]], piece: int) -> None:
    """Messages of any content and length come back, over as many chunks as they need."""
    moments: list[Moment] = [
        (ControlMoment if is_control else DataMoment)(number, message)
        for number, (is_control, message) in enumerate(messages)
    ]
    decoder, found = read(written(moments), piece=max(piece, 1_000))

    assert (found, decoder.damage) == (moments, None)


def test_a_message_that_no_record_holds_is_refused() -> None:
    """The limit is said when it is written, not when it is read."""
    with pytest.raises(ValueError, match="larger than the limit"):
        RecordingEncoder().data(0, bytes(33 * 2**20))
