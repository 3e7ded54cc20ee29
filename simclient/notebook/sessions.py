"""Sessions as a notebook holds them: opened in one cell, read in others, closed when they are not wanted any more."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any, TypeVar, final

from ..protocol.subscription import Notification
from ..research.report.cells import cell
from ..research.report.page import numbers
from ..rpc import SessionRpc
from ..session.backtest import BacktestSession
from ..session.discoveries import DiscoveryPause
from ..session.inbox import Event
from ..session.managed import open_backtest_session as open_asynchronously
from ..session.parallel import ParallelSession
from ..session.parallel import open_parallel_session as open_parallel_asynchronously
from ..session.statistics import SessionStatistics
from ..session.stream import NotificationStream
from ..wire.subscriptions import Subscription, describe_subscription
from .handles import Closable, Handle, like, synchronous
from .portal import Holding, the_portal
from .reading import BatchIterator, EventIterator, Feed, FeedIterator

__all__ = [
    "NotebookParallelSession",
    "NotebookRpc",
    "NotebookSession",
    "NotebookStream",
    "NotebookSubSession",
    "open_backtest_session",
    "open_parallel_session",
]

T = TypeVar("T")


@final
class NotebookRpc(Handle[SessionRpc]):
    """`SessionRpc`, each of whose methods waits for its answer."""

    get_account = synchronous(SessionRpc.get_account)
    get_multiple_accounts = synchronous(SessionRpc.get_multiple_accounts)
    get_program_accounts = synchronous(SessionRpc.get_program_accounts)
    get_balance = synchronous(SessionRpc.get_balance)
    get_token_account_balance = synchronous(SessionRpc.get_token_account_balance)
    get_slot = synchronous(SessionRpc.get_slot)
    get_block_height = synchronous(SessionRpc.get_block_height)
    get_latest_blockhash = synchronous(SessionRpc.get_latest_blockhash)
    get_minimum_balance_for_rent_exemption = synchronous(SessionRpc.get_minimum_balance_for_rent_exemption)
    get_transaction = synchronous(SessionRpc.get_transaction)
    simulate_transaction = synchronous(SessionRpc.simulate_transaction)
    send_transaction = synchronous(SessionRpc.send_transaction)
    modify_accounts = synchronous(SessionRpc.modify_accounts)
    program_accounts = synchronous(SessionRpc.program_accounts)
    replace_program = synchronous(SessionRpc.replace_program)
    set_balance = synchronous(SessionRpc.set_balance)
    set_token_balance = synchronous(SessionRpc.set_token_balance)

    def __repr__(self) -> str:
        return "<NotebookRpc of a session>"  # its URL is as secret as the session's id

    @property
    def url(self) -> str:
        """Where calls go; as secret as the session's id."""
        return self._value.url


@final
class NotebookStream(Closable[NotificationStream], EventIterator[Notification]):
    """The notifications of one subscription, read on their own: an iterator; see `NotebookSubSession.subscribe`."""

    def __init__(self, holding: Holding[NotificationStream], subscription: Subscription) -> None:
        """Take what was opened."""
        super().__init__(holding, holding.value)
        self._feed = Feed(holding, holding.value.batches())
        self._subscription = subscription

    def __repr__(self) -> str:
        return f"<NotebookStream of {describe_subscription(self._subscription)}>"

    def batches(self) -> Iterator[Sequence[Notification]]:
        """Iterate over batches; both ways of reading take from the same notifications."""
        return BatchIterator(self._feed)


