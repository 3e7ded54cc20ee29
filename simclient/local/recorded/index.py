"""A recording, indexed by slot: one pass over the file finds out where each slot's moments are; they are read again when it is served.

The user of a session gets control events first, so a slot's notifications may stand well after its end, and those of several sockets in
turn. What an index costs is by the slot, not by the notification.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from pathlib import Path
from typing import BinaryIO, Final, final

import attrs

from ...errors import BundleError, RemoteProtocolError
from ...wire.chunks import UINT32
from ...wire.codec import read_value
from ...wire.failures import SimulationError
from ...wire.notifications import (
    AccountDiff,
    ActionReport,
    ExecutedTransaction,
    TransactionLogs,
    decode_data_message,
)
from ...wire.recording import (
    MAGIC,
    ControlMoment,
    DataMoment,
    Moment,
    RecordingDecoder,
    RecordingHeader,
    moments_at,
)
from ...wire.responses import Completed, ErrorEvent, SessionEvent, SlotNotification
from ...wire.summary import SessionSummary

__all__ = ["RecordedSession", "RecordedSlot", "ServedNotification", "is_recording", "read_recording"]

ServedNotification = AccountDiff | ExecutedTransaction | TransactionLogs | ActionReport
"""The kinds that are served again."""

_READ_BYTES: Final = 2**20
_KEPT_CHUNKS: Final = 16
"""Decoded chunks in memory, of some 512 KiB each: slots that follow each other are in the same ones."""
_BySlot = dict[int, list[ServedNotification]]


@attrs.define
class RecordedSlot:
    """One slot of a recording."""

    slot: int
    at_microseconds: int
    """When it was said to be executed, else when its first notification came."""
    chunks: list[int] = attrs.field(factory=list[int])
    """Those that hold notifications of it, by their offset, ascending."""
    errors: list[str] = attrs.field(factory=list[str])
    """Simulation errors that were said before its end."""


@final
class RecordedSession:
    """What a recording holds; made by `read_recording`."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self._file = file
        self._cache: OrderedDict[int, _BySlot] = OrderedDict()
        self._by_slot: dict[int, RecordedSlot] = {}
        self._errors: list[str] = []
        self.summary = SessionSummary()
        """What `completed` said."""
        self.event_count = self.notification_count = 0
        self.is_complete = False
        """Whether the session reached its end."""
        decoder = RecordingDecoder()
        while data := file.read(_READ_BYTES):
            for chunk in decoder.feed(data):
                for moment in chunk.moments:
                    self._note(moment, chunk.offset)
        decoder.finish()
        assert decoder.header is not None
        self.header: RecordingHeader = decoder.header
        self.damage = decoder.damage
        """Why it is not whole; None where it is."""
        self.status = None if decoder.end is None else decoder.end.status
        self.slots: tuple[RecordedSlot, ...] = tuple(self._by_slot[slot] for slot in sorted(self._by_slot))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def why_it_ends(self) -> str:
        """Say why there is nothing after the last slot."""
        if self.damage is not None:
            return f"{self.path} was cut or damaged: {self.damage}"

        return f"the session that {self.path} is of has ended there: it was {self.status or 'lost'}"

    def notifications(self, slot: RecordedSlot) -> list[ServedNotification]:
        """Read the notifications of a slot, in the order in which they came.

        Raises:
            BundleError: The file has changed since it was opened.
        """
        return [notification for offset in slot.chunks for notification in self._chunk(offset)[slot.slot]]

    def _note(self, moment: Moment, offset: int) -> None:
        if isinstance(moment, ControlMoment):
            self.event_count += 1
            self._note_event(moment)
            return

        self.notification_count += 1
        message = decode_data_message(moment.message)
        if isinstance(message, ServedNotification):
            slot = self._slot(message.slot, moment.at_microseconds)
            if not slot.chunks or slot.chunks[-1] != offset:
                slot.chunks.append(offset)

    def _note_event(self, moment: ControlMoment) -> None:
        match read_value(SessionEvent, moment.message):
            case SlotNotification(slot=number):
                slot = self._slot(number, moment.at_microseconds)
                slot.at_microseconds = moment.at_microseconds
                slot.errors, self._errors = self._errors, []
            case Completed(summary=summary):
                self.is_complete = True
                self.summary = summary or SessionSummary()
            case ErrorEvent(failure=SimulationError(error=error)):
                self._errors.append(error)
            case _:
                return

    def _slot(self, number: int, at_microseconds: int) -> RecordedSlot:
        if number not in self._by_slot:
            self._by_slot[number] = RecordedSlot(number, at_microseconds)
        return self._by_slot[number]

    def _chunk(self, offset: int) -> _BySlot:
        """Read a chunk again, and part its notifications by slot."""
        if offset in self._cache:
            self._cache.move_to_end(offset)
            return self._cache[offset]

        self._file.seek(offset)
        length = int.from_bytes(self._file.read(UINT32.size), "little")
        try:
            moments = moments_at(self._file.read(length))
        except ValueError as error:
            raise BundleError(f"the recording {self.path} has changed: byte {offset}: {error}") from error

        by_slot = self._cache[offset] = _parted(moments)
        if len(self._cache) > _KEPT_CHUNKS:
            self._cache.popitem(last=False)
        return by_slot


def _parted(moments: list[Moment]) -> _BySlot:
    by_slot: defaultdict[int, list[ServedNotification]] = defaultdict(list)
    for moment in moments:
        message = decode_data_message(moment.message) if isinstance(moment, DataMoment) else None
        if isinstance(message, ServedNotification):
            by_slot[message.slot].append(message)
    return by_slot


def is_recording(path: Path) -> bool:
    """Tell a recording by its first bytes; a file that cannot be read is none, and whoever opens it says why."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def read_recording(path: Path) -> RecordedSession:
    """Open a recording and index it.

    Raises:
        BundleError: There is no such file, or it is not a recording that can be read here. One that was cut can be.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise BundleError(f"cannot open the recording {path}: {error.strerror}") from error

    try:
        return RecordedSession(path, file)
    except RemoteProtocolError as error:
        file.close()
        raise BundleError(f"cannot use the recording {path}: {error}") from error
    except BaseException:
        file.close()
        raise
