"""What a run is asked for, what it counts, and what comes out."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Protocol

import attrs

from ..errors import InputError
from ..session.inbox import Event
from ..session.limits import Limits
from ..session.request import slot_range
from ..wire.discovery import DiscoveryFilter
from ..wire.responses import ErrorEvent, Status, UnknownResponse
from ..wire.subscriptions import Subscription
from ..wire.summary import SessionSummary
from .balances import WalletResult
from .preparation import AccountOverrides, ProgramReplacement
from .resume import ResumePoint

__all__ = [
    "DEFAULT_ADVANCE_SLOTS",
    "Notice",
    "RunConfig",
    "RunCounts",
    "RunObserver",
    "RunResult",
    "RunStatus",
    "SessionState",
    "SilentObserver",
    "StartedRun",
]

DEFAULT_ADVANCE_SLOTS = 100
"""Slots per `continue`: many enough that the round trips between them cost nothing, few enough to stop soon."""

Notice = Status | ErrorEvent | UnknownResponse
"""What a server says beside the data: what it is busy with, an error that does not end the session, or what we do not know."""


@attrs.frozen(kw_only=True)
class RunConfig:
    """One backtest over a range of slots, inclusive on both ends.

    Raises:
        InputError: The range is reversed or no range of slots, or `advance_slots` is below 1.
    """

    url: str
    """The control endpoint, without credentials."""
    start_slot: int
    end_slot: int
    advance_slots: int = DEFAULT_ADVANCE_SLOTS
    """How many slots are asked for at a time."""
    subscriptions: tuple[Subscription, ...] = ()
    api_key: str | None = attrs.field(default=None, repr=False)
    """None: the environment variable `SIMULATOR_API_KEY`."""
    output: Path | None = attrs.field(default=None, converter=attrs.converters.optional(Path))
    """The output file, `-` for the standard output; see `simclient.research.ndjson`."""
    record: Path | None = attrs.field(default=None, converter=attrs.converters.optional(Path))
    """Where to keep the session as it came, to be served again; of a parallel run a folder with a recording of each of its
    sessions. See `simclient.research.recording`."""
    write_logs: bool = False
    """Whether `logs` lines are written, which today's tool cannot read."""
    write_instructions: bool = False
    """Whether `tx` lines have the transaction's instructions, which doubles their length."""
    send_summary: bool = False
    """Ask the server to compare the replay with what was recorded."""
    extra_compute_units: int | None = None
    """Added to the compute unit limit of every transaction."""
    programs: tuple[ProgramReplacement, ...] = ()
    """Programs to execute in place of those of the chain, from the first slot on."""
    account_overrides: AccountOverrides | None = None
    """Accounts to set before the first slot."""
    discoveries: tuple[DiscoveryFilter, ...] = ()
    """Batches to be announced ahead of their execution; they are counted."""
    name: str | None = None
    """A name for the session, never to be used again; 0.28."""
    is_parallel: bool = False
    """Have the server split the range, and run the parts at the same time."""
    attach: str | None = None
    """In place of a new session: the id of one that runs, over this range. A run that is cancelled leaves it to its server again."""
    ranges: tuple[tuple[int, int], ...] = ()
    """Run only these parts of the range, inclusive on both ends, each as a session of its own."""
    resume: ResumePoint | None = None
    """Take up the run whose file `output` is."""
    origin: Mapping[str, str] = attrs.field(factory=dict[str, str])
    """Where the blocks come from, for the metadata; known for local bundles."""
    user_agent: str | None = None
    """Put before ours in the `User-Agent` header."""
    limits: Limits = attrs.field(factory=Limits)

    @property
    def writes_parquet(self) -> bool:
        """Whether the output is a Parquet file: events are written beside it first, and it is made of them at the end."""
        return self.output is not None and self.output.suffix == ".parquet"

    @property
    def events_file(self) -> Path | None:
        """Where the events are written, line by line; None: nowhere."""
        if self.output is None or not self.writes_parquet:
            return self.output

        return self.output.with_name(f"{self.output.name}.ndjson")

    def __attrs_post_init__(self) -> None:
        slot_range(self.start_slot, end_slot=self.end_slot)
        if self.is_parallel and self.attach is not None:
            raise InputError("a parallel session cannot be attached to: attach to its parts, one by one")
        if self.record is not None and len(self.ranges) > 1:
            raise InputError(
                f"cannot record into {self.record}: only parts of the range are run again, and the recording would lack the others"
            )
        if self.advance_slots < 1:
            raise InputError(f"cannot advance by {self.advance_slots} slots: 1 is the least")


