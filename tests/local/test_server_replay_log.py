"""The replay log: kept within bounds, in memory and on disk, read by position, never past a reader."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simclient.local.server.replay_log import LogLimits, ReplayLog

ITEM = b"x" * 100
"""Ten are a chunk of the small log below."""


def small_log(*, disk_bytes: int = 0) -> ReplayLog[bytes]:
    """Make a log with chunks of 1,000 bytes, eight of them in memory."""
    return ReplayLog(bytes, LogLimits(memory_bytes=8_000, disk_bytes=disk_bytes))


def fill(log: ReplayLog[bytes], count: int) -> None:
    for number in range(log.end, log.end + count):
        log.append(number.to_bytes(4, "big") + ITEM[4:], len(ITEM))


def read_all(log: ReplayLog[bytes], position: int) -> list[int]:
    """Return the numbers of the items from a position on."""
    found: list[int] = []
    while position < log.end:
        items = log.read(position, 7)
        found += [int.from_bytes(item[:4], "big") for item in items]
        position += len(items)
    return found


def test_a_full_log_drops_its_oldest_items() -> None:
    """Beyond its memory a log without disk drops the oldest chunks, and positions stay as they were."""
    log = small_log()
    fill(log, 200)

    assert log.oldest == 120
    assert read_all(log, 120) == list(range(120, 200))


def test_what_does_not_fit_into_memory_is_read_from_disk() -> None:
    """With room on disk nothing is dropped, and what lies there is read as what does not."""
    log = small_log(disk_bytes=10**6)
    fill(log, 2_000)

    assert log.oldest == 0
    assert read_all(log, 0) == list(range(2_000))
    assert read_all(log, 1_234) == list(range(1_234, 2_000))


def test_a_full_disk_drops_the_oldest() -> None:
    """Beyond its disk a log drops the oldest chunks that are there."""
    log = small_log(disk_bytes=500)
    fill(log, 2_000)

    assert 0 < log.oldest < 1_920
    assert read_all(log, log.oldest) == list(range(log.oldest, 2_000))


def test_an_item_over_the_limit_is_kept() -> None:
    """The newest item is kept however large it is."""
    log = small_log()
    log.append(b"a", 1)
    log.append(b"b" * 100_000, 100_000)

    assert log.read(1, 9) == [b"b" * 100_000]
    assert log.has_room()


def test_a_reader_keeps_what_it_has_not_read() -> None:
    """A log keeps what a reader has yet to read, and has no room until the reader moves on."""
    log = small_log()
    reader = log.add_reader(0)
    fill(log, 100)
    assert (log.oldest, log.has_room()) == (0, False)

    reader.position = 100
    assert (log.has_room(), log.oldest) == (True, 20)


def test_a_removed_reader_holds_nothing_up() -> None:
    """What only a removed reader had yet to read is dropped."""
    log = small_log()
    reader = log.add_reader(0)
    fill(log, 100)

    log.remove_reader(reader)
    assert (log.has_room(), log.oldest) == (True, 20)


def test_the_slowest_of_the_readers_counts() -> None:
    """Two readers at one position are two: the log has no room until both have moved on."""
    log = small_log()
    fast, slow = log.add_reader(0), log.add_reader(0)
    fill(log, 100)

    fast.position = 100
    assert not log.has_room()
    slow.position = 100
    assert log.has_room()


@given(st.lists(st.integers(1, 300), max_size=60), st.integers(0, 3_000))
def test_nothing_that_is_kept_is_lost_or_out_of_order(sizes: list[int], disk_bytes: int) -> None:
    """Whatever the sizes, what the log says it keeps can be read, item by item."""
    log: ReplayLog[bytes] = ReplayLog(bytes, LogLimits(memory_bytes=800, disk_bytes=disk_bytes))
    items = [bytes([number % 256]) * size for number, size in enumerate(sizes)]
    for item in items:
        log.append(item, len(item))

    read = [log.read(position, 1)[0] for position in range(log.oldest, log.end)]
    assert read == items[log.oldest :]


def test_the_end_is_empty() -> None:
    """At the end there is nothing to read."""
    assert list(small_log().read(0, 5)) == []


async def test_what_is_put_away_is_read_from_disk() -> None:
    """Every position is where it was, also after a second time."""
    log = small_log(disk_bytes=10**6)
    fill(log, 105)
    await log.put_away()
    await log.put_away()

    assert read_all(log, 0) == list(range(105))
    assert read_all(log, 101) == list(range(101, 105))
    assert log.read(105, 1) == []
