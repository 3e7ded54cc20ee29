"""The network in memory behaves like TCP."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from simclient.testing import MemoryNetwork, MemoryStream, memory_streams


async def make_streams() -> tuple[MemoryStream, MemoryStream]:
    await trio.lowlevel.checkpoint()
    return memory_streams()


async def make_clogged_streams() -> tuple[MemoryStream, MemoryStream]:
    """Return a pair of which neither can write until the other reads."""
    one, other = memory_streams(buffer_bytes=4)
    await one.send_all(b"full")
    await other.send_all(b"full")
    return one, other


async def test_memory_streams_pass_trio_s_check(autojump_clock: trio.testing.MockClock) -> None:
    """Closing, cancelling, two users at once, and so on."""
    await trio.testing.check_two_way_stream(make_streams, make_clogged_streams)


async def test_a_writer_waits_for_its_reader(autojump_clock: trio.testing.MockClock) -> None:
    """Buffers are bounded, so backpressure reaches the writer, and every byte arrives."""
    one, other = memory_streams(buffer_bytes=10)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.send_all, bytes(range(100)))
        await trio.testing.wait_all_tasks_blocked()
        received = b""
        while len(received) < 100:
            received += await other.receive_some(7)

    assert received == bytes(range(100))


@pytest.mark.parametrize("is_reset", [False, True], ids=["FIN", "RST"])
async def test_what_was_written_before_the_end_is_read(is_reset: bool) -> None:
    """Then comes the end, or the error; and who still writes gets an error."""
    one, other = memory_streams()
    await one.send_all(b"last words")
    if is_reset:
        one.reset()
    else:
        one.cut()

    assert await other.receive_some() == b"last words"
    if is_reset:
        with pytest.raises(trio.BrokenResourceError):
            await other.receive_some()
    else:
        assert await other.receive_some() == b""
    with pytest.raises(trio.BrokenResourceError):
        await other.send_all(b"x")


async def test_a_network_connects_by_port(autojump_clock: trio.testing.MockClock) -> None:
    """To whoever listens there, and refuses where nobody does, or no longer."""
    network = MemoryNetwork()
    listener = network.listen()
    ours = await network.open_stream("any.host", listener.port)
    theirs = await listener.accept()
    await ours.send_all(b"hello")
    assert await theirs.receive_some() == b"hello"

    await listener.aclose()
    for port in (listener.port, 99):
        with pytest.raises(ConnectionRefusedError):
            await network.open_stream("any.host", port)
    assert network.listen().port != listener.port
