"""The frame reader against wsproto, event by event, and against each rule of RFC 6455; the encoders against both."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wsproto import ConnectionType
from wsproto.connection import Connection
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, Pong, TextMessage

from simclient.transport.frames import (
    NO_CODE,
    Ending,
    Frame,
    FrameReader,
    Run,
    encode_close,
    encode_frames,
    encode_ping,
    encode_pong,
)

LIMIT = 100_000
BYTES = st.binary(max_size=200) | st.sampled_from([b"x" * 125, b"x" * 126, b"x" * 65535, b"x" * 65536])
TEXTS = st.text(max_size=200)
CONTROL_FRAMES = st.builds(Ping, payload=st.binary(max_size=125)) | st.builds(Pong, payload=st.binary(max_size=125))
MESSAGES = st.builds(BytesMessage, data=BYTES) | st.builds(TextMessage, data=TEXTS)


@st.composite
def fragmented(draw: st.DrawFn) -> list[Event]:
    """One message in several fragments, with control frames between them."""
    kind, payloads = draw(st.sampled_from([(BytesMessage, BYTES), (TextMessage, TEXTS)]))
    parts = draw(st.lists(payloads, min_size=2, max_size=4))
    events: list[Event] = []
    for number, part in enumerate(parts, start=1):
        events.append(kind(data=part, message_finished=number == len(parts)))
        if number < len(parts):
            events.extend(draw(st.lists(CONTROL_FRAMES, max_size=2)))
    return events


CONVERSATIONS = st.lists(st.builds(lambda event: [event], MESSAGES | CONTROL_FRAMES) | fragmented(), max_size=6).map(
    lambda groups: [event for group in groups for event in group]
)
CLOSES = st.builds(CloseConnection, code=st.sampled_from([1000, 1001, 1012, 3000, 4999]), reason=st.text(max_size=30))


def written_by_wsproto(events: Iterable[Event]) -> bytes:
    server = Connection(ConnectionType.SERVER)
    return b"".join(server.send(event) for event in events)


def read_by_wsproto(data: bytes) -> tuple[list[Frame], list[bytes], Ending | None]:
    """Return the messages, the payloads of pings, and the ending that wsproto's client reads."""
    client = Connection(ConnectionType.CLIENT)
    client.receive_data(data)
    messages: list[Frame] = []
    pings: list[bytes] = []
    ending: Ending | None = None
    unfinished = b""
    for event in client.events():
        match event:
            case TextMessage(data=text):
                unfinished += text.encode()
            case BytesMessage(data=payload):
                unfinished += payload
            case Ping(payload=payload):
                pings.append(bytes(payload))
            case CloseConnection(code=code, reason=reason):
                ending = Ending(code=code, reason=reason or "", is_violation=False)
            case _:
                assert isinstance(event, Pong)
        if isinstance(event, TextMessage | BytesMessage) and event.message_finished:
            messages.append((isinstance(event, BytesMessage), unfinished))
            unfinished = b""
    return messages, pings, ending


def flat(runs: Iterable[Run]) -> list[Frame]:
    return [(is_binary, payload) for is_binary, payloads in runs for payload in payloads]


def read(reader: FrameReader, reads: Iterable[bytes]) -> list[Frame]:
    return [frame for data in reads for frame in flat(reader.feed(data))]


