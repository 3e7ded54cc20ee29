"""Numbered ground truth tells loss, repeats, disorder and inventions apart."""

from __future__ import annotations

import attrs
import pytest

from simclient.testing import Verdict, account_diff, numbered_diffs
from simclient.wire.jsonrpc import write_notification
from simclient.wire.notifications import AccountDiff, decode_data_message

TRUTH = numbered_diffs(10, slots=range(100, 105))


@attrs.frozen
class Received:
    """What a comparison looks at."""

    slot: int
    signature: str | None


def received(*numbers: int) -> list[Received]:
    """Return the diffs with these numbers as a client would have them."""
    return [Received(TRUTH.diffs[number].slot, TRUTH.diffs[number].signature) for number in numbers]


@pytest.mark.parametrize(
    ("numbers", "verdict"),
    [
        (range(10), Verdict()),
        (range(8), Verdict(lost=2)),
        ((0, 0, *range(1, 10)), Verdict(duplicated=1)),
        ((1, 0, *range(2, 10)), Verdict(reordered=1)),
        ((*range(5), 3, 4, *range(5, 10)), Verdict(duplicated=2)),
    ],
)
def test_each_fault_has_its_count(numbers: range | tuple[int, ...], verdict: Verdict) -> None:
    """A verdict is all zero exactly when everything came once and in order."""
    assert TRUTH.compare(received(*numbers)) == verdict


def test_what_was_never_sent_is_invented() -> None:
    """So is what came under another slot."""
    strangers = [Received(100, "stranger"), Received(999, TRUTH.diffs[0].signature), Received(100, None)]

    assert TRUTH.compare([*received(*range(10)), *strangers]) == Verdict(invented=3)


def test_copies_that_really_happened_are_no_duplicates() -> None:
    """Each is to arrive as often as it was sent."""
    twice = numbered_diffs(3, slots=[7], copies=2)
    seen = [Received(diff.slot, diff.signature) for diff in twice.diffs]

    assert twice.compare(seen) == Verdict()
    assert twice.compare(seen[1:]) == Verdict(lost=1)
    assert twice.compare([*seen, seen[0]]) == Verdict(duplicated=1)


def test_a_replay_begins_at_its_slot_inclusive() -> None:
    """Two diffs fall on each of the five slots."""
    assert TRUTH.results_from(103) == TRUTH.results[6:]
    assert TRUTH.results_from(None) == TRUTH.results


def test_the_results_decode_as_account_diffs() -> None:
    """The client's own decoder reads slot, signature and state."""
    message = decode_data_message(
        write_notification("accountDiffNotification", 1, account_diff(5, signature="x", data=b"abc"))
    )

    assert isinstance(message, AccountDiff)
    assert (message.slot, message.signature, message.pre) == (5, "x", None)
    assert message.post is not None
    assert message.post.data == b"abc"