class NotebookSubSession(Handle[BacktestSession], EventIterator[Event]):
    """A session: an iterator of its events, and the requests that can be made of it.

    It is read and advanced like `BacktestSession`, but every method waits for its result, one loop goes on where another was left (in
    another cell, or after Ctrl-C), and an error in a cell closes nothing.
    """

    def __init__(self, holding: Holding[Any], session: BacktestSession) -> None:
        """Take what was opened."""
        super().__init__(holding, session)
        self._feed = Feed(holding, session.batches())
        self.session_id: str = session.session_id
        self.session_name: str | None = session.session_name
        self.task_id: str | None = session.task_id
        self.start_slot: int = session.start_slot
        self.end_slot: int = session.end_slot
        """The last slot of the range, inclusive."""
        self.rpc: NotebookRpc = NotebookRpc(holding, session.rpc)
        """Solana JSON-RPC on the state after the last executed slot."""

    advance = synchronous(BacktestSession.advance)
    advance_to = synchronous(BacktestSession.advance_to)
    detach = synchronous(BacktestSession.detach)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._value!r}>"

    def _repr_html_(self) -> str:
        """Return what a notebook shows; nothing that is secret."""
        counts = self.statistics()
        figures = [
            ("last slot", "none" if counts.last_slot is None else str(counts.last_slot)),
            ("notifications", f"{counts.notifications:,}"),
            ("MB received", f"{counts.bytes_received / 1e6:,.1f}"),
            ("reconnects", f"{counts.control_reconnects + counts.data_reconnects:,}"),
        ]
        return cell(repr(self._value).strip("<>"), numbers(figures))

    @property
    def rpc_url(self) -> str:
        """The session's own endpoint for Solana's JSON-RPC, which any Solana client can use; as secret as the session's id."""
        return self._value.rpc_url

    def batches(self) -> Iterator[Sequence[Event]]:
        """Iterate over batches of events, at least one event each; it costs less, and both ways of reading take from the same events."""
        return BatchIterator(self._feed)

    def discoveries(
        self, *, offset: int = 0, on_event: Callable[[Event], object] | None = None
    ) -> Iterator[DiscoveryPause]:
        """Run from one batch that matches the session's discovery filters to the next, and stop just before each.

        Arguments and errors are those of `BacktestSession.discoveries`; `on_event` is called in another thread, and must return at once.
        """
        pauses = self._value.discoveries(offset=offset, on_event=on_event)
        return FeedIterator(Feed(self._holding, _OneByOne(pauses)))

    def subscribe(self, subscription: Subscription, *, replay_from_slot: int | None = None) -> NotebookStream:
        """Receive something more, apart from the session's own events, until the stream is closed.

        Arguments and errors are those of `BacktestSession.subscribe`.
        """
        manager = self._value.subscribe(subscription, replay_from_slot=replay_from_slot)
        return NotebookStream(self._holding.open(manager, name=describe_subscription(subscription)), subscription)

    def statistics(self) -> SessionStatistics:
        """Return what the session has done so far, also after its end."""
        return self._value.statistics()


@final
class NotebookSession(NotebookSubSession, Closable[BacktestSession]):
    """A session of its own, which can be closed."""


@final
class NotebookParallelSession(Closable[ParallelSession]):
    """A range that the server has split: its sub-sessions, in the order of the server; closing it closes them all."""

    def __init__(self, holding: Holding[ParallelSession]) -> None:
        """Take what was opened."""
        super().__init__(holding, holding.value)
        self.sub_sessions: tuple[NotebookSubSession, ...] = tuple(
            NotebookSubSession(holding, session) for session in holding.value
        )
        self.session_id: str = holding.value.session_id
        self.session_name: str | None = holding.value.session_name

    def __repr__(self) -> str:
        return f"<NotebookParallelSession of {self._value!r}>"

    def __iter__(self) -> Iterator[NotebookSubSession]:
        return iter(self.sub_sessions)

    def __len__(self) -> int:
        return len(self.sub_sessions)


@like(open_asynchronously)
def open_backtest_session(*args: Any, **kwargs: Any) -> NotebookSession:
    """Open a session over a slot range, and keep it connected until it is closed.

        session = open_backtest_session(url, start_slot=…, slot_count=…, subscriptions=[…])
        for event in session:
            ...
        session.close()

    Arguments and errors are those of `simclient.open_backtest_session`. Ctrl-C while it is opened leaves nothing behind.
    """
    manager = open_asynchronously(*args, **kwargs)
    del args, kwargs  # a traceback that shows locals must not show a key
    holding = the_portal().open(manager, name="a session")
    return NotebookSession(holding, holding.value)


@like(open_parallel_asynchronously)
def open_parallel_session(*args: Any, **kwargs: Any) -> NotebookParallelSession:
    """Open a session that the server splits into sub-sessions, and keep it connected until it is closed.

    Arguments and errors are those of `simclient.open_parallel_session`.
    """
    manager = open_parallel_asynchronously(*args, **kwargs)
    del args, kwargs  # a traceback that shows locals must not show a key
    return NotebookParallelSession(the_portal().open(manager, name="a parallel session"))


@final
class _OneByOne(AsyncIterator[Sequence[T]]):
    """An iterator of single things, as one of batches."""

    def __init__(self, iterator: AsyncIterator[T]) -> None:
        self._iterator = iterator

    async def __anext__(self) -> Sequence[T]:
        return (await anext(self._iterator),)