def cut(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    """Cut `data` at these places, taken modulo its length."""
    places = sorted({0, len(data), *(place % (len(data) + 1) for place in cuts)})
    return [data[start:end] for start, end in pairwise(places)]


CUTS = st.lists(st.integers(min_value=0, max_value=2**20), max_size=12)


class TestReading:
    def test_messages_come_in_runs_of_one_kind(self) -> None:
        """A control frame or a long message does not end a run; another kind does."""
        long = b"x" * 70_000
        data = (
            encode_frames([(False, b"a"), (False, long)])
            + encode_ping(is_client=False)
            + encode_frames([(False, b"b"), (True, b"c"), (True, b"d"), (False, b"e")])
        )
        assert FrameReader(LIMIT).feed(data) == [(False, [b"a", long, b"b"]), (True, [b"c", b"d"]), (False, [b"e"])]

    @settings(deadline=None)
    @given(CONVERSATIONS, st.none() | CLOSES, CUTS)
    def test_it_reads_what_wsproto_reads(
        self, events: list[Event], close: CloseConnection | None, cuts: list[int]
    ) -> None:
        """Messages, fragments, control frames and the close frame are wsproto's, wherever the reads end."""
        data = written_by_wsproto([*events, *([] if close is None else [close])])
        reader = FrameReader(10 * LIMIT)

        frames = read(reader, cut(data, cuts))

        messages, pings, ending = read_by_wsproto(data)
        assert frames == messages
        assert reader.ending == ending
        assert reader.take_ping() == (pings[-1] if pings else None)

    @settings(deadline=None)
    @given(CONVERSATIONS)
    def test_one_byte_at_a_time_is_enough(self, events: list[Event]) -> None:
        """Reads of a single byte give the same messages as one read of all."""
        data = written_by_wsproto(events)[:3000]

        slowly = read(FrameReader(10 * LIMIT), (data[i : i + 1] for i in range(len(data))))

        assert slowly == flat(FrameReader(10 * LIMIT).feed(data))

    @settings(deadline=None)
    @given(st.binary(max_size=300) | st.builds(lambda head, rest: head + rest, st.binary(max_size=2), BYTES), CUTS)
    def test_any_bytes_give_the_same_however_they_are_cut(self, data: bytes, cuts: list[int]) -> None:
        """Garbage ends in the same messages and the same ending for every cut of the reads, and in no other error."""
        whole, pieces = FrameReader(LIMIT), FrameReader(LIMIT)

        assert read(pieces, cut(data, cuts)) == flat(whole.feed(data))
        assert pieces.ending == whole.ending

    def test_of_several_pings_the_newest_is_taken_once(self) -> None:
        """A flood of pings costs one answer."""
        reader = FrameReader(LIMIT)
        reader.feed(b"".join(encode_ping(b"%d" % number, is_client=False) for number in range(100)))

        assert [reader.take_ping(), reader.take_ping()] == [b"99", None]

    def test_nothing_is_read_after_a_close_frame(self) -> None:
        """What follows a close frame is ignored, in the same read and in later ones."""
        message = encode_frames([(False, b"x")])
        reader = FrameReader(LIMIT)

        assert flat(reader.feed(message + encode_close(1012, "handoff", is_client=False) + message)) == [(False, b"x")]
        assert flat(reader.feed(message)) == []
        assert reader.ending == Ending(code=1012, reason="handoff", is_violation=False)

    def test_a_close_frame_may_be_empty(self) -> None:
        """A close frame without a code counts as 1005."""
        reader = FrameReader(LIMIT)
        reader.feed(b"\x88\x00")
        assert reader.ending == Ending(code=NO_CODE, reason="", is_violation=False)

    def test_a_message_may_be_as_long_as_the_limit(self) -> None:
        """The limit is inclusive, for one frame and for fragments with a control frame between them."""
        half = b"x" * (LIMIT // 2)
        reader = FrameReader(LIMIT)
        whole = encode_frames([(True, half + half)])
        halves = written_by_wsproto(
            [BytesMessage(data=half, message_finished=False), Ping(payload=b"p" * 125), BytesMessage(data=half)]
        )

        assert flat(reader.feed(whole + halves)) == [(True, half + half)] * 2

    def test_a_control_frame_fits_between_fragments_that_fill_the_limit(self) -> None:
        """A ping does not count against the length of the message around it."""
        reader = FrameReader(10)
        data = b"\x02\x0a" + b"x" * 10 + encode_ping(b"p" * 125, is_client=False) + b"\x80\x00"
        assert flat(reader.feed(data)) == [(True, b"x" * 10)]


VIOLATIONS = {
    "a masked frame": (b"\x81\x85", 1002),
    "a masked empty frame": (b"\x81\x80", 1002),
    "a reserved bit": (b"\xc1\x05", 1002),
    "a reserved bit of a ping": (b"\x99\x05", 1002),
    "a reserved data opcode": (b"\x83\x05", 1002),
    "a reserved control opcode": (b"\x8b\x05", 1002),
    "a fragmented ping": (b"\x09\x05", 1002),
    "a fragmented close": (b"\x08\x02", 1002),
    "a ping of 126 bytes": (b"\x89\x7e", 1002),
    "a close of 64-bit length": (b"\x88\x7f", 1002),
    "a continuation of nothing": (b"\x80\x05", 1002),
    "a message inside a message": (b"\x01\x01a\x81\x05", 1002),
    "a fragment that begins inside a message": (b"\x01\x01a\x02\x05", 1002),
    "125 bytes in 16 bits": (b"\x82\x7e\x00\x7d", 1002),
    "65535 bytes in 64 bits": (b"\x82\x7f" + (65535).to_bytes(8, "big"), 1002),
    "a length of 64 bits": (b"\x82\x7f" + (2**63).to_bytes(8, "big"), 1002),
    "a message over the limit": (b"\x82\x7f" + (LIMIT + 1).to_bytes(8, "big"), 1009),
    "fragments over the limit": (b"\x02\x01a\x80\x7f" + LIMIT.to_bytes(8, "big"), 1009),
    "half a close code": (b"\x88\x01\x03", 1002),
    "a close code that is not sent (1005)": (b"\x88\x02\x03\xed", 1002),
    "a close code that is not sent (1006)": (b"\x88\x02\x03\xee", 1002),
    "a close code that is not sent (1015)": (b"\x88\x02\x03\xf7", 1002),
    "a close code below 1000": (b"\x88\x02\x03\xe7", 1002),
    "a close code of nobody": (b"\x88\x02\x07\xd0", 1002),
    "a close code of 5000": (b"\x88\x02\x13\x88", 1002),
    "a close reason that is not UTF-8": (b"\x88\x03\x03\xe8\xff", 1007),
}


class TestViolations:
    @pytest.mark.parametrize(("data", "code"), VIOLATIONS.values(), ids=VIOLATIONS)
    def test_a_violation_is_told_when_its_header_is_there(self, data: bytes, code: int) -> None:
        """Each broken rule ends the reader with its close code, before the payload has come."""
        reader = FrameReader(LIMIT)

        assert flat(reader.feed(data[:-1])) == []
        before = reader.ending
        assert flat(reader.feed(data[-1:])) == []
        assert before is None
        assert reader.ending is not None
        assert (reader.ending.is_violation, reader.ending.code) == (True, code)

    @pytest.mark.parametrize(("data", "code"), VIOLATIONS.values(), ids=VIOLATIONS)
    def test_messages_before_a_violation_are_returned(self, data: bytes, code: int) -> None:
        """What was whole before the violation in the same read is not lost with it, what comes after is."""
        before = encode_frames([(True, b"one"), (False, b"two")])
        reader = FrameReader(LIMIT)

        assert flat(reader.feed(before + data + before)) == [(True, b"one"), (False, b"two")]
        assert reader.ending is not None
        assert reader.ending.code == code


class TestWriting:
    @settings(deadline=None)
    @given(st.lists(st.tuples(st.just(True), BYTES) | st.tuples(st.just(False), TEXTS.map(str.encode)), max_size=5))
    def test_a_server_writes_frames_that_are_read_back(self, messages: list[Frame]) -> None:
        """Unmasked frames written in bulk are those of wsproto."""
        assert read_by_wsproto(encode_frames(messages)) == (messages, [], None)

    @settings(deadline=None)
    @given(st.lists(TEXTS, max_size=3), st.binary(max_size=125), st.text())
    def test_a_client_writes_frames_that_wsproto_reads(self, texts: list[str], payload: bytes, reason: str) -> None:
        """Masked messages, pings, pongs and a close frame are read by a server of wsproto; a long reason is cut."""
        server = Connection(ConnectionType.SERVER)
        server.receive_data(encode_frames([(False, text.encode()) for text in texts], is_client=True))
        server.receive_data(encode_ping(payload) + encode_pong(payload) + encode_close(1000, reason))

        *said, ping, pong, close = server.events()

        assert [event.data for event in said if isinstance(event, TextMessage)] == texts
        assert (ping, pong) == (Ping(payload=payload), Pong(payload=payload))
        assert isinstance(close, CloseConnection)
        said_reason = close.reason or ""
        assert said_reason == reason or (reason.startswith(said_reason) and len(said_reason.encode()) >= 120)

    def test_a_close_frame_without_a_code_is_empty(self) -> None:
        """1005 is never sent: it stands for a close frame without a code."""
        assert encode_close(NO_CODE, is_client=False) == b"\x88\x00"
