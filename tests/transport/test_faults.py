"""Faults as plans, as lines without I/O, and on streams."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import attrs
import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from wsproto.frame_protocol import FrameProtocol

from simclient.testing import memory_streams
from simclient.transport.fault_line import Line, Pass, Strike, Wait
from simclient.transport.faults import (
    ENDING,
    SLOWING,
    Bandwidth,
    Close,
    ConnectionFaults,
    Corrupt,
    Cut,
    Fault,
    FaultPlan,
    HalfOpen,
    Latency,
    Reset,
    Slicer,
    SlowClose,
    Stall,
    faults_in_order,
    random_faults,
)
from simclient.transport.faulty import FaultyStream, faulty_opener
from simclient.transport.frames import encode_close, encode_frames, encode_ping
from simclient.transport.messages import MessageCounter

HEAD = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"


def line(*faults: Fault) -> Line:
    return Line(faults, random.Random(0))


def passed(line: Line, *writes: bytes) -> bytes:
    """Return what goes on of `writes`."""
    steps = [step for data in (b"", *writes) for step in line.take(data)]
    return b"".join(step.data for step in steps if isinstance(step, Pass))


# Plans


def test_the_same_seed_gives_the_same_faults_in_whatever_order_it_is_asked() -> None:
    """Connections are opened in an order that timing decides; what befalls each does not depend on it."""
    forwards = [random_faults(7)(n) for n in range(20)]
    plan = random_faults(7)
    backwards = [plan(n) for n in reversed(range(20))]

    assert forwards == backwards[::-1]
    assert forwards != [random_faults(8)(n) for n in range(20)]


def test_random_faults_are_of_every_kind_and_end_after_the_last_connection() -> None:
    """Over a few seeds."""
    plans = [random_faults(seed, connections=5) for seed in range(100)]
    faults = [plan(n) for plan in plans for n in range(5)]

    assert {type(fault) for each in faults for fault in each.downstream} == {*ENDING, *SLOWING}
    assert {type(fault) for each in faults for fault in each.upstream} == {*ENDING, *SLOWING}
    assert any(each.is_refused for each in faults)
    assert all(plan(5) == ConnectionFaults() for plan in plans)


def test_faults_in_order_befall_the_first_connections() -> None:
    """And then nothing, or what is said."""
    first, then = ConnectionFaults(is_refused=True), ConnectionFaults(downstream=(Cut(),))

    assert [faults_in_order(first)(n) for n in range(2)] == [first, ConnectionFaults()]
    assert faults_in_order(first, then=then)(5) == then


# Lines


@given(
    st.lists(st.binary(max_size=30), max_size=10),
    st.lists(
        st.sampled_from(
            (
                Latency(seconds=1, jitter_seconds=2),
                Bandwidth(bytes_per_second=10),
                Slicer(most_bytes=3, seconds=1),
                Stall(at_byte=5, seconds=2),
                SlowClose(seconds=1),
            )
        ),
        max_size=4,
    ),
)
def test_slow_lines_pass_every_byte_in_order(writes: Sequence[bytes], faults: Sequence[Fault]) -> None:
    """Whatever the pieces and the waits."""
    assert passed(line(*faults), *writes) == b"".join(writes)


@given(
    st.lists(st.binary(max_size=30), max_size=10),
    st.integers(0, 100),
    st.sampled_from((Cut, Reset, Stall, HalfOpen)),
)
def test_a_line_ends_at_its_byte(
    writes: Sequence[bytes], at_byte: int, kind: type[Cut | Reset | Stall | HalfOpen]
) -> None:
    """What was to pass before has passed, nothing passes after."""
    assert passed(line(kind(at_byte=at_byte)), *writes) == b"".join(writes)[:at_byte]


@given(st.lists(st.binary(max_size=30), max_size=10), st.integers(0, 100), st.integers(1, 255))
def test_corruption_flips_bits_of_one_byte(writes: Sequence[bytes], at_byte: int, mask: int) -> None:
    """At its place, if the stream gets so far."""
    sent = b"".join(writes)
    expected = bytearray(sent)
    if at_byte < len(sent):
        expected[at_byte] ^= mask

    assert passed(line(Corrupt(at_byte=at_byte, mask=mask)), *writes) == expected


@given(st.lists(st.binary(max_size=300), max_size=8), st.integers(1, 50), st.booleans(), st.integers(0, 8))
def test_a_line_is_cut_after_a_message(payloads: Sequence[bytes], piece: int, is_client: bool, at_message: int) -> None:
    """Counted after the handshake, whatever the lengths, the masks, the pings between, and the pieces in which they come."""
    frames = [encode_ping() + encode_frames([(True, payload)], is_client=is_client) for payload in payloads]
    stream = HEAD + b"".join(frames)
    pieces = [stream[start : start + piece] for start in range(0, len(stream), piece)]

    assert passed(line(Cut(at_message=at_message)), *pieces) == HEAD + b"".join(frames[:at_message])


def test_a_place_may_be_some_bytes_after_a_message() -> None:
    """In the middle of the frame that follows, also where both come in one write."""
    frames = encode_frames([(False, b"one"), (False, b"two")], is_client=False)

    assert passed(line(Cut(at_message=1, at_byte=3)), HEAD + frames) == HEAD + frames[:8]


def test_fragments_count_as_one_message() -> None:
    """The one that their last frame ends."""
    protocol = FrameProtocol(client=False, extensions=[])
    fragments = [protocol.send_data(text, fin=fin) for text, fin in (("a", False), ("b", False), ("c", True))]

    assert MessageCounter().feed(HEAD + b"".join(fragments)) == [len(HEAD), len(HEAD) + 9]


def test_what_is_no_websocket_has_no_messages() -> None:
    """An HTTP answer, or a head that never ends."""
    assert MessageCounter().feed(b"HTTP/1.1 200 OK\r\n\r\n\x81\x01a") == []
    endless = MessageCounter()
    assert [endless.feed(b"x" * 2**16) for _ in range(3)] == [[], [], []]


def test_waits_are_as_long_as_they_were_ordered() -> None:
    """Bandwidth by the size of a piece, slices between pieces, a stall at its place."""
    steps = list(line(Bandwidth(bytes_per_second=100)).take(b"x" * 10))
    assert steps == [Wait(0.05), Pass(b"x" * 5)] * 2
    assert list(line(Slicer(most_bytes=1, seconds=2)).take(b"ab")) == [Pass(b"a"), Wait(2), Pass(b"b")]
    stall = Stall(at_byte=1, seconds=3)
    assert list(line(stall).take(b"ab")) == [Pass(b"a"), Strike(stall), Wait(3), Pass(b"b")]


def test_a_goodbye_is_masked_on_its_way_up() -> None:
    """A client's frames are; the code and the reason are those asked for."""
    sent = HEAD + encode_frames([(False, b"one")], is_client=True)
    line = Line((Close(at_message=1, reason="soon"),), random.Random(0), is_upstream=True)
    server = FrameProtocol(client=False, extensions=[])
    server.receive_bytes(passed(line, sent, b"never heard")[len(HEAD) :])

    assert [frame.payload for frame in server.received_frames()] == ["one", (1012, "soon")]


