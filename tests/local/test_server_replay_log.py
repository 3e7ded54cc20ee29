"""The replay log: kept within a bound, read by position, never past a reader."""

from __future__ import annotations

from simclient.local.server.replay_log import ReplayLog


def full_log() -> ReplayLog[bytes]:
    return ReplayLog[bytes](10, len)


def test_a_full_log_drops_its_oldest_items() -> None:
    """A log over its limit drops the oldest items, and positions stay as they were."""
    log = full_log()
    for item in (b"aaaa", b"bbbb", b"cccc"):
        log.append(item)

    assert (log.oldest, log.end, log[1]) == (1, 3, b"bbbb")


def test_an_item_over_the_limit_is_kept_alone() -> None:
    """The newest item is kept however large it is."""
    log = full_log()
    log.append(b"a")
    log.append(b"b" * 100)

    assert (log.oldest, log[1], log.has_room()) == (1, b"b" * 100, True)


def test_a_reader_keeps_what_it_has_not_read() -> None:
    """A log keeps what a reader has yet to read, and has no room until the reader moves on."""
    log = full_log()
    reader = log.add_reader(0)
    for item in (b"aaaa", b"bbbb", b"cccc"):
        log.append(item)
    assert (log.oldest, log.has_room()) == (0, False)

    reader.position = 2
    assert (log.has_room(), log.oldest) == (True, 1)


def test_a_removed_reader_holds_nothing_up() -> None:
    """What only a removed reader had yet to read is dropped."""
    log = full_log()
    reader = log.add_reader(0)
    for item in (b"aaaa", b"bbbb", b"cccc"):
        log.append(item)

    log.remove_reader(reader)
    assert (log.has_room(), log.oldest) == (True, 1)


def test_the_slowest_of_the_readers_counts() -> None:
    """Two readers at one position are two: the log has no room until both have moved on."""
    log = full_log()
    fast, slow = log.add_reader(0), log.add_reader(0)
    for item in (b"aaaa", b"bbbb", b"cccc"):
        log.append(item)

    fast.position = 3
    assert not log.has_room()
    slow.position = 3
    assert log.has_room()
