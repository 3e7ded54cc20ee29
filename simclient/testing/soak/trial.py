"""One whole session under faults, out of a seed: in memory, in virtual time, against the model server.

What is compared: every notification with the ground truth of its key, every control event with the session's own log, the user's requests
with what the server was asked to execute, and what is left open with nothing. The same seed gives the same run.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from unittest.mock import patch

import attrs
import trio
import trio.testing
from trio._core import _run as trio_run

from ...errors import SimClientError
from ...session import inbox
from ...session.backtest import BacktestSession
from ...session.connections import ConnectionChange, ConnectionState
from ...session.limits import Limits
from ...session.managed import open_backtest_session
from ...session.options import Delivery
from ...transport.faults import Fault, FaultPlan
from ...transport.faulty import faulty_opener
from ...wire.notifications import AccountDiff
from ...wire.program_address import SYSTEM_PROGRAM, TOKEN_PROGRAM
from ...wire.requests import Continue
from ...wire.responses import Completed, ReadyForContinue, SessionEvent
from ...wire.subscriptions import AccountDiffs
from ..ground_truth import GroundTruth, Verdict, numbered_diffs
from ..memory import MemoryNetwork
from ..model import ModelServer, open_model_server
from ..model_session import Manners

__all__ = ["Outcome", "Trial", "run_trial"]

ADDRESSES = (
    TOKEN_PROGRAM,
    "whirLbMiicVdio4qvUfM5KAg6Ct8VwpYzGff3uctyCc",
    SYSTEM_PROGRAM,
)
FIRST_SLOT = 1000
LEAVING_SECONDS = 5.0
"""What leaving a block may take at most."""
_PATIENCE_SECONDS = 5000.0
"""How long a user waits for the next event before leaving; more than every deadline of a session together."""
_HANG_SECONDS = 50_000.0
_NAP_AT_EVENT = 10
_SETTLING_SECONDS = 1000.0
"""For the server to notice that its clients have gone, and to finish what it was asked to execute."""


@attrs.frozen(kw_only=True)
class Trial:
    """What is run."""

    seed: int
    events: int = 120
    """Notifications, over all keys."""
    slots: int = 12
    plan: FaultPlan
    manners: Manners = attrs.field(factory=Manners)
    delivery: Delivery = Delivery.EXACTLY_ONCE
    limits: Limits = Limits(local_attempts=1000)  # noqa: RUF009  # frozen
    reading_seconds: float = 0.0
    """How long the user thinks about each event at most."""
    nap_seconds: float = 0.0
    """How long the user sleeps once, in mid-run."""
    cancel_at_step: int | None = None
    """Cancel the user at this step of the scheduler, counted over all tasks from the opening of the session."""


@attrs.frozen(kw_only=True)
class Outcome:
    """What came of it."""

    seed: int
    verdict: Verdict
    """Over all keys. After an error what was not received counts as lost."""
    has_completed: bool
    error: BaseException | None
    struck: Counter[str]
    """Faults that struck, by name."""
    is_hung: bool
    """Whether the run had to be ended from outside."""
    leaked_streams: int
    leaked_tasks: int
    leaving_seconds: float
    control_is_exact: bool
    """Whether the control events are the beginning of the session's log; all of it, after `completed`."""
    problems: tuple[str, ...]
    """What the client did that no client may do, and what the server was asked for and the user did not ask."""
    reconnects: int
    open_sessions: int
    """How many the server still holds."""
    was_cancelled: bool
    steps: int
    """Of the scheduler, while the session was open."""
    gaps_seconds: tuple[float, ...]
    """How long after each fault that ended a connection another one was up."""
    seconds: float
    """Virtual."""

    @property
    def is_exact(self) -> bool:
        """Whether everything was received, exactly once and in order, to the end."""
        return self.has_completed and self.verdict == Verdict() and self.control_is_exact

    @property
    def fault(self) -> str | None:
        """What is wrong with it where nothing was corrupted; None: nothing."""
        wrong = self.damage
        if wrong is None and self.problems:
            wrong = self.problems[0]
        if wrong is None and self.error is None and not self.is_exact:
            wrong = f"neither everything nor an error: {self.verdict}, completed: {self.has_completed}"
        if wrong is None and self.verdict != Verdict(lost=self.verdict.lost):
            wrong = f"not a beginning of what was sent: {self.verdict}"
        if wrong is None and not self.control_is_exact:
            wrong = "the control events are not those of the session's log"
        return wrong

    @property
    def damage(self) -> str | None:
        """What is wrong with it whatever was corrupted; None: nothing."""
        if self.is_hung:
            return "it hangs"
        if self.error is not None and not isinstance(self.error, SimClientError):
            return f"an untyped error: {self.error!r}"
        if self.leaked_streams or self.leaked_tasks:
            return f"{self.leaked_streams} streams and {self.leaked_tasks} tasks are left"
        if self.leaving_seconds > LEAVING_SECONDS:
            return f"leaving took {self.leaving_seconds:g} s"
        return None