# Streams


@attrs.frozen
class Ends:
    """A client with faults on its stream, and its server; or the other way round."""

    faulty: FaultyStream
    plain: trio.abc.Stream


def faulty_ends(*, downstream: Sequence[Fault] = (), upstream: Sequence[Fault] = ()) -> Ends:
    ours, theirs = memory_streams()
    faults = ConnectionFaults(downstream=tuple(downstream), upstream=tuple(upstream))
    return Ends(FaultyStream(ours, faults), theirs)


async def read_all(stream: trio.abc.Stream) -> bytes:
    received = b""
    while data := await stream.receive_some():
        received += data
    return received


async def test_without_faults_it_is_a_stream_like_any_other(autojump_clock: trio.testing.MockClock) -> None:
    """By trio's own check."""

    async def make() -> tuple[FaultyStream, FaultyStream]:
        await trio.lowlevel.checkpoint()
        ours, theirs = memory_streams()
        return FaultyStream(ours, ConnectionFaults()), FaultyStream(theirs, ConnectionFaults(), is_server=True)

    await trio.testing.check_two_way_stream(make, None)


async def test_a_cut_is_the_end_for_both_sides(autojump_clock: trio.testing.MockClock) -> None:
    """Downstream: the client reads so far and then the end; neither can write any more."""
    ends = faulty_ends(downstream=[Cut(at_byte=3)])
    await ends.plain.send_all(b"abcdef")

    assert await read_all(ends.faulty) == b"abc"
    assert await ends.plain.receive_some() == b""
    for stream in (ends.faulty, ends.plain):
        with pytest.raises(trio.BrokenResourceError):
            await stream.send_all(b"x")


async def test_a_reset_breaks_both_sides(autojump_clock: trio.testing.MockClock) -> None:
    """After what had arrived was read."""
    ends = faulty_ends(downstream=[Reset(at_byte=3)])
    await ends.plain.send_all(b"abcdef")

    assert await ends.faulty.receive_some() == b"abc"
    for stream in (ends.faulty, ends.plain):
        with pytest.raises(trio.BrokenResourceError):
            await stream.receive_some()


async def test_a_cut_on_the_way_up_wakes_a_reader(autojump_clock: trio.testing.MockClock) -> None:
    """Who was waiting for data learns that there is none."""
    ends = faulty_ends(upstream=[Cut(at_byte=2)])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(read_all, ends.faulty)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(trio.BrokenResourceError):
            await ends.faulty.send_all(b"abc")

    assert await read_all(ends.plain) == b"ab"