@attrs.frozen(kw_only=True)
class StartedRun:
    """The session of a run that has begun."""

    session_id: str
    task_id: str | None
    session_name: str | None
    start_slot: int
    end_slot: int


@attrs.frozen(kw_only=True)
class SessionState:
    """How far one session of a run is, or how it ended."""

    session_id: str
    start_slot: int
    end_slot: int
    slots: int = 0
    """Executed."""
    last_slot: int | None = None
    status: str = "running"
    """`running`, `completed` or `failed`."""
    reason: str | None = None

    @property
    def done_slots(self) -> int:
        """How much of the range lies behind, slots without a block included."""
        return 0 if self.last_slot is None else max(0, self.last_slot - self.start_slot + 1)


@attrs.frozen(kw_only=True)
class RunCounts:
    """What a run has received so far."""

    slots: int = 0
    last_slot: int | None = None
    transactions: int = 0
    """Each one once, however many subscriptions it matches."""
    successes: int = 0
    failures: int = 0
    diffs: int = 0
    logs: int = 0
    discoveries: int = 0
    """Batches that were announced."""
    others: int = 0
    """Notifications of a kind that this version does not know."""
    errors: int = 0
    """Errors that the server reported without ending the session."""
    bytes_received: int = 0
    """On the data plane, as they came over the wire."""
    reconnects: int = 0
    duplicates_dropped: int = 0
    """Notifications that a reconnect repeated, and transactions that came by several subscriptions."""
    elapsed_seconds: float = 0.0
    """Since the session was asked for."""
    sessions: tuple[SessionState, ...] = ()
    """How far each session is."""


class RunStatus(Enum):
    """How a run ended."""

    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"


@attrs.frozen(kw_only=True)
class RunResult:
    """What came out of a run, also of one that was cancelled or failed: everything received until then is in it."""

    status: RunStatus
    reason: str | None
    """Why it did not complete; it may hold a server's text, so treat it as hostile."""
    started: StartedRun | None
    """None: no session was ever had."""
    counts: RunCounts
    progress: tuple[RunCounts, ...] = ()
    """How far the run was, at most 256 moments of it."""
    wallets: tuple[WalletResult, ...]
    compared: SessionSummary | None
    """How the replay compares with what was recorded, by the server, over all sessions; None: it did not say."""

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        from .report.cells import result_cell

        return result_cell(self)


class RunObserver(Protocol):
    """Hears how a run goes. Its methods return at once; an exception ends the run."""

    def started(self, run: StartedRun) -> None:
        """A session is there; its first slots will be asked for."""

    def noticed(self, notice: Notice) -> None:
        """The server said something beside the data."""

    def received(self, event: Event) -> None:
        """An event came, of any kind; a transaction that matches several subscriptions comes once."""

    def progressed(self, counts: RunCounts) -> None:
        """A moment has passed; called several times a second."""

    def finished(self, result: RunResult) -> None:
        """The run has ended, in whatever way; called once, after the output was written."""


class SilentObserver:
    """Hears and says nothing."""

    def started(self, run: StartedRun) -> None:
        """Say nothing."""

    def noticed(self, notice: Notice) -> None:
        """Say nothing."""

    def received(self, event: Event) -> None:
        """Say nothing."""

    def progressed(self, counts: RunCounts) -> None:
        """Say nothing."""

    def finished(self, result: RunResult) -> None:
        """Say nothing."""
