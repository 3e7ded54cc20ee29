"""What the server decides without I/O: where a session is, what the engine is asked next, what lies ahead, who is told what."""

from __future__ import annotations

import pytest

from simclient.local.server.advance import Advance, Pause, Position, Turn, next_turn
from simclient.local.server.discoveries import Discoveries
from simclient.local.server.refusals import for_generation
from simclient.local.server.requests import read_control
from simclient.wire.failures import BacktestFailure, BundleNotFound, Internal, InvalidRequest, SessionNameTaken
from simclient.wire.generation import Generation

AT_10 = Position(slot=10)
IN_11 = Position(slot=10, within=(11, 2))


@pytest.mark.parametrize(
    ("position", "pause", "is_behind", "is_reached"),
    [
        (AT_10, Pause(slot=10), True, True),
        (AT_10, Pause(slot=11), False, False),
        (AT_10, Pause(slot=11, batch=0), False, False),
        (IN_11, Pause(slot=11, batch=1), True, True),
        (IN_11, Pause(slot=11, batch=2), False, True),
        (IN_11, Pause(slot=11, batch=3), False, False),
        (IN_11, Pause(slot=11), False, False),
        (IN_11, Pause(slot=10, batch=9), True, True),
        (IN_11, Pause(slot=12, batch=0), False, False),
    ],
)
def test_a_place_is_ahead_here_or_behind(position: Position, pause: Pause, is_behind: bool, is_reached: bool) -> None:
    """The place itself is reached and not behind, as long as the slot is not over."""
    assert (position.is_behind(pause), position.has_reached(pause)) == (is_behind, is_reached)


@pytest.mark.parametrize(
    ("advance", "left", "next_slot", "known_to", "expected"),
    [
        (Advance(slots=5), 5, 11, None, Turn(most_slots=5, last_slot=None)),
        (Advance(slots=5), 0, 11, None, None),
        (Advance(slots=5), 5, None, None, None),
        (Advance(slots=5), 5, 11, 20, Turn(most_slots=5, last_slot=20)),
        (Advance(pause=Pause(slot=15)), 9, 11, None, Turn(most_slots=9, last_slot=15)),
        (Advance(pause=Pause(slot=15)), 9, 11, 12, Turn(most_slots=9, last_slot=12)),
        (Advance(pause=Pause(slot=15)), 9, 16, None, None),
        (Advance(pause=Pause(slot=15, batch=3)), 9, 11, None, Turn(most_slots=9, last_slot=15, stop_at=(15, 3))),
        (Advance(pause=Pause(slot=10)), 9, 11, None, None),
    ],
)
def test_the_next_turn(
    advance: Advance, left: int, next_slot: int | None, known_to: int | None, expected: Turn | None
) -> None:
    """A turn goes no further than asked, than the pause, and than was looked through."""
    turn = next_turn(advance, slots_left=left, position=AT_10, next_slot=next_slot, known_to=known_to)
    assert turn == expected


def test_without_filters_everything_is_known() -> None:
    """A session without filters never looks ahead, and never says that nothing matches any more."""
    discoveries = Discoveries(AT_10, has_filters=False)
    assert discoveries.are_enough(11)
    assert not discoveries.have_none_ahead


def test_a_session_knows_the_next_match_before_it_goes_on() -> None:
    """Looking goes on until a match lies ahead, or everything is known; a match stopped at is not ahead any more."""
    discoveries = Discoveries(AT_10, has_filters=True)
    assert not discoveries.are_enough(11)
    discoveries.add([], 20)
    assert not discoveries.are_enough(11)
    discoveries.add([(25, 1), (25, 4)], 40)
    assert discoveries.are_enough(11)
    assert not discoveries.are_enough(41)
    discoveries.reach(Position(slot=24, within=(25, 1)))
    assert discoveries.are_enough(25)
    discoveries.reach(Position(slot=24, within=(25, 4)))
    assert not discoveries.are_enough(25)
    discoveries.add([], None)
    assert discoveries.are_enough(25)
    assert discoveries.have_none_ahead


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (BundleNotFound(start_slot=1, end_slot=2), Internal),
        (SessionNameTaken(session_name="x"), InvalidRequest),
        (InvalidRequest(error="x"), InvalidRequest),
    ],
)
def test_an_old_client_is_told_in_its_own_words(failure: BacktestFailure, expected: type[BacktestFailure]) -> None:
    """What 0.9 does not know is said with what it does, terminal or not; 0.28 is told as it is."""
    assert isinstance(for_generation(failure, Generation.V0_9), expected)
    assert for_generation(failure, Generation.V0_28) is failure


@pytest.mark.parametrize(
    ("text", "generation"),
    [
        ('{"method":"createBacktestSession","params":{"startSlot":1,"endSlot":2,"agents":[]}}', Generation.V0_9),
        (
            '{"params":{"startSlot":1,"endSlot":2,"replayAccountState":false},"method":"createBacktestSession"}',
            Generation.V0_28,
        ),
        ('{"method":"createBacktestSession","params":[1,2]}', Generation.V0_28),
    ],
)
def test_a_creation_tells_whose_it_is(text: str, generation: Generation) -> None:
    """0.28 always writes `replayAccountState`, 0.9 always `agents`."""
    assert read_control(text)[1] is generation