async def test_after_a_goodbye_the_other_way_still_arrives(autojump_clock: trio.testing.MockClock) -> None:
    """A server that leaves by a close frame has had what was said to it; what it says later is not heard."""
    message = encode_frames([(False, b"one")])
    ends = faulty_ends(downstream=[Close(at_message=1, code=1001, reason="soon")])
    await ends.plain.send_all(HEAD + message + message)
    await ends.faulty.send_all(b"still")

    assert await read_all(ends.faulty) == HEAD + message + encode_close(1001, "soon", is_client=False)
    assert await ends.plain.receive_some() == b"still"


async def test_a_stall_passes_or_lasts(autojump_clock: trio.testing.MockClock) -> None:
    """For its seconds exactly; one that lasts ends with the stream."""
    ends = faulty_ends(downstream=[Stall(at_byte=1, seconds=5), Stall(at_byte=2)])
    await ends.plain.send_all(b"abc")

    assert await ends.faulty.receive_some() == b"a"
    assert await ends.faulty.receive_some() == b"b"
    assert trio.current_time() == 5
    with trio.move_on_after(100) as scope:
        await ends.faulty.receive_some()
    assert scope.cancelled_caught
    await ends.faulty.aclose()
    with pytest.raises(trio.ClosedResourceError):
        await ends.faulty.receive_some()


async def test_half_open_tells_neither_side(autojump_clock: trio.testing.MockClock) -> None:
    """What is written vanishes, as in the kernel of a machine that has lost its network; then writing waits."""
    ends = faulty_ends(upstream=[HalfOpen(at_byte=1)])
    await ends.faulty.send_all(b"ab")
    await ends.faulty.send_all(b"cd")
    await ends.plain.send_all(b"answer")

    assert await ends.plain.receive_some() == b"a"
    for call in (ends.plain.receive_some, ends.faulty.receive_some, lambda: ends.faulty.send_all(bytes(2**17))):
        with trio.move_on_after(100) as scope:
            await call()
        assert scope.cancelled_caught


async def test_a_cancelled_wait_is_not_begun_again(autojump_clock: trio.testing.MockClock) -> None:
    """A reader that is cancelled in a latency and reads again loses nothing, and waits no longer for it."""
    ends = faulty_ends(downstream=[Latency(seconds=10)])
    await ends.plain.send_all(b"abc")
    with trio.move_on_after(4):
        await ends.faulty.receive_some()

    assert await ends.faulty.receive_some() == b"abc"
    assert trio.current_time() == 10


async def test_a_slow_close_delays_the_end(autojump_clock: trio.testing.MockClock) -> None:
    """And nothing before it."""
    ends = faulty_ends(downstream=[SlowClose(seconds=7)])
    await ends.plain.send_all(b"abc")
    await ends.plain.aclose()

    assert await ends.faulty.receive_some() == b"abc"
    assert trio.current_time() == 0
    assert await ends.faulty.receive_some() == b""
    assert trio.current_time() == 7


async def test_a_server_s_stream_has_the_directions_the_other_way_round(autojump_clock: trio.testing.MockClock) -> None:
    """What it sends is downstream; so `simclient local` can be given faults too."""
    ours, theirs = memory_streams()
    server = FaultyStream(ours, ConnectionFaults(downstream=(Corrupt(at_byte=0),)), is_server=True)
    await server.send_all(b"a")
    await theirs.send_all(b"a")

    assert await theirs.receive_some() == b"`"
    assert await server.receive_some() == b"a"


async def test_sockets_are_cut_with_fin_and_reset_with_rst() -> None:
    """The other side of a TCP connection sees which it was, and unread bytes make no difference."""
    for fault, is_reset in ((Cut(at_byte=3), False), (Reset(at_byte=3), True)):
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        client = await trio.open_tcp_stream("127.0.0.1", listener.socket.getsockname()[1])
        server = FaultyStream(await listener.accept(), ConnectionFaults(downstream=(fault,)), is_server=True)
        await client.send_all(b"unread")
        with pytest.raises(trio.BrokenResourceError):
            await server.send_all(b"abcdef")
        with trio.fail_after(5):
            if is_reset:
                with pytest.raises(trio.BrokenResourceError):
                    await read_all(client)
            else:
                assert await read_all(client) == b"abc"
        await client.aclose()
        await server.aclose()
        await listener.aclose()


async def test_an_opener_gives_each_stream_its_faults_and_tells_which_struck(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """In the order of the connections; a refused one is not opened."""
    opened: list[trio.abc.Stream] = []
    struck: list[Fault] = []

    async def open_plain(host: str, port: int) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        ours, theirs = memory_streams()
        opened.append(theirs)
        return ours

    plan: FaultPlan = faults_in_order(ConnectionFaults(is_refused=True), ConnectionFaults(upstream=(Cut(at_byte=1),)))
    open_faulty = faulty_opener(open_plain, plan, on_fault=struck.append)
    with pytest.raises(ConnectionRefusedError):
        await open_faulty("host", 1)
    stream = await open_faulty("host", 1)
    with pytest.raises(trio.BrokenResourceError):
        await stream.send_all(b"ab")

    assert len(opened) == 1
    assert struck == [Cut(at_byte=1)]
    assert math.isinf(Stall().seconds)
