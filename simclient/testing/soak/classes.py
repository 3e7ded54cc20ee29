"""The fault classes that concern a session, each with its trials and its figure.

The numbers are those of the study of faults that the project began with; docs/explanation/reliability.md has the table.
Classes that are not met by a whole session in memory (name lookup, TLS, decoders, files) have tests of their own and no row here.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import attrs

from ...errors import ConnectError, RemoteError, SubscriptionFailed
from ...session.options import Delivery
from ...transport.faults import NO_FAULTS, ConnectionFaults, Cut, Fault, HalfOpen, Reset, Slicer, Stall, faults_in_order
from ..model_session import Manners
from .figures import cancelled, exact, recovered, typed
from .trial import Outcome, Trial
from .trials import BYTES_PER_EVENT, cancelled_trial, corrupting_trial, random_trial

__all__ = ["CLASSES", "FaultClass"]

_LIFE_STEPS = 395
"""About as many steps as the session of `cancelled_trial` takes."""
_STRIDE = 391
_CLOSE_CODES = (1000, 1001, 1008, 1009, 1011, 1013, 4000)


def _nothing_more(outcomes: Sequence[Outcome]) -> str | None:
    return None


@attrs.frozen(kw_only=True)
class FaultClass:
    """One row of the table."""

    number: str
    fault: str
    must: str
    """What must happen."""
    trial: Callable[[int, int], Trial]
    """Makes the trial out of a seed and the number of events."""
    figure: Callable[[Sequence[Outcome]], str]
    wrong: Callable[[Outcome], str | None] = lambda outcome: outcome.fault
    """Says what is wrong with one outcome; None: nothing."""
    wrong_together: Callable[[Sequence[Outcome]], str | None] = _nothing_more
    """Says what is wrong with all of them, over enough seeds."""


def _at_every_byte(kind: type[Cut | Reset | HalfOpen]) -> Callable[[int, int], Trial]:
    """Break the first data connection at a byte that walks through its stream from seed to seed."""

    def trial(seed: int, events: int) -> Trial:
        at_byte = seed * 97 % (events * BYTES_PER_EVENT)
        plan = faults_in_order(NO_FAULTS, ConnectionFaults(downstream=(kind(at_byte=at_byte),)))
        return Trial(seed=seed, events=events, plan=plan, manners=Manners.draw(random.Random(seed)))  # noqa: S311

    return trial


def _with_manners(manners: Manners, *faults: ConnectionFaults, nap_seconds: float = 0.0) -> Callable[[int, int], Trial]:
    def trial(seed: int, events: int) -> Trial:
        return Trial(seed=seed, events=events, plan=faults_in_order(*faults), manners=manners, nap_seconds=nap_seconds)

    return trial


def _closing_with_any_code(seed: int, events: int) -> Trial:
    code = _CLOSE_CODES[seed % len(_CLOSE_CODES)]
    return Trial(seed=seed, events=events, plan=faults_in_order(), manners=Manners(closes_with=code))


def _never_upgraded(seed: int, events: int) -> Trial:
    stalled = ConnectionFaults(downstream=(Stall(at_byte=0),))
    first = [NO_FAULTS] * (seed % 4)
    return Trial(seed=seed, events=events, plan=faults_in_order(*first, stalled))


def _storm(seed: int, events: int) -> Trial:
    """Cut every connection after so many messages."""
    at_message = 1 + seed % 40
    return Trial(
        seed=seed,
        events=events,
        plan=faults_in_order(then=ConnectionFaults(downstream=(Cut(at_message=at_message),))),
    )


def _lost_answer(seed: int, events: int) -> Trial:
    """Lose the control connection at its k-th message, on the way up or down, twice in a row."""
    dice = random.Random(seed)  # noqa: S311

    def lost() -> ConnectionFaults:
        fault: Fault = dice.choice((Cut, Reset))(at_message=dice.randint(0, 5), at_byte=dice.choice((0, 0, 3)))
        return ConnectionFaults(upstream=(fault,)) if dice.random() < 0.5 else ConnectionFaults(downstream=(fault,))

    return Trial(seed=seed, events=events, plan=faults_in_order(lost(), NO_FAULTS, NO_FAULTS, lost()))


def _sliced(seed: int, events: int) -> Trial:
    slices = (Slicer(most_bytes=1 + seed % 3),)
    return Trial(
        seed=seed, events=events, plan=faults_in_order(then=ConnectionFaults(upstream=slices, downstream=slices))
    )


def _restarted(seed: int, events: int) -> Trial:
    lost = ConnectionFaults(downstream=(Cut(at_message=2 + seed % 10),))
    return Trial(seed=seed, events=events, plan=faults_in_order(lost), manners=Manners(forgets_sessions=True))


def _cancelled(seed: int, events: int) -> Trial:
    """Always the same session, cancelled at steps that are spread over its life."""
    return cancelled_trial(1 + seed * _STRIDE % _LIFE_STEPS)


def _is_silence_told(outcome: Outcome) -> str | None:
    if outcome.damage is None and not isinstance(outcome.error, SubscriptionFailed):
        return f"not SubscriptionFailed: {outcome.error!r}"
    return outcome.fault or (f"{outcome.verdict.lost} were sent and not delivered" if outcome.verdict.lost else None)


def _is_loss_of_session_told(outcome: Outcome) -> str | None:
    if (
        outcome.damage is None
        and outcome.error is not None
        and not isinstance(outcome.error, RemoteError | ConnectError)
    ):
        return f"not RemoteError: {outcome.error!r}"
    return outcome.fault


def _is_cancelled_cleanly(outcome: Outcome) -> str | None:
    if outcome.damage is None and outcome.open_sessions:
        return "the session was not closed on the server"
    return outcome.damage or (outcome.problems[0] if outcome.problems else None)


def _must_double(outcomes: Sequence[Outcome]) -> str | None:
    """With few seeds nothing may have been in the slot of the cut."""
    if len(outcomes) >= 20 and not any(outcome.verdict.duplicated for outcome in outcomes):
        return "no duplicates without de-duplication: the faults prove nothing"
    return None


CLASSES: tuple[FaultClass, ...] = (
    FaultClass(
        number="1",
        fault="TCP ends with FIN and no close frame, at every byte of a stream",
        must="resume from the cursor of each key",
        trial=_at_every_byte(Cut),
        figure=recovered,
    ),
    FaultClass(
        number="2",
        fault="TCP ends with RST, at every byte",
        must="deliver what had arrived, then resume",
        trial=_at_every_byte(Reset),
        figure=recovered,
    ),
    FaultClass(
        number="3",
        fault="half-open, at every byte",
        must="be noticed within 45 s, then resume",
        trial=_at_every_byte(HalfOpen),
        figure=recovered,
    ),
    FaultClass(
        number="4",
        fault="a connected subscription that never ends",
        must="`SubscriptionFailed` after everything was delivered",
        trial=_with_manners(Manners(never_ends_streams=True)),
        figure=typed,
        wrong=_is_silence_told,
    ),
    FaultClass(
        number="5",
        fault="the server accepts and never upgrades",
        must="end the attempt after 30 s, then try again",
        trial=_never_upgraded,
        figure=exact,
    ),
    FaultClass(
        number="7",
        fault="close 1012 (handoff) on both planes, TCP left open",
        must="attach, resume and replay",
        trial=_with_manners(Manners(closes_with=1012, is_busy_at_attach=0.3)),
        figure=exact,
    ),
    FaultClass(
        number="8",
        fault="close " + ", ".join(map(str, _CLOSE_CODES)),
        must="the same, or one typed error",
        trial=_closing_with_any_code,
        figure=exact,
    ),
    FaultClass(
        number="9",
        fault="a replay that begins too early, twice, in another order",
        must="de-duplicate per key",
        trial=lambda seed, events: attrs.evolve(
            random_trial(seed, events=events), manners=Manners(replays_too_much=True, shuffles_replays=True)
        ),
        figure=exact,
    ),
    FaultClass(
        number="10",
        fault="the same faults, de-duplication off (control run)",
        must="duplicates appear",
        trial=lambda seed, events: random_trial(seed, events=events, delivery=Delivery.AT_LEAST_ONCE),
        figure=lambda outcomes: f"duplicated {sum(outcome.verdict.duplicated for outcome in outcomes)}",
        wrong=lambda outcome: outcome.damage,
        wrong_together=_must_double,
    ),
    FaultClass(
        number="13",
        fault="every connection is cut after k messages, k = 1, 2, …",
        must="make progress, or spend the budget and say so",
        trial=_storm,
        figure=typed,
    ),
    FaultClass(
        number="14",
        fault="the answer to create, attach or resume is lost; a `continue` has an unknown fate",
        must="execute each request once, in one session",
        trial=_lost_answer,
        figure=exact,
    ),
    FaultClass(
        number="15",
        fault="a consumer that takes a second for each event",
        must="push back; keep control and keepalive going",
        trial=lambda seed, events: Trial(seed=seed, events=events, plan=faults_in_order(), reading_seconds=2.0),
        figure=exact,
    ),
    FaultClass(
        number="16",
        fault="a consumer that stops for longer than the disconnect timeout",
        must="keep the session",
        trial=_with_manners(Manners(), nap_seconds=2000.0),
        figure=exact,
    ),
    FaultClass(
        number="19",
        fault="reads and writes of 1 to 3 bytes",
        must="give the same events",
        trial=_sliced,
        figure=exact,
    ),
    FaultClass(
        number="20-22",
        fault="flipped bits, on both planes",
        must="no hang, no leak, no untyped error",
        trial=lambda seed, events: corrupting_trial(seed, events=events),
        figure=typed,
        wrong=lambda outcome: outcome.damage,
    ),
    FaultClass(
        number="24",
        fault="the server comes back without its sessions",
        must="one typed error, or everything",
        trial=_restarted,
        figure=typed,
        wrong=_is_loss_of_session_told,
    ),
    FaultClass(
        number="28",
        fault="cancelled at every step of every task of a session",
        must="close the session on the server, leave nothing",
        trial=_cancelled,
        figure=cancelled,
        wrong=_is_cancelled_cleanly,
    ),
    FaultClass(
        number="all",
        fault="refused, cut, reset, stalled, delayed, sliced and closed late at random",
        must="everything once and in order, or one typed error",
        trial=lambda seed, events: random_trial(seed, events=events),
        figure=exact,
    ),
)
