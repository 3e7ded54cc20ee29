"""One subscription of a session, as a machine without I/O: its keys, over any number of sockets.

Theory of operation. A subscription is one socket at a time with one key per address. On each new socket every key that has not ended is
subscribed, all requests at once; the subscription is up when all are acknowledged. Notifications of an earlier key may come between the
acknowledgements; they are handed on in order.

- The cursor of a key is the last slot handed on. The first subscribe carries none; after a drop it carries `replayFromSlot` = cursor, and
  where nothing was handed on yet, the first slot that is wanted: what was on its way when the socket broke would be lost otherwise.
- Exactly once (the default): what a socket sends for slots below the cursor, before it has caught up, and the notifications of the
  boundary slot that were handed on already (`boundary.py`) are dropped. At least once: nothing is dropped.
- A key has ended at its `subscriptionComplete`; the subscription has ended when all keys have. Final.
- A message that cannot be read, or a compressed stream that breaks, makes the socket useless: `receive` hands on what came before it
  and reports the fault; the task reconnects and the cursor makes up for it.
- A refused subscribe is fatal: asking again would be refused again.
- What comes in masses is looked at in bulk: notifications of one kind whose slots do not go back move the cursor once per read.
- Notifications of unknown kinds, or for a subscription id that was never acknowledged, are handed on and never de-duplicated.

Source: protocol.md "Subscriptions"; `managed/subscription.rs` of simulator-client 0.9.0.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence

import attrs

from ..errors import RemoteProtocolError, RpcError
from ..wire.compression import StreamDecompressor
from ..wire.detached import Position
from ..wire.notifications import (
    AccountDiff,
    Acknowledgement,
    ActionReport,
    Bulk,
    DataMessage,
    DiagnosticReport,
    ExecutedTransaction,
    Refusal,
    ReplacementReport,
    SubscriptionComplete,
    TransactionLogs,
    UnknownNotification,
    decode_data_messages,
)
from ..wire.subscriptions import Subscription, SubscriptionKey, commitment_of, keys_of, write_subscribe
from .boundary import Boundary, digest_of

__all__ = ["Notification", "Received", "SubscriptionMachine"]

_KeyedNotification = (
    AccountDiff | ExecutedTransaction | TransactionLogs | ActionReport | DiagnosticReport | ReplacementReport
)
"""What belongs to a key and has a slot."""

Notification = _KeyedNotification | UnknownNotification
"""What a subscription hands to the user."""


@attrs.define
class Received:
    """What came of one batch of frames."""

    notifications: list[Notification] = attrs.field(factory=list[Notification])
    """To hand on, in order, whatever else is set."""
    fault: RemoteProtocolError | None = None
    """The socket is useless; reconnect."""
    refusal: RpcError | None = None
    """The server refused a subscribe; do not try again."""


class SubscriptionMachine:
    """Decides what to subscribe, what to hand on and when the stream has ended."""

    def __init__(
        self,
        subscription: Subscription,
        *,
        start_slot: int,
        exactly_once: bool,
        compress: bool,
        max_message_bytes: int,
        boundary_bytes: int,
        positions: Iterable[Position] = (),
        has_begun: bool = False,
    ) -> None:
        """Start without a socket.

        Args:
            subscription: What the user asked for.
            start_slot: The first slot whose notifications are wanted.
            exactly_once: Whether to drop what a reconnect replays.
            compress: Whether to ask for the zstd stream; the server may ignore it.
            max_message_bytes: The longest notification read, after decompression.
            boundary_bytes: How much of the newest slot to keep per key before digests take its place.
            positions: Where to begin, of keys that were handed on before; those of other keys are ignored.
            has_begun: Whether the session was running before, so that the first socket asks for what was missed too.
        """
        self.subscription = subscription
        self._start_slot = start_slot
        self._has_begun = has_begun
        self._exactly_once = exactly_once
        self._compress = compress
        self._max_message_bytes = max_message_bytes
        begun = {position.key: position for position in positions}
        self._was_handed_on_before = any(position.seen for position in begun.values())
        self._keys = [_Key.begin(key, Boundary(boundary_bytes), begun.get(key)) for key in keys_of(subscription)]
        self._requested: dict[int, _Key] = {}
        self._acknowledged: dict[int, _Key] = {}
        self._decompressor = StreamDecompressor(max_message_bytes)
        self.delivered = 0
        self.duplicates_dropped = 0
        self.out_of_order = 0

    @property
    def is_up(self) -> bool:
        """Whether every key of the current socket is acknowledged."""
        return bool(self._acknowledged) and not self._requested

    @property
    def has_ended(self) -> bool:
        """Whether every key has had its end marker."""
        return all(key.has_ended for key in self._keys)

    @property
    def last_slot(self) -> int | None:
        """The newest slot handed on, of any key; a slot that a replay is only to begin with is none."""
        if not (self.delivered or self._was_handed_on_before):
            return None

        return max((key.cursor for key in self._keys if key.cursor is not None), default=None)

    @property
    def positions(self) -> tuple[Position, ...]:
        """How far each key was handed on; those of which nothing was have none."""
        return tuple(key.position for key in self._keys if key.position is not None)

    def connected(self) -> list[str]:
        """A new socket is up: return the subscribe requests to write, in order."""
        self._decompressor = StreamDecompressor(self._max_message_bytes)
        self._requested = dict(enumerate((key for key in self._keys if not key.has_ended), start=1))
        self._acknowledged = {}
        commitment = commitment_of(self.subscription)
        missed_from = self._start_slot if self._has_begun else None
        self._has_begun = True
        return [
            write_subscribe(
                key.key,
                request_id=request_id,
                replay_from_slot=missed_from if key.cursor is None else key.cursor,
                compress=self._compress,
                commitment=commitment,
            )
            for request_id, key in self._requested.items()
        ]

    def disconnected(self) -> None:
        """The socket is gone."""
        self._requested = {}
        self._acknowledged = {}

    def receive(self, runs: Iterable[tuple[bool, list[bytes]]]) -> Received:
        """Take the messages that one read gave, in runs of one kind: (are they binary, payloads)."""
        received = Received()
        for is_binary, payloads in runs:
            try:
                self._receive_run(is_binary, payloads, received)
            except RemoteProtocolError as error:
                received.fault = error
            if received.refusal is not None or received.fault is not None:
                break
        self.delivered += len(received.notifications)
        return received

    def _receive_run(self, is_binary: bool, payloads: list[bytes], received: Received) -> None:
        plain, broken = self._decompressor.decompress_run(payloads) if is_binary else (payloads, None)
        messages, unreadable = decode_data_messages(plain, self.subscription.label)
        bulk = Bulk.of(messages)
        if bulk is not None and self._advance_in_bulk(bulk):
            received.notifications += bulk.notifications
        else:
            self._receive_each(messages, received)
        if (fault := unreadable or broken) is not None and received.refusal is None:
            raise fault

    def _advance_in_bulk(self, bulk: Bulk) -> bool:
        """Move the cursors past all of `bulk` at once; False, and nothing is done, where each must be looked at."""
        parts = bulk.by_subscription()
        for number, part in parts:
            key = self._acknowledged.get(number)
            if key is None or not key.can_advance(part.slots):
                return False

        for number, part in parts:
            self._acknowledged[number].advance(part)
        return True

    def _receive_each(self, messages: list[DataMessage], received: Received) -> None:
        hand_on = received.notifications.append
        for message in messages:
            if not isinstance(message, _KEYED):
                self._receive_rare(message, received)
            elif (key := self._acknowledged.get(message.subscription_id)) is None or self._is_new(key, message):
                hand_on(message)
            if received.refusal is not None:
                return

    def _receive_rare(
        self, message: Acknowledgement | Refusal | SubscriptionComplete | UnknownNotification, received: Received
    ) -> None:
        """Take what is not a notification of a known kind."""
        match message:
            case Acknowledgement(request_id=request_id, subscription_id=subscription_id):
                self._acknowledge(request_id, subscription_id)
            case Refusal():
                received.refusal = self._refused(message)
            case SubscriptionComplete(subscription_id=subscription_id):
                key = self._acknowledged.get(subscription_id)
                if key is not None:
                    key.has_ended = True
            case UnknownNotification():
                received.notifications.append(message)

    def _acknowledge(self, request_id: int, subscription_id: int) -> None:
        key = self._requested.pop(request_id, None)
        if key is None:
            raise RemoteProtocolError(f"the server acknowledged request {request_id}, which was not asked", path="$.id")

        self._acknowledged[subscription_id] = key
        key.replay = key.boundary.to_replay() if self._exactly_once and key.cursor is not None else None

    def _refused(self, refusal: Refusal) -> RpcError:
        key = self._requested.get(refusal.request_id or 0, self._keys[0]).key
        return RpcError(
            f"the server refused {key.method}{key.address and f' of {key.address}'}: {refusal.message} (code {refusal.code})",
            method=key.method,
            code=refusal.code,
        )

    def _is_new(self, key: _Key, message: _KeyedNotification) -> bool:
        """Move the cursor and tell whether `message` is to be handed on."""
        slot = message.slot
        if key.cursor is None or slot > key.cursor:
            key.move(slot)
        elif key.replay is None and slot < key.cursor:
            self.out_of_order += 1  # on a socket that had caught up: the server's disorder, not ours to mend
            return True
        elif key.replay is not None and (slot < key.cursor or self._was_handed_on(key.replay, message)):
            self.duplicates_dropped += 1
            return False

        key.boundary.add((message.raw,))
        return True

    @staticmethod
    def _was_handed_on(replay: Counter[bytes], message: _KeyedNotification) -> bool:
        digest = digest_of(message.raw)
        if not replay[digest]:
            return False

        replay[digest] -= 1
        return True


_KEYED = (AccountDiff, ExecutedTransaction, TransactionLogs, ActionReport, DiagnosticReport, ReplacementReport)
"""The classes of `_KeyedNotification`, spelt out for the type checkers."""


@attrs.define
class _Key:
    """One address of the subscription, and how far its stream was handed on."""

    key: SubscriptionKey
    boundary: Boundary
    cursor: int | None = None
    has_ended: bool = False
    replay: Counter[bytes] | None = None
    """What the current socket may still repeat of the boundary slot; None: it has caught up."""

    def can_advance(self, slots: Sequence[int]) -> bool:
        """Whether all of `slots` are new, in order, and no replay is to be recognised."""
        if self.replay is not None or (self.cursor is not None and slots[0] < self.cursor):
            return False

        return slots == sorted(slots)

    def advance(self, bulk: Bulk) -> None:
        """Note that all of `bulk` was handed on."""
        last = bulk.slots[-1]
        if last != self.cursor:
            self.move(last)
        of_the_last = bulk.notifications[bisect_left(bulk.slots, last) :]
        self.boundary.add([notification.raw for notification in of_the_last])

    def move(self, slot: int) -> None:
        """A newer slot has begun."""
        self.cursor = slot
        self.replay = None
        self.boundary.clear()

    @classmethod
    def begin(cls, key: SubscriptionKey, boundary: Boundary, position: Position | None) -> _Key:
        """Start a key anew, or where it was left."""
        if position is None:
            return cls(key, boundary)

        boundary.restore(Counter({bytes.fromhex(digest): count for digest, count in position.seen.items()}))
        return cls(key, boundary, cursor=position.slot)

    @property
    def position(self) -> Position | None:
        """How far it was handed on."""
        if self.cursor is None:
            return None

        seen = {digest.hex(): count for digest, count in self.boundary.to_replay().items()}
        return Position(
            method=self.key.method,
            address=self.key.address,
            is_program=self.key.is_program,
            slot=self.cursor,
            seen=seen,
        )
