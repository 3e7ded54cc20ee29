from __future__ import annotations

from simclient.local.server.replay_log import ReplayLog


def test_a_full_log_drops_its_oldest_items() -> None:
    """A log over its limit drops the oldest items, and positions stay as they were."""
    log = ReplayLog[bytes](10, len)
    for item in (b"aaaa", b"bbbb", b"cccc"):
        log.append(item)

    assert (log.oldest, log.end, log[1]) == (1, 3, b"bbbb")


def test_an_open_reader_keeps_what_it_has_not_read() -> None:
    """A log keeps what a reader has yet to read, and has no room until the reader moves on."""
    log = ReplayLog[bytes](10, len)
    with log.open_reader(0) as reader:
        for item in (b"aaaa", b"bbbb", b"cccc"):
            log.append(item)
        assert (log.oldest, log.has_room()) == (0, False)

        reader.position = 2
        assert (log.has_room(), log.oldest) == (True, 1)