def run_trial(trial: Trial) -> Outcome:
    """Run it to its end; nothing is waited for in real time."""
    random.seed(trial.seed)
    _seed_the_scheduler(trial.seed)
    # The inbox spaces its checkpoints by the real clock: on a busy machine the same seed would give another run.
    with patch.object(inbox, "perf_counter", trio.current_time):
        return trio.run(_Run(trial).run, clock=trio.testing.MockClock(autojump_threshold=0))


def _seed_the_scheduler(seed: int) -> None:
    """Have trio run its tasks in an order that the seed decides; it has no public door for that."""
    trio_run.__dict__["_ALLOW_DETERMINISTIC_SCHEDULING"] = True
    trio_run._r.seed(seed)


class _Run:
    """A run, and what is noted down while it lasts."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self._dice = random.Random(trial.seed)  # noqa: S311  # reproducible on purpose
        self._truths = _truths(trial)
        self._network = MemoryNetwork()
        self._struck: Counter[str] = Counter()
        self._notifications: list[AccountDiff] = []
        self._control: list[SessionEvent] = []
        self._asked: list[int] = []
        self._has_completed = False
        self._error: BaseException | None = None
        self._left_at = 0.0
        self._leaving_seconds = 0.0
        self._reconnects = 0
        self._struck_at: float | None = None
        self._gaps: list[float] = []
        self._stepper = _Stepper(trial.cancel_at_step)

    async def run(self) -> Outcome:
        async with open_model_server(
            self._truths, seed=self._trial.seed, manners=self._trial.manners, network=self._network
        ) as model:
            await trio.testing.wait_all_tasks_blocked()
            tasks_before = trio.lowlevel.current_statistics().tasks_living
            with trio.move_on_after(_HANG_SECONDS) as scope:
                with self._stepper:
                    await self._use(model)
            streams_left = self._network.open_streams
            tasks_left = await _settle(tasks_before)
            return self._outcome(
                model, is_hung=scope.cancelled_caught, leaked_streams=streams_left, leaked_tasks=tasks_left
            )

    async def _use(self, model: ModelServer) -> None:
        trial = self._trial
        open_stream = faulty_opener(self._network.open_stream, trial.plan, on_fault=self._note_fault)
        try:
            async with open_backtest_session(
                model.url,
                start_slot=FIRST_SLOT,
                end_slot=FIRST_SLOT + trial.slots - 1,
                subscriptions=[AccountDiffs(program=ADDRESSES[:2]), AccountDiffs(program=ADDRESSES[2])],
                delivery=trial.delivery,
                limits=trial.limits,
                observe=self._note_change,
                open_stream=open_stream,
            ) as session:
                try:
                    await self._read(session)
                finally:
                    statistics = session.statistics()
                    self._reconnects = statistics.control_reconnects + statistics.data_reconnects
                    self._left_at = trio.current_time()
        except Exception as error:  # noqa: BLE001  # whatever comes out is what is judged
            self._error = error
        if self._left_at:
            self._leaving_seconds = trio.current_time() - self._left_at

    async def _read(self, session: BacktestSession) -> None:
        """Do what users do; leave when nothing happens any more."""
        with trio.move_on_after(_PATIENCE_SECONDS) as patience:
            async for event in session:
                patience.deadline = math.inf
                await self._take(session, event)
                patience.deadline = trio.current_time() + _PATIENCE_SECONDS

    async def _take(self, session: BacktestSession, event: object) -> None:
        if isinstance(event, AccountDiff):
            self._notifications.append(event)
        else:
            self._control.append(event)  # type: ignore[arg-type]  # no other kind is sent
        if isinstance(event, ReadyForContinue):
            self._asked.append(self._dice.randint(1, 5))
            await session.advance(self._asked[-1])
        self._has_completed |= isinstance(event, Completed)
        if self._trial.reading_seconds:
            await trio.sleep(self._dice.uniform(0, self._trial.reading_seconds))
        if self._trial.nap_seconds and len(self._notifications) + len(self._control) == _NAP_AT_EVENT:
            await trio.sleep(self._trial.nap_seconds)

    def _note_change(self, change: ConnectionChange) -> None:
        if change.state is ConnectionState.UP and self._struck_at is not None:
            self._gaps.append(change.at - self._struck_at)
            self._struck_at = None

    def _note_fault(self, fault: Fault) -> None:
        self._struck[type(fault).__name__] += 1
        self._struck_at = trio.current_time()

    def _outcome(self, model: ModelServer, *, is_hung: bool, leaked_streams: int, leaked_tasks: int) -> Outcome:
        return Outcome(
            seed=self._trial.seed,
            verdict=self._verdict(),
            has_completed=self._has_completed,
            error=self._error,
            struck=self._struck,
            is_hung=is_hung,
            leaked_streams=leaked_streams,
            leaked_tasks=leaked_tasks,
            leaving_seconds=self._leaving_seconds,
            control_is_exact=self._is_log(model),
            problems=(*model.problems, *self._unasked(model)),
            reconnects=self._reconnects,
            open_sessions=sum(not session.is_closed for session in model.sessions.values()),
            was_cancelled=self._stepper.scope.cancelled_caught,
            steps=self._stepper.steps,
            gaps_seconds=tuple(self._gaps),
            seconds=trio.current_time(),
        )

    def _verdict(self) -> Verdict:
        """Compare key by key; in another order within a slot is right where the server shuffles its replays."""
        verdicts: list[Verdict] = []
        for number, address in enumerate(ADDRESSES):
            got = [diff for diff in self._notifications if (diff.signature or "").startswith(f"k{number}-")]
            if self._trial.manners.shuffles_replays:
                got.sort(key=lambda diff: diff.signature or "") if _is_ascending(got) else None
            verdicts.append(self._truths[address].compare(got))
        strangers = sum(not (diff.signature or "").startswith(("k0-", "k1-", "k2-")) for diff in self._notifications)
        return Verdict(
            lost=sum(verdict.lost for verdict in verdicts),
            duplicated=sum(verdict.duplicated for verdict in verdicts),
            reordered=sum(verdict.reordered for verdict in verdicts),
            invented=sum(verdict.invented for verdict in verdicts) + strangers,
        )

    def _is_log(self, model: ModelServer) -> bool:
        logs = [session.log for session in model.sessions.values()]
        if self._has_completed:
            return self._control in logs
        return not self._control or any(log[: len(self._control)] == self._control for log in logs)

    def _unasked(self, model: ModelServer) -> list[str]:
        """Compare what was executed with what the user asked for: nothing twice, nothing else."""
        executed = [
            [request.advance_count for request in session.continues if isinstance(request, Continue)]
            for session in model.sessions.values()
        ]
        busy = [requests for requests in executed if requests]
        if len(busy) > 1:
            return [f"{len(busy)} sessions were advanced"]
        if busy and busy[0] != self._asked[: len(busy[0])]:
            return [f"the user asked for {self._asked}, the server was asked for {busy[0]}"]
        return []


class _Stepper(trio.abc.Instrument):
    """Counts the steps of the scheduler inside its block, and cancels the block at one of them."""

    def __init__(self, cancel_at: int | None) -> None:
        self._cancel_at = cancel_at
        self.scope = trio.CancelScope()
        self.steps = 0

    def __enter__(self) -> None:
        trio.lowlevel.add_instrument(self)
        self.scope.__enter__()

    def __exit__(self, *reason: object) -> bool | None:
        trio.lowlevel.remove_instrument(self)
        return self.scope.__exit__(*reason)  # type: ignore[arg-type]

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """See `trio.abc.Instrument`."""
        self.steps += 1
        if self.steps == self._cancel_at:
            self.scope.cancel(reason="the trial cancels at this step")


def _truths(trial: Trial) -> dict[str, GroundTruth]:
    """Spread the events over three keys, busy ones and a quiet one; some of them really happen twice."""
    slots = range(FIRST_SLOT, FIRST_SLOT + trial.slots)
    shares = (trial.events * 6 // 10, trial.events * 3 // 10, trial.events // 10)
    return {
        address: numbered_diffs(
            shares[number] // (1 + number % 2), slots=slots, name=f"k{number}", copies=1 + number % 2, payload_bytes=32
        )
        for number, address in enumerate(ADDRESSES)
    }


async def _settle(tasks_before: int) -> int:
    """Wait until only the tasks of before are left; return how many are too many."""
    with trio.move_on_after(_SETTLING_SECONDS):
        while trio.lowlevel.current_statistics().tasks_living > tasks_before:  # noqa: ASYNC110  # nobody tells
            await trio.sleep(1)
    return trio.lowlevel.current_statistics().tasks_living - tasks_before


def _is_ascending(diffs: Sequence[AccountDiff]) -> bool:
    return all(one.slot <= other.slot for one, other in pairwise(diffs))
